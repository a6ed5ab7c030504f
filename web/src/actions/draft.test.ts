// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import type { JsonSchema } from '../api/types';
import { changesOf, compareThree, getAt, leavesOf, patchOf, rebase, setAt, valuesOf } from './draft';

const schema: JsonSchema = {
    properties: {
        cpu: {
            type: 'object',
            properties: {
                count: { type: 'integer', minimum: 1 },
                limit_mhz: { type: ['integer', 'null'], minimum: 1 },
                nested: { type: 'boolean' },
            },
        },
        firmware: { type: 'string', enum: ['bios', 'uefi'] },
        network: { type: ['string', 'null'], 'x-kind': 'network' },
        boot: { type: 'object', properties: { order: { type: 'array', items: { type: 'string' } } } },
        annotation: { type: ['string', 'null'] },
    },
};

const machine = {
    kind: 'vm',
    cpu: { count: 2, limit_mhz: 4000, nested: null, sockets: 2 },
    firmware: 'unknown',
    network: { id: 'net_1', name: 'LAN' },
    boot: { order: ['disk', 'network'] },
    annotation: null,
};

const changed = (now: object) => patchOf(changesOf(schema, valuesOf(schema, machine), now as never));

describe('a form about what is there', () => {
    test('knows every parameter by path and pointer', () => {
        expect(leavesOf(schema).map((l) => [l.path, l.pointer])).toEqual([
            ['cpu.count', '/cpu/count'],
            ['cpu.limit_mhz', '/cpu/limit_mhz'],
            ['cpu.nested', '/cpu/nested'],
            ['firmware', '/firmware'],
            ['network', '/network'],
            ['boot.order', '/boot/order'],
            ['annotation', '/annotation'],
        ]);
    });

    test('is filled with what is: references by id, the unknown left out, other fields not taken', () => {
        expect(valuesOf(schema, machine)).toEqual({
            cpu: { count: 2, limit_mhz: 4000 },
            network: 'net_1',
            boot: { order: ['disk', 'network'] },
        });
    });

    test('sends nothing when nothing was changed', () => {
        expect(changed(valuesOf(schema, machine))).toEqual({});
    });

    test('sends what was changed alone', () => {
        const now = setAt(valuesOf(schema, machine), 'cpu.count', 4);
        expect(changed(now)).toEqual({ cpu: { count: 4 } });
    });

    test('a value that was changed back is not changed', () => {
        const there = setAt(valuesOf(schema, machine), 'cpu.count', 4);
        expect(changed(setAt(there, 'cpu.count', 2))).toEqual({});
    });

    test('says null for what was emptied and may be empty, and nothing for what may not', () => {
        const base = valuesOf(schema, machine);
        expect(changed(setAt(base, 'cpu.limit_mhz', undefined))).toEqual({ cpu: { limit_mhz: null } });
        expect(changed(setAt(base, 'network', undefined))).toEqual({ network: null });
        expect(changed(setAt(base, 'cpu.count', undefined))).toEqual({});
        expect(changed(setAt(base, 'boot.order', []))).toEqual({ boot: { order: [] } });
    });

    test('the order of a list is part of it', () => {
        const now = setAt(valuesOf(schema, machine), 'boot.order', ['network', 'disk']);
        expect(changed(now)).toEqual({ boot: { order: ['network', 'disk'] } });
    });

    test('a copy with another value leaves the old one alone', () => {
        const base = valuesOf(schema, machine);
        setAt(base, 'cpu.count', 8);
        expect(getAt(base, 'cpu.count')).toBe(2);
        expect(setAt({ a: { b: 1 } }, 'a.b', undefined)).toEqual({});
    });
});

describe('when somebody else was faster', () => {
    const base = { cpu: { count: 2, limit_mhz: 4000 }, firmware: 'bios' };
    const mine = { cpu: { count: 4, limit_mhz: 4000, nested: true }, firmware: 'uefi' };
    const current = { cpu: { count: 8, limit_mhz: 2000 }, firmware: 'uefi' };
    const rows = compareThree(schema, base, mine, current);

    test('each changed value says who changed it', () => {
        expect(rows.map((r) => [r.leaf.path, r.side])).toEqual([
            ['cpu.count', 'conflict'],
            ['cpu.limit_mhz', 'theirs'],
            ['cpu.nested', 'mine'],
            ['firmware', 'agreed'],
        ]);
    });

    test('mine stays, theirs stays, the choice decides where both changed it', () => {
        expect(rebase(current, rows, { 'cpu.count': 'mine' })).toEqual({
            cpu: { count: 4, limit_mhz: 2000, nested: true },
            firmware: 'uefi',
        });
        expect(rebase(current, rows, { 'cpu.count': 'theirs' })).toEqual({
            cpu: { count: 8, limit_mhz: 2000, nested: true },
            firmware: 'uefi',
        });
    });

    test('what is sent afterwards is the difference to what is now', () => {
        const next = rebase(current, rows, { 'cpu.count': 'mine' });
        expect(patchOf(changesOf(schema, current, next))).toEqual({ cpu: { count: 4, nested: true } });
    });
});
