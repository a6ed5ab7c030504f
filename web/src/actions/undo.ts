// SPDX-License-Identifier: Apache-2.0
// Taking back: the server knows of each task that has succeeded what undoes it. Offered when the task has ended, and where
// tasks are listed.
import i18next from 'i18next';
import '../i18n/machine';
import { api } from '../api/client';
import { FINAL_STATES, type Task } from '../api/types';
import { operationText } from '../i18n/words';
import { notify } from '../lib/notify';
import { live } from '../live/live';
import { accepted, report } from './useAct';

/** Tasks of this window that are on their way; no more are followed than a person can have in mind. */
const followed = new Map<string, Task>();
const MOST = 50;
let stop: (() => void) | null = null;

export async function undo(task: Pick<Task, 'id' | 'action'>): Promise<void> {
    try {
        const key = `undo-${task.id}`;
        accepted((await api.post<Task>(`/tasks/${task.id}/actions/undo`, {}, { idempotencyKey: key })).data);
    } catch (failure) {
        report(failure, task.action ?? '');
    }
}

function objectOf(task: Task): string {
    const [first, ...more] = task.subjects ?? [];
    return [first?.name, more.length ? `+${more.length}` : ''].filter(Boolean).join(' ');
}

/** Tells that it is done; with a way back where there is one. */
function tell(task: Task): void {
    if (task.state !== 'succeeded' || task.changed === false || !task.undo?.operation) return;
    notify({
        variant: 'success',
        title: i18next.t('machine.done', {
            action: operationText(task.action ?? ''),
            name: objectOf(task),
        }),
        action: {
            text: i18next.t('machine.undo', { action: operationText(task.undo.operation) }),
            run: () => void undo(task),
        },
        link: { to: `/tasks/${task.id}`, text: i18next.t('task.open') },
    });
}

async function ended(id: string): Promise<void> {
    followed.delete(id);
    if (!followed.size) {
        stop?.();
        stop = null;
    }
    tell(await api.get<Task>(`/tasks/${id}`, { view: 'full' }));
}

/** Follows the task; an undo is not offered to be undone again and again: it is a task like others. */
export function offerUndo(task: Task): void {
    if (!task.id || followed.size >= MOST) return;
    if (FINAL_STATES.has(task.state)) {
        tell(task);
        return;
    }
    followed.set(task.id, task);
    stop ??= live.listen((events) => {
        for (const e of events) {
            const done = e.changes?.some((c) => c.field === 'state' && FINAL_STATES.has(String(c.to)));
            if (e.ref && followed.has(e.ref.id) && (done || e.type === 'task.finished'))
                ended(e.ref.id).catch(() => undefined);
        }
    });
    // It may have ended before anybody listened.
    api.get<Task>(`/tasks/${task.id}`, { view: 'full' }).then(
        (now) => {
            if (FINAL_STATES.has(now.state) && followed.has(task.id)) return ended(task.id);
        },
        () => followed.delete(task.id),
    );
}
