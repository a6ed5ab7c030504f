// SPDX-License-Identifier: Apache-2.0
// What the hardware form holds, and what is to be done for it: one step for the machine, one for each device that is changed,
// removed or added. Only what differs is in them.
import { changesOf, leavesOf, getAt, patchOf, type Change, type Values } from '../../actions/draft';
import type { Target } from '../../actions/registry';
import type { Read } from '../../actions/useDraft';
import type { Item, JsonSchema } from '../../api/types';

export interface Filled extends Read {
    /** The form's values of the object as it was read. */
    base: Values;
    now: Values;
}

export interface DeviceDraft extends Filled {
    kind: string;
    /** Operation that changes it, and its parameters. */
    operation: string;
    schema: JsonSchema;
    /** All values are sent, not only the changed ones: the operation puts something in the place of what was. */
    whole?: boolean;
}

export interface Removal {
    kind: string;
    id: string;
    name: string;
    operation: string;
    etag: string | null;
    params: Values;
}

export interface Addition {
    key: string;
    kind: string;
    operation: string;
    schema: JsonSchema;
    params: Values;
}

export interface FormState {
    vm: Filled;
    devices: Readonly<Record<string, DeviceDraft>>;
    removals: Readonly<Record<string, Removal>>;
    additions: readonly Addition[];
}

export interface Step {
    key: string;
    operation: string;
    target: Extract<Target, { id: string }>;
    params: Values;
    changes: Change[];
}

export function nameOf(device: Item): string {
    return String(device.label ?? device.name ?? device.id);
}

function given(schema: JsonSchema, params: Values): Change[] {
    return leavesOf(schema)
        .map((leaf) => ({ leaf, before: undefined, after: getAt(params, leaf.path) }))
        .filter((c) => c.after !== undefined && c.after !== '');
}

/** In the order they are asked for: what is removed makes room for what is added. */
export function stepsOf(vm: Item, schema: JsonSchema | null | undefined, state: FormState): Step[] {
    const steps: Step[] = [];
    const own = changesOf(schema, state.vm.base, state.vm.now);
    if (own.length)
        steps.push({
            key: 'vm',
            operation: 'vm.reconfigure',
            target: { kind: 'vm', id: vm.id, name: vm.name, etag: state.vm.etag },
            params: patchOf(own),
            changes: own,
        });
    for (const r of Object.values(state.removals))
        steps.push({
            key: `remove-${r.id}`,
            operation: r.operation,
            target: { kind: r.kind, id: r.id, owner: vm.id, name: r.name, etag: r.etag },
            params: r.params,
            changes: [],
        });
    for (const [id, d] of Object.entries(state.devices)) {
        if (state.removals[id]) continue;
        const changes = changesOf(d.schema, d.base, d.now);
        if (!changes.length) continue;
        steps.push({
            key: `change-${id}`,
            operation: d.operation,
            target: { kind: d.kind, id, owner: vm.id, name: nameOf(d.item), etag: d.etag },
            params: d.whole ? d.now : patchOf(changes),
            changes,
        });
    }
    for (const a of state.additions)
        steps.push({
            key: a.key,
            operation: a.operation,
            target: { kind: 'vm', id: vm.id, name: vm.name },
            params: a.params,
            changes: given(a.schema, a.params),
        });
    return steps;
}
