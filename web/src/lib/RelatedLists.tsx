// SPDX-License-Identifier: Apache-2.0
// Tabs that every object has: its events and its tasks.
import { column } from '../grid/columns';
import { valueAt } from '../api/model';
import { ListView } from '../list/ListPage';
import type { ListDeclaration } from '../list/types';
import { pathOf } from '../api/model';
import type { Item } from '../api/types';
import { useMemo } from 'react';
import { TaskProgress } from '../shell/TaskTray';
import type { Task } from '../api/types';
import { operationText, t } from '../i18n/words';
import type { TabProps } from './ObjectPage';
import { dateTime } from '../i18n/format';
import { eventText, eventTypeText } from './eventText';

const typeOf = (item: Item) => eventTypeText(String(item.type ?? ''));

export const eventColumns = [
    column('event', 'time', {
        width: 190,
        cell: (item: Item) => dateTime(String(valueAt(item, 'time') ?? '')),
    }),
    column('event', 'severity', { width: 100 }),
    column('event', 'type', { width: 210, cell: typeOf, text: typeOf }),
    column('event', 'message', {
        width: 420,
        fields: ['type', 'message', 'native.type', 'ref', 'changes'],
        cell: (item: Item) => eventText(item),
        text: (item: Item) => eventText(item),
    }),
    column('event', 'actor.name', { width: 200 }),
];

export const taskColumns = [
    column('task', 'action', { width: 190, cell: (item: Item) => operationText(String(item.action ?? '')) }),
    {
        id: 'state',
        path: 'state',
        label: column('task', 'state').label,
        width: 300,
        sort: true,
        fields: [
            'state',
            'progress',
            'step',
            'bytes',
            'started_at',
            'created_at',
            'wait_reason',
            'action',
            'error',
        ],
        cell: (item: Item) => <TaskProgress task={item as Task} />,
    },
    column('task', 'created_at', {
        width: 190,
        cell: (item: Item) => dateTime(String(item.created_at ?? '')),
    }),
    column('task', 'actor.name', { width: 140 }),
    {
        id: 'undo',
        label: () => t('activity.undo'),
        width: 110,
        fields: ['undo', 'state', 'changed', 'action'],
        cell: (item: Item) => <Undo task={item as Task} />,
        text: () => '',
    },
];

/** Takes a task back, where the server knows how. */
function Undo({ task }: { task: Task }) {
    if (task.state !== 'succeeded' || task.changed === false || !task.undo?.operation) return null;
    return (
        <button
            type="button"
            className="pv-button pv-button--small"
            tabIndex={-1}
            title={operationText(task.undo.operation)}
            onClick={(e) => {
                e.stopPropagation();
                void import('../actions/undo').then((m) => m.undo(task));
            }}
        >
            {t('activity.undo')}
        </button>
    );
}

/** Objects have lists of their own; a provider's are those of everything in it. */
function related(item: Item, what: 'events' | 'tasks') {
    return item.kind === 'provider'
        ? { path: `/${what}`, scope: `provider:${item.id}` }
        : { path: `${pathOf(item.kind)}/${item.id}/${what}` };
}

export function EventsTab({ item }: TabProps) {
    const list = useMemo<ListDeclaration>(
        () => ({
            kind: 'event',
            ...related(item, 'events'),
            name: 'object-events',
            title: 'nav.events',
            empty: 'object.no_events',
            time: 'time',
            columns: eventColumns,
            shown: ['time', 'severity', 'type', 'message', 'actor.name'],
            grows: 'message',
            narrow: ['time', 'message'],
            sort: '-time',
            plain: true,
            linkOf: (e) => `/events/${e.id}`,
        }),
        [item],
    );
    return (
        <div className="pv-inlist">
            <ListView list={list} prefix="e-" />
        </div>
    );
}

export function TasksTab({ item }: TabProps) {
    const list = useMemo<ListDeclaration>(
        () => ({
            kind: 'task',
            ...related(item, 'tasks'),
            name: 'object-tasks',
            title: 'nav.tasks',
            empty: 'object.no_tasks',
            time: 'created_at',
            columns: taskColumns,
            shown: ['action', 'state', 'created_at', 'actor.name', 'undo'],
            narrow: ['action', 'state'],
            sort: '-created_at',
            plain: true,
        }),
        [item],
    );
    return (
        <div className="pv-inlist">
            <ListView list={list} prefix="t-" />
        </div>
    );
}
