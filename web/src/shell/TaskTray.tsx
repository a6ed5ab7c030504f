// SPDX-License-Identifier: Apache-2.0
// What is being done and what was: running first, live. Percent never goes back; when it is unknown, a moving bar with the time
// that has passed.
import { useRef, useState } from 'react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import i18next from 'i18next';
import { useTranslation } from 'react-i18next';
import { api } from '../api/client';
import { listQuery, queryClient, useCan } from '../api/query';
import { FINAL_STATES, type LiveEvent, type Task } from '../api/types';
import { useLive } from '../live/live';
import { bytes, duration, number, rate } from '../i18n/format';
import { operationText, problemText, said } from '../i18n/words';
import { notify } from '../lib/notify';
import { Mark, RefLink, State } from '../lib/cells';
import { useNow } from '../lib/hooks';

const SHOWN = 50;

/** A percent that never goes back. */
export function useForward(id: string, value: number | null | undefined): number | null {
    const most = useRef<{ id: string; value: number | null }>({ id, value: null });
    if (most.current.id !== id) most.current = { id, value: null };
    if (typeof value === 'number') most.current.value = Math.max(most.current.value ?? 0, value);
    return most.current.value;
}

/** Of many objects some were done, and some were not. */
function isPartly(task: Task): boolean {
    return task.state === 'failed' && task.error?.code === 'partly-done';
}

export function TaskState({ task }: { task: Task }) {
    const { t } = useTranslation();
    if (!isPartly(task)) return <State kind="task" path="state" value={task.state} />;
    return (
        <span className="pv-state">
            <Mark as="warn" />
            {t('task.partly')}
        </span>
    );
}

/** "4 of 17 done, 13 skipped" of a parent task. */
export function partsText(task: Task): string {
    const c = task.children ?? {};
    return [
        i18next.t('task.children', { done: number(c.succeeded ?? 0), total: number(c.total ?? 0) }),
        ...(['failed', 'skipped', 'canceled'] as const)
            .filter((how) => c[how])
            .map((how) => i18next.t(`task.parts.${how}`, { n: number(c[how] ?? 0) })),
    ].join(i18next.t('task.parts.and'));
}

/** Why not all was done, in the first of its different reasons: "web01: it is off". */
export function reasonsOf(task: Task): string[] {
    return (task.error?.reasons ?? []).map((r) => {
        const name = r.ref?.name;
        const why = said(r, 'detail');
        return name && !why.includes(name) ? `${name}: ${why}` : why;
    });
}

export function TaskProgress({ task }: { task: Task }) {
    const { t } = useTranslation();
    const percent = useForward(task.id, task.progress);
    const now = useNow(1000);
    const done = FINAL_STATES.has(task.state);
    if (done) return <TaskState task={task} />;
    const started = task.started_at ?? task.created_at;
    const seconds = started ? (now - new Date(started).getTime()) / 1000 : 0;
    const { step, bytes: moved } = task;
    const speed = moved?.done && seconds > 1 ? moved.done / seconds : null;
    const left = speed && moved?.total && moved.done ? (moved.total - moved.done) / speed : null;
    const parts = [
        task.state === 'running' ? null : t(`enum.state.${task.state}`, { defaultValue: task.state }),
        said(task.wait_reason, 'detail') || task.wait_reason?.code,
        step?.n && step.of
            ? t('task.step', { n: step.n, of: step.of, name: said(step, 'name') })
            : said(step, 'name'),
        moved?.total ? `${bytes(moved.done ?? 0)} / ${bytes(moved.total)}` : null,
        speed ? rate(speed) : null,
        left !== null ? t('task.left', { time: duration(left) }) : duration(seconds),
    ].filter(Boolean);
    return (
        <span className="pv-progress">
            <span
                className={`pv-progress__bar${percent === null ? ' pv-progress__bar--unknown' : ''}`}
                role="progressbar"
                aria-label={operationText(task.action ?? '')}
                aria-valuemin={0}
                aria-valuemax={100}
                aria-valuenow={percent ?? undefined}
            >
                <span
                    className="pv-progress__fill"
                    style={percent === null ? undefined : { width: `${percent}%` }}
                />
            </span>
            <span className="pv-progress__text">
                {percent !== null && `${number(percent)} % · `}
                {parts.join(' · ')}
            </span>
        </span>
    );
}

export function ChildrenLine({ task }: { task: Task }) {
    if (!task.children?.total) return null;
    return (
        <Link className="pv-link" to={`/tasks/${task.id}`}>
            {partsText(task)}
        </Link>
    );
}

/** Why it failed; of many objects, why some were not done. */
function ErrorLine({ task }: { task: Task }) {
    if (!task.error) return null;
    const reasons = reasonsOf(task);
    return (
        <span className={isPartly(task) ? 'pv-tray__why' : 'pv-tray__error'}>
            {reasons.length
                ? reasons.join(' · ')
                : `${problemText(task.error.code ?? '', task.error.title ?? '')}: ${said(task.error, 'detail')}`}
        </span>
    );
}

export function CancelButton({ task }: { task: Task }) {
    const { t } = useTranslation();
    const cancel = useMutation({
        mutationFn: () => api.post(`/tasks/${task.id}/actions/cancel`),
        onSettled: () => queryClient.invalidateQueries({ queryKey: ['list', '/tasks'] }),
        onError: (error) =>
            notify({ variant: 'danger', title: t('task.cancel_failed'), body: String(error) }),
    });
    if (FINAL_STATES.has(task.state) || !task.cancelable || task.state === 'canceling') return null;
    return (
        <button
            type="button"
            className="pv-button pv-button--small"
            disabled={cancel.isPending}
            onClick={() => cancel.mutate()}
        >
            {t('action.cancel')}
        </button>
    );
}

export function TaskTray({ open, onToggle }: { open: boolean; onToggle: () => void }) {
    const { t } = useTranslation();
    const [height, setHeight] = useState(240);
    // Who may read no tasks is not refused every few seconds.
    const reads = useCan('task.read');
    const { data } = useQuery({
        ...listQuery<Task>('/tasks', { sort: '-created_at', limit: SHOWN }),
        enabled: reads,
    });
    const [read, setRead] = useState<ReadonlySet<string>>(new Set());
    const mine = useRef(Date.now());

    useLive((events: LiveEvent[]) => {
        for (const e of events) {
            if (e.type !== 'task.finished' && e.type !== 'task.updated') continue;
            const final = e.changes?.find((c) => c.field === 'state' && FINAL_STATES.has(String(c.to)));
            if (!final || new Date(e.time).getTime() < mine.current || !e.ref) continue;
            if (final.to === 'failed' || final.to === 'lost') void tell(e.ref.id);
        }
    });

    const tasks = (data?.items ?? []).filter((x) => !x.parent && !read.has(x.id));
    const running = tasks.filter((x) => !FINAL_STATES.has(x.state));
    const sorted = [...running, ...tasks.filter((x) => FINAL_STATES.has(x.state))];
    const failed = tasks.filter((x) => (x.state === 'failed' && !isPartly(x)) || x.state === 'lost').length;
    const first = running[0];
    const resize = (by: number) => setHeight((h) => Math.max(96, Math.min(innerHeight - 160, h + by)));
    return (
        <aside
            className={`pv-tray${open ? ' pv-tray--open' : ''}`}
            data-surface={open ? 'tray' : undefined}
            aria-label={t('tray.title')}
            style={open ? { height } : undefined}
        >
            {open && (
                // A splitter is moved by arrow keys as well.
                // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
                <div
                    className="pv-tray__edge"
                    role="separator"
                    aria-orientation="horizontal"
                    aria-label={t('tray.resize')}
                    aria-valuenow={height}
                    aria-valuemin={96}
                    aria-valuemax={800}

                    tabIndex={0}
                    onKeyDown={(e) => {
                        if (e.key === 'ArrowUp') resize(32);
                        else if (e.key === 'ArrowDown') resize(-32);
                    }}
                    onPointerDown={(e) => {
                        const start = e.clientY;
                        const before = height;
                        const move = (m: PointerEvent) =>
                            setHeight(Math.max(96, Math.min(innerHeight - 160, before + start - m.clientY)));
                        const end = () => {
                            removeEventListener('pointermove', move);
                            removeEventListener('pointerup', end);
                        };
                        addEventListener('pointermove', move);
                        addEventListener('pointerup', end);
                    }}
                />
            )}
            <button type="button" className="pv-tray__bar" aria-expanded={open} onClick={onToggle}>
                <svg className="pv-caret" data-up={!open || undefined} viewBox="0 0 16 16" aria-hidden="true">
                    <path d="m4 6 4 4 4-4" />
                </svg>
                <strong>{t('tray.title')}</strong>
                <span className="pv-tray__sum">
                    {t('tray.running', { count: running.length, n: number(running.length) })}
                </span>
                {failed > 0 && (
                    <span className="pv-tray__failed">
                        {t('tray.failed', { count: failed, n: number(failed) })}
                    </span>
                )}
                {!open && first && (
                    <span className="pv-tray__now">
                        {operationText(first.action ?? '')} {first.subjects?.[0]?.name ?? ''}
                    </span>
                )}
            </button>
            {open && (
                <div className="pv-tray__list">
                    {sorted.length === 0 ? (
                        <p className="pv-subtle pv-pad">{t('tray.none')}</p>
                    ) : (
                        <table className="pv-table">
                            <thead>
                                <tr>
                                    <th>{t('tray.what')}</th>
                                    <th>{t('tray.object')}</th>
                                    <th>{t('tray.progress')}</th>
                                    <th>{t('tray.who')}</th>
                                    <th>
                                        <button
                                            type="button"
                                            className="pv-button pv-button--link"
                                            onClick={() =>
                                                setRead(
                                                    (r) =>
                                                        new Set([
                                                            ...r,
                                                            ...tasks
                                                                .filter((x) => FINAL_STATES.has(x.state))
                                                                .map((x) => x.id),
                                                        ]),
                                                )
                                            }
                                        >
                                            {t('tray.clear')}
                                        </button>
                                    </th>
                                </tr>
                            </thead>
                            <tbody>
                                {sorted.map((task) => (
                                    <TaskLine key={task.id} task={task} />
                                ))}
                            </tbody>
                        </table>
                    )}
                </div>
            )}
        </aside>
    );
}

function TaskLine({ task }: { task: Task }) {
    const subject = task.subjects?.[0];
    const more = (task.subjects?.length ?? 0) - 1;
    return (
        <tr>
            <td>
                <Link className="pv-link" to={`/tasks/${task.id}`}>
                    {operationText(task.action ?? '')}
                </Link>
            </td>
            <td>
                {task.children?.total ? (
                    <ChildrenLine task={task} />
                ) : (
                    <>
                        <RefLink value={subject} kind={subject?.kind} />
                        {more > 0 && ` +${number(more)}`}
                    </>
                )}
                {task.provider?.name && <span className="pv-subtle"> · {task.provider.name}</span>}
            </td>
            <td>
                <TaskProgress task={task} />
                <ErrorLine task={task} />
            </td>
            <td>{task.actor?.name}</td>
            <td className="pv-table__end">
                <CancelButton task={task} />
            </td>
        </tr>
    );
}

async function tell(id: string): Promise<void> {
    try {
        const task = await api.get<Task>(`/tasks/${id}`);
        if (task.parent || task.source === 'schedule') return;
        const action = operationText(task.action ?? '');
        const many = !!task.error?.reasons;
        notify({
            variant: isPartly(task) ? 'warning' : 'danger',
            title: many
                ? `${action}: ${partsText(task)}`
                : i18next.t('task.failed', { action, name: task.subjects?.[0]?.name ?? '' }),
            body: (many && reasonsOf(task).join(' · ')) || said(task.error, 'detail') || undefined,
            link: { to: `/tasks/${id}`, text: i18next.t('task.open') },
        });
    } catch {
        // It is in the tray anyway.
    }
}
