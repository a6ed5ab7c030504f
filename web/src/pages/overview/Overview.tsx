// SPDX-License-Identifier: Apache-2.0
// The estate at a glance, from one request: counters that are links, a tile for each host, capacity, hot spots, what happened.
import { useQuery } from '@tanstack/react-query';
import { Link, useSearchParams } from 'react-router';
import { useTranslation } from 'react-i18next';
import { summaryQuery } from '../../api/query';
import type { Item, LiveEvent, Schemas, Task } from '../../api/types';
import { ago, bytes, dateTime, number } from '../../i18n/format';
import { enumText, operationText, said } from '../../i18n/words';
import { Bar, Health, Mark, ProviderBadge, RefLink, State } from '../../lib/cells';
import { useTitle } from '../../lib/hooks';
import { Empty, Failure, FailureLine, SkeletonLines } from '../../states/states';

type Summary = Schemas['Summary'];
/** A total, and how it divides by one field. */
type Counts = { total: number } & Record<string, Record<string, number>>;
type HostItem = NonNullable<Summary['host_items']>[number];

function Counter(p: { to: string; label: string; counts?: Counts; by: string; field: string; kind: string }) {
    const parts = Object.entries(p.counts?.[p.by] ?? {}).filter(([, n]) => n > 0);
    return (
        <section className="pv-card pv-counter">
            <Link className="pv-counter__total" to={p.to}>
                <span className="pv-counter__n">{number(p.counts?.total ?? 0)}</span>
                <span>{p.label}</span>
            </Link>
            <ul>
                {parts.map(([value, n]) => (
                    <li key={value}>
                        <Link to={`${p.to}?filter=${encodeURIComponent(`${p.field}:${value}`)}`}>
                            <State kind={p.kind} path={p.by} value={value} />{' '}
                            <span className="pv-num">{number(n)}</span>
                        </Link>
                    </li>
                ))}
            </ul>
        </section>
    );
}

const counts = (value: unknown) => (value ?? { total: 0 }) as Counts;

function byProvider(hosts: HostItem[]): [string, HostItem[]][] {
    const groups = new Map<string, HostItem[]>();
    for (const host of hosts) {
        const name = [host.provider?.name, host.cluster?.name].filter(Boolean).join(' / ');
        groups.set(name, [...(groups.get(name) ?? []), host]);
    }
    return [...groups].sort(([a], [b]) => a.localeCompare(b));
}

function HealthMap({ summary }: { summary: Summary }) {
    const { t } = useTranslation();
    const [params, setParams] = useSearchParams();
    const table = params.get('hosts') === 'table';
    const hosts = summary.host_items ?? [];
    if (!hosts.length) return null;
    return (
        <section className="pv-card pv-wide">
            <h2 className="pv-card__title">
                {t('overview.map')}
                <button
                    type="button"
                    className="pv-linkbutton pv-card__more"
                    aria-pressed={table}
                    onClick={() =>
                        setParams((old) => {
                            const next = new URLSearchParams(old);
                            if (table) next.delete('hosts');
                            else next.set('hosts', 'table');
                            return next;
                        })
                    }
                >
                    {t('overview.as_table')}
                </button>
            </h2>
            {table ? (
                <div className="pv-scroll" role="region" aria-label={t('overview.map')} tabIndex={0}>
                    <table className="pv-table">
                        <thead>
                            <tr>
                                <th scope="col">{t('nav.hosts')}</th>
                                <th scope="col">{t('field.any.health')}</th>
                                <th scope="col">{t('overview.cpu')}</th>
                                <th scope="col">{t('overview.memory')}</th>
                                <th scope="col">{t('nav.vms')}</th>
                            </tr>
                        </thead>
                        <tbody>
                            {hosts.map((h) => (
                                <tr key={h.id}>
                                    <td>
                                        <RefLink value={{ id: h.id ?? '', name: h.name }} kind="host" />
                                    </td>
                                    <td>
                                        <Health value={h.worst_health} />
                                    </td>
                                    <td>
                                        <Bar value={h.cpu_pct} />
                                    </td>
                                    <td>
                                        <Bar value={h.memory_pct} />
                                    </td>
                                    <td className="pv-num">{number(h.vms ?? 0)}</td>
                                </tr>
                            ))}
                        </tbody>
                    </table>
                </div>
            ) : (
                <div className="pv-map">
                    {byProvider(hosts).map(([name, group]) => (
                        <div key={name} className="pv-map__group">
                            <h3 className="pv-h3">{name}</h3>
                            <ul className="pv-map__tiles">
                                {group.map((h) => (
                                    <li
                                        key={h.id}
                                        style={{
                                            flexGrow: Math.max(
                                                1,
                                                Math.round((h.memory_bytes ?? 0) / 2 ** 37),
                                            ),
                                        }}
                                    >
                                        <Link
                                            className={`pv-map__tile pv-map__tile--${h.worst_health ?? 'unknown'}`}
                                            to={`/hosts/${h.id}`}
                                            title={`${h.name}: ${enumText('host', 'health', h.worst_health ?? 'unknown')}`}
                                        >
                                            <span className="pv-map__name">{h.name}</span>
                                            <span className="pv-map__state">
                                                <Health value={h.worst_health} />
                                                {typeof h.memory_pct === 'number' && (
                                                    <span className="pv-subtle">
                                                        {number(h.memory_pct)} %
                                                    </span>
                                                )}
                                            </span>
                                        </Link>
                                    </li>
                                ))}
                            </ul>
                        </div>
                    ))}
                </div>
            )}
            {summary.host_items_cut && (
                <p className="pv-note">
                    {t('overview.cut', { n: number(hosts.length), count: hosts.length })}
                </p>
            )}
        </section>
    );
}

function Capacity({ summary }: { summary: Summary }) {
    const { t } = useTranslation();
    const clusters = summary.cluster_items ?? [];
    if (!clusters.length) return null;
    return (
        <section className="pv-card">
            <h2 className="pv-card__title">{t('overview.capacity')}</h2>
            <div className="pv-scroll" role="region" aria-label={t('overview.capacity')} tabIndex={0}>
                <table className="pv-table">
                    <thead>
                        <tr>
                            <th scope="col">{t('nav.clusters')}</th>
                            <th scope="col">{t('overview.cpu')}</th>
                            <th scope="col">{t('overview.memory')}</th>
                            <th scope="col">{t('nav.vms')}</th>
                        </tr>
                    </thead>
                    <tbody>
                        {clusters.map((c) => (
                            <tr key={c.id}>
                                <td>
                                    <RefLink value={{ id: c.id ?? '', name: c.name }} kind="cluster" />
                                </td>
                                <td>
                                    <Bar
                                        value={
                                            c.cpu_mhz && typeof c.cpu_used_mhz === 'number'
                                                ? (c.cpu_used_mhz / c.cpu_mhz) * 100
                                                : null
                                        }
                                    />
                                </td>
                                <td>
                                    <Bar
                                        value={
                                            c.memory_bytes && typeof c.memory_used_bytes === 'number'
                                                ? (c.memory_used_bytes / c.memory_bytes) * 100
                                                : null
                                        }
                                    />
                                    <span className="pv-subtle">{bytes(c.memory_bytes ?? 0)}</span>
                                </td>
                                <td className="pv-num">{number(c.vms ?? 0)}</td>
                            </tr>
                        ))}
                    </tbody>
                </table>
            </div>
        </section>
    );
}

function Providers({ summary }: { summary: Summary }) {
    const { t } = useTranslation();
    return (
        <section className="pv-card">
            <h2 className="pv-card__title">
                {t('nav.providers')}
                <Link className="pv-card__more" to="/providers">
                    {t('overview.all')}
                </Link>
            </h2>
            <ul className="pv-feed">
                {(summary.provider_items ?? []).map((p) => (
                    <li key={p.id}>
                        <ProviderBadge value={{ id: p.id ?? '', name: p.name, family: p.family }} />
                        <State kind="provider" path="state" value={p.state ?? null} />
                        <span className="pv-feed__text pv-subtle">
                            {t('overview.machines', { count: p.vms ?? 0, n: number(p.vms ?? 0) })}
                        </span>
                        {p.confirmed_at && (
                            <time
                                className="pv-subtle"
                                dateTime={p.confirmed_at}
                                title={dateTime(p.confirmed_at)}
                            >
                                {ago(p.confirmed_at)}
                            </time>
                        )}
                    </li>
                ))}
            </ul>
        </section>
    );
}

interface AlertItem extends Item {
    message?: string | null;
    severity?: string;
    fired_at?: string;
    ref?: { id: string; kind: string } | null;
}

function Alerts({ summary }: { summary: Summary }) {
    const { t } = useTranslation();
    const items = ((summary as Record<string, unknown>).alert_items ?? []) as AlertItem[];
    return (
        <section className="pv-card">
            <h2 className="pv-card__title">
                {t('nav.alerts')}
                <Link className="pv-card__more" to="/alerts?filter=state%3Afiring">
                    {t('overview.all')}
                </Link>
            </h2>
            {items.length === 0 ? (
                <p className="pv-subtle pv-pad">{t('alerts.none.title')}</p>
            ) : (
                <ul className="pv-feed">
                    {items.slice(0, 8).map((a) => (
                        <li key={a.id}>
                            <Mark
                                as={
                                    a.severity === 'error'
                                        ? 'bad'
                                        : a.severity === 'warning'
                                          ? 'warn'
                                          : 'none'
                                }
                            />
                            <span className="pv-feed__text">{a.message}</span>
                            {a.fired_at && (
                                <time
                                    className="pv-subtle"
                                    dateTime={a.fired_at}
                                    title={dateTime(a.fired_at)}
                                >
                                    {ago(a.fired_at)}
                                </time>
                            )}
                        </li>
                    ))}
                </ul>
            )}
        </section>
    );
}

interface Snapshot extends Item {
    taken_at?: string;
    vm?: { id: string; name?: string | null } | null;
}

function Snapshots({ summary }: { summary: Summary }) {
    const { t } = useTranslation();
    const items = (summary.oldest_snapshots ?? []) as unknown as Snapshot[];
    if (!items.length) return null;
    return (
        <section className="pv-card">
            <h2 className="pv-card__title">{t('overview.snapshots')}</h2>
            <ul className="pv-feed">
                {items.map((x) => (
                    <li key={x.id}>
                        {x.vm && <RefLink value={{ id: x.vm.id, name: x.vm.name ?? x.vm.id }} kind="vm" />}
                        <span className="pv-feed__text pv-subtle">{x.name}</span>
                        {x.taken_at && (
                            <time className="pv-subtle" dateTime={x.taken_at} title={dateTime(x.taken_at)}>
                                {ago(x.taken_at)}
                            </time>
                        )}
                    </li>
                ))}
            </ul>
        </section>
    );
}

interface TopItem {
    id: string;
    kind?: string;
    name?: string | null;
    value: number;
}

function Top({ title, items, unit }: { title: string; items?: TopItem[]; unit: (n: number) => string }) {
    if (!items?.length) return null;
    return (
        <section className="pv-card">
            <h2 className="pv-card__title">{title}</h2>
            <ul className="pv-feed">
                {items.map((x) => (
                    <li key={x.id}>
                        <RefLink value={{ id: x.id, name: x.name ?? x.id }} kind={x.kind ?? 'vm'} />
                        <span className="pv-feed__text" />
                        <span className="pv-num">{unit(x.value)}</span>
                    </li>
                ))}
            </ul>
        </section>
    );
}

function Changes({ summary }: { summary: Summary }) {
    const { t } = useTranslation();
    const events = (summary.recent_changes ?? []) as unknown as (Item & LiveEvent)[];
    const failures = (summary.recent_failures ?? []) as unknown as Task[];
    return (
        <>
            <section className="pv-card">
                <h2 className="pv-card__title">
                    {t('overview.failures')}
                    <Link className="pv-card__more" to="/tasks?filter=state%3Afailed">
                        {t('overview.all')}
                    </Link>
                </h2>
                {failures.length === 0 ? (
                    <p className="pv-subtle pv-pad">{t('overview.no_failures')}</p>
                ) : (
                    <ul className="pv-feed">
                        {failures.map((task) => (
                            <li key={task.id}>
                                <Mark as="bad" />
                                <Link to={`/tasks/${task.id}`}>{operationText(task.action ?? '')}</Link>
                                <span className="pv-feed__text pv-subtle">{said(task.error, 'detail')}</span>
                                <time className="pv-subtle" dateTime={task.finished_at ?? undefined}>
                                    {task.finished_at ? ago(task.finished_at) : ''}
                                </time>
                            </li>
                        ))}
                    </ul>
                )}
            </section>
            <section className="pv-card">
                <h2 className="pv-card__title">
                    {t('overview.changes')}
                    <Link className="pv-card__more" to="/events">
                        {t('overview.all')}
                    </Link>
                </h2>
                {events.length === 0 ? (
                    <p className="pv-subtle pv-pad">{t('object.no_events.body')}</p>
                ) : (
                    <ul className="pv-feed">
                        {events.map((e) => (
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
                                <time className="pv-subtle" dateTime={e.time} title={dateTime(e.time)}>
                                    {ago(e.time)}
                                </time>
                            </li>
                        ))}
                    </ul>
                )}
            </section>
        </>
    );
}

export function Component() {
    const { t } = useTranslation();
    useTitle(t('nav.overview'));
    const { data, error, refetch } = useQuery({ ...summaryQuery, refetchInterval: 30_000 });
    if (!data)
        return error ? (
            <Failure error={error} onRetry={() => void refetch()} />
        ) : (
            <SkeletonLines lines={14} />
        );
    const top = (data.top ?? {}) as Record<string, TopItem[]>;
    if (counts(data.providers).total === 0)
        return (
            <Empty
                title={t('overview.empty.title')}
                body={t('overview.empty.body')}
                action={<Link to="/providers/new">{t('providers.add')}</Link>}
            />
        );
    return (
        <article className="pv-page pv-overview" aria-labelledby="page-title">
            <h1 className="pv-h1" id="page-title">
                {t('nav.overview')}
            </h1>
            {!!error && <FailureLine error={error} onRetry={() => void refetch()} />}
            <div className="pv-overview__counters">
                <Counter
                    to="/vms"
                    label={t('nav.vms')}
                    counts={counts(data.vms)}
                    by="power_state"
                    field="power"
                    kind="vm"
                />
                <Counter
                    to="/hosts"
                    label={t('nav.hosts')}
                    counts={counts(data.hosts)}
                    by="connection_state"
                    field="connection_state"
                    kind="host"
                />
                <Counter
                    to="/providers"
                    label={t('nav.providers')}
                    counts={counts(data.providers)}
                    by="state"
                    field="state"
                    kind="provider"
                />
                <Counter
                    to="/storage/datastores"
                    label={t('nav.datastores')}
                    counts={counts(data.datastores)}
                    by="health"
                    field="health"
                    kind="datastore"
                />
            </div>
            <div className="pv-overview__cards">
                <HealthMap summary={data} />
                <Capacity summary={data} />
                <Providers summary={data} />
                <Alerts summary={data} />
                <Snapshots summary={data} />
                <Top title={t('overview.top_cpu')} items={top.cpu} unit={(n) => `${number(n)} %`} />
                <Top title={t('overview.top_memory')} items={top.memory} unit={bytes} />
                <Changes summary={data} />
            </div>
        </article>
    );
}
