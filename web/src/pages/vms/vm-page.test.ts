// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { undoGroups } from '../../actions/BulkAgain';
import { fitOf, needOf } from '../../actions/Fit';
import type { Item, JsonSchema, Task } from '../../api/types';
import { zoomed } from './Chart';
import { programUrl, rdpFile, untypable } from './handoff';
import { localTime } from '../../lib/localTime';
import { csvOf, seriesOf, spanOf, type SeriesAnswer } from './series';
import { pathOf } from './Spark';
import { stepsOf, type FormState } from './steps';

const schema: JsonSchema = {
    properties: { cpu: { type: 'object', properties: { count: { type: 'integer' } } } },
};
const vm: Item = { id: 'vm_1', kind: 'vm', name: 'web01' };
const clean: FormState = {
    vm: { item: vm, etag: '"vm-3"', base: { cpu: { count: 2 } }, now: { cpu: { count: 2 } } },
    devices: {},
    removals: {},
    additions: [],
};

describe('steps of the hardware form', () => {
    test('nothing changed is nothing to do', () => {
        expect(stepsOf(vm, schema, clean)).toEqual([]);
    });

    test('the machine, what is removed, what is changed, what is added, each with its version', () => {
        const disk: Item = { id: 'dsk_1', kind: 'disk', label: 'Disk 1' };
        const size: JsonSchema = { properties: { capacity_bytes: { type: 'integer' } } };
        const steps = stepsOf(vm, schema, {
            vm: { ...clean.vm, now: { cpu: { count: 4 } } },
            devices: {
                dsk_1: {
                    item: disk,
                    etag: '"disk-1"',
                    kind: 'disk',
                    operation: 'vm.disk.update',
                    schema: size,
                    base: { capacity_bytes: 1 },
                    now: { capacity_bytes: 2 },
                },
                // Changed first, then removed: it is only removed.
                nic_1: {
                    item: { id: 'nic_1', kind: 'nic' },
                    etag: null,
                    kind: 'nic',
                    operation: 'vm.nic.update',
                    schema: { properties: { mac: { type: 'string' } } },
                    base: {},
                    now: { mac: '00:00:00:00:00:01' },
                },
            },
            removals: {
                nic_1: {
                    kind: 'nic',
                    id: 'nic_1',
                    name: 'NIC',
                    operation: 'vm.nic.detach',
                    etag: '"nic-2"',
                    params: {},
                },
            },
            additions: [
                {
                    key: 'add-1',
                    kind: 'disk',
                    operation: 'vm.disk.attach',
                    schema: size,
                    params: { capacity_bytes: 5 },
                },
            ],
        });
        expect(steps.map((s) => [s.operation, s.target.id, s.target.etag, s.params])).toEqual([
            ['vm.reconfigure', 'vm_1', '"vm-3"', { cpu: { count: 4 } }],
            ['vm.nic.detach', 'nic_1', '"nic-2"', {}],
            ['vm.disk.update', 'dsk_1', '"disk-1"', { capacity_bytes: 2 }],
            ['vm.disk.attach', 'vm_1', undefined, { capacity_bytes: 5 }],
        ]);
    });
});

describe('the console', () => {
    test('names each character that a US keyboard does not have, once', () => {
        expect(untypable('ls -la | grep "x"\n\tdone\r\n')).toEqual([]);
        expect(untypable('привет, п é\u0007')).toEqual([...'привет', 'é', '\u0007']);
    });

    test('the file of a remote desktop names host, port and machine, and holds no foreign line', () => {
        const file = rdpFile({
            protocol: 'rdp',
            host: 'hv01',
            port: 2179,
            preconnection_blob: 'A-B\r\nremoteapplicationprogram:s:evil',
        });
        expect(file?.split('\r\n')).toContain('full address:s:hv01');
        expect(file).toContain('server port:i:2179\r\n');
        expect(file?.split('\r\n')).not.toContain('remoteapplicationprogram:s:evil');
        expect(rdpFile({ protocol: 'webmks', host: 'esx' })).toBeNull();
    });

    test('only addresses for console programs become links', () => {
        expect(programUrl({ protocol: 'vmrc', url: 'vmrc://vc/?moid=vm-1' })).toBe('vmrc://vc/?moid=vm-1');
        expect(programUrl({ protocol: 'vmrc', url: 'javascript:alert(1)' })).toBeNull();
    });
});

describe('numbers over time', () => {
    const answer: SeriesAnswer = {
        from: '2026-01-01T00:00:00.000Z',
        to: '2026-01-01T00:01:00.000Z',
        step_s: 20,
        series: [
            { ref: 'vm_1', name: 'cpu.usage_pct', unit: 'percent', values: [1, null, 3] },
            { ref: 'hst_1', name: 'cpu.usage_pct', unit: 'percent', values: [9, 9, 9] },
            { ref: 'vm_1', name: 'disk.read_bps', values: [null, null, null] },
        ],
    };

    test('series are those of one object that have a value', () => {
        const found = seriesOf(answer, 'vm_1');
        expect([...found.keys()]).toEqual(['cpu.usage_pct']);
        expect(found.get('cpu.usage_pct')?.times[1]).toBe(Date.parse('2026-01-01T00:00:20Z') / 1000);
    });

    test('the file has a line a time, and no cell that a spreadsheet takes for a formula', () => {
        const lines = csvOf(answer, (ref) => (ref === 'vm_1' ? '=evil' : 'esx,1')).split('\r\n');
        expect(lines[0]).toBe(
            '\uFEFFtime,\'=evil cpu.usage_pct (percent),"esx,1 cpu.usage_pct (percent)",\'=evil disk.read_bps',
        );
        expect(lines[2]).toBe('2026-01-01T00:00:20.000Z,,9,');
    });

    test('keys zoom and move without leaving what there is', () => {
        const all = { min: 0, max: 100 };
        expect(zoomed('+', all, all)).toEqual({ min: 25, max: 75 });
        expect(zoomed('ArrowRight', { min: 60, max: 100 }, all)).toEqual({ min: 60, max: 100 });
        expect(zoomed('ArrowLeft', { min: 5, max: 45 }, all)).toEqual({ min: 0, max: 40 });
        expect(zoomed('-', { min: 25, max: 75 }, all)).toEqual(all);
        expect(zoomed('0', { min: 25, max: 75 }, all)).toEqual(all);
        expect(zoomed('x', all, all)).toBeNull();
    });

    test('a small line is broken where nothing is known', () => {
        expect(pathOf([0, 10, null, 10], 10).match(/M/g)).toHaveLength(2);
    });
});

describe('room and ways back', () => {
    test('fits, is tight, does not fit', () => {
        expect(fitOf(50, 100, 10)).toBe('fits');
        expect(fitOf(15, 100, 10)).toBe('tight');
        expect(fitOf(5, 100, 10)).toBe('no');
    });

    test('a clone takes the space of its source, a linked one and a stopped one what they take', () => {
        const source: Item = {
            id: 'vm_1',
            kind: 'vm',
            power_state: 'off',
            memory: { bytes: 4 },
            storage: { used_bytes: 7 },
        };
        expect(needOf('vm.clone', source, {}, 'datastore')).toBe(7);
        expect(needOf('vm.clone', source, { linked: true }, 'datastore')).toBeNull();
        expect(needOf('vm.clone', source, {}, 'host')).toBeNull();
        expect(needOf('vm.clone', source, { start: true }, 'host')).toBe(4);
        expect(needOf('vm.start', source, {}, 'host')).toBeNull();
    });

    test('parts that are taken back the same way are one group', () => {
        const child = (id: string, operation: string, params = {}) =>
            ({ id, undo: { operation, ref: { kind: 'vm', id }, params } }) as unknown as Task;
        const groups = undoGroups([
            child('vm_1', 'vm.start'),
            child('vm_2', 'vm.resume'),
            child('vm_3', 'vm.start'),
            { id: 'tsk', kind: 'task', state: 'succeeded', undo: null } as Task,
        ]);
        expect(groups.map((g) => [g.operation, g.ids])).toEqual([
            ['vm.start', ['vm_1', 'vm_3']],
            ['vm.resume', ['vm_2']],
        ]);
    });
});

describe('a span of time that somebody chooses', () => {
    test('begins before it ends, and is of times', () => {
        expect(spanOf('2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z')).toEqual({
            from: Date.UTC(2026, 0, 1),
            to: Date.UTC(2026, 0, 2),
        });
        for (const [from, to] of [
            ['2026-01-02', '2026-01-01'],
            ['2026-01-01', '2026-01-01'],
            ['yesterday', '2026-01-01'],
            [null, null],
            ['', ''],
        ] as const)
            expect(spanOf(from, to)).toBeNull();
    });

    test('goes to the fields and back without moving', () => {
        const at = Date.UTC(2026, 5, 30, 12, 34);
        expect(new Date(localTime(at)).getTime()).toBe(at);
    });
});
