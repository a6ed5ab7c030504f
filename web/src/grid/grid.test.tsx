// SPDX-License-Identifier: Apache-2.0
import { cleanup, fireEvent, render, screen } from '@testing-library/react';
import { useState } from 'react';
import { MemoryRouter } from 'react-router';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { api } from '../api/client';
import type { Item } from '../api/types';
import { column } from './columns';
import { Grid } from './Grid';
import type { Layout } from './layout';
import { NOTHING, add, isSelected, sizeOf, targetsOf, toggle, type Selection } from './selection';
import { nextSort, sortOf } from './sort';
import { ListStore } from './store';

const vm = (n: number): Item => ({
    id: `vm_${n}`,
    kind: 'vm',
    name: `web-${n}`,
    power_state: n % 2 ? 'running' : 'off',
    version: 1,
});

/** A server with so many machines, counting what it is asked. */
function source(total: number) {
    const asked: string[] = [];
    const fake = {
        get: vi.fn((_path: string, query: Record<string, string | number>) => {
            if (query.ids) {
                asked.push(`ids ${String(query.ids).split(',').length}`);
                return Promise.resolve({
                    items: String(query.ids)
                        .split(',')
                        .map((id) => vm(Number(id.slice(3)))),
                    next: null,
                });
            }
            asked.push(query.cursor ? 'page' : 'first');
            const from = query.cursor ? Number(query.cursor) : 0;
            const items = Array.from({ length: Math.min(Number(query.limit), total - from) }, (_, i) =>
                vm(from + i),
            );
            const end = from + items.length;
            return Promise.resolve({
                items,
                next: end < total ? String(end) : null,
                count: total,
                event_seq: 0,
            });
        }),
        ndjson: async function* () {
            asked.push('index');
            for (let i = 0; i < total; i++) yield { id: `vm_${i}` };
        },
    };
    return { fake: fake as unknown as typeof api, asked };
}

const query = { kind: 'vm', filter: '', sort: 'name', fields: 'name,power_state' };
const settle = () => new Promise((resolve) => setTimeout(resolve, 90));

describe('the rows', () => {
    test('come by one page, then the order of all, then windows around what is looked at', async () => {
        const { fake, asked } = source(20_000);
        const store = new ListStore(fake);
        store.load(query);
        await settle();
        expect(store.get()).toMatchObject({ count: 20_000, reachable: 20_000, indexed: true });
        expect(asked.slice(0, 2)).toEqual(['first', 'index']);
        store.look(15_080, 15_120);
        await settle();
        expect(store.row(15_010)?.name).toBe('web-15010');
        expect(asked.filter((a) => a.startsWith('ids')).at(-1)).toBe('ids 200');
        store.look(15_081, 15_121);
        await settle();
        expect(asked.filter((a) => a.startsWith('ids')).length).toBeLessThanOrEqual(2);
    });

    test('are forgotten when they are far away', async () => {
        const { fake } = source(20_000);
        const store = new ListStore(fake);
        store.load(query);
        await settle();
        for (let at = 0; at < 4000; at += 400) {
            store.look(at, at + 30);
            await settle();
        }
        expect(store.row(3610)).toBeDefined();
        expect(store.row(410)).toBeUndefined();
    });

    test('beyond fifty thousand grow page by page', async () => {
        const { fake, asked } = source(60_000);
        const store = new ListStore(fake);
        store.load(query);
        await settle();
        expect(store.get()).toMatchObject({ count: 60_000, reachable: 100, indexed: false });
        expect(asked).not.toContain('index');
        store.look(60, 100);
        await settle();
        expect(store.get().reachable).toBe(300);
    });

    test('stay while another filter is on its way, and the late answer of an old one is dropped', async () => {
        const { fake } = source(10);
        const store = new ListStore(fake);
        store.load(query);
        await settle();
        store.load({ ...query, filter: 'a' });
        expect(store.row(0)?.name).toBe('web-0');
        expect(store.get().loading).toBe(true);
        store.load({ ...query, filter: 'b' });
        await settle();
        expect(store.get().query?.filter).toBe('b');
    });
});

describe('selection', () => {
    test('of everything that matches is sent as the filter with the number it must find', () => {
        const all: Selection = { by: 'filter', filter: 'power:running', count: 3412, except: new Set() };
        expect(targetsOf(all)).toEqual({ selector: 'power:running', expected_count: 3412 });
        const but = toggle(all, 'vm_7');
        expect(sizeOf(but)).toBe(3411);
        expect(isSelected(but, 'vm_7')).toBe(false);
        expect(targetsOf(but)).toEqual({ selector: '(power:running) -id:{vm_7}', expected_count: 3411 });
        expect(targetsOf(add(NOTHING, ['vm_1', 'vm_2']))).toEqual({ targets: ['vm_1', 'vm_2'] });
    });

    test('order turns round, then goes; with Shift several stand', () => {
        expect(nextSort('name', 'name', false)).toBe('-name');
        expect(nextSort('-name', 'name', false)).toBe('');
        expect(nextSort('name', 'cpu.count', true)).toBe('name,cpu.count');
        expect(sortOf('name,-cpu.count', 'cpu.count')).toBe('descending');
    });
});

describe('the grid', () => {
    beforeAll(() => {
        Object.defineProperty(HTMLElement.prototype, 'offsetHeight', { configurable: true, get: () => 700 });
        Object.defineProperty(HTMLElement.prototype, 'offsetWidth', { configurable: true, get: () => 1000 });
        Object.defineProperty(HTMLElement.prototype, 'clientHeight', { configurable: true, get: () => 700 });
        Element.prototype.getBoundingClientRect = () => new DOMRect(0, 0, 1000, 700);
        Element.prototype.scrollTo = () => undefined;
    });
    afterEach(cleanup);

    const columns = [column('vm', 'name'), column('vm', 'power_state')];

    function Page({
        store,
        onOpen,
        onMenu,
        onSort,
    }: {
        store: ListStore;
        onOpen?: (i: Item) => void;
        onMenu?: () => void;
        onSort?: (next: (now: string) => string) => void;
    }) {
        const [selection, setSelection] = useState<Selection>(NOTHING);
        const [layout, setLayout] = useState<Layout>({
            columns: ['name', 'power_state'],
            widths: {},
            pinned: ['name'],
        });
        return (
            <MemoryRouter>
                <output data-testid="count">{sizeOf(selection)}</output>
                <output data-testid="columns">{layout.columns.join()}</output>
                <Grid
                    store={store}
                    label="machines"
                    columns={columns}
                    layout={layout}
                    onLayout={setLayout}
                    sort="name"
                    onSort={onSort}
                    selection={selection}
                    onSelection={setSelection}
                    onOpen={onOpen}
                    onMenu={onMenu}
                />
            </MemoryRouter>
        );
    }

    async function open(more: Partial<Parameters<typeof Page>[0]> = {}) {
        const store = new ListStore(source(1000).fake);
        store.load(query);
        await settle();
        render(<Page store={store} {...more} />);
        const grid = screen.getByRole('grid');
        grid.focus();
        return { grid, key: (key: string, init = {}) => fireEvent.keyDown(grid, { key, ...init }) };
    }

    test('tells its size and the place of each row', async () => {
        const { grid } = await open();
        expect(grid.getAttribute('aria-rowcount')).toBe('1001');
        expect(grid.getAttribute('aria-colcount')).toBe('3');
        expect(document.querySelectorAll('.pv-row').length).toBeLessThan(60);
        expect(document.querySelector('.pv-row')?.getAttribute('aria-rowindex')).toBe('2');
    });

    test('is walked, selected and opened by keys', async () => {
        const onOpen = vi.fn();
        const { grid, key } = await open({ onOpen });
        key('ArrowDown');
        key('j');
        expect(
            document
                .getElementById(grid.getAttribute('aria-activedescendant')!)
                ?.closest('.pv-row')
                ?.getAttribute('aria-rowindex'),
        ).toBe('4');
        key('x');
        expect(screen.getByTestId('count').textContent).toBe('1');
        key('ArrowDown', { shiftKey: true });
        key('ArrowDown', { shiftKey: true });
        expect(screen.getByTestId('count').textContent).toBe('3');
        key('Enter');
        expect(onOpen).toHaveBeenCalledWith(expect.objectContaining({ name: 'web-4' }));
        key('Escape');
        expect(screen.getByTestId('count').textContent).toBe('0');
        key('a', { ctrlKey: true });
        expect(screen.getByTestId('count').textContent).toBe('1000');
    });

    test('keeps the active row in the document wherever it is', async () => {
        const { grid, key } = await open();
        key('End', { ctrlKey: true });
        const id = grid.getAttribute('aria-activedescendant')!;
        expect(document.getElementById(id)?.closest('.pv-row')?.getAttribute('aria-rowindex')).toBe('1001');
    });

    test('sorts, moves and widens columns by keys on their heads', async () => {
        const onSort = vi.fn();
        const { key } = await open({ onSort });
        key('ArrowUp');
        key('Enter');
        const [next] = onSort.mock.calls[0] as [(now: string) => string];
        expect(next('name')).toBe('-name');
        expect(next('-name')).toBe('');
        key('ArrowRight', { altKey: true });
        expect(screen.getByTestId('columns').textContent).toBe('power_state,name');
    });

    test('selects by click, Ctrl and Shift', async () => {
        await open();
        const rows = () => [...document.querySelectorAll('.pv-row')];
        fireEvent.click(rows()[2]!.children[2]!);
        fireEvent.click(rows()[5]!.children[2]!, { shiftKey: true });
        expect(screen.getByTestId('count').textContent).toBe('4');
        fireEvent.click(rows()[8]!.children[0]!);
        expect(screen.getByTestId('count').textContent).toBe('5');
        fireEvent.click(rows()[1]!.children[2]!);
        expect(screen.getByTestId('count').textContent).toBe('1');
    });

    test('opens the row menu by right click and by key', async () => {
        const onMenu = vi.fn();
        const { key } = await open({ onMenu });
        fireEvent.contextMenu(document.querySelectorAll('.pv-row')[3]!);
        key('F10', { shiftKey: true });
        key('.');
        expect(onMenu).toHaveBeenCalledTimes(3);
    });
});
