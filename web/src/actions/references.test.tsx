// SPDX-License-Identifier: Apache-2.0
// A reference that must be said and may be nothing; and where the machines of a host go that is emptied.
import { fireEvent, render, screen, waitFor } from '@testing-library/react';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { useState } from 'react';
import { describe, expect, test, vi } from 'vitest';
import type { Plan } from '../api/types';
import { movesOf } from './Evacuation';
import { ParamForm } from './ParamForm';
import type { Values } from './draft';

vi.mock('../api/client', async (original) => ({
    ...(await original<object>()),
    api: {
        get: vi.fn(() =>
            Promise.resolve({
                items: [
                    { id: 'fld_1', kind: 'folder', name: 'Shops', parent: null },
                    { id: 'fld_2', kind: 'folder', name: 'North', parent: { id: 'fld_1', name: 'Shops' } },
                ],
                next: null,
            }),
        ),
    },
}));

const schema = {
    properties: { folder: { type: ['string', 'null'], 'x-kind': 'folder' } },
    required: ['folder'],
};

function Form({ onValue }: { onValue: (value: Values) => void }) {
    const [value, setValue] = useState<Values>({});
    return (
        <QueryClientProvider client={new QueryClient()}>
            <ParamForm
                name="vm.set_folder"
                schema={schema}
                value={value}
                onChange={(next) => {
                    setValue(next);
                    onValue(next);
                }}
            />
        </QueryClientProvider>
    );
}

describe('a reference that may be nothing and must be said', () => {
    test('is not said at first, is nothing when that is chosen, and tells folders of one name apart', async () => {
        const said = vi.fn();
        render(<Form onValue={said} />);
        const list = screen.getByRole<HTMLSelectElement>('combobox');
        await waitFor(() => expect(list.options).toHaveLength(4));
        expect(list.value).toBe('');
        expect([...list.options].slice(2).map((o) => o.text)).toEqual(['Shops', 'Shops / North']);
        fireEvent.change(list, { target: { value: '-' } });
        expect(said).toHaveBeenLastCalledWith({ folder: null });
        fireEvent.change(list, { target: { value: 'fld_2' } });
        expect(said).toHaveBeenLastCalledWith({ folder: 'fld_2' });
        fireEvent.change(list, { target: { value: '' } });
        expect(said).toHaveBeenLastCalledWith({});
    });
});

describe('the way out of a host', () => {
    const plan = (native_calls: unknown[]) =>
        ({
            ok: true,
            changed: true,
            plan: [{ operation: 'x', ref: { kind: 'host', id: 'hst_1' }, native_calls }],
        }) as unknown as Plan;

    test('is what the driver says of each machine', () => {
        const moves = movesOf(
            plan([
                { operation: 'EnterMaintenanceMode_Task', object: 'host-1', args: {} },
                { operation: 'MigrateVM_Task', object: 'vm-7', name: 'web', args: { host: 'esx-02' } },
            ]),
        );
        expect([...moves]).toEqual([['vm-7', 'esx-02']]);
    });

    test('is not known where it says nothing', () => {
        expect(movesOf(undefined).size).toBe(0);
        expect(movesOf(plan([{ method: 'EnterMaintenanceMode_Task' }])).size).toBe(0);
    });
});
