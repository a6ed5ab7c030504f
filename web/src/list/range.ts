// SPDX-License-Identifier: Apache-2.0
// The time that a list is about, in the address: ?range=24h, or ?from=...&to=...
export const RANGES = ['1h', '24h', '7d', '30d'] as const;
export type Range = (typeof RANGES)[number];

export interface Times {
    range: Range | null;
    from: string | null;
    to: string | null;
}

export function timesOf(params: URLSearchParams, prefix: string): Times {
    const text = params.get(`${prefix}range`) as Range | null;
    const range = text && RANGES.includes(text) ? text : null;
    const time = (name: string) => {
        const value = params.get(prefix + name);
        return value && !Number.isNaN(Date.parse(value)) ? new Date(value).toISOString() : null;
    };
    return { range, from: range ? null : time('from'), to: range ? null : time('to') };
}

/** The same in the filter language; empty: any time. */
export function timeFilter(field: string | undefined, { range, from, to }: Times): string {
    if (!field) return '';
    if (range) return `${field}>now-${range}`;
    return [from && `${field}>=${from}`, to && `${field}<=${to}`].filter(Boolean).join(' ');
}
