// SPDX-License-Identifier: Apache-2.0
import { QueryClientProvider } from '@tanstack/react-query';
import { cleanup, fireEvent, render, screen } from '@testing-library/react';
import { createMemoryRouter, RouterProvider } from 'react-router';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { queryClient } from '../../api/query';
import Balance from './Balance';

const spread = (range_pct: number) => ({ mean_pct: 40, deviation_pct: 10, range_pct });
const ref = (id: string, name: string) => ({ id, name });
const busy = ref('ho_1', 'esx1');
const idle = ref('ho_2', 'esx2');
const load = (host: { id: string; name: string }, now: number, after: number) => ({
    host,
    takes_none: null,
    cpu_pct: now,
    memory_pct: 30,
    cpu_after_pct: after,
    memory_after_pct: 30,
    running: 2,
});
const plan = {
    no_advice: null as string | null,
    by_itself: false,
    threshold_pct: 10,
    balanced: true,
    usage_at: '2026-01-02T03:04:05.000Z',
    now: { cpu: spread(60), memory: spread(5) },
    after: { cpu: spread(20), memory: spread(5) },
    hosts: [load(busy, 70, 50), load(idle, 10, 30)],
    moves: [{ vm: ref('vm_1', 'web01'), from: busy, to: idle, reason: 'the processors of esx1 are busy' }],
    left_out: [{ vm: ref('vm_2', 'db01'), host: busy, why: 'rule' }],
};

let router: ReturnType<typeof createMemoryRouter>;

function show(answer: object, actions: object[] = [{ name: 'vm.move', state: 'yes' }]) {
    vi.stubGlobal('fetch', (url: string) =>
        Promise.resolve(
            new Response(JSON.stringify(url.includes('/balance') ? answer : { items: actions }), {
                headers: { 'content-type': 'application/json' },
            }),
        ),
    );
    const item = { id: 'cl_1', kind: 'cluster', name: 'c' } as never;
    router = createMemoryRouter([{ path: '*', element: <Balance item={item} etag={null} /> }]);
    render(
        <QueryClientProvider client={queryClient}>
            <RouterProvider router={router} />
        </QueryClientProvider>,
    );
}

afterEach(() => {
    cleanup();
    queryClient.clear();
    vi.unstubAllGlobals();
});

describe('balance of a cluster', () => {
    test('a move opens the dialog with machine and host, and does nothing by itself', async () => {
        show(plan);
        const button = await screen.findByRole('button', { name: /web01.*esx2/ });
        fireEvent.click(button);
        const asked = new URLSearchParams(router.state.location.search);
        expect(asked.get('do')).toBe('vm.move');
        expect(asked.get('on')).toBe('vm_1');
        expect(JSON.parse(asked.get('set') ?? '{}')).toEqual({ host: 'ho_2' });
    });

    test('hosts are shown as they are and as they would be', async () => {
        show(plan);
        expect(await screen.findByText('70 %')).toBeTruthy();
        expect(screen.getByText(/^50 %/)).toBeTruthy();
        expect(screen.getByText('A rule of the cluster keeps it where it is.')).toBeTruthy();
    });

    test('without numbers there is no advice, and it is said why', async () => {
        show({ ...plan, no_advice: 'usage_missing', balanced: null, moves: [], left_out: [] });
        expect(await screen.findByText(/not known yet/)).toBeTruthy();
        expect(screen.queryByText('Suggested moves')).toBeNull();
    });

    test('a cluster that balances itself says so', async () => {
        show({ ...plan, by_itself: true });
        expect(await screen.findByText('The hypervisor balances this cluster by itself')).toBeTruthy();
    });

    test('whoever may not move machines sees why', async () => {
        show(plan, [{ name: 'vm.move', state: 'no', reason: 'this needs the permission vm.move' }]);
        const button = await screen.findByRole('button', { name: /web01/ });
        expect(button.getAttribute('aria-disabled')).toBe('true');
    });
});
