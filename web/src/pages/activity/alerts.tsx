// SPDX-License-Identifier: Apache-2.0
// What needs somebody now, and the rules that say so.
import { Link } from 'react-router';
import { useTranslation } from 'react-i18next';
import { valueAt } from '../../api/model';
import rules from '../../api/rules.gen.json';
import type { Item } from '../../api/types';
import { column } from '../../grid/columns';
import { ruleText } from '../../i18n/words';
import { RefLink } from '../../lib/cells';
import { linkTo } from '../../lib/links';
import { NewButton } from '../../lib/NewDialog';
import { ListPage } from '../../list/ListPage';
import type { ListDeclaration } from '../../list/types';

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
