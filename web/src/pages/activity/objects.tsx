// SPDX-License-Identifier: Apache-2.0
// One task with its steps, outcome and children; one event with what it changed.
import { lazy, Suspense } from 'react';
import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from 'react-router';
import { useTranslation } from 'react-i18next';
import '../../i18n/estate';
import { api } from '../../api/client';
import { fieldOf, valueAt } from '../../api/model';
import { listQuery, objectQuery, queryClient } from '../../api/query';
import { FINAL_STATES, type ChangedField, type Item, type LiveEvent, type Task } from '../../api/types';
import { plain } from '../../grid/columns';
import { report } from '../../actions/useAct';
import { bytes, dateTime, duration, percent, rate, timeOfDay } from '../../i18n/format';
import {
    begun,
    changedLabel,
    enumText,
    fieldLabel,
    operationText,
    problemText,
    said,
} from '../../i18n/words';
import { RefLink } from '../../lib/cells';
import { useTitle } from '../../lib/hooks';
import { ChildrenLine, partsText, reasonsOf, TaskProgress, TaskState } from '../../shell/TaskTray';
import { Facts, factsOf } from './Facts';
import { CopyButton, Failure, Notice, SkeletonLines } from '../../states/states';
import { eventText, eventTypeText } from '../../lib/eventText';

const BulkAgain = lazy(() => import('../../actions/BulkAgain'));

function Line({ label, children }: { label: string; children: React.ReactNode }) {
    return (
        <div>
            <dt>{label}</dt>
            <dd>{children ?? '–'}</dd>
        </div>
    );
}

/** How many of many objects were done, and why the others were not: each line below says it for itself. */
function PartsOutcome({ task }: { task: Task }) {
    const reasons = reasonsOf(task);
    const { succeeded, failed } = task.children ?? {};
    return (
        <Notice
            variant={task.state === 'canceled' ? 'info' : succeeded && !failed ? 'warning' : 'danger'}
            title={partsText(task)}
        >
            {reasons.length > 0 && (
                <ul>
                    {reasons.map((why) => (
                        <li key={why}>{why}</li>
                    ))}
                </ul>
            )}
            {task.error?.code === 'partly-done' && <p>{said(task.error, 'remedy')}</p>}
        </Notice>
    );
}

function Outcome({ task }: { task: Task }) {
    const { t } = useTranslation();
    const parts = task.children?.total && !task.params?.steps;
    if (parts && (task.state === 'failed' || task.state === 'canceled')) return <PartsOutcome task={task} />;
    if (!task.error) return null;
    const provider = task.error.provider;
    return (
        <Notice
            variant={task.state === 'skipped' ? 'info' : 'danger'}
            title={problemText(task.error.code ?? '', task.error.title ?? '')}
        >
            <p>{said(task.error, 'detail')}</p>
            {task.error.remedy && <p>{said(task.error, 'remedy')}</p>}
            {provider && (
                <p className="pv-subtle">
                    {t('activity.native')} <Facts of={provider} without={['id', 'operation']} />
                </p>
            )}
        </Notice>
    );
}

const MOST = 200;
const RANKS = ['failed', 'lost', 'skipped', 'canceled'];

function rank(task: Task): number {
    const at = RANKS.indexOf(task.state);
    return at < 0 ? RANKS.length : at;
}

/** Each part with its outcome: what needs a look comes first; steps stand in their order. */
function Children({ task }: { task: Task }) {
    const { t } = useTranslation();
    const path = `/tasks/${task.id}/children`;
    const look = useQuery(listQuery<Task>(path, { limit: MOST, filter: '-state:succeeded' }));
    const rest = useQuery(listQuery<Task>(path, { limit: MOST, filter: 'state:succeeded' }));
    const items = [...(look.data?.items ?? []), ...(rest.data?.items ?? [])];
    if (!items.length) return null;
    const inOrder = (
        task.params?.steps
            ? items.sort((a, b) => (a.id < b.id ? -1 : 1))
            : items.sort((a, b) => rank(a) - rank(b))
    ).slice(0, MOST);
    const more = (task.children?.total ?? 0) - inOrder.length;
    return (
        <section className="pv-card">
            <h2 className="pv-card__title">{t('activity.children')}</h2>
            <div className="pv-scroll" role="region" aria-label={t('activity.children')} tabIndex={0}>
                <table className="pv-table pv-table--stack">
                    <tbody>
                        {inOrder.map((child) => (
                            <tr key={child.id}>
                                <td>
                                    <Link className="pv-link" to={`/tasks/${child.id}`}>
                                        {operationText(child.action ?? '')}
                                    </Link>
                                </td>
                                <td>
                                    {child.subjects?.[0] && (
                                        <RefLink
                                            value={{
                                                id: child.subjects[0].id,
                                                name: child.subjects[0].name ?? '',
                                            }}
                                            kind={child.subjects[0].kind}
                                        />
                                    )}
                                </td>
                                <td>
                                    <TaskProgress task={child} />
                                </td>
                                <td className="pv-subtle pv-table__prose">
                                    {begun(said(child.error, 'detail'))}
                                </td>
                            </tr>
                        ))}
                    </tbody>
                </table>
                {more > 0 && <p className="pv-subtle">{t('activity.more', { count: more })}</p>}
            </div>
        </section>
    );
}

/** What was reported while it ran, line by line: steps, states, and what it changed. */
function Course({ id, running }: { id: string; running: boolean }) {
    const { t } = useTranslation();
    const { data } = useQuery({
        ...listQuery<Item & LiveEvent>('/events', {
            filter: `task:${id}`,
            sort: 'seq',
            limit: 500,
            view: 'full',
        }),
        refetchInterval: running ? 2000 : false,
    });
    const lines = (data?.items ?? []).map((e) => ({ event: e, text: lineOf(e) })).filter((l) => l.text);
    return (
        <section className="pv-card">
            <h2 className="pv-card__title">{t('estate.task.log')}</h2>
            {!data ? (
                <SkeletonLines lines={3} />
            ) : !lines.length ? (
                <p className="pv-subtle pv-pad">{t('estate.task.log_none')}</p>
            ) : (
                <div className="pv-log" role="region" aria-label={t('estate.task.log')} tabIndex={0}>
                    <ol>
                        {lines.map(({ event, text }) => (
                            <li key={event.id}>
                                <time dateTime={event.time} title={dateTime(event.time)}>
                                    {timeOfDay(event.time)}
                                </time>
                                <span>{text}</span>
                            </li>
                        ))}
                    </ol>
                </div>
            )}
        </section>
    );
}

/** An event of a task in words; its own ones by their changes. */
function lineOf(e: LiveEvent): string {
    if (e.ref?.kind !== 'task') return eventText(e, true);
    if (e.type === 'task.created') return enumText('task', 'state', 'queued');
    const parts = (e.changes ?? []).map((c) => {
        if (c.field === 'state') return enumText('task', 'state', String(c.to));
        if (c.field === 'progress') return c.to === null ? '' : percent(Number(c.to));
        if (c.field === 'step') return said(c.to as { name?: string } | null, 'name');
        if (c.field === 'wait_reason' && c.to) return said(c.to, 'detail');
        return '';
    });
    const text = parts.filter(Boolean).join(' · ');
    return text || (e.type === 'task.finished' ? (e.message ?? '') : '');
}

/** Bytes by second over the whole time of work. */
function speedOf(task: Task): string | null {
    const end = task.finished_at ? new Date(String(task.finished_at)).getTime() : Date.now();
    const seconds = task.started_at ? (end - new Date(String(task.started_at)).getTime()) / 1000 : 0;
    return task.bytes?.done && seconds > 0 ? rate(task.bytes.done / seconds) : null;
}

/** Of objects of the task itself the result has but the hypervisor's ids: their names stand above. */
function knownObjects(task: Task): string[] {
    const { objects } = (task.result ?? {}) as { objects?: { kind?: string; name?: string }[] };
    const kinds = (task.subjects ?? []).map((s) => s.kind);
    return Array.isArray(objects) && objects.every((o) => !o.name && kinds.includes(o.kind ?? ''))
        ? ['objects']
        : [];
}

export function TaskPage() {
    const { t } = useTranslation();
    const { id = '' } = useParams();
    const { data, error, refetch } = useQuery({
        ...objectQuery<Task>('task', id, { view: 'full' }),
        refetchInterval: (query) => (FINAL_STATES.has(query.state.data?.item.state ?? '') ? false : 1000),
    });
    const task = data?.item;
    useTitle(operationText(task?.action ?? ''));
    if (!task)
        return error ? <Failure error={error} onRetry={() => void refetch()} /> : <SkeletonLines lines={8} />;
    const done = FINAL_STATES.has(task.state);
    // Of many parts the parts tell what came of them; their own parameters are those that all of them share.
    const parts = task.children?.total ?? 0;
    const given = parts ? task.params?.params : task.params;
    const native = valueAt(task, 'native.id') as string | null;
    const act = (verb: 'cancel' | 'undo') =>
        api.post(`/tasks/${id}/actions/${verb}`).then(
            () => queryClient.invalidateQueries(),
            (failure: unknown) => report(failure, task.action ?? ''),
        );
    return (
        <article className="pv-page pv-object" aria-labelledby="page-title">
            <nav className="pv-crumbs" aria-label={t('object.where')}>
                <Link to="/tasks">{t('nav.tasks')}</Link>
            </nav>
            <header className="pv-object__head">
                <div className="pv-object__title">
                    <h1 className="pv-h1" id="page-title">
                        {operationText(task.action ?? '')}
                    </h1>
                    <span className="pv-object__facts">
                        <TaskState task={task} />
                    </span>
                </div>
                <div className="pv-object__actions">
                    <CopyButton
                        text={`${window.location.origin}/tasks/${id}`}
                        label={t('estate.task.link')}
                    />
                    {!done && task.cancelable !== false && (
                        <button type="button" className="pv-button" onClick={() => void act('cancel')}>
                            {t('action.cancel')}
                        </button>
                    )}
                    {done && parts > 0 && (
                        <Suspense fallback={null}>
                            <BulkAgain task={task} />
                        </Suspense>
                    )}
                    {done && !!task.undo && (
                        <button type="button" className="pv-button" onClick={() => void act('undo')}>
                            {t('activity.undo')}
                        </button>
                    )}
                </div>
            </header>
            <Outcome task={task} />
            {parts > 0 && <Children task={task} />}
            <section className="pv-card">
                <dl className="pv-fields">
                    <Line label={t('tray.progress')}>
                        <TaskProgress task={task} />
                    </Line>
                    <Line label={t('tray.object')}>
                        {(task.subjects ?? []).slice(0, 20).map((s) => (
                            <RefLink key={s.id} value={{ id: s.id, name: s.name ?? s.id }} kind={s.kind} />
                        ))}
                    </Line>
                    <Line label={t('tray.who')}>{task.actor?.name ?? '–'}</Line>
                    {!!task.source && (
                        <Line label={t('estate.task.source')}>
                            {enumText('task', 'source', String(task.source))}
                        </Line>
                    )}
                    {task.bytes?.total ? (
                        <Line label={t('estate.task.rate')}>
                            {[`${bytes(task.bytes.done ?? 0)} / ${bytes(task.bytes.total)}`, speedOf(task)]
                                .filter(Boolean)
                                .join(' · ')}
                        </Line>
                    ) : null}
                    {!!task.started_at && !!task.finished_at && (
                        <Line label={t('estate.task.took')}>
                            {duration(
                                (new Date(String(task.finished_at)).getTime() -
                                    new Date(String(task.started_at)).getTime()) /
                                    1000,
                            )}
                        </Line>
                    )}
                    {(['created_at', 'started_at', 'finished_at'] as const).map((name) => (
                        <Line key={name} label={fieldLabel('task', name)}>
                            {task[name] ? dateTime(String(task[name])) : '–'}
                        </Line>
                    ))}
                    {parts > 0 && (
                        <Line label={t('activity.children')}>
                            <ChildrenLine task={task} />
                        </Line>
                    )}
                    {factsOf(given).length > 0 && (
                        <Line label={t('activity.params')}>
                            <Facts of={given} operation={task.action ?? undefined} />
                        </Line>
                    )}
                    {factsOf(task.result).length > 0 && !parts && (
                        <Line label={t('activity.result')}>
                            <Facts of={task.result} without={knownObjects(task)} />
                        </Line>
                    )}
                    {native && (
                        <Line label={t('estate.task.native')}>
                            <code className="pv-code">{native}</code>
                        </Line>
                    )}
                    {!!task.correlation_id && (
                        <Line label={t('estate.task.request')}>
                            <code className="pv-code">{String(task.correlation_id)}</code>
                        </Line>
                    )}
                </dl>
            </section>
            <Course id={id} running={!done} />
        </article>
    );
}

/** A value before or after, as the field's values are shown. */
function changeText(kind: string, change: ChangedField, value: unknown): string {
    const field = fieldOf(kind, change.field);
    if (typeof value === 'object' && field?.type !== 'ref' && field?.type !== 'refs')
        return Array.isArray(value) && value.every((v) => typeof v !== 'object')
            ? value.join(', ') || '–'
            : value === null
              ? '–'
              : JSON.stringify(value);
    return plain(value, field, kind, change.field) || '–';
}

export function EventPage() {
    const { t } = useTranslation();
    const { id = '' } = useParams();
    const { data, error, refetch } = useQuery(objectQuery<Item & LiveEvent>('event', id, { view: 'full' }));
    const event = data?.item;
    useTitle(event ? eventText(event) : t('nav.events'));
    if (!event)
        return error ? <Failure error={error} onRetry={() => void refetch()} /> : <SkeletonLines lines={6} />;
    return (
        <article className="pv-page pv-object" aria-labelledby="page-title">
            <nav className="pv-crumbs" aria-label={t('object.where')}>
                <Link to="/events">{t('nav.events')}</Link>
            </nav>
            <h1 className="pv-h1" id="page-title">
                {eventText(event)}
            </h1>
            <section className="pv-card">
                <dl className="pv-fields">
                    <Line label={fieldLabel('event', 'time')}>{dateTime(event.time)}</Line>
                    <Line label={fieldLabel('event', 'type')}>
                        <span title={event.type}>{eventTypeText(event.type)}</span>
                    </Line>
                    <Line label={t('tray.object')}>
                        {event.ref && (
                            <RefLink
                                value={{ id: event.ref.id, name: event.ref.name ?? event.ref.id }}
                                kind={event.ref.kind}
                            />
                        )}
                    </Line>
                    <Line label={t('tray.who')}>
                        {event.actor?.name ?? (event.actor?.type === 'external' ? t('vm.outside') : '–')}
                    </Line>
                    {event.task && (
                        <Line label={t('nav.tasks')}>
                            <RefLink value={{ id: event.task.id, name: t('task.open') }} kind="task" />
                        </Line>
                    )}
                    {(event.changes ?? []).map((c, i) => (
                        <Line key={i} label={changedLabel(event.ref?.kind ?? '', c)}>
                            <del>{changeText(event.ref?.kind ?? '', c, c.from)}</del> →{' '}
                            <ins>{changeText(event.ref?.kind ?? '', c, c.to)}</ins>
                        </Line>
                    ))}
                </dl>
            </section>
        </article>
    );
}
