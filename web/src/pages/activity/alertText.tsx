// SPDX-License-Identifier: Apache-2.0
// What alerts and rules are called, and what they are about.
import { valueAt } from '../../api/model';
import rules from '../../api/rules.gen.json';
import type { Item } from '../../api/types';
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
