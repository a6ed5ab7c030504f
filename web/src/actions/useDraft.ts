// SPDX-License-Identifier: Apache-2.0
// What a form that changes an object starts from: the object as it is read now, with its version.
import { useQuery } from '@tanstack/react-query';
import { api } from '../api/client';
import { pathOf } from '../api/model';
import { queryClient } from '../api/query';
import type { ActionState, Item } from '../api/types';
import { said } from '../i18n/words';

export interface Subject {
    kind: string;
    id: string;
    /** The machine that a device or a snapshot belongs to. */
    owner?: string;
}

export interface Read {
    item: Item;
    etag: string | null;
}

export function addressOf(s: Subject): string {
    const own = `${pathOf(s.kind)}/${encodeURIComponent(s.id)}`;
    return s.owner ? `/vms/${encodeURIComponent(s.owner)}${own}` : own;
}

/** Reads it anew, past all that is kept. */
export async function readSubject(s: Subject, signal?: AbortSignal): Promise<Read> {
    const answer = await api.read<Item>(addressOf(s), { query: { view: 'full' }, signal });
    return { item: { ...answer.data, kind: s.kind }, etag: answer.etag };
}

export function subjectQuery(s: Subject) {
    return {
        queryKey: ['subject', s.kind, s.id],
        queryFn: ({ signal }: { signal: AbortSignal }) => readSubject(s, signal),
        staleTime: 0,
        gcTime: 0,
    };
}

/** What can be done to a device, a snapshot, or what stands alone, and which parameters are refused now. */
export function subjectActionsQuery(s: Subject) {
    return {
        queryKey: ['actions', s.kind, s.id],
        queryFn: ({ signal }: { signal: AbortSignal }) =>
            api.get<{ items: ActionState[] }>(`${addressOf(s)}/actions`, undefined, signal),
        staleTime: 5_000,
    };
}

export function useSubjectActions(s: Subject, enabled = true): ActionState[] {
    return useQuery({ ...subjectActionsQuery(s), enabled }).data?.items ?? [];
}

/** Why a parameter is refused now, by its pointer; what is refused whole is refused in its members. */
export function blockedBy(state: ActionState | undefined): (pointer: string) => string | null {
    const found = state?.blocked_params ?? [];
    return (pointer) => {
        const one = found.find((b) => pointer === b.pointer || pointer.startsWith(`${b.pointer}/`));
        return one ? said(one, 'reason') : null;
    };
}

export async function forget(s: Subject): Promise<void> {
    await Promise.all(
        [s.id, s.owner]
            .filter(Boolean)
            .map((id) =>
                queryClient.invalidateQueries({ predicate: (q) => q.queryKey.includes(id as string) }),
            ),
    );
}
