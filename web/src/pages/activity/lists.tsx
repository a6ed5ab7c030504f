// SPDX-License-Identifier: Apache-2.0
// What is done, what happened, who asked for it.
import { useMutation } from '@tanstack/react-query';
import { Link } from 'react-router';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { valueAt } from '../../api/model';
import rules from '../../api/rules.gen.json';
import type { Item } from '../../api/types';
import { column } from '../../grid/columns';
import { dateTime, number } from '../../i18n/format';
import { operationText, ruleText, said } from '../../i18n/words';
import { RefLink } from '../../lib/cells';
import { linkTo } from '../../lib/links';
import { NewButton } from '../../lib/NewDialog';
import { notify } from '../../lib/notify';
import { eventColumns, taskColumns } from '../../lib/RelatedLists';
import { ListPage } from '../../list/ListPage';
import type { ListDeclaration } from '../../list/types';
import { isApiError } from '../../api/problem';

const subjects = {
    id: 'subjects',
    label: () => column('task', 'subjects').label!(),
    width: 220,
    fields: ['subjects'],
    cell: (item: Item) => {
        const all = (valueAt(item, 'subjects') ?? []) as { id: string; kind: string; name?: string }[];
        const first = all[0];
        return first ? (
            <>
                <RefLink value={first} kind={first.kind} />
                {all.length > 1 && <span className="pv-subtle"> +{number(all.length - 1)}</span>}
            </>
        ) : null;
    },
};

const taskList: ListDeclaration = {
    kind: 'task',
    name: 'tasks',
    title: 'nav.tasks',
    empty: 'object.no_tasks',
    columns: [...taskColumns.slice(0, 1), subjects, ...taskColumns.slice(1), column('task', 'provider')],
    shown: ['action', 'subjects', 'state', 'created_at', 'actor.name', 'provider'],
    narrow: ['action', 'state'],
    sort: '-created_at',
    facets: ['state', 'action'],
    plain: true,
};

const eventList: ListDeclaration = {
    kind: 'event',
    name: 'events',
    title: 'nav.events',
    empty: 'object.no_events',
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
    narrow: ['time', 'message'],
    sort: '-time',
    facets: ['severity', 'type', 'provider'],
    plain: true,
    linkOf: (event) => `/events/${event.id}`,
};

function Verify() {
    const { t } = useTranslation();
    const check = useMutation({
        mutationFn: () => api.get<{ ok: boolean; count?: number; checked?: number }>('/audit/verify'),
        onSuccess: (answer) =>
            notify(
                answer.ok
                    ? { variant: 'success', title: t('audit.whole') }
                    : { variant: 'danger', title: t('audit.broken') },
            ),
        onError: (error) =>
            notify({
                variant: 'danger',
                title: t('audit.unknown'),
                body: isApiError(error) ? said(error.problem, 'detail') : String(error),
            }),
    });
    return (
        <button type="button" className="pv-button" disabled={check.isPending} onClick={() => check.mutate()}>
            {t('audit.verify')}
        </button>
    );
}

const auditList: ListDeclaration = {
    kind: 'audit',
    name: 'audit',
    title: 'nav.audit',
    empty: 'audit.none',
    columns: [
        column('audit', 'time', {
            width: 190,
            cell: (item) => dateTime(String(valueAt(item, 'time') ?? '')),
        }),
        column('audit', 'actor.name', { width: 150 }),
        column('audit', 'address', { width: 140 }),
        column('audit', 'action', { width: 200, cell: (item) => operationText(String(item.action ?? '')) }),
        column('audit', 'subject', { width: 220 }),
        column('audit', 'outcome', { width: 110 }),
        column('audit', 'detail', { width: 300 }),
    ],
    shown: ['time', 'actor.name', 'address', 'action', 'subject', 'outcome', 'detail'],
    narrow: ['time', 'action', 'outcome'],
    sort: '-seq',
    facets: ['outcome', 'action'],
    plain: true,
    linkOf: () => null,
    Tools: Verify,
};

/** "Rule: object", where the rule is one of the product's. */
export function alertText(alert: Item): string {
    const name = (valueAt(alert, 'ref') as { name?: string } | null)?.name ?? '';
    const message = String(alert.message ?? '');
    if (!alert.builtin || !message.endsWith(`: ${name}`)) return message;
    return `${ruleText(String(alert.builtin), message.slice(0, -name.length - 2))}: ${name}`;
}

const builtinNames = rules as Record<string, string>;

const ruleName = (rule: Item) => {
    const name = String(rule.name ?? '');
    return builtinNames[String(rule.builtin)] === name ? ruleText(String(rule.builtin), name) : name;
};

const alertColumns = [
    column('alert', 'severity', { width: 110 }),
    column('alert', 'state', { width: 130 }),
    column('alert', 'message', { width: 420, fields: ['message', 'builtin', 'ref'], cell: alertText }),
    {
        ...column('alert', 'ref', { width: 220 }),
        cell: (item: Item) => {
            const ref = valueAt(item, 'ref') as { id: string; kind: string; name?: string } | null;
            return ref && <RefLink value={ref} kind={ref.kind} />;
        },
    },
    column('alert', 'rule', { width: 190 }),
    column('alert', 'provider'),
    column('alert', 'fired_at'),
    column('alert', 'owner'),
];

const alertList: ListDeclaration = {
    kind: 'alert',
    name: 'alerts',
    title: 'nav.alerts',
    empty: 'alerts.none',
    columns: alertColumns,
    shown: ['severity', 'state', 'message', 'ref', 'rule', 'fired_at', 'owner'],
    narrow: ['severity', 'message'],
    sort: '-fired_at',
    facets: ['state', 'severity', 'rule', 'provider'],
    linkOf: (alert) => {
        const ref = alert.ref as { id: string; kind: string } | null;
        return ref && linkTo(ref.id, ref.kind);
    },
    Tools: () => <RulesLink />,
};

function RulesLink() {
    const { t } = useTranslation();
    return (
        <Link className="pf-v6-c-button pf-m-secondary" to="/alerts/rules">
            {t('alerts.rules')}
        </Link>
    );
}

function NewRule() {
    return <NewButton path="/alert-rules" title="alerts.new_rule" />;
}

const ruleList: ListDeclaration = {
    kind: 'alert_rule',
    name: 'alert-rules',
    title: 'alerts.rules',
    empty: 'alerts.no_rules',
    columns: [
        column('alert_rule', 'name', { fields: ['name', 'builtin'], cell: ruleName }),
        ...['enabled', 'severity', 'of', 'filter', 'metric', 'below', 'above', 'for_s', 'notes'].map((path) =>
            column('alert_rule', path),
        ),
    ],
    shown: ['name', 'enabled', 'severity', 'of', 'filter', 'metric', 'below', 'above', 'for_s'],
    narrow: ['name', 'enabled'],
    sort: 'name',
    plain: true,
    linkOf: () => null,
    Tools: NewRule,
};

export const Alerts = () => <ListPage list={alertList} />;
export const AlertRules = () => <ListPage list={ruleList} />;
export const Tasks = () => <ListPage list={taskList} />;
export const Events = () => <ListPage list={eventList} />;
export const Audit = () => <ListPage list={auditList} />;
