// SPDX-License-Identifier: Apache-2.0
// What alerts and rules are called, and what they are about.
import i18next from 'i18next';
import { valueAt } from '../../api/model';
import rules from '../../api/rules.gen.json';
import type { Item } from '../../api/types';
import { dateTime, withUnit } from '../../i18n/format';
import { enumText, ruleText } from '../../i18n/words';
import { Mark, RefLink, State } from '../../lib/cells';

export interface Ref {
    id: string;
    kind: string;
    name?: string | null;
    owner?: Ref | null;
}

/** "Rule: object", where the rule is one of the product's. */
export function alertText(alert: Item): string {
    const name = (valueAt(alert, 'ref') as { name?: string } | null)?.name ?? '';
    const message = String(alert.message ?? '');
    if (!alert.builtin || !message.endsWith(`: ${name}`)) return message;
    return `${ruleText(String(alert.builtin), message.slice(0, -name.length - 2))}: ${name}`;
}

/** "Free space: 4 % (below 10 %) since 12:03"; null where the rule compares no number. */
export function measureText(alert: Item): string | null {
    const bound = (alert.below ?? alert.above) as number | null | undefined;
    if (typeof alert.value !== 'number' || typeof bound !== 'number') return null;
    const unit = String(alert.unit ?? '');
    return i18next.t(`estate.alerts.measure.${typeof alert.below === 'number' ? 'below' : 'above'}`, {
        what:
            alert.metric === 'free_pct'
                ? i18next.t('estate.alerts.measure.free')
                : i18next.t(`metric.${String(alert.metric).replaceAll('.', '_')}`, {
                      defaultValue: String(alert.metric),
                  }),
        value: withUnit(alert.value, unit),
        bound: withUnit(bound, unit),
        time: dateTime(String(alert.fired_at)),
    });
}

const builtinNames = rules as Record<string, string>;

export const ruleName = (rule: Item) => {
    const name = String(rule.name ?? '');
    return builtinNames[String(rule.builtin)] === name ? ruleText(String(rule.builtin), name) : name;
};

const builtinWords = new Map(Object.entries(builtinNames).map(([word, name]) => [name, word]));

/** A rule of which nothing but its name is known. */
export const ruleNamed = (name: string) => ruleText(builtinWords.get(name), name);

/** The mark of how bad it is. */
export const SEVERITY: Record<string, string> = { info: 'info', warning: 'warn', error: 'bad' };

/** As long as it lasts it is as red as it is bad; what somebody knows of or what is over has its own mark. */
export function StateOf({ alert }: { alert: Item }) {
    const state = String(alert.state ?? '');
    if (state !== 'firing') return <State kind="alert" path="state" value={state} />;
    return (
        <span className="pv-state">
            <Mark as={SEVERITY[String(alert.severity)] ?? 'none'} />
            {enumText('alert', 'state', state)}
        </span>
    );
}

/** The object, with what it is part of: a snapshot's name alone says nothing. */
export function Subject({ value }: { value: unknown }) {
    const ref = value as Ref | null;
    if (!ref) return null;
    return (
        <>
            {ref.owner && (
                <>
                    <RefLink value={ref.owner} kind={ref.owner.kind} />
                    {' / '}
                </>
            )}
            <RefLink value={ref} kind={ref.kind} />
        </>
    );
}
