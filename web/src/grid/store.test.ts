// SPDX-License-Identifier: Apache-2.0
import { expect, test, vi } from 'vitest';
import type { api, Query } from '../api/client';
import type { Item, Page } from '../api/types';
import { FIRST, INDEX_MAX, ListStore, SCROLL_MS, type ListQuery } from './store';

const QUERY: ListQuery = { kind: 'vm', filter: '', sort: 'name', fields: 'name' };

/** Answers come when the test gives them. */
function source() {
    const asked: { query: Query; answer: (page: Partial<Page<Item>>) => void }[] = [];
    const get = (_path: string, query: Query) =>
        new Promise((resolve) =>
            asked.push({ query, answer: (page) => resolve({ items: [], next: null, ...page }) }),
        );
    return { asked, api: { get } as unknown as typeof api };
}

const items = (stem: string): Item[] =>
    Array.from({ length: FIRST }, (_, n) => ({ id: `${stem}${n}`, kind: 'vm', name: `${stem}${n}` }));

test('a list that grows by pages never asks for another order with the cursor of the one before', async () => {
    vi.useFakeTimers();
    const { asked, api } = source();
    const store = new ListStore(api);
    store.load(QUERY);
    asked[0]!.answer({ items: items('a'), next: 'by-name', count: INDEX_MAX + 1 });
    await vi.advanceTimersByTimeAsync(0);
    expect(store.get().reachable).toBe(FIRST);

    store.load({ ...QUERY, sort: '-memory' });
    store.look(80, 99);
    await vi.advanceTimersByTimeAsync(SCROLL_MS + 1);
    expect(asked.map((a) => a.query['cursor'])).toEqual([undefined, undefined]);

    asked[1]!.answer({ items: items('b'), next: 'by-memory', count: INDEX_MAX + 1 });
    await vi.advanceTimersByTimeAsync(0);
    store.look(80, 99);
    await vi.advanceTimersByTimeAsync(SCROLL_MS + 1);
    expect(asked.map((a) => a.query['cursor'])).toEqual([undefined, undefined, 'by-memory']);
    expect(asked[2]!.query['sort']).toBe('-memory');
    store.stop();
    vi.useRealTimers();
});
