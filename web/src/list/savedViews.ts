// SPDX-License-Identifier: Apache-2.0
// Saved views are the server's: one's own and what others share.
import { useQuery } from '@tanstack/react-query';
import { api } from '../api/client';
import { listQuery, queryClient } from '../api/query';
import type { Item } from '../api/types';

export interface View extends Item {
    name: string;
    list: string;
    filter: string | null;
    sort: string | null;
    columns?: string[] | null;
    /** `cols` is what the address calls cols. */
    layout?: { cols?: string; group?: string | null; density?: 'compact' | 'normal' } | null;
    shared?: boolean | null;
    /** Roles whose people may use it. */
    roles?: string[] | null;
    default?: boolean | null;
    user?: { id: string; name?: string | null } | null;
}

export type ViewInput = Pick<
    View,
    'name' | 'list' | 'filter' | 'sort' | 'columns' | 'layout' | 'shared' | 'roles' | 'default'
>;

const QUERY = { limit: 200, sort: 'name', view: 'full' };

export function useViews(list?: string): View[] {
    const { data } = useQuery({ ...listQuery<View>('/views', QUERY), staleTime: 60_000 });
    return (data?.items ?? []).filter((v) => !list || v.list === list);
}

const changed = () => queryClient.invalidateQueries({ queryKey: ['list', '/views'] });

export async function saveView(view: ViewInput): Promise<string> {
    const { data } = await api.post<View>('/views', view);
    await changed();
    return data.id;
}

export async function removeView(id: string): Promise<void> {
    await api.del(`/views/${id}`);
    await changed();
}

/** Preferences of the signed-in person. */
export async function savePreferences(preferences: Record<string, unknown>): Promise<void> {
    await api.patch('/me', { preferences });
    await queryClient.invalidateQueries({ queryKey: ['me'] });
}

/** The part of the address that a view stands for. */
export function viewAddress(view: View): string {
    const params = new URLSearchParams();
    if (view.filter) params.set('filter', view.filter);
    if (view.sort) params.set('sort', view.sort);
    if (view.layout?.cols) params.set('cols', view.layout.cols);
    if (view.layout?.group) params.set('group', view.layout.group);
    params.set('view', view.id);
    return params.toString();
}
