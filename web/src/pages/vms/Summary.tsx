// SPDX-License-Identifier: Apache-2.0
// A machine at a glance: guest, use, placement, what hangs on it, what happened last.
import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { useTranslation } from 'react-i18next';
import { valueAt } from '../../api/model';
import { listQuery } from '../../api/query';
import type { Item, LiveEvent } from '../../api/types';
import { ago, bytes, dateTime, duration, mhz, number, rate } from '../../i18n/format';
import { Bar, Mark, RefLink } from '../../lib/cells';
import { Fields } from '../../lib/Fields';
import type { TabProps } from '../../lib/ObjectPage';
import { FailureLine, SkeletonLines } from '../../states/states';
import { useNow } from '../../lib/hooks';
import { Notes } from './Notes';
import { useUsage } from './usage';

export function Summary({ item }: TabProps) {
    return (
        <div className="pv-columns">
            <div className="pv-columns__main">
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
                <Notes item={item} />
            </aside>
        </div>
    );
}

function Tile(p: { label: string; value: string; sub?: string; share?: number | null }) {
    return (
        <div className="pv-tile">
            <span className="pv-tile__label">{p.label}</span>
            <span className="pv-tile__value">{p.value}</span>
            {typeof p.share === 'number' ? <Bar value={p.share} text="" /> : null}
            {p.sub && <span className="pv-tile__sub">{p.sub}</span>}
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
    return (
        <section className="pv-card" aria-label={t('vm.use')}>
            <div className="pv-tiles">
                <Tile
                    label={t('vm.cpu_use')}
                    value={running && cpu !== undefined ? `${number(cpu)} %` : '–'}
                    sub={[
                        cpus ? t('vm.cpus', { count: cpus, n: number(cpus) }) : '',
                        running && cpuMhz !== undefined ? mhz(cpuMhz) : '',
                    ]
                        .filter(Boolean)
                        .join(' · ')}
                    share={running ? (cpu ?? null) : null}
                />
                <Tile
                    label={t('vm.memory_use')}
                    value={running && used !== undefined ? bytes(used) : '–'}
                    sub={memory ? t('vm.of', { total: bytes(memory) }) : undefined}
                    share={running && used !== undefined && memory ? (used / memory) * 100 : null}
                />
                <Tile
                    label={t('vm.disk_use')}
                    value={stored !== null && stored !== undefined ? bytes(stored) : '–'}
                    sub={provisioned ? t('vm.of', { total: bytes(provisioned) }) : undefined}
                    share={stored && provisioned ? (stored / provisioned) * 100 : null}
                />
                <Tile
                    label={t('vm.network_use')}
                    value={
                        running && get('net.rx_bps') !== undefined
                            ? rate(((get('net.rx_bps') ?? 0) + (get('net.tx_bps') ?? 0)) / 8)
                            : '–'
                    }
                    sub={
                        running && get('disk.read_bps') !== undefined
                            ? t('vm.disk_rate', {
                                  rate: rate((get('disk.read_bps') ?? 0) + (get('disk.write_bps') ?? 0)),
                              })
                            : undefined
                    }
                />
                <Tile
                    label={t('vm.uptime')}
                    value={running && boot ? duration((now - new Date(boot).getTime()) / 1000) : '–'}
                    sub={running && boot ? dateTime(boot) : undefined}
                />
            </div>
            {usage?.time ? (
                <p className="pv-note">{t('vm.measured', { ago: ago(String(usage.time), now) })}</p>
            ) : null}
        </section>
    );
}

function Recent({ item }: { item: Item }) {
    const { t } = useTranslation();
    const { data, error, refetch } = useQuery(
        listQuery<Item & LiveEvent>(`/vms/${item.id}/events`, { sort: '-time', limit: 6 }),
    );
    return (
        <section className="pv-card">
            <h2 className="pv-card__title">
                {t('vm.recent')}
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
                        <li key={e.id}>
                            <Mark
                                as={
                                    e.severity === 'error'
                                        ? 'bad'
                                        : e.severity === 'warning'
                                          ? 'warn'
                                          : 'none'
                                }
                            />
                            <span className="pv-feed__text">{e.message ?? e.type}</span>
                            {e.actor?.name && <span className="pv-subtle">{e.actor.name}</span>}
                            {e.task && (
                                <RefLink value={{ id: e.task.id, name: t('task.open') }} kind="task" />
                            )}
                            <time className="pv-subtle" dateTime={e.time} title={dateTime(e.time)}>
                                {ago(e.time)}
                            </time>
                        </li>
                    ))}
                </ul>
            )}
        </section>
    );
}
