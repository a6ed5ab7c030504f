// SPDX-License-Identifier: Apache-2.0
// A reference that must be said and may be nothing; and where the machines of a host go that is emptied.
import { fireEvent, render, screen, waitFor } from '@testing-library/react';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { useState } from 'react';
import { describe, expect, test, vi } from 'vitest';
import type { JsonSchema, Plan } from '../api/types';
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

function Form({
    onValue,
    of = schema,
    start = {},
}: {
    onValue: (value: Values) => void;
    of?: JsonSchema;
    start?: Values;
}) {
    const [value, setValue] = useState<Values>(start);
    return (
        <QueryClientProvider client={new QueryClient()}>
            <ParamForm
                name="vm.set_folder"
                schema={of}
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

describe('a list', () => {
    test('of objects is ticked, and what was chosen before stays in it', async () => {
        const said = vi.fn();
        const of = {
            properties: { members: { type: 'array', items: { type: 'string', 'x-kind': 'user' } } },
        };
        render(<Form onValue={said} of={of} start={{ members: ['fld_2'] }} />);
        const chosen = await screen.findByRole<HTMLInputElement>('checkbox', { name: 'North' });
        expect(chosen.checked).toBe(true);
        fireEvent.click(screen.getByRole('checkbox', { name: 'Shops' }));
        expect(said).toHaveBeenLastCalledWith({ members: ['fld_2', 'fld_1'] });
        fireEvent.click(chosen);
        expect(said).toHaveBeenLastCalledWith({ members: ['fld_1'] });
        expect(screen.getByRole('checkbox', { name: 'North' })).toBeTruthy();
    });

    test('of words is ticked', () => {
        const said = vi.fn();
        const of = {
            properties: {
                permissions: { type: 'array', items: { type: 'string', enum: ['vm.read', 'vm.power'] } },
            },
        };
        render(<Form onValue={said} of={of} />);
        fireEvent.click(screen.getByRole('checkbox', { name: 'vm.power' }));
        expect(said).toHaveBeenLastCalledWith({ permissions: ['vm.power'] });
        fireEvent.click(screen.getByRole('checkbox', { name: 'vm.power' }));
        expect(said).toHaveBeenLastCalledWith({ permissions: [] });
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
