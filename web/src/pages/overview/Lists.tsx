// SPDX-License-Identifier: Apache-2.0
// The overview's short lists: providers with the age of their data, alerts, failures, changes, who uses most.
import type { ReactNode } from 'react';
import { Link } from 'react-router';
import { useTranslation } from 'react-i18next';
import type { Item, LiveEvent, Schemas, Task } from '../../api/types';
import { bytes, percent, number, withUnit } from '../../i18n/format';
import { operationText, said } from '../../i18n/words';
import { Mark, ProviderBadge, RefLink, State } from '../../lib/cells';
import { Ago, EventLine, SeverityMark } from '../../lib/Feed';
import { alertText } from '../activity/alertText';
import type { Card } from './layout';

type Summary = Schemas['Summary'];

/** A titled list with the way to all of it; without lines it says why. */
function ListCard(p: { title: string; all?: string; none: string; children: ReactNode[] }) {
    const { t } = useTranslation();
    return (
        <section className="pv-card">
            <h2 className="pv-card__title">
                {p.title}
                {p.all && (
                    <Link className="pv-card__more" to={p.all}>
                        {t('overview.all')}
                    </Link>
                )}
            </h2>
            {p.children.length ? (
                <ul className="pv-feed">{p.children}</ul>
            ) : (
                <p className="pv-subtle pv-pad">{p.none}</p>
            )}
        </section>
    );
}

export function Providers({ summary }: { summary: Summary }) {
    const { t } = useTranslation();
    return (
        <ListCard title={t('nav.providers')} all="/providers" none={t('overview.no_providers')}>
            {(summary.provider_items ?? []).map((p) => (
                <li key={p.id}>
                    <ProviderBadge value={{ id: p.id ?? '', name: p.name, family: p.family }} />
                    <State kind="provider" path="state" value={p.state ?? null} />
                    <span className="pv-feed__text pv-subtle">
                        {t('overview.machines', { count: p.vms ?? 0, n: number(p.vms ?? 0) })}
                    </span>
                    <Ago at={p.confirmed_at} />
                </li>
            ))}
        </ListCard>
    );
}

export function Alerts({ summary }: { summary: Summary }) {
    const { t } = useTranslation();
    const items = (summary.alert_items ?? []) as unknown as Item[];
    return (
        <ListCard title={t('nav.alerts')} all="/alerts?filter=state%3Afiring" none={t('alerts.none.title')}>
            {items.map((a) => (
                <li key={a.id}>
                    <SeverityMark of={a.severity as string} />
                    <Link className="pv-link pv-feed__text" to={`/alerts/${a.id}`}>
                        {alertText(a)}
                    </Link>
                    <Ago at={a.fired_at as string} />
                </li>
            ))}
        </ListCard>
    );
}

export function Failures({ summary }: { summary: Summary }) {
    const { t } = useTranslation();
    const failures = (summary.recent_failures ?? []) as unknown as Task[];
    return (
        <ListCard title={t('overview.failures')} all={FAILED_TASKS} none={t('overview.no_failures')}>
            {failures.map((task) => (
                <li key={task.id}>
                    <Mark as={task.error?.code === 'partly-done' ? 'warn' : 'bad'} />
                    <Link className="pv-link" to={`/tasks/${task.id}`}>
                        {operationText(task.action ?? '')}
                    </Link>
                    <span className="pv-feed__text pv-subtle">{said(task.error, 'detail')}</span>
                    <Ago at={task.finished_at} />
                </li>
            ))}
        </ListCard>
    );
}

/** As the summary counts them. */
export const FAILED_TASKS = `/tasks?filter=${encodeURIComponent('state:{failed,lost} finished_at>now-24h')}`;

export function Changes({ summary }: { summary: Summary }) {
    const { t } = useTranslation();
    const events = (summary.recent_changes ?? []) as unknown as (Item & LiveEvent)[];
    return (
        <ListCard title={t('overview.changes')} all="/events" none={t('object.no_events.body')}>
            {events.map((e) => (
                <EventLine key={e.id} event={e} />
            ))}
        </ListCard>
    );
}

interface Snapshot extends Item {
    taken_at?: string;
    vm?: { id: string; name?: string | null } | null;
}

export function Snapshots({ summary }: { summary: Summary }) {
    const { t } = useTranslation();
    const items = (summary.oldest_snapshots ?? []) as unknown as Snapshot[];
    return (
        <ListCard title={t('overview.snapshots')} none={t('overview.no_snapshots')}>
            {items.map((x) => (
                <li key={x.id}>
                    {x.vm && (
                        <a className="pv-link" href={`/vms/${x.vm.id}/snapshots`} data-go="">
                            {x.vm.name ?? x.vm.id}
                        </a>
                    )}
                    <span className="pv-feed__text pv-subtle">{x.name}</span>
                    <Ago at={x.taken_at} />
                </li>
            ))}
        </ListCard>
    );
}

const TOPS: Partial<Record<Card, { of: 'cpu' | 'memory' | 'disk_latency'; show: (n: number) => string }>> = {
    top_cpu: { of: 'cpu', show: (n) => percent(n) },
    top_memory: { of: 'memory', show: bytes },
    top_latency: { of: 'disk_latency', show: (n) => withUnit(n, 'ms') },
};

export function Top({ card, summary }: { card: Card; summary: Summary }) {
    const { t } = useTranslation();
    const top = TOPS[card]!;
    const items = summary.top?.[top.of] ?? [];
    const most = Math.max(...items.map((x) => x.value));
    return (
        <ListCard title={t(`overview.${card}`)} none={t('overview.no_numbers')}>
            {items.map((x) => (
                <li key={x.id}>
                    <RefLink value={{ id: x.id, name: x.name ?? x.id }} kind="vm" />
                    <span
                        className="pv-feed__text pv-share"
                        style={{ backgroundSize: `${most > 0 ? (x.value / most) * 100 : 0}% 4px` }}
                    />
                    <span className="pv-num">{top.show(x.value)}</span>
                </li>
            ))}
        </ListCard>
    );
}
