// SPDX-License-Identifier: Apache-2.0
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { fireEvent, render, screen } from '@testing-library/react';
import { MemoryRouter } from 'react-router';
import { describe, expect, test, vi } from 'vitest';
import type { Task } from '../api/types';
import { TaskTray } from './TaskTray';

const task = (id: string, more: Partial<Task>): Task => ({
    id,
    kind: 'task',
    action: 'vm.start',
    state: 'running',
    subjects: [{ kind: 'vm', id: 'vm_1', name: 'web' }],
    created_at: new Date().toISOString(),
    ...more,
});

let tasks: Task[] = [];
vi.mock('../api/client', async (original) => ({
    ...(await original<object>()),
    api: {
        get: vi.fn(() => Promise.resolve({ items: tasks, next: null })),
        post: vi.fn(() => Promise.resolve({})),
    },
}));

function open() {
    const client = new QueryClient();
    const tray = () => (
        <MemoryRouter>
            <QueryClientProvider client={client}>
                <TaskTray open onToggle={() => undefined} />
            </QueryClientProvider>
        </MemoryRouter>
    );
    render(tray());
    return { again: () => client.invalidateQueries() };
}

describe('the task tray', () => {
    test('shows running tasks first, children with their parent only', async () => {
        tasks = [
            task('tsk_1', { state: 'succeeded', action: 'vm.stop' }),
            task('tsk_2', { progress: 40 }),
            task('tsk_3', { parent: { id: 'tsk_4', name: 'x' }, action: 'vm.reset' }),
        ];
        open();
        await screen.findByText('Start');
        const rows = screen.getAllByRole('row').slice(1);
        expect(rows.map((r) => r.querySelector('a')?.textContent)).toEqual(['Start', 'Turn off']);
        expect(screen.getByRole('progressbar').getAttribute('aria-valuenow')).toBe('40');
    });

    test('never lets a percent go back', async () => {
        tasks = [task('tsk_1', { progress: 60 })];
        const { again } = open();
        await screen.findByRole('progressbar');
        tasks = [task('tsk_1', { progress: 30 })];
        await again();
        expect(screen.getByRole('progressbar').getAttribute('aria-valuenow')).toBe('60');
    });

    test('says why a task waits, and keeps the message of a failed one', async () => {
        tasks = [
            task('tsk_1', {
                state: 'waiting',
                wait_reason: { code: 'provider_offline', detail: 'vc01 is away' },
            }),
            task('tsk_2', {
                state: 'failed',
                error: { code: 'vm-invalid-state', title: 'x', detail: 'web is off' },
            }),
        ];
        open();
        expect(await screen.findByText(/vc01 is away/)).toBeTruthy();
        expect(screen.getByText(/web is off/)).toBeTruthy();
        expect(screen.getByText('1 failed')).toBeTruthy();
    });

    test('keeps finished tasks until they are read', async () => {
        tasks = [task('tsk_1', { state: 'succeeded' })];
        open();
        await screen.findByText('Start');
        fireEvent.click(screen.getByRole('button', { name: 'Clear finished' }));
        expect(screen.queryByText('Start')).toBeNull();
    });
});
