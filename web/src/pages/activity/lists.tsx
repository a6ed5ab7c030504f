// SPDX-License-Identifier: Apache-2.0
// What is done, what happened, who asked for it.
import { lazy, Suspense } from 'react';
import '../../i18n/estate';
import { valueAt } from '../../api/model';
import type { Item, Task } from '../../api/types';
import { column } from '../../grid/columns';
import { dateTime, number } from '../../i18n/format';
import { enumText, t as words } from '../../i18n/words';
import { RefLink } from '../../lib/cells';
import { eventColumns, taskColumns } from '../../lib/RelatedLists';
import { ListPage } from '../../list/ListPage';
import type { ListDeclaration } from '../../list/types';
import { auditAction, detailText, Subject, subjectOf } from './auditText';
import { partsText } from '../../shell/TaskTray';

const subjects = {
    id: 'subjects',
    label: () => column('task', 'subjects').label!(),
    width: 220,
    fields: ['subjects', 'children'],
    cell: (item: Item) => {
        const all = (valueAt(item, 'subjects') ?? []) as { id: string; kind: string; name?: string }[];
        const first = all[0];
        return first ? (
            <>
                <RefLink value={first} kind={first.kind} />
                {all.length > 1 && <span className="pv-subtle"> +{number(all.length - 1)}</span>}
            </>
        ) : (item as Task).children?.total ? (
            partsText(item as Task)
        ) : null;
    },
};

export const taskList: ListDeclaration = {
    kind: 'task',
    name: 'tasks',
    title: 'nav.tasks',
    empty: 'estate.tasks_none',
    time: 'created_at',
    columns: [...taskColumns.slice(0, 1), subjects, ...taskColumns.slice(1), column('task', 'provider')],
    shown: ['action', 'subjects', 'state', 'created_at', 'actor.name', 'provider'],
    narrow: ['action', 'state'],
    sort: '-created_at',
    facets: ['state', 'provider', 'source'],
    plain: true,
};

export const eventList: ListDeclaration = {
    kind: 'event',
    name: 'events',
    title: 'nav.events',
    empty: 'estate.events_none',
    time: 'time',
    columns: [
        ...eventColumns,
        column('event', 'ref', {
            width: 200,
            cell: (item: Item) => {
                const ref = valueAt(item, 'ref') as { id: string; kind: string; name?: string } | null;
                return ref && <RefLink value={ref} kind={ref.kind} />;
            },
        }),
        column('event', 'provider'),
    ],
    shown: ['time', 'severity', 'type', 'ref', 'message', 'actor.name'],
    grows: 'message',
    narrow: ['time', 'message'],
    sort: '-time',
    facets: ['severity', 'provider', 'actor.type'],
    plain: true,
    linkOf: (event) => `/events/${event.id}`,
};

const VerifyButton = lazy(() => import('./Verify'));

const Verify = () => (
    <Suspense fallback={null}>
        <VerifyButton />
    </Suspense>
);

export const auditList: ListDeclaration = {
    kind: 'audit',
    name: 'audit',
    title: 'nav.audit',
    empty: 'audit.none',
    time: 'time',
    columns: [
        column('audit', 'time', {
            width: 190,
            cell: (item) => dateTime(String(valueAt(item, 'time') ?? '')),
        }),
        column('audit', 'actor.name', {
            width: 150,
            fields: ['actor.name', 'actor.type'],
            cell: (item) =>
                String(valueAt(item, 'actor.name') ?? '') ||
                enumText('audit', 'actor.type', String(valueAt(item, 'actor.type') ?? '')),
        }),
        column('audit', 'address', { width: 140 }),
        column('audit', 'action', {
            width: 220,
            fields: ['action', 'dry_run'],
            cell: (item) => (
                <>
                    {auditAction(String(item.action ?? ''))}
                    {item.dry_run === true && (
                        <span className="pv-tag pv-audit__preview">{words('audit.preview')}</span>
                    )}
                </>
            ),
        }),
        column('audit', 'dry_run', { width: 110 }),
        column('audit', 'subject', {
            width: 220,
            fields: ['subject', 'detail'],
            cell: (item) => <Subject text={subjectOf(item)} />,
        }),
        column('audit', 'outcome', { width: 110 }),
        column('audit', 'detail', {
            width: 300,
            fields: ['detail', 'subject'],
            cell: detailText,
            text: detailText,
        }),
    ],
    shown: ['time', 'actor.name', 'address', 'action', 'subject', 'outcome', 'detail'],
    grows: 'detail',
    narrow: ['time', 'action', 'outcome'],
    sort: '-seq',
    facets: ['outcome', 'dry_run', 'actor.type'],
    plain: true,
    linkOf: (record) => `/audit/${record.id}`,
    Tools: Verify,
};

export const Tasks = () => <ListPage list={taskList} />;
export const Events = () => <ListPage list={eventList} />;
export const Audit = () => <ListPage list={auditList} />;
