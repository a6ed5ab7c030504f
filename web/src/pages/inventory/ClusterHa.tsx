// SPDX-License-Identifier: Apache-2.0
// What a cluster does when a host fails, and how it spreads its machines, as the hypervisor is set to; and how each host is.
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import '../../i18n/cluster';
import '../../i18n/estate';
import { valueAt } from '../../api/model';
import { listQuery } from '../../api/query';
import type { Item } from '../../api/types';
import { number } from '../../i18n/format';
import { enumText, fieldLabel } from '../../i18n/words';
import { Health, RefLink, State } from '../../lib/cells';
import { Fields } from '../../lib/Fields';
import type { TabProps } from '../../lib/ObjectPage';
import { Empty, Failure, Notice, SkeletonLines } from '../../states/states';

const HA = [
    'ha_enabled',
    'ha.admission_control',
    'ha.admission_policy',
    'ha.host_failures',
    'ha.cpu_reserved_pct',
    'ha.memory_reserved_pct',
    'ha.failover_hosts',
    'ha.host_monitoring',
    'ha.vm_monitoring',
    'ha.heartbeat_datastores',
    'ha.restart_priority',
    'ha.isolation_response',
];
const DRS = ['drs_mode', 'drs.migration_threshold', 'drs.predictive', 'drs.vm_overrides', 'cpu_compat'];
const FAILOVER = [
    'quorum',
    'failover.quorum_resource',
    'failover.dynamic_quorum',
    'failover.anti_affinity_enforced',
    'failover.auto_balance',
    'failover.auto_balance_level',
    'failover.drain_on_shutdown',
];

/** Votes in the quorum by the host's name, where there is a quorum: those of nodes that were not added, too. */
export function votesOf(item: Item): Map<string, number> {
    const extra = valueAt(item, 'native.extra') as { nodes?: { name?: string; votes?: number }[] } | null;
    const votes = new Map<string, number>();
    for (const node of extra?.nodes ?? [])
        if (node.name && typeof node.votes === 'number') votes.set(node.name.toLowerCase(), node.votes);
    return votes;
}

function Hosts({ item }: { item: Item }) {
    const { t } = useTranslation();
    const { data, error, refetch } = useQuery(
        listQuery('/hosts', {
            filter: `cluster:${item.id}`,
            fields: 'name,connection_state,maintenance_mode,health,stale',
            sort: 'name',
            limit: 200,
        }),
    );
    if (error) return <Failure error={error} onRetry={() => void refetch()} />;
    if (!data) return <SkeletonLines lines={4} />;
    if (!data.items.length)
        return <Empty title={t('cluster.no_hosts.title')} body={t('cluster.no_hosts.body')} />;
    const votes = votesOf(item);
    const label = (path: string) => fieldLabel('host', path);
    return (
        <table className="pv-table pv-table--stack">
            <thead>
                <tr>
                    <th>{label('name')}</th>
                    <th>{label('connection_state')}</th>
                    <th>{label('maintenance_mode')}</th>
                    <th>{label('health')}</th>
                    {votes.size > 0 && <th>{t('cluster.votes')}</th>}
                </tr>
            </thead>
            <tbody>
                {data.items.map((host) => {
                    const vote = votes.get(String(host.name).toLowerCase());
                    return (
                        <tr key={host.id}>
                            <th>
                                <RefLink value={host} />
                            </th>
                            <td data-label={label('connection_state')}>
                                <State
                                    kind="host"
                                    path="connection_state"
                                    value={host.connection_state as string}
                                />
                            </td>
                            <td data-label={label('maintenance_mode')}>
                                {t(host.maintenance_mode ? 'value.yes' : 'value.no')}
                            </td>
                            <td data-label={label('health')}>
                                {host.stale ? (
                                    t('cluster.not_known')
                                ) : (
                                    <Health value={host.health as string} />
                                )}
                            </td>
                            {votes.size > 0 && (
                                <td data-label={t('cluster.votes')}>
                                    {vote === undefined ? '–' : number(vote)}
                                </td>
                            )}
                        </tr>
                    );
                })}
            </tbody>
        </table>
    );
}

export default function ClusterHa({ item }: TabProps) {
    const { t } = useTranslation();
    const mode = item.drs_mode as string | null;
    return (
        <div className="pv-columns__main">
            {item.ha_enabled === false && (
                <Notice variant="warning" title={t('cluster.ha_off.title')}>
                    {t('cluster.ha_off.body')}
                </Notice>
            )}
            <Fields item={item} title={fieldLabel('cluster', 'ha_enabled')} paths={HA} known />
            {mode !== null && (
                <Fields
                    item={item}
                    title={`${fieldLabel('cluster', 'drs_mode')}: ${enumText('cluster', 'drs_mode', mode)}`}
                    paths={DRS.slice(1)}
                    known
                />
            )}
            <Fields item={item} title={t('cluster.failover')} paths={FAILOVER} known />
            <section className="pv-card">
                <h2 className="pv-card__title">{t('cluster.host_state')}</h2>
                <Hosts item={item} />
            </section>
        </div>
    );
}
