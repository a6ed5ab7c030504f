// SPDX-License-Identifier: Apache-2.0
// What many things are done to, in an address: a few ids, a filter with its number, or, where that would be too long, the key of
// what this window keeps. Elsewhere such an address tells only that it is not known there.
import { targetsOf, type Selection } from '../grid/selection';

const MOST_IN_ADDRESS = 50;
const MOST_KEPT = 5;
const PREFIX = 'polyvisor.held.';
const HELD = /^held-(\d+)$/;

function keep(selection: Selection): string {
    const keys = Object.keys(sessionStorage).filter((k) => k.startsWith(PREFIX));
    const numbers = keys.map((k) => Number(k.slice(PREFIX.length))).sort((a, b) => a - b);
    for (const old of numbers.slice(0, Math.max(0, numbers.length - MOST_KEPT + 1)))
        sessionStorage.removeItem(`${PREFIX}${old}`);
    const key = (numbers.at(-1) ?? 0) + 1;
    const json = JSON.stringify(selection, (_, v: unknown) => (v instanceof Set ? [...v] : v));
    sessionStorage.setItem(`${PREFIX}${key}`, json);
    return `held-${key}`;
}

export function writeSelection(selection: Selection): string {
    if (selection.by === 'filter' && selection.except.size <= MOST_IN_ADDRESS) {
        const sent = targetsOf(selection);
        if ('selector' in sent) return `filter:${sent.expected_count}:${sent.selector}`;
    }
    if (selection.by === 'ids' && selection.ids.size <= MOST_IN_ADDRESS) return [...selection.ids].join(',');
    return keep(selection);
}

/** Null: it was another window's, or it says nothing. */
export function readSelection(text: string): Selection | null {
    const held = HELD.exec(text)?.[1];
    if (held) {
        const json = sessionStorage.getItem(PREFIX + held);
        if (!json) return null;
        return JSON.parse(json, (key, v: unknown) =>
            key === 'ids' || key === 'except' ? new Set(v as string[]) : v,
        ) as Selection;
    }
    const filter = /^filter:(\d+):([\s\S]+)$/.exec(text);
    if (filter) return { by: 'filter', count: Number(filter[1]), filter: filter[2]!, except: new Set() };
    const ids = text.split(',').filter(Boolean);
    return ids.length ? { by: 'ids', ids: new Set(ids) } : null;
}
