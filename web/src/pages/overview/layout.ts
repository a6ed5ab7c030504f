// SPDX-License-Identifier: Apache-2.0
// Which cards the overview shows, and in which order: each person's own, kept on the server with the other preferences.
import { api } from '../../api/client';
import { meQuery, queryClient } from '../../api/query';
import type { Me } from '../../api/types';
import { savePreferences } from '../../list/savedViews';

export const CARDS = [
    'map',
    'capacity',
    'alerts',
    'failures',
    'providers',
    'top_cpu',
    'top_memory',
    'top_latency',
    'snapshots',
    'changes',
] as const;
export type Card = (typeof CARDS)[number];

export interface Layout {
    order: Card[];
    hidden: Card[];
}

const isCard = (value: unknown): value is Card => CARDS.includes(value as Card);
const cards = (value: unknown): Card[] => (Array.isArray(value) ? [...new Set(value.filter(isCard))] : []);

/** What was kept, made whole: cards it does not know yet follow the one that they follow by default. */
export function layoutOf(kept: unknown): Layout {
    const { order: wanted, hidden } = (kept ?? {}) as { order?: unknown; hidden?: unknown };
    const order = cards(wanted);
    CARDS.forEach((card, i) => {
        if (!order.includes(card)) order.splice(i ? order.indexOf(CARDS[i - 1]!) + 1 : 0, 0, card);
    });
    return { order, hidden: cards(hidden) };
}

export function isDefault(layout: Layout): boolean {
    return !layout.hidden.length && layout.order.every((card, i) => card === CARDS[i]);
}

export function moved(order: Card[], card: Card, by: number): Card[] {
    const at = order.indexOf(card);
    const to = Math.max(0, Math.min(order.length - 1, at + by));
    const next = order.filter((c) => c !== card);
    next.splice(to, 0, card);
    return next;
}

/** Other preferences stay as they are on the server now, not as this page has read them once. */
export async function keepLayout(layout: Layout): Promise<void> {
    const me = await api.get<Me>('/me');
    const preferences: Record<string, unknown> = { ...me.preferences };
    if (isDefault(layout)) delete preferences.overview;
    else preferences.overview = layout;
    queryClient.setQueryData(meQuery.queryKey, { ...me, preferences } as Me);
    await savePreferences(preferences);
}
