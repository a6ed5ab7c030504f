// SPDX-License-Identifier: Apache-2.0
// When it will be full: the server draws the line (Summary.cluster_items.trends), this says it in words of the right size.
import type { Schemas } from '../../api/types';

export type Trend = Schemas['Trend'] | null;
export interface Trends {
    cpu: Trend;
    memory: Trend;
    storage: Trend;
}
export type Resource = keyof Trends;

const RESOURCES: Resource[] = ['cpu', 'memory', 'storage'];

/** What is full first; null: nothing, as far as can be told. */
export function untilFull(trends: Trends | undefined): { what: Resource; days: number } | null {
    let first: { what: Resource; days: number } | null = null;
    for (const what of RESOURCES) {
        const days = trends?.[what]?.days_until_full;
        if (typeof days === 'number' && (!first || days < first.days)) first = { what, days };
    }
    return first;
}

/** An estimate for far away is no more exact than its distance. */
export function span(days: number): { unit: 'now' | 'days' | 'months' | 'years'; n: number } {
    if (days < 1) return { unit: 'now', n: 0 };
    if (days < 90) return { unit: 'days', n: Math.round(days) };
    if (days < 730) return { unit: 'months', n: Math.round(days / 30.44) };
    return { unit: 'years', n: Math.round(days / 365.25) };
}
