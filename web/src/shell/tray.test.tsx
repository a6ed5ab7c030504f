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
    client.setQueryData(['me'], { permissions: ['task.read'] });
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

    test('shows how far a step is, what it has moved, and a bar without end where nobody knows', async () => {
        tasks = [
            task('tsk_1', {
                action: 'vm.clone',
                started_at: new Date(Date.now() - 100_000).toISOString(),
                progress: 25,
                step: { n: 3, of: 5, name: 'copying disk 2' },
                bytes: { done: 1 << 30, total: 4 << 28 },
            }),
            task('tsk_2', {
                started_at: new Date(Date.now() - 65_000).toISOString(),
                progress: null,
            }),
        ];
        open();
        expect(await screen.findByText(/3 of 5: copying disk 2/)).toBeTruthy();
        expect(screen.getByText(/25.*1.*GiB \/ 1.*GiB.*\/s/)).toBeTruthy();
        const unknown = screen.getAllByRole('progressbar')[1]!;
        expect(unknown.getAttribute('aria-valuenow')).toBeNull();
        expect(unknown.className).toContain('unknown');
        expect(unknown.parentElement!.textContent).toMatch(/1.*5/);
    });

    test('cancels what can be canceled, and only that', async () => {
        const { api } = await import('../api/client');
        tasks = [
            task('tsk_1', { cancelable: true }),
            task('tsk_2', { cancelable: false }),
            task('tsk_3', { cancelable: true, state: 'canceling' }),
            task('tsk_4', { cancelable: true, state: 'succeeded' }),
        ];
        open();
        await screen.findAllByText('Start');
        const buttons = screen.getAllByRole('button', { name: 'Cancel' });
        expect(buttons).toHaveLength(1);
        fireEvent.click(buttons[0]!);
        await vi.waitFor(() => expect(api.post).toHaveBeenCalledWith('/tasks/tsk_1/actions/cancel'));
    });

    test('links to the task and its object, and tells of parts', async () => {
        tasks = [
            task('tsk_1', {}),
            task('tsk_2', { action: 'vm.stop', children: { total: 40, succeeded: 36, failed: 1 } }),
        ];
        open();
        const link = await screen.findByRole('link', { name: 'Start' });
        expect(link.getAttribute('href')).toBe('/tasks/tsk_1');
        expect(screen.getByRole('link', { name: 'web' }).getAttribute('href')).toBe('/vms/vm_1');
        const parts = screen.getByRole('link', { name: /36.*40.*1/ });
        expect(parts.getAttribute('href')).toBe('/tasks/tsk_2');
    });

    test('says how many of many were done and why not the others, and not that it failed', async () => {
        const reason = (name: string, detail: string) => ({
            state: 'skipped',
            code: 'vm-invalid-state',
            detail,
            ref: { kind: 'vm', id: `vm_${name}`, name },
        });
        tasks = [
            task('tsk_1', {
                state: 'failed',
                subjects: [],
                children: { total: 17, succeeded: 4, failed: 0, skipped: 13 },
                error: {
                    code: 'partly-done',
                    title: 'Not everything was done',
                    detail: '4 of 17 done; 13 skipped; the first: it is off',
                    reasons: [reason('web01', 'it is off'), reason('db', 'the tools of db sleep')],
                },
            }),
        ];
        open();
        await screen.findByText('Partly done');
        expect(screen.getByRole('link', { name: '4 of 17 done, 13 skipped' })).toBeTruthy();
        expect(screen.getByText('web01: it is off · the tools of db sleep')).toBeTruthy();
        expect(screen.queryByText(/failed/i)).toBeNull();
    });

    test('is made higher and lower by keys', async () => {
        tasks = [];
        open();
        const edge = await screen.findByRole('separator');
        const height = () => Number(edge.getAttribute('aria-valuenow'));
        const before = height();
        fireEvent.keyDown(edge, { key: 'ArrowUp' });
        expect(height()).toBe(before + 32);
        fireEvent.keyDown(edge, { key: 'ArrowDown' });
        fireEvent.keyDown(edge, { key: 'ArrowDown' });
        expect(height()).toBe(before - 32);
        expect(screen.getByText(/No tasks|Nothing/)).toBeTruthy();
    });
});
