// SPDX-License-Identifier: Apache-2.0
// Whom somebody who lacks a right can ask for it. Comes only where a right is lacking.
import '../i18n/organise';
import type { api } from '../api/client';
import type { ActionState, Schemas } from '../api/types';

/** Handed in: what is imported here and by the first visit, too, would become a file of its own. */
type Get = (typeof api)['get'];
type Grantors = Schemas['Explanation']['grantors'];

/** Nobody where the server does not tell, or the object is not there for the asking. */
export async function grantorsOf(get: Get, action: string, target?: string): Promise<Grantors> {
    const query = { action, ...(target ? { target } : {}) };
    try {
        return (await get<Schemas['Explanation']>('/access/explain', query)).grantors ?? null;
    } catch {
        return null;
    }
}

/** All rights are given by the same people: asked once for the first that is lacking. */
export async function withGrantors(get: Get, states: ActionState[], target: string): Promise<ActionState[]> {
    const lacking = states.filter((s) => s.needs?.[0] && s.reason_text?.code.startsWith('state.permission'));
    if (!lacking[0]) return states;
    const grantors = await grantorsOf(get, lacking[0].needs![0]!, target);
    return states.map((s) => (lacking.includes(s) ? { ...s, grantors } : s));
}
