// SPDX-License-Identifier: Apache-2.0
// How much there is, how much is used, how much is promised: of hosts, clusters and datastores. What is promised is added up by the
// server over all machines there.
import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { useTranslation } from 'react-i18next';
import '../../i18n/estate';
import '../../i18n/machine';
import { valueAt } from '../../api/model';
import { listQuery } from '../../api/query';
import type { Item } from '../../api/types';
import { ago, bytes, dateTime, duration, mhz, number, percent, rate } from '../../i18n/format';
import { Bar } from '../../lib/cells';
import { placeOf } from '../../lib/links';
import { useNow } from '../../lib/hooks';
import { useUsage } from '../vms/usage';

type Sums = Record<string, number>;

export function Tile(p: {
    label: string;
    value: string;
    sub?: React.ReactNode;
    share?: number | null;
    to?: string;
}) {
    return (
        <div className="pv-tile">
            <span className="pv-tile__label">{p.label}</span>
            <span className="pv-tile__value">{p.to ? <Link to={p.to}>{p.value}</Link> : p.value}</span>
            {typeof p.share === 'number' ? <Bar value={p.share} text="" /> : null}
            {p.sub && <span className="pv-tile__sub">{p.sub}</span>}
        </div>
    );
}

/** Machines of a host or a cluster, and what they were promised. */
export function usePromised(item: Item, filter = '') {
    const { data } = useQuery(
        listQuery('/vms', {
            filter: `${item.kind}:${item.id}${filter}`,
            limit: 1,
            count: 'exact',
            fields: 'name',
            sums: 'cpu.count,memory.bytes',
        }),
    );
    const sums = (data as { sums?: Sums } | undefined)?.sums;
    return data && sums
        ? { count: data.count ?? 0, vcpus: sums['cpu.count'] ?? 0, memory: sums['memory.bytes'] ?? 0 }
        : null;
}

const ratio = (a: number, b: number) => number(a / b, 1);

/** Of a host or a cluster. `threads` or `cores`: what there is of processors. */
export function Capacity({ item }: { item: Item }) {
    const { t } = useTranslation();
    const now = useNow();
    const { data: usage } = useUsage(item);
    const get = (name: string) => usage?.[name] as number | undefined;
    const on = usePromised(item, ' power:running');
    const all = usePromised(item);
    const host = item.kind === 'host';
    const threads = valueAt(item, 'hardware.threads') as number | null;
    const cores = valueAt(item, host ? 'hardware.cores' : 'totals.cores') as number | null;
    const units = threads || cores;
    const total = valueAt(item, host ? 'hardware.memory_bytes' : 'totals.memory_bytes') as number | null;
    const clock = valueAt(item, host ? 'hardware.cpu_mhz' : 'totals.cpu_mhz') as number | null;
    const boot = valueAt(item, 'boot_time') as string | null;
    const cpu = get('cpu.usage_pct');
    const used = get('mem.usage_bytes');
    const watts = get('power.watts');
    const rx = get('net.rx_bps');
    const over = (!!on && !!total && on.memory > total) || (!!on && !!units && on.vcpus > units * 4);
    const place = `${placeOf(item.kind)}/${item.id}`;
    return (
        <section className="pv-card">
            <h2 className="pv-card__title">{t('estate.cap.title')}</h2>
            <div className="pv-tiles">
                {cpu !== undefined && (
                    <Tile
                        label={t('estate.cap.cpu')}
                        value={percent(cpu)}
                        share={cpu}
                        sub={clock ? mhz(host ? clock * (cores ?? 1) : clock) : undefined}
                    />
                )}
                {used !== undefined && (
                    <Tile
                        label={t('estate.cap.memory')}
                        value={bytes(used)}
                        share={total ? (used / total) * 100 : null}
                        sub={
                            total
                                ? t('estate.cap.of_share', {
                                      share: percent((used / total) * 100),
                                      total: bytes(total),
                                  })
                                : undefined
                        }
                    />
                )}
                <Tile
                    label={t('estate.cap.machines')}
                    value={all ? number(all.count) : '–'}
                    to={`${place}/vms`}
                    sub={on ? t('estate.cap.running', { count: on.count, n: number(on.count) }) : undefined}
                />
                <Tile
                    label={t('estate.cap.vcpus')}
                    value={on ? number(on.vcpus) : '–'}
                    sub={
                        on && units
                            ? t(threads ? 'estate.cap.per_thread' : 'estate.cap.per_core', {
                                  ratio: ratio(on.vcpus, units),
                                  n: number(units),
                              })
                            : undefined
                    }
                />
                <Tile
                    label={t('estate.cap.memory_given')}
                    value={on ? bytes(on.memory) : '–'}
                    share={on && total ? (on.memory / total) * 100 : null}
                    sub={
                        on && total
                            ? t('estate.cap.of_share', {
                                  share: percent((on.memory / total) * 100),
                                  total: bytes(total),
                              })
                            : undefined
                    }
                />
                {rx !== undefined && (
                    <Tile label={t('estate.cap.network')} value={rate((rx + (get('net.tx_bps') ?? 0)) / 8)} />
                )}
                {watts !== undefined && (
                    <Tile label={t('estate.cap.power')} value={t('estate.cap.watts', { n: number(watts) })} />
                )}
                {boot && item.connection_state !== 'disconnected' && (
                    <Tile
                        label={t('estate.cap.uptime')}
                        value={duration((now - new Date(boot).getTime()) / 1000)}
                        sub={dateTime(boot)}
                    />
                )}
                {!host && <Members item={item} />}
            </div>
            <div className="pv-note">
                {over && <p>{t('estate.cap.over')}</p>}
                {all && on && all.count > on.count && (
                    <p>
                        {t('estate.cap.all_counted', {
                            vcpus: number(all.vcpus),
                            memory: bytes(all.memory),
                        })}
                    </p>
                )}
                {usage?.time ? (
                    <p>{t('machine.vm.measured', { ago: ago(String(usage.time), now) })}</p>
                ) : null}
            </div>
        </section>
    );
}

/** Hosts of a cluster, and those that do not carry their part. */
function Members({ item }: { item: Item }) {
    const { t } = useTranslation();
    const { data } = useQuery(
        listQuery('/hosts', {
            filter: `cluster:${item.id}`,
            limit: 1,
            count: 'exact',
            fields: 'name',
            facets: 'connection_state,maintenance_mode',
        }),
    );
    const facets = (data as { facets?: Record<string, { value: string; count: number }[]> } | undefined)
        ?.facets;
    const resting = facets?.maintenance_mode?.find((f) => f.value === 'true')?.count ?? 0;
    const away = (facets?.connection_state ?? [])
        .filter((f) => f.value !== 'connected')
        .reduce((sum, f) => sum + f.count, 0);
    return (
        <Tile
            label={t('estate.cap.hosts')}
            value={data ? number(data.count ?? 0) : '–'}
            to={`/clusters/${item.id}/hosts`}
            sub={[
                away ? t('estate.cap.hosts_away', { count: away, n: number(away) }) : '',
                resting ? t('estate.cap.hosts_maintenance', { count: resting, n: number(resting) }) : '',
            ]
                .filter(Boolean)
                .join(' · ')}
        />
    );
}

/** Of a datastore: used, free, and what was promised to disks, which can be more than there is. */
export function Space({ item }: { item: Item }) {
    const { t } = useTranslation();
    const orphans = `datastore:${item.id} used_by:null`;
    const unused = useQuery(
        listQuery('/disk-images', { filter: orphans, limit: 1, count: 'exact', fields: 'id' }),
    ).data?.count;
    const all = item.capacity_bytes as number | null;
    const free = item.free_bytes as number | null;
    const promised = item.provisioned_bytes as number | null;
    if (!all) return null;
    const used = free === null || free === undefined ? null : all - free;
    const scale = Math.max(all, promised ?? 0);
    const share = (n: number) => `${(n / scale) * 100}%`;
    return (
        <section className="pv-card">
            <h2 className="pv-card__title">{t('estate.cap.space')}</h2>
            <div className="pv-tiles">
                {used !== null && (
                    <Tile
                        label={t('estate.cap.used')}
                        value={bytes(used)}
                        sub={t('estate.cap.of_share', {
                            share: percent((used / all) * 100),
                            total: bytes(all),
                        })}
                    />
                )}
                {free !== null && free !== undefined && (
                    <Tile label={t('estate.cap.free')} value={bytes(free)} />
                )}
                {promised !== null && promised !== undefined && (
                    <Tile
                        label={t('estate.cap.promised')}
                        value={bytes(promised)}
                        sub={percent((promised / all) * 100)}
                    />
                )}
                {unused ? (
                    <Tile
                        label={t('estate.unused')}
                        value={number(unused)}
                        to={`/storage/disks?filter=${encodeURIComponent(orphans)}`}
                    />
                ) : null}
            </div>
            {used !== null && (
                <svg
                    className="pv-space"
                    viewBox="0 0 100 12"
                    preserveAspectRatio="none"
                    role="img"
                    aria-label={t('estate.cap.bar', {
                        used: bytes(used),
                        free: bytes(free!),
                        total: bytes(all),
                    })}
                >
                    <rect className="pv-space__all" x="0" y="1" width={share(all)} height="10" />
                    {!!promised && (
                        <rect
                            className="pv-space__promised"
                            x="0"
                            y="1"
                            width={share(promised)}
                            height="10"
                        />
                    )}
                    <rect
                        className={`pv-space__used${used / all >= 0.9 ? ' pv-space__used--high' : ''}`}
                        x="0"
                        y="1"
                        width={share(used)}
                        height="10"
                    />
                    <rect className="pv-space__end" x={share(all)} y="0" width="0.4" height="12" />
                </svg>
            )}
            {!!promised && promised > all && (
                <p className="pv-note">
                    {t('estate.cap.promised_over', { share: percent((promised / all) * 100) })}
                </p>
            )}
        </section>
    );
}
