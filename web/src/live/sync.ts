// SPDX-License-Identifier: Apache-2.0
// Keeps what TanStack Query holds in step with events: objects that are open are read again when they change, lists are
// marked old. Once a second at most for each, however many events come.
import type { QueryClient } from '@tanstack/react-query';
import type { LiveEvent } from '../api/types';
import { live } from './live';
import { reduce } from './reducer';

const PACE_MS = 1000;

export function keepFresh(client: QueryClient): () => void {
    const due = new Map<string, unknown[]>();
    let timer: ReturnType<typeof setTimeout> | null = null;

    const later = (key: unknown[]) => {
        due.set(JSON.stringify(key), key);
        timer ??= setTimeout(() => {
            timer = null;
            const keys = [...due.values()];
            due.clear();
            for (const queryKey of keys) void client.invalidateQueries({ queryKey });
        }, PACE_MS);
    };
    const take = (events: LiveEvent[]) => {
        const open = new Set<string>();
        const lists = new Set<string>();
        for (const query of client.getQueryCache().getAll()) {
            if (!query.getObserversCount()) continue;
            const [what, first, second] = query.queryKey as string[];
            if (what === 'object' || what === 'actions') open.add(second ?? '');
            else if (what === 'list' && first) lists.add(first);
        }
        for (const change of reduce(events).values()) {
            if (open.has(change.id)) {
                later(['object', change.kind, change.id]);
                later(['actions', change.kind, change.id]);
            }
            // What can be done to an object, and how old it is, follows from its provider.
            if (change.kind === 'provider' && change.changes.some((c) => c.field === 'state')) {
                later(['object']);
                later(['actions']);
            }
            for (const path of lists)
                if (path.includes(change.id) || touches(path, change.kind)) later(['list', path]);
        }
        if (events.some((e) => !e.type.startsWith('task.'))) later(['summary']);
    };
    const stop = live.listen(take);
    const stopReset = live.onReset(() => void client.invalidateQueries());
    return () => {
        stop();
        stopReset();
        if (timer) clearTimeout(timer);
    };
}

/** What the tree shows, and what its counts and marks follow from. */
const TREE = new Set(['provider', 'datacenter', 'cluster', 'host', 'vm', 'folder']);

function touches(path: string, kind: string): boolean {
    const last = path.slice(path.lastIndexOf('/') + 1);
    if (last === 'tree') return TREE.has(kind);
    return last === `${kind}s` || last === 'events' || (kind === 'switch' && last === 'switches');
}
