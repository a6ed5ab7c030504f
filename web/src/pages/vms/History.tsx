// SPDX-License-Identifier: Apache-2.0
// What changed, when, by whom: the events of the machine with their changes. Two moments can be compared.
import { useMemo } from 'react';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { listQuery } from '../../api/query';
import type { ChangedField, Item, LiveEvent } from '../../api/types';
import { dateTime } from '../../i18n/format';
import { useAddress } from '../../lib/address';
import { RefLink } from '../../lib/cells';
import type { TabProps } from '../../lib/ObjectPage';
import { Empty, Failure, FailureLine, SkeletonLines } from '../../states/states';
import { Changes } from './Changes';
import { eventText } from '../../lib/eventText';

export default function History({ item }: TabProps) {
    const { t } = useTranslation();
    const [params, change] = useAddress();
    const { data, error, refetch } = useQuery(
        listQuery<Item & LiveEvent>(`/vms/${item.id}/events`, { sort: '-seq', limit: 500, view: 'full' }),
    );
    const events = useMemo(
        () =>
            (data?.items ?? []).filter(
                (e) => (e.changes?.length ?? 0) > 0 || /\.(created|moved|rebound|missing|gone)$/.test(e.type),
            ),
        [data],
    );
    const from = Number(params.get('from')) || null;
    const to = Number(params.get('to')) || null;
    const times = [from, to]
        .map((seq) => events.find((e) => e.seq === seq)?.time)
        .filter((x) => x !== undefined);
    times.sort();
    const diff = useQuery({
        queryKey: ['diff', item.id, ...times],
        queryFn: ({ signal }) =>
            api.get<{ fields: ChangedField[] }>(
                '/diff',
                { ref: item.id, from: times[0], to: times[1] },
                signal,
            ),
        enabled: times.length === 2,
    });
    const pick = (name: 'from' | 'to', seq: number) => change((next) => next.set(name, String(seq)));
    if (error) return <Failure error={error} onRetry={() => void refetch()} />;
    if (!data) return <SkeletonLines lines={8} />;
    if (!events.length)
        return <Empty title={t('machine.vm.no_history.title')} body={t('machine.vm.no_history.body')} />;
    return (
        <div className="pv-stack">
            {times.length === 2 && (
                <section className="pv-card" aria-live="polite">
                    <h2 className="pv-card__title">{t('machine.vm.diff')}</h2>
                    {diff.error ? (
                        <FailureLine error={diff.error} onRetry={() => void diff.refetch()} />
                    ) : !diff.data ? (
                        <SkeletonLines lines={3} />
                    ) : diff.data.fields.length ? (
                        <Changes changes={diff.data.fields} />
                    ) : (
                        <p className="pv-subtle pv-pad">{t('machine.vm.no_diff')}</p>
                    )}
                </section>
            )}
            <section className="pv-card">
                <div className="pv-scroll" role="region" aria-label={t('vm.tab.history')} tabIndex={0}>
                    <table className="pv-table">
                        <thead>
                            <tr>
                                <th scope="col">{t('machine.vm.from')}</th>
                                <th scope="col">{t('machine.vm.to')}</th>
                                <th scope="col">{t('field.any.time')}</th>
                                <th scope="col">{t('machine.vm.change')}</th>
                                <th scope="col">{t('tray.who')}</th>
                            </tr>
                        </thead>
                        <tbody>
                            {events.map((e) => (
                                <tr key={e.id}>
                                    {(['from', 'to'] as const).map((name) => (
                                        <td key={name}>
                                            <input
                                                type="radio"
                                                name={name}
                                                aria-label={`${t(`vm.${name}`)}: ${dateTime(e.time)}`}
                                                checked={(name === 'from' ? from : to) === e.seq}
                                                onChange={() => pick(name, e.seq)}
                                            />
                                        </td>
                                    ))}
                                    <td>
                                        <time dateTime={e.time}>{dateTime(e.time)}</time>
                                    </td>
                                    <td>
                                        {e.changes?.length ? <Changes changes={e.changes} /> : eventText(e)}
                                    </td>
                                    <td>
                                        {e.actor?.name ??
                                            (e.actor?.type === 'external' ? t('vm.outside') : '')}{' '}
                                        {e.task && (
                                            <RefLink
                                                value={{ id: e.task.id, name: t('task.open') }}
                                                kind="task"
                                            />
                                        )}
                                    </td>
                                </tr>
                            ))}
                        </tbody>
                    </table>
                </div>
            </section>
        </div>
    );
}
