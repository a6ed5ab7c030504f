// SPDX-License-Identifier: Apache-2.0
// What a batch of events means for objects that are shown: which are new, gone, changed, and how.
import { fieldOf, withValue } from '../api/model';
import type { ChangedField, Item, LiveEvent } from '../api/types';

export interface ObjectChange {
    kind: string;
    id: string;
    created: boolean;
    gone: boolean;
    version: number;
    changes: ChangedField[];
}

/** One entry an object, in the order of their first event. */
export function reduce(events: LiveEvent[]): Map<string, ObjectChange> {
    const found = new Map<string, ObjectChange>();
    for (const e of events) {
        if (!e.ref) continue;
        const verb = e.type.slice(e.type.lastIndexOf('.') + 1);
        let change = found.get(e.ref.id);
        if (!change) {
            change = { kind: e.ref.kind, id: e.ref.id, created: false, gone: false, version: 0, changes: [] };
            found.set(e.ref.id, change);
        }
        if (verb === 'created') {
            change.created = true;
            change.gone = false;
        } else if (verb === 'gone') {
            change.gone = true;
        }
        if (e.object_version) change.version = Math.max(change.version, e.object_version);
        if (e.changes) change.changes.push(...e.changes);
    }
    return found;
}

/**
 * The object with the changes in it that are plain values; answers null if nothing of it changed, and says by `whole`
 * whether that was all (references and devices are read again).
 */
export function patch<T extends Item>(item: T, change: ObjectChange): { item: T; whole: boolean } | null {
    if (change.version && item.version && change.version <= item.version) return null;
    let next = item;
    let whole = true;
    for (const c of change.changes) {
        const field = c.id ? undefined : fieldOf(item.kind, c.field);
        if (!field || field.type === 'ref' || field.type === 'refs' || field.type === 'json') whole = false;
        else next = withValue(next, c.field, c.to);
    }
    if (change.version) next = withValue(next, 'version', change.version);
    return next === item ? null : { item: next, whole };
}
