// SPDX-License-Identifier: Apache-2.0
// A form about something that is there already: what it starts from, what was changed in it, and what becomes of the changes when
// somebody else was faster. Parameters that change an object have the paths of its fields, so all of it follows from the schema.
import { valueAt } from '../api/model';
import type { JsonSchema } from '../api/types';

export type Values = Record<string, unknown>;

/** One parameter that holds a value, not others. */
export interface Leaf {
    /** Path of the field it shows and changes: cpu.count. */
    path: string;
    pointer: string;
    schema: JsonSchema;
}

export interface Change {
    leaf: Leaf;
    before: unknown;
    after: unknown;
}

/** Who changed a value: only I, only the others, both to the same, or both to different ones. */
export type Side = 'mine' | 'theirs' | 'agreed' | 'conflict';

export interface Compared {
    leaf: Leaf;
    base: unknown;
    mine: unknown;
    current: unknown;
    side: Side;
}

function typesOf(schema: JsonSchema): string[] {
    return [schema.type ?? (schema.properties ? 'object' : 'string')].flat();
}

export function leavesOf(schema: JsonSchema | null | undefined, prefix = ''): Leaf[] {
    return Object.entries(schema?.properties ?? {}).flatMap(([name, s]) => {
        const path = prefix + name;
        return s.properties
            ? leavesOf(s, `${path}.`)
            : [{ path, pointer: `/${path.replaceAll('.', '/')}`, schema: s }];
    });
}

export function getAt(values: Values, path: string): unknown {
    return path
        .split('.')
        .reduce<unknown>(
            (at, name) => (at && typeof at === 'object' ? (at as Values)[name] : undefined),
            values,
        );
}

/** A copy with another value at the path; undefined takes it out, and what is empty then. */
export function setAt(values: Values, path: string, value: unknown): Values {
    const [name = '', ...rest] = path.split('.');
    const next = { ...values };
    if (!rest.length) {
        if (value === undefined) delete next[name];
        else next[name] = value;
        return next;
    }
    const inner = setAt((next[name] as Values | undefined) ?? {}, rest.join('.'), value);
    if (Object.keys(inner).length) next[name] = inner;
    else delete next[name];
    return next;
}

/** What an object's field is as a parameter: references by id, what nobody knows left out. */
function asParameter(value: unknown, schema: JsonSchema): unknown {
    if (value === null || value === undefined || value === '') return undefined;
    if (schema['x-kind']) return (value as { id?: string }).id ?? value;
    if (schema.enum && !schema.enum.includes(value as string)) return undefined;
    if (schema.enum && value === 'unknown') return undefined;
    if (Array.isArray(value) && value.some((v) => typeof v === 'object')) return undefined;
    return value;
}

/** The form's values of the object as it is. */
export function valuesOf(schema: JsonSchema | null | undefined, object: unknown): Values {
    return leavesOf(schema).reduce<Values>(
        (values, leaf) => setAt(values, leaf.path, asParameter(valueAt(object, leaf.path), leaf.schema)),
        {},
    );
}

function same(a: unknown, b: unknown): boolean {
    const empty = (v: unknown) =>
        v === undefined || v === null || v === '' || (Array.isArray(v) && v.length === 0);
    if (empty(a) && empty(b)) return true;
    return JSON.stringify(a) === JSON.stringify(b);
}

/** How an emptied value is said: null where the parameter takes it, else an empty list or text; undefined if it cannot be. */
function emptied(schema: JsonSchema): unknown {
    const types = typesOf(schema);
    if (types.includes('null')) return null;
    if (types.includes('array') && !schema.minItems) return [];
    if (types.includes('string') && !schema.enum && !schema['x-kind'] && !schema.minLength) return '';
    return undefined;
}

export function changesOf(schema: JsonSchema | null | undefined, base: Values, now: Values): Change[] {
    return leavesOf(schema).flatMap((leaf) => {
        const before = getAt(base, leaf.path);
        const given = getAt(now, leaf.path);
        if (same(before, given)) return [];
        const after = given === undefined || given === '' ? emptied(leaf.schema) : given;
        return after === undefined ? [] : [{ leaf, before, after }];
    });
}

/** What is sent: the changed values alone. */
export function patchOf(changes: Change[]): Values {
    return changes.reduce<Values>((patch, c) => setAt(patch, c.leaf.path, c.after), {});
}

/** Every value that I or somebody else changed since the form was filled. */
export function compareThree(
    schema: JsonSchema | null | undefined,
    base: Values,
    mine: Values,
    current: Values,
): Compared[] {
    return leavesOf(schema).flatMap((leaf) => {
        const [b, m, c] = [base, mine, current].map((v) => getAt(v, leaf.path));
        const byMe = !same(b, m);
        const byOthers = !same(b, c);
        if (!byMe && !byOthers) return [];
        const side: Side = !byOthers ? 'mine' : !byMe ? 'theirs' : same(m, c) ? 'agreed' : 'conflict';
        return [{ leaf, base: b, mine: m, current: c, side }];
    });
}

/** The form upon the object as it is now: my changes stay, where both changed a value the choice decides. */
export function rebase(
    current: Values,
    compared: Compared[],
    choice: Readonly<Record<string, 'mine' | 'theirs'>>,
): Values {
    return compared.reduce<Values>((values, row) => {
        const keep = row.side === 'mine' || (row.side === 'conflict' && choice[row.leaf.path] === 'mine');
        return keep ? setAt(values, row.leaf.path, row.mine) : values;
    }, current);
}
