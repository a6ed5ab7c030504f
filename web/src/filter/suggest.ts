// SPDX-License-Identifier: Apache-2.0
// Suggestions for the filter box: the server's (with counts); while it does not answer, what the model knows.
import { api } from '../api/client';
import { kindOf } from '../api/model';
import { isApiError } from '../api/problem';
import { docFinder } from '../i18n/docs';

export interface Suggestion {
    /** What is put in place of from..to. */
    text: string;
    label: string;
    kind: 'field' | 'value' | 'word';
    detail?: string;
    count?: number;
    from: number;
    to: number;
}

interface Completion {
    items: { text: string; type: string; name?: string; doc?: string; count?: number }[];
    /** Places are in bytes of UTF-8. */
    from: number;
    to: number;
}

let served = true;

/** Where the term under the caret begins and ends. */
export function termAt(text: string, pos: number): { from: number; to: number } {
    let from = pos;
    while (from > 0 && !/[\s(]/.test(text[from - 1]!)) from--;
    if (text[from] === '-') from++;
    let to = pos;
    while (to < text.length && !/[\s)]/.test(text[to]!)) to++;
    return { from: Math.min(from, pos), to };
}

/** From the model alone: names of fields, and values of enums. */
export function local(kind: string, text: string, pos: number): Suggestion[] {
    const { from, to } = termAt(text, pos);
    const typed = text.slice(from, pos);
    const fields = kindOf(kind).fields;
    const split = /^([\w.]+)(:|=|!=)(\{?(?:[^,{}]*,)*)([^,{}]*)$/.exec(typed);
    if (split) {
        const field =
            fields[split[1]!] ??
            Object.entries(fields).find(([path]) => path.startsWith(`${split[1]}_`))?.[1];
        const begun = split[4]!.toLowerCase();
        const start = pos - split[4]!.length;
        const values =
            field?.type === 'enum' ? (field.values ?? []) : field?.type === 'bool' ? ['true', 'false'] : [];
        return values
            .filter((v) => v.startsWith(begun))
            .map((v) => ({ text: v, label: v, kind: 'value' as const, from: start, to }));
    }
    if (/[:=<>~]/.test(typed)) return [];
    const begun = typed.toLowerCase();
    return Object.entries(fields)
        .filter(([path, field]) => !field.hidden && path.includes(begun))
        .sort(
            ([a], [b]) => Number(!a.startsWith(begun)) - Number(!b.startsWith(begun)) || a.length - b.length,
        )
        .slice(0, 12)
        .map(([path, field]) => {
            const op = field.type === 'number' ? '>=' : field.type === 'time' ? '>' : ':';
            return { text: path + op, label: path, kind: 'field' as const, detail: field.type, from, to };
        });
}

export async function suggest(
    kind: string,
    text: string,
    pos: number,
    signal: AbortSignal,
): Promise<Suggestion[]> {
    if (served) {
        try {
            const bytes = (t: string) => new TextEncoder().encode(t).length;
            const place = (n: number) =>
                new TextDecoder().decode(new TextEncoder().encode(text).slice(0, n)).length;
            const pos8 = bytes(text.slice(0, pos));
            const found = await api.get<Completion>('/filter/complete', { kind, text, pos: pos8 }, signal);
            const from = place(found.from);
            const to = place(found.to);
            const words = await docFinder();
            return found.items.map((item) => ({
                text: item.text,
                label: item.name ? `${item.text}  ${item.name}` : item.text,
                kind: item.type === 'value' ? 'value' : 'field',
                detail: item.doc && words(item.doc),
                count: item.count,
                from,
                to,
            }));
        } catch (error) {
            if (isApiError(error) && error.missing) served = false;
            else if (!isApiError(error)) throw error;
        }
    }
    return local(kind, text, pos);
}
