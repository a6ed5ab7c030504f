// SPDX-License-Identifier: Apache-2.0
// Before a host goes into maintenance: which machines run there, who takes them elsewhere, and where to, as far as that is known
// beforehand.
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import '../i18n/organise';
import { listQuery, objectQuery } from '../api/query';
import type { Item, Plan } from '../api/types';
import { number } from '../i18n/format';
import { Power } from '../lib/cells';
import { Notice, SkeletonLines } from '../states/states';

const MOST = 100;

interface Move {
    object: string;
    name: string;
    args?: { host?: string };
}

/** What the driver says that it would move, by the hypervisor's own id. */
export function movesOf(plan: Plan | undefined): Map<string, string> {
    const calls = (plan?.plan ?? []).flatMap((e) => (e.native_calls ?? []) as unknown as Move[]);
    return new Map(calls.flatMap((c) => (c.object && c.args?.host ? [[c.object, c.args.host]] : [])));
}

/** `full`: whoever empties hosts by itself does it without being asked. */
function Mover({ cluster }: { cluster: { id: string } | null | undefined }) {
    const { t } = useTranslation();
    const { data } = useQuery({
        ...objectQuery<Item>('cluster', cluster?.id ?? '', { fields: 'name,drs_mode' }),
        enabled: !!cluster,
    });
    const mode = cluster ? (data?.item.drs_mode as string | null | undefined) : null;
    if (cluster && !data) return null;
    return mode === 'fully_automated' ? (
        <p>{t('organise.rest.moved')}</p>
    ) : (
        <Notice variant="warning" title={t('organise.rest.waits')} />
    );
}

export function Evacuation({ host, plan, off }: { host: Item; plan: Plan | undefined; off: boolean }) {
    const { t } = useTranslation();
    const { data } = useQuery(
        listQuery('/vms', {
            filter: `host:${host.id}${off ? '' : ' power:{running,paused}'}`,
            fields: 'name,power_state,activity,native',
            sort: 'name',
            limit: MOST,
            count: 'exact',
        }),
    );
    if (!data) return <SkeletonLines lines={3} />;
    const count = data.count ?? data.items.length;
    if (!count) return <p>{t('organise.rest.empty')}</p>;
    const moves = movesOf(plan);
    const known = moves.size > 0;
    return (
        <section aria-label={t('organise.rest.title')}>
            <h3 className="pv-h3">{t('organise.rest.runs', { count, n: number(count) })}</h3>
            {!known && <Mover cluster={host.cluster as { id: string } | null | undefined} />}
            <div className="pv-plan__list" role="region" aria-label={t('organise.rest.title')} tabIndex={0}>
                <table className="pv-table">
                    <thead>
                        <tr>
                            <th scope="col">{t('field.any.name')}</th>
                            <th scope="col">{t('field.any.power_state')}</th>
                            {known && <th scope="col">{t('organise.rest.goes_to')}</th>}
                        </tr>
                    </thead>
                    <tbody>
                        {data.items.map((vm) => (
                            <tr key={vm.id}>
                                <td>{vm.name}</td>
                                <td>
                                    <Power item={vm} />
                                </td>
                                {known && (
                                    <td>
                                        {moves.get((vm.native as { id?: string } | null)?.id ?? '') ?? '–'}
                                    </td>
                                )}
                            </tr>
                        ))}
                    </tbody>
                </table>
                {count > data.items.length && (
                    <p className="pv-subtle">{t('dialog.more', { count: count - data.items.length })}</p>
                )}
            </div>
        </section>
    );
}
