// SPDX-License-Identifier: Apache-2.0
// A machine at a glance: guest, use, placement, what hangs on it, what happened last.
import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import '../../i18n/estate';
import '../../i18n/machine';
import { valueAt } from '../../api/model';
import { urlOf } from '../../api/client';
import { listQuery } from '../../api/query';
import type { Item, LiveEvent } from '../../api/types';
import { ago, bytes, dateTime, duration, mhz, number, percent, rate } from '../../i18n/format';
import { Bar, RefLink } from '../../lib/cells';
import { EventLine } from '../../lib/Feed';
import { Fields } from '../../lib/Fields';
import { useActions, type TabProps } from '../../lib/ObjectPage';
import { FailureLine, Notice, SkeletonLines } from '../../states/states';
import { useNow } from '../../lib/hooks';
import { fieldLabel, healthText } from '../../i18n/words';
import { alertText } from '../activity/alertText';
import { Notes } from './Notes';
import { lastSeconds, readSeries, seriesOf } from './series';
import { Spark } from './Spark';
import { useUsage } from './usage';

export function Summary({ item }: TabProps) {
    return (
        <div className="pv-columns">
            <div className="pv-columns__main">
                <Attention item={item} />
                <Use item={item} />
                <Fields
                    item={item}
                    title={useTranslation().t('vm.guest')}
                    paths={[
                        'guest.os_name',
                        'guest.hostname',
                        'guest.ip_addresses',
                        'guest.tools.state',
                        'guest.tools.version',
                        'guest.tools.version_state',
                        'guest.state',
                        'boot_time',
                    ]}
                />
                <Recent item={item} />
            </div>
            <aside className="pv-columns__rail">
                <Thumbnail item={item} />
                <Fields
                    item={item}
                    title={useTranslation().t('vm.placement')}
                    paths={[
                        'host',
                        'cluster',
                        'datacenter',
                        'resource_pool',
                        'datastores',
                        'networks',
                        'folder',
                    ]}
                    known
                />
                <Fields
                    item={item}
                    title={useTranslation().t('vm.identity')}
                    paths={[
                        'uuid',
                        'bios_uuid',
                        'native.id',
                        'native.path',
                        'hardware_version',
                        'created_natively_at',
                    ]}
                    known
                />
                <Related item={item} />
                <Notes item={item} />
            </aside>
        </div>
    );
}

/** What rules have found about it and nobody has said to be over. */
function OpenAlerts({ item }: { item: Item }) {
    const { t } = useTranslation();
    const { data } = useQuery(
        listQuery('/alerts', {
            filter: `subject_id=${item.id} state:{firing,acknowledged}`,
            view: 'full',
            limit: 5,
        }),
    );
    if (!data?.items.length) return null;
    return (
        <Notice variant="warning" title={t('estate.vm.alerts')}>
            <ul className="pv-plainlist">
                {data.items.map((a) => (
                    <li key={a.id}>
                        <Link className="pv-link" to={`/alerts/${a.id}`}>
                            {alertText(a)}
                        </Link>{' '}
                        <span className="pv-subtle">{ago(String(a.fired_at))}</span>
                    </li>
                ))}
            </ul>
        </Notice>
    );
}

/** What else there is of it, where that is a page. */
function Related({ item }: { item: Item }) {
    const { t } = useTranslation();
    const shots = (valueAt(item, 'snapshots.count') as number | null) ?? 0;
    const newest = valueAt(item, 'snapshots.newest_at') as string | null;
    const origin = item.origin as { id: string; kind?: string; name?: string } | null | undefined;
    const related = (item.related as { id: string; name?: string; reason?: string }[] | null) ?? [];
    if (!shots && !origin && !related.length) return null;
    return (
        <section className="pv-card">
            <h2 className="pv-card__title">{t('estate.vm.relations')}</h2>
            <dl className="pv-fields">
                {shots > 0 && (
                    <div>
                        <dt>{t('vm.tab.snapshots')}</dt>
                        <dd>
                            <Link className="pv-link" to={`/vms/${item.id}/snapshots`}>
                                {t('estate.vm.snapshots', { count: shots, n: number(shots) })}
                            </Link>{' '}
                            {newest && (
                                <span className="pv-subtle">
                                    {t('estate.vm.oldest', { time: dateTime(newest) })}
                                </span>
                            )}
                        </dd>
                    </div>
                )}
                {origin && (
                    <div>
                        <dt>{fieldLabel('vm', 'origin')}</dt>
                        <dd>
                            <RefLink value={origin} kind={origin.kind ?? 'vm'} />
                        </dd>
                    </div>
                )}
                {related.map((r) => (
                    <div key={r.id}>
                        <dt>{fieldLabel('vm', 'related')}</dt>
                        <dd>
                            <RefLink value={r} kind="vm" />{' '}
                            {r.reason && <span className="pv-subtle">{healthText(r.reason)}</span>}
                        </dd>
                    </div>
                ))}
            </dl>
        </section>
    );
}

/** What waits for a person. */
function Attention({ item }: { item: Item }) {
    const { t } = useTranslation();
    const question = item.question as { text?: string } | string | null | undefined;
    return (
        <>
            {question && (
                <Notice variant="warning" title={t('machine.sum.question')}>
                    {typeof question === 'string' ? question : (question.text ?? JSON.stringify(question))}
                </Notice>
            )}
            <OpenAlerts item={item} />
            {item.consolidation_needed === true && (
                <Notice variant="warning" title={t('machine.sum.consolidate')} />
            )}
        </>
    );
}

/** The screen as it was when the page was opened; the console has the live one. */
function Thumbnail({ item }: { item: Item }) {
    const { t } = useTranslation();
    const screen = useActions(item).find((a) => a.name === 'vm.screenshot');
    const [at] = useState(Date.now);
    const [failed, setFailed] = useState(false);
    if (!screen?.ready || failed) return null;
    return (
        <section className="pv-card">
            <h2 className="pv-card__title">
                {t('machine.sum.screen')}
                <Link className="pv-card__more" to={`/vms/${item.id}/console`}>
                    {t('vm.tab.console')}
                </Link>
            </h2>
            <Link
                className="pv-thumb"
                to={`/vms/${item.id}/console`}
                aria-label={t('machine.sum.open_console')}
            >
                <img
                    src={urlOf(`/vms/${item.id}/screenshot`, { width: 320, height: 240, at })}
                    alt={t('console.picture', { name: item.name ?? item.id })}
                    onError={() => setFailed(true)}
                />
            </Link>
        </section>
    );
}

const HOUR_S = 3600;
const HOUR_NAMES = [
    'cpu.usage_pct',
    'mem.usage_bytes',
    'disk.read_bps',
    'disk.write_bps',
    'net.rx_bps',
    'net.tx_bps',
];

function useHour(item: Item) {
    const { data } = useQuery({
        queryKey: ['series', item.id, 'hour'],
        queryFn: ({ signal }) => readSeries([item.id], HOUR_NAMES, lastSeconds(HOUR_S), signal),
        refetchInterval: 20_000,
        refetchIntervalInBackground: false,
        retry: false,
        enabled: item.power_state === 'running',
    });
    return useMemo(() => seriesOf(data, item.id), [data, item.id]);
}

function Tile(p: {
    label: string;
    value: string;
    sub?: string;
    share?: number | null;
    spark?: React.ReactNode;
}) {
    return (
        <div className="pv-tile">
            <span className="pv-tile__label">{p.label}</span>
            <span className="pv-tile__value">{p.value}</span>
            {typeof p.share === 'number' ? <Bar value={p.share} text="" /> : null}
            {p.sub && <span className="pv-tile__sub">{p.sub}</span>}
            {p.spark}
        </div>
    );
}

function Use({ item }: { item: Item }) {
    const { t } = useTranslation();
    const now = useNow();
    const { data: usage } = useUsage(item);
    const get = (name: string) => usage?.[name] as number | undefined;
    const memory = valueAt(item, 'memory.bytes') as number | null;
    const used = get('mem.usage_bytes');
    const provisioned = valueAt(item, 'storage.provisioned_bytes') as number | null;
    const stored = valueAt(item, 'storage.used_bytes') as number | null;
    const cpus = valueAt(item, 'cpu.count') as number | null;
    const boot = valueAt(item, 'boot_time') as string | null;
    const running = item.power_state === 'running';
    const cpu = get('cpu.usage_pct');
    const cpuMhz = get('cpu.usage_mhz');
    const hour = useHour(item);
    const readWrite = rateSum(get('disk.read_bps'), get('disk.write_bps'));
    return (
        <section className="pv-card" aria-label={t('machine.vm.use')}>
            <div className="pv-tiles">
                <Tile
                    label={t('vm.cpu_use')}
                    value={running && cpu !== undefined ? percent(cpu) : '–'}
                    sub={[
                        cpus ? t('machine.vm.cpus', { count: cpus, n: number(cpus) }) : '',
                        running && cpuMhz !== undefined ? mhz(cpuMhz) : '',
                    ]
                        .filter(Boolean)
                        .join(' · ')}
                    share={running ? (cpu ?? null) : null}
                    spark={
                        <Spark
                            label={t('vm.cpu_use')}
                            series={[hour.get('cpu.usage_pct')]}
                            show={(v) => percent(v)}
                            most={100}
                        />
                    }
                />
                <Tile
                    label={t('vm.memory_use')}
                    value={running && used !== undefined ? bytes(used) : '–'}
                    sub={memory ? t('machine.vm.of', { total: bytes(memory) }) : undefined}
                    share={running && used !== undefined && memory ? (used / memory) * 100 : null}
                    spark={
                        <Spark
                            label={t('vm.memory_use')}
                            series={[hour.get('mem.usage_bytes')]}
                            show={bytes}
                            most={memory ?? undefined}
                        />
                    }
                />
                <Tile
                    label={t('machine.vm.disk_use')}
                    value={stored !== null && stored !== undefined ? bytes(stored) : '–'}
                    sub={provisioned ? t('machine.vm.of', { total: bytes(provisioned) }) : undefined}
                    share={stored && provisioned ? (stored / provisioned) * 100 : null}
                />
                {running && readWrite !== null && (
                    <Tile
                        label={t('machine.sum.disk_rate')}
                        value={rate(readWrite)}
                        sub={t('machine.sum.read_write', {
                            read: rate(get('disk.read_bps') ?? 0),
                            write: rate(get('disk.write_bps') ?? 0),
                        })}
                        spark={
                            <Spark
                                label={t('machine.sum.disk_rate')}
                                series={[hour.get('disk.read_bps'), hour.get('disk.write_bps')]}
                                show={rate}
                            />
                        }
                    />
                )}
                <Tile
                    label={t('machine.vm.network_use')}
                    value={
                        running && get('net.rx_bps') !== undefined
                            ? rate((rateSum(get('net.rx_bps'), get('net.tx_bps')) ?? 0) / 8)
                            : '–'
                    }
                    sub={
                        running && get('net.rx_bps') !== undefined
                            ? t('machine.sum.in_out', {
                                  inward: rate((get('net.rx_bps') ?? 0) / 8),
                                  outward: rate((get('net.tx_bps') ?? 0) / 8),
                              })
                            : undefined
                    }
                    spark={
                        <Spark
                            label={t('machine.vm.network_use')}
                            series={[hour.get('net.rx_bps'), hour.get('net.tx_bps')]}
                            show={(v) => rate(v / 8)}
                        />
                    }
                />
                <Tile
                    label={t('vm.uptime')}
                    value={running && boot ? duration((now - new Date(boot).getTime()) / 1000) : '–'}
                    sub={running && boot ? dateTime(boot) : undefined}
                />
            </div>
            {usage?.time ? (
                <p className="pv-note">{t('machine.vm.measured', { ago: ago(String(usage.time), now) })}</p>
            ) : null}
        </section>
    );
}

/** Null where neither is known. */
function rateSum(a: number | undefined, b: number | undefined): number | null {
    return a === undefined && b === undefined ? null : (a ?? 0) + (b ?? 0);
}

function Recent({ item }: { item: Item }) {
    const { t } = useTranslation();
    const { data, error, refetch } = useQuery(
        listQuery<Item & LiveEvent>(`/vms/${item.id}/events`, { sort: '-time', limit: 5 }),
    );
    return (
        <section className="pv-card">
            <h2 className="pv-card__title">
                {t('machine.vm.recent')}
                <Link className="pv-card__more" to={`/vms/${item.id}/history`}>
                    {t('vm.tab.history')}
                </Link>
            </h2>
            {error ? (
                <FailureLine error={error} onRetry={() => void refetch()} />
            ) : !data ? (
                <SkeletonLines lines={3} />
            ) : data.items.length === 0 ? (
                <p className="pv-subtle pv-pad">{t('object.no_events.body')}</p>
            ) : (
                <ul className="pv-feed">
                    {data.items.map((e) => (
                        <EventLine
                            key={e.id}
                            event={e}
                            more={
                                <>
                                    {e.actor?.name && <span className="pv-subtle">{e.actor.name}</span>}
                                    {e.task && (
                                        <RefLink
                                            value={{ id: e.task.id, name: t('task.open') }}
                                            kind="task"
                                        />
                                    )}
                                </>
                            }
                        />
                    ))}
                </ul>
            )}
        </section>
    );
}
