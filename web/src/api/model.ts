// SPDX-License-Identifier: Apache-2.0
// Fields, enums and operations as the server declares them, made by tools/api.mjs from its API description. Nothing here
// restates a field or an operation.
import { docFinder } from '../i18n/docs';
import generated from './model.gen.json';
import type { JsonSchema } from './types';

export type FieldType = 'text' | 'number' | 'bool' | 'enum' | 'time' | 'ref' | 'refs' | 'list' | 'json';

export interface Field {
    type: FieldType;
    unit?: string;
    values?: string[];
    sort?: boolean;
    /** Its values can be counted. */
    facet?: boolean;
    /** Filters cannot name it. */
    hidden?: boolean;
}

export interface KindModel {
    fields: Record<string, Field>;
    /** Path of the collection, if there is one for all objects of the kind: /vms. */
    path?: string;
    permission?: string;
}

export interface Operation {
    method: string;
    path: string;
    permission: string;
    title?: string;
    danger?: boolean;
    /** Names of parameters that must be given; absent: it takes none. */
    asks?: string[];
}

const model = generated as unknown as {
    kinds: Record<string, KindModel>;
    operations: Record<string, Operation[]>;
};

const NO_KIND: KindModel = { fields: {} };

export function kindOf(kind: string): KindModel {
    return model.kinds[kind] ?? NO_KIND;
}

export function kinds(): string[] {
    return Object.keys(model.kinds);
}

export function fieldOf(kind: string, path: string): Field | undefined {
    return model.kinds[kind]?.fields[path];
}

/** Path of a kind's collection: vm gives /vms. */
export function pathOf(kind: string): string {
    return model.kinds[kind]?.path ?? `/${kind}s`;
}

export function operations(): string[] {
    return Object.keys(model.operations);
}

/** How an operation is asked for; those on objects of any kind have a route for each. */
export function operationOf(name: string, kind?: string): Operation | undefined {
    const found = model.operations[name];
    if (!found) return undefined;
    const plural = kind ? pathOf(kind) : '';
    return found.find((o) => plural && (o.path.startsWith(`${plural}/`) || o.path === plural)) ?? found[0];
}

/** The value at a path of an object: a.b looks into a, then b; flat names with dots inside win. */
export function valueAt(object: unknown, path: string): unknown {
    let at: unknown = object;
    let rest = path;
    while (rest) {
        if (typeof at !== 'object' || at === null) return undefined;
        const map = at as Record<string, unknown>;
        if (rest in map) return map[rest];
        const dot = rest.indexOf('.');
        if (dot < 0) return undefined;
        at = map[rest.slice(0, dot)];
        rest = rest.slice(dot + 1);
    }
    return at;
}

/** A copy of the object with another value at a path. */
export function withValue<T>(object: T, path: string, value: unknown): T {
    const dot = path.indexOf('.');
    const map = object as Record<string, unknown>;
    if (dot < 0) return { ...map, [path]: value } as T;
    const head = path.slice(0, dot);
    const inner = (map[head] ?? {}) as Record<string, unknown>;
    return { ...map, [head]: withValue(inner, path.slice(dot + 1), value) } as T;
}

/** What each family calls a field. */
export type NativeNames = Partial<Record<string, string>>;

interface Docs {
    docs: Record<string, Record<string, string>>;
    natives: Record<string, Record<string, NativeNames>>;
}

let docs: Promise<Docs> | null = null;

function allDocs(): Promise<Docs> {
    docs ??= import('./docs.gen.json').then((m) => m.default as unknown as Docs);
    return docs;
}

/** One line about each field of a kind; with a family, what that calls the field as well. */
export async function docsOf(kind: string, family?: string): Promise<Record<string, string>> {
    const [{ docs: all, natives }, words] = await Promise.all([allDocs(), docFinder()]);
    return Object.fromEntries(
        Object.entries(all[kind] ?? {}).map(([path, line]) => {
            const native = family && natives[kind]?.[path]?.[family];
            return [path, native ? `${words(line)} ${native}` : words(line)];
        }),
    );
}

/** The body of a request; a chunk of its own, for dialogs. */
export async function formOf(method: string, path: string): Promise<JsonSchema | undefined> {
    const all = (await import('./params.gen.json')).default as unknown as Record<string, JsonSchema>;
    return all[`${method} ${path}`];
}

/** Parameters of an operation. */
export function paramsOf(operation: Operation): Promise<JsonSchema | undefined> {
    return formOf(operation.method, operation.path);
}
