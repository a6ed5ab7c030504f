// SPDX-License-Identifier: Apache-2.0
// How much there is of what, in which state: each number is a link to just these.
import { Link } from 'react-router';
import { useTranslation } from 'react-i18next';
import type { Schemas } from '../../api/types';
import { useCan } from '../../api/query';
import { number } from '../../i18n/format';
import { enumText, kindText } from '../../i18n/words';
import { Mark, State } from '../../lib/cells';
import { FAILED_TASKS } from './Lists';
import type { ReactNode } from 'react';

/** A total, and how it divides by one field. */
export type Counts = { total: number } & Record<string, Record<string, number>>;
export const counts = (value: unknown) => (value ?? { total: 0 }) as Counts;

const only = (path: string, filter: string) => `${path}?filter=${encodeURIComponent(filter)}`;

function Counter(p: {
    to: string;
    n: number;
    label: string;
    parts: { to: string; n: number; what: ReactNode }[];
}) {
    return (
        <section className="pv-card pv-counter">
            <Link className="pv-counter__total" to={p.to}>
                <span className="pv-counter__n">{number(p.n)}</span> <span>{p.label}</span>
            </Link>
            <ul>
                {p.parts
                    .filter((part) => part.n > 0)
                    .map((part) => (
                        <li key={part.to}>
                            <Link to={part.to}>
                                {part.what} <span className="pv-num">{number(part.n)}</span>
                            </Link>
                        </li>
                    ))}
            </ul>
        </section>
    );
}

function Split(p: { to: string; label: string; of: unknown; by: string; field: string; kind: string }) {
    const of = counts(p.of);
    return (
        <Counter
            to={p.to}
            n={of.total}
            label={p.label}
            parts={Object.entries(of[p.by] ?? {}).map(([value, n]) => ({
                to: only(p.to, `${p.field}:${value}`),
                n,
                what: <State kind={p.kind} path={p.by} value={value} />,
            }))}
        />
    );
}

export function Counters({ summary }: { summary: Schemas['Summary'] }) {
    const { t } = useTranslation();
    const tasks = (summary.tasks ?? {}) as Record<string, number>;
    const alerts = (summary.alerts ?? {}) as Record<string, number>;
    const seesTasks = useCan('task.read');
    const seesVms = useCan('vm.read');
    const seesHosts = useCan('host.read');
    const seesProviders = useCan('provider.read');
    const splits: [boolean, string, unknown, string, string, string][] = [
        [seesVms, '/vms', summary.vms, 'power_state', 'power', 'vm'],
        [seesHosts, '/hosts', summary.hosts, 'connection_state', 'connection_state', 'host'],
        [seesProviders, '/providers', summary.providers, 'state', 'state', 'provider'],
    ];
    const word = (mark: string, text: string) => (
        <span className="pv-state">
            <Mark as={mark} />
            {text}
        </span>
    );
    return (
        <div className="pv-overview__counters">
            {splits.map(([seen, to, of, by, field, kind]) =>
                seen ? (
                    <Split
                        key={to}
                        to={to}
                        label={kindText(kind, counts(of).total)}
                        of={of}
                        by={by}
                        field={field}
                        kind={kind}
                    />
                ) : null,
            )}
            {seesTasks && (
                <Counter
                    to={FAILED_TASKS}
                    n={tasks.failed_24h ?? 0}
                    label={t('overview.failed_24h', { count: tasks.failed_24h ?? 0 })}
                    parts={[
                        {
                            to: only('/tasks', 'state:running'),
                            n: tasks.running ?? 0,
                            what: word('busy', t('overview.tasks_running')),
                        },
                        {
                            to: only('/tasks', 'state:waiting'),
                            n: tasks.waiting ?? 0,
                            what: word('wait', t('overview.tasks_waiting')),
                        },
                    ]}
                />
            )}
            <Counter
                to={only('/alerts', 'state:firing')}
                n={alerts.firing ?? 0}
                label={t('overview.open_alerts', { count: alerts.firing ?? 0 })}
                parts={[
                    {
                        to: only('/alerts', 'state:firing severity:error'),
                        n: alerts.errors ?? 0,
                        what: word('bad', t('overview.alert_errors')),
                    },
                    ...(
                        [
                            ['warning', 'warn', alerts.warnings],
                            ['info', 'info', alerts.infos],
                        ] as const
                    ).map(([severity, mark, n]) => ({
                        to: only('/alerts', `state:firing severity:${severity}`),
                        n: n ?? 0,
                        what: word(mark, enumText('alert', 'severity', severity)),
                    })),
                    {
                        to: only('/alerts', 'state:acknowledged'),
                        n: alerts.acknowledged ?? 0,
                        what: word('warn', t('overview.alerts_acknowledged')),
                    },
                ]}
            />
        </div>
    );
}
