// SPDX-License-Identifier: Apache-2.0
// What a list shows is in the address: filter, order, columns with widths. Whoever gets the link sees the same.
import { useCallback, useMemo } from 'react';
import { fieldOf } from '../api/model';
import type { Layout } from '../grid/layout';
import { useAddress, type How } from '../lib/address';
import type { ListDeclaration } from './types';

export interface ListUrl {
    filter: string;
    sort: string;
    layout: Layout;
    view: string | null;
    /** Field that rows are grouped by. */
    group: string | null;
    /** Facets are open. */
    facets: boolean;
    set: (
        change: Partial<{
            filter: string;
            /** Of a function: from what it is by then, which may not be shown yet. */
            sort: string | ((now: string) => string);
            layout: Layout | ((now: Layout) => Layout);
            view: string | null;
            group: string | null;
            facets: boolean;
        }>,
        how?: How,
    ) => void;
}

/** name:240,power_state,!host — width after a colon, ! pins. */
export function writeLayout(layout: Layout): string {
    return layout.columns
        .map(
            (id) =>
                (layout.pinned.includes(id) ? '!' : '') +
                id +
                (layout.widths[id] ? `:${layout.widths[id]}` : ''),
        )
        .join(',');
}

export function readLayout(text: string): Layout {
    const layout: Layout = { columns: [], widths: {}, pinned: [] };
    for (const part of text.split(',').filter(Boolean)) {
        const [, pin, id, width] = /^(!?)([\w.]+)(?::(\d+))?$/.exec(part) ?? [];
        if (!id) continue;
        layout.columns.push(id);
        if (pin) layout.pinned.push(id);
        if (width) layout.widths[id] = Number(width);
    }
    return layout;
}

export function initialLayout(list: ListDeclaration): Layout {
    return { columns: list.shown, widths: {}, pinned: list.shown.slice(0, 1) };
}

/** `prefix` keeps apart several lists on one page. */
export function useListUrl(list: ListDeclaration, prefix = ''): ListUrl {
    const [params, change] = useAddress();
    const filter = params.get(`${prefix}filter`) ?? '';
    const sort = params.get(`${prefix}sort`) ?? list.sort;
    const cols = params.get(`${prefix}cols`);
    const layout = useMemo(() => (cols ? readLayout(cols) : initialLayout(list)), [cols, list]);
    const group = params.get(`${prefix}group`);
    const set = useCallback<ListUrl['set']>(
        (what, how) =>
            change((next) => {
                const put = (key: string, value: string | null) => {
                    if (value) next.set(prefix + key, value);
                    else next.delete(prefix + key);
                };
                if (what.filter !== undefined) put('filter', what.filter);
                if (what.sort !== undefined) {
                    const sort =
                        typeof what.sort === 'string'
                            ? what.sort
                            : what.sort(next.get(`${prefix}sort`) ?? list.sort);
                    put('sort', sort === list.sort ? null : sort);
                }
                if (what.layout) {
                    const cols = next.get(`${prefix}cols`);
                    const text = writeLayout(
                        typeof what.layout === 'function'
                            ? what.layout(cols ? readLayout(cols) : initialLayout(list))
                            : what.layout,
                    );
                    put('cols', text === writeLayout(initialLayout(list)) ? null : text);
                }
                if (what.view !== undefined) put('view', what.view);
                if (what.group !== undefined) put('group', what.group);
                if (what.facets !== undefined) put('facets', what.facets ? '1' : null);
            }, how),
        [change, prefix, list],
    );
    return {
        filter,
        sort,
        layout,
        view: params.get(`${prefix}view`),
        // What cannot be counted makes no groups.
        group: group && fieldOf(list.kind, group)?.facet ? group : null,
        facets: params.get(`${prefix}facets`) === '1',
        set,
    };
}
