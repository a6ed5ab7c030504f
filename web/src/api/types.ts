// SPDX-License-Identifier: Apache-2.0
// Short names of the generated types, and the few shapes that the description leaves open.
import type { components } from './schema.gen';

export type Schemas = components['schemas'];
export type Vm = Schemas['Vm'];
export type Host = Schemas['Host'];
export type Cluster = Schemas['Cluster'];
export type Datastore = Schemas['Datastore'];
export type Network = Schemas['Network'];
export type Provider = Schemas['Provider'];
export type Snapshot = Schemas['Snapshot'];
export type Disk = Schemas['Disk'];
export type Nic = Schemas['Nic'];
export type Ref = Schemas['Ref'];
export type Summary = Schemas['Summary'];
export type Me = Schemas['Me'];

/** What all objects have in common, whatever their kind. */
export interface Item {
    id: string;
    kind: string;
    name?: string | null;
    version?: number | null;
    [field: string]: unknown;
}

export interface Page<T> {
    items: T[];
    next: string | null;
    count?: number;
    facets?: Record<string, Facet[]>;
    as_of?: string;
    event_seq?: number;
}

export interface Facet {
    value: string | null;
    name?: string | null;
    count: number;
}

export interface ActionState {
    name: string;
    title?: string;
    state: 'yes' | 'no' | 'limited';
    reason?: string | null;
    reason_text?: { code: string; params?: Record<string, unknown> } | null;
    needs?: string[];
    /** Whom to ask for the right that is lacking; states/grantors.ts adds it. */
    grantors?: { names: string[]; more: number } | null;
    allowed_now?: boolean;
    /** Members that would be refused now, whatever their value. */
    blocked_params?: { pointer: string; reason: string; reason_text?: unknown; needs?: string | null }[];
    params?: JsonSchema;
}

export interface JsonSchema {
    type?: string | string[];
    title?: string;
    description?: string;
    /** Of a driver's settings: the least rights that its account needs. */
    'x-account'?: string;
    properties?: Record<string, JsonSchema>;
    required?: string[];
    enum?: (string | number | null)[];
    items?: JsonSchema;
    default?: unknown;
    minimum?: number;
    maximum?: number;
    minLength?: number;
    maxLength?: number;
    minItems?: number;
    maxItems?: number;
    format?: string;
    writeOnly?: boolean;
    additionalProperties?: boolean | JsonSchema;
    'x-capability'?: string;
    'x-unit'?: string;
    'x-kind'?: string;
    [key: string]: unknown;
}

export interface ChangedField {
    field: string;
    from?: unknown;
    to?: unknown;
    id?: string;
}

export interface LiveEvent {
    id: string;
    seq: number;
    time: string;
    type: string;
    severity?: 'info' | 'warning' | 'error';
    ref?: { kind: string; id: string; name?: string | null } | null;
    provider?: { id: string; name?: string | null } | null;
    object_version?: number | null;
    changes?: ChangedField[] | null;
    task?: { id: string } | null;
    actor?: { type?: string; name?: string | null } | null;
    message?: string | null;
    message_text?: unknown;
    native?: { type?: string | null } | null;
}

export interface Task extends Item {
    action?: string | null;
    state:
        | 'queued'
        | 'waiting'
        | 'running'
        | 'canceling'
        | 'reattaching'
        | 'succeeded'
        | 'failed'
        | 'canceled'
        | 'lost'
        | 'skipped';
    wait_reason?: { code?: string; detail?: string } | null;
    provider?: Ref | null;
    subjects?: { kind: string; id: string; name?: string | null }[] | null;
    params?: Record<string, unknown> | null;
    progress?: number | null;
    step?: { n?: number; of?: number; name?: string } | null;
    bytes?: { done?: number; total?: number } | null;
    parent?: Ref | null;
    children?: {
        total?: number;
        queued?: number;
        running?: number;
        succeeded?: number;
        failed?: number;
        canceled?: number;
        skipped?: number;
    } | null;
    actor?: { type?: string; id?: string; name?: string | null } | null;
    created_at?: string;
    started_at?: string | null;
    finished_at?: string | null;
    cancelable?: boolean | null;
    changed?: boolean | null;
    /** How it is taken back, once it has succeeded. */
    undo?: {
        operation?: string;
        ref?: { kind?: string; id?: string; name?: string | null };
        params?: Record<string, unknown> | null;
    } | null;
    result?: Record<string, unknown> | null;
    error?: (Partial<Schemas['Problem']> & { provider?: Record<string, unknown> }) | null;
}

export interface PlanEntry {
    operation: string;
    ref: { kind: string; id: string; name?: string | null };
    before?: Record<string, unknown> | null;
    after?: Record<string, unknown> | null;
    native_calls?: unknown[];
    /** What a new machine gets. */
    devices?: Record<string, unknown>[];
}

export interface Finding {
    level?: string;
    severity?: string;
    code?: string;
    detail?: string;
    remedy?: string;
    ref?: { kind: string; id: string; name?: string | null };
}

export interface Plan {
    ok: boolean;
    changed: boolean;
    count?: number;
    /** Of all, where the lists are cut. */
    counts?: { change: number; unchanged: number; skipped: number };
    findings?: Finding[];
    plan?: PlanEntry[];
}

export const FINAL_STATES: ReadonlySet<string> = new Set([
    'succeeded',
    'failed',
    'canceled',
    'lost',
    'skipped',
]);
