// SPDX-License-Identifier: Apache-2.0
import { useQuery } from '@tanstack/react-query';
import { api } from '../../api/client';
import { pathOf } from '../../api/model';
import type { Item } from '../../api/types';

/** The newest measured numbers of an object; they are no fields, so no event tells that they changed. */
export function useUsage(item: Item) {
    return useQuery({
        queryKey: ['usage', item.id],
        queryFn: async ({ signal }) =>
            (
                await api.get<{ usage?: Record<string, number | string> | null }>(
                    `${pathOf(item.kind)}/${item.id}`,
                    { fields: 'usage' },
                    signal,
                )
            ).usage ?? null,
        refetchInterval: 10_000,
        refetchIntervalInBackground: false,
    });
}
