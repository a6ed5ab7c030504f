// SPDX-License-Identifier: Apache-2.0
// Whom somebody who lacks a right can ask for it. Comes only where a right is lacking.
import '../i18n/organise';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { api } from '../api/client';
import { queryClient } from '../api/query';
import type { ActionState, Schemas } from '../api/types';
import { grantorsText } from '../i18n/words';

type Grantors = Schemas['Explanation']['grantors'];

/** Nobody where the server does not tell, or the object is not there for the asking. */
function grantorsQuery(permission: string, target?: string) {
    return {
        queryKey: ['grantors', permission, target ?? ''],
        queryFn: async ({ signal }: { signal?: AbortSignal }): Promise<Grantors> => {
            const query = { action: permission, ...(target ? { target } : {}) };
            try {
                return (
                    (await api.get<Schemas['Explanation']>('/access/explain', query, signal)).grantors ?? null
                );
            } catch {
                return null;
            }
        },
        staleTime: 60_000,
    };
}

/** All rights are given by the same people: asked once for the first that is lacking. */
export async function withGrantors(states: ActionState[], target: string): Promise<ActionState[]> {
    const lacking = states.filter(lacks);
    if (!lacking[0]) return states;
    const grantors = await queryClient.fetchQuery(grantorsQuery(lacking[0].needs![0]!, target));
    return states.map((s) => (lacking.includes(s) ? { ...s, grantors } : s));
}

/** It is a right that is lacking, and nothing else. */
function lacks(state: ActionState): boolean {
    return !!state.needs?.[0] && !!state.reason_text?.code.startsWith('state.permission');
}

/** Who can give this right, by name where the server tells. */
export default function WhoCanGrant({ permission, target }: { permission: string; target?: string }) {
    const { t } = useTranslation();
    const { data } = useQuery(grantorsQuery(permission, target));
    return <>{grantorsText(data) || t('state.denied_who')}</>;
}
