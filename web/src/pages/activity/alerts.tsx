// SPDX-License-Identifier: Apache-2.0
// What needs somebody now, and the rules that say so.
import { lazy, Suspense, useMemo } from 'react';
import { useLocation } from 'react-router';
import { useTranslation } from 'react-i18next';
import '../../i18n/estate';
import { valueAt } from '../../api/model';
import type { Item } from '../../api/types';
import { column } from '../../grid/columns';
import { dateTime } from '../../i18n/format';
import { metricText, metricValue } from '../../i18n/metric';
import { kindTitle, ruleText, t } from '../../i18n/words';
import { useAddress } from '../../lib/address';
import { Mark, RefLink } from '../../lib/cells';
import { useTitle } from '../../lib/hooks';
import { editLink, useEditing } from '../../list/editing';
import { ListView } from '../../list/ListPage';
import type { ListDeclaration } from '../../list/types';
import { AlertBulk, AlertMenu } from './alertActions';
import { ManagedPage, Page, STATES, type Which } from './alertTabs';
import { alertText, ruleName, ruleNamed, SEVERITY, StateOf, Subject } from './alertText';

const AlertDialog = lazy(() => import('./AlertDialog'));
const RuleForm = lazy(() => import('./RuleForm'));

/** Silence is a state people ask for, though the server keeps it beside the others. */
function AlertState({ item }: { item: Item }) {
    const until = item.silenced_until as string | null;
    return (
        <>
            <StateOf alert={item} />
            {until && new Date(until).getTime() > Date.now() && (
                <span className="pv-tag">{t('estate.alerts.silent', { time: dateTime(until) })}</span>
            )}
        </>
    );
}

const alertColumns = [
    column('alert', 'severity', {
        width: 110,
        cell: (item: Item) => (
            <span className="pv-state">
                <Mark as={SEVERITY[String(item.severity)] ?? 'none'} />
                {column('alert', 'severity').text!(item)}
            </span>
        ),
    }),
    column('alert', 'state', {
        width: 130,
        fields: ['state', 'silenced_until', 'severity'],
        cell: (item: Item) => <AlertState item={item} />,
    }),
    column('alert', 'message', { width: 400, fields: ['message', 'builtin', 'ref'], cell: alertText }),
    {
        ...column('alert', 'ref', { width: 260 }),
        cell: (item: Item) => <Subject value={valueAt(item, 'ref')} />,
    },
    column('alert', 'rule', {
        width: 190,
        fields: ['rule', 'builtin'],
        cell: (item: Item) => {
            const rule = item.rule as { id: string; name?: string | null } | null;
            const name = rule?.name && ruleText(item.builtin as string | null, rule.name);
            return <RefLink value={rule && { ...rule, name }} kind="alert_rule" />;
        },
    }),
    column('alert', 'provider'),
    column('alert', 'fired_at'),
    column('alert', 'owner'),
];

const alertList = (which: Which): ListDeclaration => ({
    kind: 'alert',
    name: 'alerts',
    title: 'nav.alerts',
    empty: 'alerts.none',
    columns: alertColumns,
    shown: ['severity', 'state', 'message', 'ref', 'rule', 'fired_at', 'owner'],
    grows: 'message',
    narrow: ['severity', 'message'],
    sort: '-fired_at',
    facets: ['state', 'severity', 'rule', 'provider'],
    valueName: (path, name) => (path === 'rule' ? ruleNamed(name) : name),
    scope: STATES[which] || undefined,
    linkOf: (alert) => `/alerts/${alert.id}`,
    Bulk: AlertBulk,
    Menu: AlertMenu,
});

/** The dialog that the address asks for. */
function Dialog() {
    const [params] = useAddress();
    return params.get('act') ? (
        <Suspense fallback={null}>
            <AlertDialog />
        </Suspense>
    ) : null;
}

export function Alerts() {
    const { t } = useTranslation();
    const [params] = useAddress();
    const asked = params.get('state');
    // An address with a filter of its own means all that it finds.
    const which: Which =
        asked && asked in STATES
            ? (asked as Which)
            : params.get('filter')?.includes('state')
              ? 'all'
              : 'open';
    const list = useMemo(() => alertList(which), [which]);
    useTitle(t('nav.alerts'));
    return (
        <Page which={which}>
            <ListView key={which} list={list} />
            <Dialog />
        </Page>
    );
}

const metricOf = (rule: Item) => (rule.metric ? metricText(String(rule.metric)) : '');

/** A number alone says nothing: with the unit of the metric that it is compared with. */
const limitOf = (path: 'below' | 'above') => (rule: Item) =>
    typeof rule[path] === 'number' ? metricValue(String(rule.metric ?? ''), rule[path]) : '';

export const ruleList: ListDeclaration = {
    kind: 'alert_rule',
    name: 'alert-rules',
    title: 'alerts.rules',
    empty: 'alerts.no_rules',
    columns: [
        column('alert_rule', 'name', { width: 230, fields: ['name', 'builtin'], cell: ruleName }),
        column('alert_rule', 'enabled', {
            cell: (rule: Item) => (
                <span className="pv-state">
                    <Mark as={rule.enabled ? 'on' : 'off'} />
                    {t(rule.enabled ? 'estate.rules.on' : 'estate.rules.off')}
                </span>
            ),
        }),
        column('alert_rule', 'severity'),
        column('alert_rule', 'of', { cell: (rule: Item) => kindTitle(String(rule.of ?? ''), 1) }),
        column('alert_rule', 'filter', { width: 200 }),
        column('alert_rule', 'metric', { cell: metricOf, text: metricOf }),
        ...(['below', 'above'] as const).map((path) =>
            column('alert_rule', path, {
                fields: [path, 'metric'],
                cell: limitOf(path),
                text: limitOf(path),
            }),
        ),
        ...['for_s', 'notes'].map((path) => column('alert_rule', path)),
    ],
    shown: ['name', 'enabled', 'severity', 'of', 'filter', 'metric', 'below', 'above', 'for_s'],
    grows: 'filter',
    narrow: ['name', 'enabled'],
    sort: 'name',
    plain: true,
    linkOf: editLink,
};

export function AlertRules() {
    const { id, isNew, close } = useEditing();
    const { pathname } = useLocation();
    return (
        <ManagedPage which="rules" list={ruleList} title="alerts.rules" add="alerts.new_rule">
            {(id || isNew) && <RuleForm key={`${id}${pathname}`} id={id} onClose={close} />}
        </ManagedPage>
    );
}
