// SPDX-License-Identifier: Apache-2.0
import { cleanup, fireEvent, render, screen, waitFor } from '@testing-library/react';
import { useState } from 'react';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { api } from '../api/client';
import type { Item } from '../api/types';
import { tableOf } from '../list/copyTable';
import { column } from './columns';
import { Grid } from './Grid';
import { GroupStore } from './groups';
import { NOTHING, isSelected, sizeOf, targetsOf, type Selection } from './selection';
import { points } from './Spark';
import { Trends } from './trends';
import { rowsAt, slotsOf, type Rows } from './window';

const COUNTS: Record<string, number> = { running: 300, off: 5 };

/** 300 machines run, 5 are off, 2 have no state that is known. */
function source() {
    const asked: string[] = [];
    const of = (filter: string) => /power_state:(\w+)/.exec(filter)?.[1] ?? '';
    const total = (filter: string) => COUNTS[of(filter)] ?? 2;
    const vm = (state: string, n: number): Item => ({
        id: `vm_${state}_${n}`,
        kind: 'vm',
        name: `${state}-${n}`,
        power_state: state,
    });
    const fake = {
        get: vi.fn((_path: string, q: Record<string, string>) => {
            if (q.facets) {
                asked.push(`facets ${q.facets}`);
                const facets = Object.entries(COUNTS).map(([value, count]) => ({ value, count }));
                return Promise.resolve({
                    items: [],
                    next: null,
                    count: 307,
                    facets: { power_state: facets },
                });
            }
            if (q.ids) {
                const items = q.ids.split(',').map((id) => vm(id.split('_')[1]!, Number(id.split('_')[2])));
                return Promise.resolve({ items, next: null });
            }
            asked.push(q.filter!);
            const count = total(q.filter!);
            const items = Array.from({ length: Math.min(100, count) }, (_, i) => vm(of(q.filter!), i));
            return Promise.resolve({ items, next: count > 100 ? 'x' : null, count });
        }),
        ndjson: async function* (_path: string, q: { filter: string }) {
            for (let i = 0; i < total(q.filter); i++) yield { id: `vm_${of(q.filter)}_${i}` };
        },
    };
    return { fake: fake as unknown as typeof api, asked };
}

const query = { kind: 'vm', filter: 'web', sort: 'name', fields: 'name,power_state', group: 'power_state' };
const settle = () => new Promise((resolve) => setTimeout(resolve, 150));

describe('groups', () => {
    test('stand in the order of the model with their counts, and are read when they are seen', async () => {
        const { fake, asked } = source();
        const store = new GroupStore(fake);
        const stop = store.watch(() => undefined);
        store.load(query);
        await settle();
        expect(store.get()).toMatchObject({ count: 307, reachable: 310 });
        const heads = Array.from({ length: 310 }, (_, i) => store.head(i)).filter((h) => h !== undefined);
        expect(heads.map((h) => [h.key, h.count]).at(-1)).toEqual(['', 2]);
        expect(heads.reduce((sum, h) => sum + h.count, 0)).toBe(307);
        expect(asked.filter((a) => a.includes('running') && a.includes('off'))).toEqual([]);
        const running = Array.from({ length: 310 }, (_, i) => i).find(
            (i) => store.head(i)?.key === 'running',
        )!;
        store.look(running, running + 20);
        await settle();
        expect(asked).toContain('(web) power_state:running');
        expect(store.row(running + 3)?.name).toBe('running-2');
        expect(store.groupAt(running + 3)).toBe('running');
        stop();
        store.stop();
    });

    test('are closed and opened, and closed ones cost no rows', async () => {
        const store = new GroupStore(source().fake);
        store.load(query);
        await settle();
        const at = (key: string) =>
            Array.from({ length: 310 }, (_, i) => i).find((i) => store.head(i)?.key === key)!;
        store.open(at('running'), false);
        expect(store.get().reachable).toBe(10);
        expect(store.head(at('running'))?.open).toBe(false);
        store.open(at('running'), true);
        expect(store.get().reachable).toBe(310);
        store.stop();
    });

    test('are chosen whole: small ones by ids, large ones as their filter', async () => {
        const store = new GroupStore(source().fake);
        store.load(query);
        await settle();
        store.look(0, 309);
        await settle();
        const at = (key: string) =>
            Array.from({ length: 310 }, (_, i) => i).find((i) => store.head(i)?.key === key)!;
        expect(sizeOf(store.all(at('off'))!)).toBe(5);
        const large = store.all(at('running'))!;
        expect(targetsOf(large)).toEqual({
            selector: '(web) power_state:running',
            expected_count: 300,
        });
        expect(isSelected(large, 'vm_running_7', 'running')).toBe(true);
        expect(isSelected(large, 'vm_off_1', 'off')).toBe(false);
        store.stop();
    });
});

describe('the grid with groups', () => {
    beforeAll(() => {
        Object.defineProperty(HTMLElement.prototype, 'clientHeight', { configurable: true, get: () => 700 });
        Element.prototype.scrollTo = () => undefined;
    });
    afterEach(cleanup);

    function Page({ store, onCopy }: { store: GroupStore; onCopy?: () => void }) {
        const [selection, setSelection] = useState<Selection>(NOTHING);
        return (
            <>
                <output data-testid="count">{sizeOf(selection)}</output>
                <Grid
                    store={store}
                    label="machines"
                    columns={[column('vm', 'name'), column('vm', 'power_state')]}
                    layout={{ columns: ['name', 'power_state'], widths: {}, pinned: [] }}
                    sort="name"
                    selection={selection}
                    onSelection={setSelection}
                    onCopy={onCopy}
                    groupLabel={(g) => `State ${g.key || 'none'}`}
                />
            </>
        );
    }

    test('is a tree of two levels, walked and folded by keys', async () => {
        const store = new GroupStore(source().fake);
        store.load(query);
        await settle();
        const onCopy = vi.fn();
        render(<Page store={store} onCopy={onCopy} />);
        const grid = screen.getByRole('treegrid');
        grid.focus();
        const key = (name: string, more = {}) => fireEvent.keyDown(grid, { key: name, ...more });
        const active = () =>
            document.getElementById(grid.getAttribute('aria-activedescendant')!)!.closest('[role=row]')!;
        expect(active().getAttribute('aria-level')).toBe('1');
        expect(active().getAttribute('aria-expanded')).toBe('true');
        key('ArrowLeft');
        expect(active().getAttribute('aria-expanded')).toBe('false');
        key('Enter');
        expect(active().getAttribute('aria-expanded')).toBe('true');
        key('ArrowRight');
        expect(active().getAttribute('aria-level')).toBe('2');
        key('Home');
        key('ArrowLeft');
        expect(active().getAttribute('aria-level')).toBe('1');
        key('x');
        await waitFor(() => expect(Number(screen.getByTestId('count').textContent)).toBeGreaterThan(0));
        key('c', { ctrlKey: true });
        expect(onCopy).toHaveBeenCalled();
        fireEvent.click(document.querySelector('.pv-row--group')!);
        expect(document.querySelector('.pv-row--group')!.getAttribute('aria-expanded')).toBe('false');
        store.stop();
    });
});

describe('the window of rows', () => {
    test('keeps every row that stays in its slot', () => {
        let rows: Rows = { first: 0, length: 0, base: 0 };
        let before = new Map<number, number>();
        for (let from = 0; from < 400; from += 7) {
            rows = rowsAt(rows, from, 20, 500);
            const slots = slotsOf(rows);
            expect(new Set(slots).size).toBe(rows.length);
            expect(Math.min(...slots)).toBe(rows.first);
            expect(rows.first).toBeLessThanOrEqual(from);
            expect(rows.first + rows.length).toBeGreaterThanOrEqual(from + 20);
            const now = new Map(slots.map((row, slot) => [row, slot]));
            for (const [row, slot] of now) if (before.has(row)) expect(before.get(row)).toBe(slot);
            before = now;
        }
    });

    test('ends with the list, and shrinks with it', () => {
        const rows = rowsAt({ first: 0, length: 32, base: 0 }, 480, 20, 500);
        expect(rows.first + rows.length).toBe(500);
        expect(rowsAt(rows, 0, 20, 3)).toEqual({ first: 0, length: 3, base: 0 });
        expect(slotsOf(rowsAt(rows, 0, 20, 0))).toEqual([]);
    });
});

describe('lines of numbers', () => {
    test('are asked for all at once, and not again before a minute has passed', async () => {
        const get = vi.fn((_path: string, q: Record<string, string>) =>
            Promise.resolve({
                series: q.refs!.split(',').map((ref) => ({ ref, name: 'cpu', values: [1, null, 3] })),
            }),
        );
        const tell = vi.fn();
        const trends = new Trends({ get } as unknown as typeof api, 'cpu', tell);
        const ids = Array.from({ length: 60 }, (_, i) => `vm_${i}`);
        trends.look(ids);
        await settle();
        expect(get).toHaveBeenCalledTimes(1);
        expect(get.mock.calls[0]![1].refs!.split(',')).toHaveLength(60);
        expect(trends.of('vm_59')).toEqual({ cpu: [1, null, 3] });
        trends.look([...ids.slice(30), 'vm_60']);
        await settle();
        expect(get).toHaveBeenCalledTimes(2);
        expect(get.mock.calls[1]![1].refs).toBe('vm_60');
        trends.stop();
    });

    test('are drawn through what is not known', () => {
        expect(points([0, null, 100], 100)).toBe('0.0,19.0 100.0,1.0');
    });
});

describe('a copied table', () => {
    test('has the shown columns, one line a row, and no formula', () => {
        const columns = [column('vm', 'name'), column('vm', 'cpu.count')];
        const items: Item[] = [
            { id: 'vm_1', kind: 'vm', name: '=1+1\t<b>', cpu: { count: 4 } },
            { id: 'vm_2', kind: 'vm', name: 'web' },
        ];
        const { text, html } = tableOf(columns, items);
        expect(text.split('\n').slice(1)).toEqual(["'=1+1 <b>\t4", 'web\t', '']);
        expect(html).toContain("<td>'=1+1 &lt;b&gt;</td>");
    });
});
