// SPDX-License-Identifier: Apache-2.0
// Names the providers that do not answer, above a list that holds what they said last.
import { useQuery } from '@tanstack/react-query';
import { kindOf, valueAt } from '../api/model';
import { listQuery, useCan } from '../api/query';
import { ago } from '../i18n/format';
import { useNow } from '../lib/hooks';
import { RefLink, State } from '../lib/cells';
import { PartialLine } from '../states/states';

const AWAY = new Set(['disconnected', 'auth_failed', 'cert_changed']);

export default function Away() {
    const { data } = useQuery({
        ...listQuery('/providers', { limit: 200, fields: 'name,state,sync' }),
        enabled: useCan(kindOf('provider').permission),
    });
    const away = (data?.items ?? []).filter((p) => AWAY.has(String(p.state)));
    return away.length ? <Line away={away} total={data?.items.length ?? 0} /> : null;
}

function Line({ away, total }: { away: { id: string; [field: string]: unknown }[]; total: number }) {
    const now = useNow();
    return (
        <PartialLine
            total={total}
            names={away.map((p) => {
                const last = valueAt(p, 'sync.last_change_at') ?? valueAt(p, 'sync.last_full_at');
                return (
                    <span key={p.id} className="pv-away">
                        <RefLink value={{ id: p.id, name: String(p.name) }} kind="provider" />
                        <State kind="provider" path="state" value={String(p.state)} />
                        {typeof last === 'string' && <span className="pv-subtle">{ago(last, now)}</span>}
                    </span>
                );
            })}
        />
    );
}
