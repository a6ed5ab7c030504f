// SPDX-License-Identifier: Apache-2.0
// The selection, or all that matches, as a table in the clipboard: as text with tabs and as HTML, with the shown columns.
import { api, type Query } from '../api/client';
import { pathOf } from '../api/model';
import type { Item, Page } from '../api/types';
import type { Column } from '../grid/columns';
import type { Selection } from '../grid/selection';
import type { ListDeclaration } from './types';

export const ROWS_MAX = 10_000;
const AT_ONCE = 200;

export interface Wanted {
    list: ListDeclaration;
    columns: Column[];
    filter: string;
    sort: string;
    selection: Selection;
}

async function read(wanted: Wanted, source: typeof api): Promise<{ items: Item[]; cut: boolean }> {
    const { list, selection } = wanted;
    const path = list.path ?? pathOf(list.kind);
    const named = new Set(['name', ...wanted.columns.flatMap((c) => c.fields ?? [c.id])]);
    const query: Query = { ...list.params, fields: [...named].join(',') };
    const items: Item[] = [];
    if (selection.by === 'ids' && selection.ids.size) {
        const ids = [...selection.ids];
        for (let at = 0; at < Math.min(ids.length, ROWS_MAX); at += AT_ONCE) {
            const some = ids.slice(at, at + AT_ONCE).join(',');
            const page = await source.get<Page<Item>>(path, { ...query, ids: some, limit: AT_ONCE });
            items.push(...page.items);
        }
        return { items, cut: ids.length > ROWS_MAX };
    }
    const except = selection.by === 'filter' ? selection.except : new Set<string>();
    const filter = selection.by === 'filter' ? selection.filter : wanted.filter;
    const stop = new AbortController();
    for await (const item of source.ndjson<Item>(
        path,
        { ...query, filter, sort: wanted.sort },
        stop.signal,
    )) {
        if (except.has(item.id)) continue;
        if (items.length === ROWS_MAX) {
            stop.abort();
            return { items, cut: true };
        }
        items.push(item);
    }
    return { items, cut: false };
}

/** No spreadsheet takes a cell for a formula. */
const harmless = (text: string) => (/^[=+\-@]/.test(text) ? `'${text}` : text);
const oneLine = (text: string) => harmless(text.replace(/[\t\r\n]+/g, ' '));
const escaped = (text: string) =>
    text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

export function tableOf(columns: Column[], items: Item[]): { text: string; html: string } {
    const rows = [
        columns.map((c) => c.label?.() ?? c.id),
        ...items.map((item) => columns.map((c) => oneLine(c.text?.(item) ?? ''))),
    ];
    const cells = (row: string[], tag: string) => row.map((x) => `<${tag}>${escaped(x)}</${tag}>`).join('');
    return {
        text: rows.map((row) => row.join('\t')).join('\n') + '\n',
        html: `<table>${rows.map((row, i) => `<tr>${cells(row, i ? 'td' : 'th')}</tr>`).join('')}</table>`,
    };
}

/** Answers how many rows are in the clipboard now, and whether there are more. */
export async function copyTable(
    wanted: Wanted,
    source: typeof api = api,
): Promise<{ rows: number; cut: boolean }> {
    // A browser lets write only as long as the click is fresh: it gets promises at once.
    const found = read(wanted, source);
    const table = found.then(({ items }) => tableOf(wanted.columns, items));
    const blob = (type: string, part: 'text' | 'html') => table.then((x) => new Blob([x[part]], { type }));
    await navigator.clipboard.write([
        new ClipboardItem({
            'text/plain': blob('text/plain', 'text'),
            'text/html': blob('text/html', 'html'),
        }),
    ]);
    const { items, cut } = await found;
    return { rows: items.length, cut };
}
