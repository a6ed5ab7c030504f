// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Item, LiveEvent } from '../api/types';
import { LiveEngine, type FromEngine } from './engine';
import { patch, reduce } from './reducer';
import { SseParser } from './sse';

const event = (seq: number, more: Partial<LiveEvent> = {}): LiveEvent => ({
    id: `evt_${seq}`,
    seq,
    time: '2026-01-01T00:00:00Z',
    type: 'vm.updated',
    ref: { kind: 'vm', id: 'vm_1', name: 'web' },
    ...more,
});

describe('server-sent events', () => {
    test('are put together from pieces cut anywhere', () => {
        const text =
            ': hello\n\nid: 7\nevent: vm.updated\ndata: {"a":\ndata: 1}\n\nid: 8\r\nevent: reset\r\n\r\n';
        for (let cut = 1; cut < text.length; cut++) {
            const parser = new SseParser();
            const blocks = [...parser.push(text.slice(0, cut)), ...parser.push(text.slice(cut))];
            expect(blocks).toEqual([
                { id: '7', event: 'vm.updated', data: '{"a":\n1}' },
                { id: '8', event: 'reset', data: '' },
            ]);
        }
    });
});

describe('the engine', () => {
    beforeEach(() => vi.useFakeTimers());
    afterEach(() => {
        vi.useRealTimers();
        vi.unstubAllGlobals();
    });

    function stream() {
        let push!: (text: string) => void;
        let end!: () => void;
        const body = new ReadableStream<Uint8Array>({
            start(controller) {
                push = (text) => controller.enqueue(new TextEncoder().encode(text));
                end = () => controller.close();
            },
        });
        return { response: { status: 200, ok: true, body } as unknown as Response, push, end };
    }
    const line = (e: LiveEvent) => `id: ${e.seq}\nevent: ${e.type}\ndata: ${JSON.stringify(e)}\n\n`;

    test('hands on at most four batches a second, and resumes after a cut', async () => {
        const first = stream();
        const second = stream();
        const urls: string[] = [];
        const answers = [first.response, second.response];
        vi.stubGlobal('fetch', (url: string) => {
            urls.push(url);
            return Promise.resolve(answers.shift());
        });
        const got: FromEngine[] = [];
        const engine = new LiveEngine((m) => got.push(m));
        engine.handle({ type: 'start', since: 10 });
        await vi.advanceTimersByTimeAsync(1);
        for (let seq = 11; seq <= 30; seq++) {
            first.push(line(event(seq)));
            await vi.advanceTimersByTimeAsync(20);
        }
        await vi.advanceTimersByTimeAsync(300);
        const batches = got.filter((m) => m.type === 'events');
        expect(batches.length).toBeLessThanOrEqual(3);
        expect(batches.flatMap((b) => b.events.map((e) => e.seq))).toEqual(
            Array.from({ length: 20 }, (_, i) => 11 + i),
        );
        first.end();
        await vi.advanceTimersByTimeAsync(1000);
        expect(urls).toEqual(['/api/v1/events/stream?since=10', '/api/v1/events/stream?since=30']);
        expect(got.filter((m) => m.type === 'state').map((m) => m.state)).toEqual([
            'connecting',
            'live',
            'lost',
            'live',
        ]);
        second.push(line(event(30)) + line(event(31)));
        await vi.advanceTimersByTimeAsync(300);
        expect(got.filter((m) => m.type === 'events').at(-1)).toEqual({
            type: 'events',
            events: [event(31)],
        });
        engine.handle({ type: 'stop' });
    });

    test('says that the session is over and stops asking', async () => {
        const asked = vi.fn(() => Promise.resolve({ status: 401, ok: false } as Response));
        vi.stubGlobal('fetch', asked);
        const got: FromEngine[] = [];
        const engine = new LiveEngine((m) => got.push(m));
        engine.handle({ type: 'start', since: 1 });
        await vi.advanceTimersByTimeAsync(60_000);
        expect(asked).toHaveBeenCalledTimes(1);
        expect(got.at(-1)).toMatchObject({ type: 'state', state: 'signed-out' });
    });

    test('tells to list again on reset', async () => {
        const s = stream();
        vi.stubGlobal('fetch', () => Promise.resolve(s.response));
        const got: FromEngine[] = [];
        const engine = new LiveEngine((m) => got.push(m));
        engine.handle({ type: 'start', since: 1 });
        await vi.advanceTimersByTimeAsync(1);
        s.push('id: 500\nevent: reset\ndata: {}\n\n');
        await vi.advanceTimersByTimeAsync(1);
        expect(got.some((m) => m.type === 'reset')).toBe(true);
        engine.handle({ type: 'stop' });
    });
});

describe('the reducer', () => {
    test('takes the events of an object together', () => {
        const changes = reduce([
            event(1, { type: 'vm.created' }),
            event(2, { changes: [{ field: 'power_state', from: 'off', to: 'running' }], object_version: 2 }),
            event(3, { ref: { kind: 'host', id: 'hst_1' }, type: 'host.gone' }),
            event(4, { ref: null }),
        ]);
        expect(changes.size).toBe(2);
        expect(changes.get('vm_1')).toMatchObject({ created: true, gone: false, version: 2 });
        expect(changes.get('hst_1')).toMatchObject({ gone: true });
    });

    test('puts plain values into the row and leaves old versions alone', () => {
        const row = {
            id: 'vm_1',
            kind: 'vm',
            version: 1,
            power_state: 'off',
            guest: { ip_addresses: [] },
        } as Item;
        const change = reduce([
            event(2, {
                object_version: 2,
                changes: [
                    { field: 'power_state', from: 'off', to: 'running' },
                    { field: 'guest.ip_addresses', from: [], to: ['10.0.0.1'] },
                ],
            }),
        ]).get('vm_1')!;
        const patched = patch(row, change)!;
        expect(patched.item).toMatchObject({
            power_state: 'running',
            guest: { ip_addresses: ['10.0.0.1'] },
            version: 2,
        });
        expect(patched.whole).toBe(true);
        expect(row.power_state).toBe('off');
        expect(patch({ ...row, version: 5 }, change)).toBeNull();
    });

    test('asks for the whole row when devices or references changed', () => {
        const row = { id: 'vm_1', kind: 'vm', version: 1 } as Item;
        const change = reduce([
            event(2, { object_version: 2, changes: [{ field: 'nics.connected', id: 'nic_1', to: true }] }),
        ]).get('vm_1')!;
        expect(patch(row, change)?.whole).toBe(false);
    });
});
