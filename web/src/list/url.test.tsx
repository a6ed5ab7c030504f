// SPDX-License-Identifier: Apache-2.0
// The address of a list is changed faster than the router shows it: nothing gets lost and nothing is made from what is old.
import { act, render } from '@testing-library/react';
import { createMemoryRouter, RouterProvider } from 'react-router';
import { describe, expect, test } from 'vitest';
import { nextSort } from '../grid/sort';
import { withMoved } from '../grid/layout';
import { useListUrl, type ListUrl } from './url';
import type { ListDeclaration } from './types';

const list = {
    kind: 'vm',
    path: '/vms',
    sort: 'name',
    shown: ['name', 'power_state', 'host', 'cpu.count'],
    narrow: ['name'],
    columns: [],
} as unknown as ListDeclaration;

function open(at = '/vms') {
    let url: ListUrl | null = null;
    const Page = () => {
        url = useListUrl(list);
        return null;
    };
    const router = createMemoryRouter([{ path: '*', element: <Page /> }], { initialEntries: [at] });
    render(<RouterProvider router={router} />);
    return { router, now: () => url! };
}

describe('the address of a list', () => {
    test('a second column is put beside the first, however fast it comes', async () => {
        const { router, now } = open();
        const shown = now();
        await act(async () => {
            shown.set({ sort: (was) => nextSort(was, 'host', true) });
            shown.set({ sort: (was) => nextSort(was, 'cpu.count', true) });
            shown.set({ sort: (was) => nextSort(was, 'cpu.count', true) });
            await Promise.resolve();
        });
        expect(now().sort).toBe('name,host,-cpu.count');
        expect(new URLSearchParams(router.state.location.search).get('sort')).toBe('name,host,-cpu.count');
    });

    test('a filter that is on its way is not lost to an order, nor a column to another', async () => {
        const { now } = open('/vms?do=vm.start');
        const shown = now();
        await act(async () => {
            shown.set({ filter: 'power:off' });
            shown.set({ sort: '-name' });
            shown.set({ layout: (was) => withMoved(was, 'host', -1) ?? was });
            shown.set({ layout: (was) => withMoved(was, 'host', -1) ?? was });
            await Promise.resolve();
        });
        expect(now().filter).toBe('power:off');
        expect(now().sort).toBe('-name');
        expect(now().layout.columns).toEqual(['host', 'name', 'power_state', 'cpu.count']);
    });

    test('what somebody else makes of the address counts', async () => {
        const { router, now } = open();
        act(() => now().set({ filter: 'power:off' }));
        await act(() => router.navigate('/vms?filter=web&group=power_state'));
        act(() => now().set({ sort: '-name' }));
        const params = new URLSearchParams(router.state.location.search);
        expect(Object.fromEntries(params)).toEqual({ filter: 'web', group: 'power_state', sort: '-name' });
    });
});
