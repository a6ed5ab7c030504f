// SPDX-License-Identifier: Apache-2.0
// The order of a list as the server takes it: fields with commas, a minus before those that fall.
const MOST = 4;

export function sortOf(sort: string, path: string): 'ascending' | 'descending' | 'none' {
    for (const part of sort.split(',')) {
        if (part === path) return 'ascending';
        if (part === `-${path}`) return 'descending';
    }
    return 'none';
}

/** Its place among several; 0 where it is the only one or none. */
export function placeOf(sort: string, path: string): number {
    const parts = sort.split(',').filter(Boolean);
    return parts.length < 2 ? 0 : parts.findIndex((p) => p.replace(/^-/, '') === path) + 1;
}

/** The next order after a click on a column: up, down, none; with `more` beside the others, which keep their places. */
export function nextSort(sort: string, path: string, more: boolean): string {
    const now = sortOf(sort, path);
    const next = now === 'none' ? path : now === 'ascending' ? `-${path}` : '';
    if (!more) return next;
    const parts = sort.split(',').filter(Boolean);
    const at = parts.findIndex((p) => p.replace(/^-/, '') === path);
    if (at < 0) parts.push(next);
    else parts[at] = next;
    return parts.filter(Boolean).slice(0, MOST).join(',');
}
