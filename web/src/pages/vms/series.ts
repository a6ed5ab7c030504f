// SPDX-License-Identifier: Apache-2.0
// Numbers over time as the API gives them, and as charts, tables and files take them.
import i18next from 'i18next';
import { api } from '../../api/client';

export interface Series {
    name: string;
    /** In words, where the name alone does not tell. */
    label?: string;
    times: number[];
    values: (number | null)[];
}

/** Something that happened, as a line across the chart. */
export interface Marker {
    time: number;
    severity: string;
}

export interface SeriesAnswer {
    from: string;
    to: string;
    step_s: number;
    series: { ref: string; name: string; unit?: string; values: (number | null)[] }[];
}

export function seriesLabel(s: Series): string {
    return s.label ?? i18next.t(`metric.${s.name.replaceAll('.', '_')}`, { defaultValue: s.name });
}

/** From when to when, in milliseconds. */
export interface Span {
    from: number;
    to: number;
}

export const lastSeconds = (seconds: number): Span => {
    const to = Date.now();
    return { from: to - seconds * 1000, to };
};

export async function readSeries(
    refs: string[],
    names: string[],
    span: Span,
    signal: AbortSignal,
): Promise<SeriesAnswer> {
    return api.get<SeriesAnswer>(
        '/metrics/series',
        {
            refs: refs.join(','),
            names: names.join(','),
            from: new Date(span.from).toISOString(),
            to: new Date(span.to).toISOString(),
        },
        signal,
    );
}

/** A span that somebody chose, or an address says; null: it is none. */
export function spanOf(from: string | null, to: string | null): Span | null {
    const span = { from: Date.parse(from ?? ''), to: Date.parse(to ?? '') };
    return span.from < span.to && span.from > 0 ? span : null;
}

/** Points of one object by name, times in seconds; what has no value at all is left out. */
export function seriesOf(answer: SeriesAnswer | undefined, ref?: string): Map<string, Series> {
    const found = new Map<string, Series>();
    if (!answer) return found;
    const start = new Date(answer.from).getTime() / 1000;
    for (const s of answer.series) {
        if (ref && s.ref !== ref) continue;
        if (!s.values.some((v) => v !== null)) continue;
        const times = s.values.map((_, i) => start + i * answer.step_s);
        found.set(s.name, { name: s.name, times, values: s.values });
    }
    return found;
}

function cell(text: string): string {
    // A spreadsheet takes what begins like this for a formula.
    const safe = /^[=+\-@]/.test(text) && !/^-?\d/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** One line a time, one column a series; the plain numbers in the units that the API names. */
export function csvOf(answer: SeriesAnswer, nameOf: (ref: string) => string): string {
    const start = new Date(answer.from).getTime();
    const most = Math.max(0, ...answer.series.map((s) => s.values.length));
    const lines = [
        ['time', ...answer.series.map((s) => `${nameOf(s.ref)} ${s.name}${s.unit ? ` (${s.unit})` : ''}`)],
    ];
    for (let i = 0; i < most; i++)
        lines.push([
            new Date(start + i * answer.step_s * 1000).toISOString(),
            ...answer.series.map((s) => String(s.values[i] ?? '')),
        ]);
    return `\uFEFF${lines.map((l) => l.map(cell).join(',')).join('\r\n')}\r\n`;
}
