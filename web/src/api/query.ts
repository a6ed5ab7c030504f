// SPDX-License-Identifier: Apache-2.0
// TanStack Query: what is kept, how long, what is asked again. Live events keep it fresh, so nothing polls.
import { QueryClient, queryOptions, useQuery } from '@tanstack/react-query';
import { api, setCsrf, type Query } from './client';
import { isApiError } from './problem';
import { pathOf } from './model';
import type { ActionState, Item, Me, Page, Schemas } from './types';

export const queryClient = new QueryClient({
    defaultOptions: {
        queries: {
            staleTime: 15_000,
            gcTime: 5 * 60_000,
            refetchOnWindowFocus: false,
            retry: (count, error) => count < 2 && isApiError(error) && (error.offline || error.status >= 502),
            retryDelay: (n) => 400 * 2 ** n,
        },
    },
});

export const meQuery = queryOptions({
    queryKey: ['me'],
    queryFn: async ({ signal }) => {
        const me = await api.get<Me>('/me', undefined, signal);
        setCsrf(me.csrf_token);
        return me;
    },
    staleTime: Infinity,
    retry: false,
});

export function useMe(): Me | undefined {
    return useQuery(meQuery).data;
}

/** May the signed-in person do this? An empty permission needs none. */
export function useCan(permission: string | undefined): boolean {
    return may(useMe(), permission);
}

export function may(me: Me | undefined, permission: string | undefined): boolean {
    if (!permission || permission === 'public') return true;
    // Events and the like are read by who may read anything.
    if (permission === 'read') return !!me?.permissions.some((p) => p.endsWith('.read'));
    return !!me?.permissions.includes(permission);
}

export const setupQuery = queryOptions({
    queryKey: ['setup'],
    queryFn: ({ signal }) => api.get<Schemas['SetupState']>('/auth/setup', undefined, signal),
    staleTime: Infinity,
});

export function listQuery<T extends Item = Item>(path: string, query: Query = {}) {
    return {
        queryKey: ['list', path, query],
        queryFn: ({ signal }: { signal: AbortSignal }) => api.get<Page<T>>(path, query, signal),
        placeholderData: (old: Page<T> | undefined): Page<T> | undefined => old,
    };
}

export function objectQuery<T = Item>(kind: string, id: string, query: Query = {}) {
    return queryOptions({
        queryKey: ['object', kind, id, query],
        queryFn: async ({ signal }) => {
            const answer = await api.read<T>(`${pathOf(kind)}/${encodeURIComponent(id)}`, { query, signal });
            return { item: answer.data, etag: answer.etag };
        },
    });
}

/** What can be done to an object now, and why not. */
export function actionsQuery(kind: string, id: string) {
    return queryOptions({
        queryKey: ['actions', kind, id],
        queryFn: async ({ signal }) => {
            const path = `${pathOf(kind)}/${encodeURIComponent(id)}/actions`;
            const { items } = await api.get<{ items: ActionState[] }>(path, undefined, signal);
            const lacking = items.some((s) => s.reason_text?.code.startsWith('state.permission'));
            return {
                items: lacking
                    ? await (await import('../states/grantors')).withGrantors(api.get, items, id)
                    : items,
            };
        },
        staleTime: 5_000,
    });
}

export const summaryQuery = queryOptions({
    queryKey: ['summary'],
    queryFn: ({ signal }) => api.get<Schemas['Summary']>('/summary', undefined, signal),
});
