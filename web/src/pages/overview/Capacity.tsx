// SPDX-License-Identifier: Apache-2.0
// What there is room for: of each cluster (and of each provider's hosts in none) what is used, promised and free, and when it is
// full if it goes on as in the last thirty days.
import { useTranslation } from 'react-i18next';
import type { Schemas } from '../../api/types';
import { bytes, mhz, number, percent } from '../../i18n/format';
import { kindTitle } from '../../i18n/words';
import { Bar, RefLink } from '../../lib/cells';
import { SmallTable } from '../../lib/Feed';
import { span, untilFull, type Trends } from './forecast';

type Place = NonNullable<Schemas['Summary']['cluster_items']>[number];

function Share(p: {
    whole: number;
    used: number | null | undefined;
    show: (n: number) => string;
    promise: string;
}) {
    const { t } = useTranslation();
    if (!p.whole) return <>–</>;
    const used = typeof p.used === 'number' ? p.used : null;
    return (
        <div className="pv-cap">
            <Bar value={used === null ? null : (used / p.whole) * 100} />
            <span className="pv-subtle">
                {used === null
                    ? p.show(p.whole)
                    : t('overview.free_of', {
                          free: p.show(Math.max(0, p.whole - used)),
                          whole: p.show(p.whole),
                      })}
            </span>
            {p.promise && <span className="pv-subtle">{p.promise}</span>}
        </div>
    );
}

function Estimate({ place }: { place: Place }) {
    const { t } = useTranslation();
    const trends = place.trends as Trends | undefined;
    const known = trends && Object.values(trends).some(Boolean);
    const first = untilFull(trends);
    if (!known) return null;
    if (!first) return <span className="pv-subtle">{t('overview.steady')}</span>;
    const { unit, n } = span(first.days);
    const trend = trends[first.what]!;
    const show = first.what === 'cpu' ? mhz : bytes;
    return (
        <span
            className={first.days < 30 ? 'pv-cap__soon' : undefined}
            title={t('overview.estimate', { rate: show(trend.per_day), n: number(trend.history_days) })}
        >
            {t(`overview.full_${unit}`, { count: n, n: number(n) })}
            <span className="pv-subtle"> ({t(`overview.${first.what}`)})</span>
        </span>
    );
}

export function Capacity({ summary }: { summary: Schemas['Summary'] }) {
    const { t } = useTranslation();
    const places = summary.cluster_items ?? [];
    if (!places.length) return null;
    const estimates = places.some((c) => c.trends && Object.values(c.trends).some(Boolean));
    const promise = (size: number | null | undefined, whole: number | null | undefined) =>
        size && whole
            ? t('overview.promised', { size: bytes(size), share: percent((size / whole) * 100) })
            : '';
    return (
        <section className="pv-card pv-wide">
            <h2 className="pv-card__title">{t('overview.capacity')}</h2>
            <SmallTable
                stack
                label={t('overview.capacity')}
                short={places.length > 12}
                heads={[
                    kindTitle('cluster', 1),
                    t('overview.cpu'),
                    t('overview.memory'),
                    t('overview.storage'),
                    ...(estimates ? [t('overview.full')] : []),
                    t('nav.vms'),
                ]}
            >
                {places.map((c) => (
                    <tr key={`${c.kind} ${c.id}`}>
                        <td>
                            <RefLink value={{ id: c.id, name: c.name }} kind={c.kind} />
                            <br />
                            <span className="pv-subtle">
                                {c.kind === 'provider' ? t('overview.loose') : c.provider?.name}
                            </span>
                        </td>
                        <td data-label={t('overview.cpu')}>
                            <Share
                                whole={c.cpu_mhz ?? 0}
                                used={c.cpu_used_mhz}
                                show={mhz}
                                promise={t('overview.vcpus', {
                                    count: c.vm_cpus ?? 0,
                                    n: number(c.vm_cpus ?? 0),
                                    cores: number(c.cores ?? 0),
                                })}
                            />
                        </td>
                        <td data-label={t('overview.memory')}>
                            <Share
                                whole={c.memory_bytes ?? 0}
                                used={c.memory_used_bytes}
                                show={bytes}
                                promise={promise(c.vm_memory_bytes, c.memory_bytes)}
                            />
                        </td>
                        <td data-label={t('overview.storage')}>
                            <Share
                                whole={c.storage_bytes ?? 0}
                                used={c.storage_used_bytes}
                                show={bytes}
                                promise={promise(c.storage_provisioned_bytes, c.storage_bytes)}
                            />
                            {!!c.storage_shared_bytes && (
                                <span className="pv-subtle">
                                    {t('estate.cap.also_others', { size: bytes(c.storage_shared_bytes) })}
                                </span>
                            )}
                        </td>
                        {estimates && (
                            <td data-label={t('overview.full')}>
                                <Estimate place={c} />
                            </td>
                        )}
                        <td className="pv-num" data-label={t('nav.vms')}>
                            {number(c.vms ?? 0)}
                        </td>
                    </tr>
                ))}
            </SmallTable>
            {estimates && <p className="pv-note">{t('overview.estimate_note')}</p>}
        </section>
    );
}
