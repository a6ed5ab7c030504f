// SPDX-License-Identifier: Apache-2.0
// What a list shows is in the address: filter, order, columns with widths. Whoever gets the link sees the same.
import { useCallback, useMemo } from 'react';
import { useSearchParams } from 'react-router';
import { fieldOf } from '../api/model';
import type { Layout } from '../grid/layout';
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
            sort: string;
            layout: Layout;
            view: string | null;
            group: string | null;
            facets: boolean;
        }>,
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
    const [params, setParams] = useSearchParams();
    const filter = params.get(`${prefix}filter`) ?? '';
    const sort = params.get(`${prefix}sort`) ?? list.sort;
    const cols = params.get(`${prefix}cols`);
    const layout = useMemo(() => (cols ? readLayout(cols) : initialLayout(list)), [cols, list]);
    const group = params.get(`${prefix}group`);
    const set = useCallback<ListUrl['set']>(
        (change) =>
            setParams(
                (old) => {
                    const next = new URLSearchParams(old);
                    const put = (key: string, value: string | null) => {
                        if (value) next.set(prefix + key, value);
                        else next.delete(prefix + key);
                    };
                    if (change.filter !== undefined) put('filter', change.filter);
                    if (change.sort !== undefined)
                        put('sort', change.sort === list.sort ? null : change.sort);
                    if (change.layout) {
                        const text = writeLayout(change.layout);
                        put('cols', text === writeLayout(initialLayout(list)) ? null : text);
                    }
                    if (change.view !== undefined) put('view', change.view);
                    if (change.group !== undefined) put('group', change.group);
                    if (change.facets !== undefined) put('facets', change.facets ? '1' : null);
                    return next;
                },
                { replace: true },
            ),
        [setParams, prefix, list],
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
