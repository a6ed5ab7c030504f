// SPDX-License-Identifier: Apache-2.0
// What an event says, in the person's language: the server's sentences by their code, "name: updated" by its type, alerts by their
// rule. What a hypervisor wrote is told as it wrote it.
import rules from '../api/rules.gen.json';
import i18next from 'i18next';
import type { ChangedField } from '../api/types';
import { changedLabel, kindTitle, ruleText, sentence } from '../i18n/words';

/** Fields that are named where one was changed; of more there are dots. */
const NAMED = 3;
const OWN = 'event_type.own';

const verbText = (verb: string) =>
    i18next.t(`enum.event_verb.${verb}`, { defaultValue: verb.replaceAll('_', ' ') });

/** "vm_fault_tolerance_vm_terminated" of a hypervisor, as words: names of its events are more than we know. */
function spoken(name: string): string {
    const words = name
        .replaceAll(/[._]/g, ' ')
        .replaceAll(/\b(vm|drs|ha|dvs|vsan|uuid|mac|os|nic|ip)\b/g, (w) => w.toUpperCase());
    return words.charAt(0).toUpperCase() + words.slice(1);
}

/** What kind of event it is: vm.updated is "Virtual machine: updated". */
export function eventTypeText(type: string): string {
    const dot = type.indexOf('.');
    const [of, what] = dot < 0 ? ['', type] : [type.slice(0, dot), type.slice(dot + 1)];
    if (of === 'external') {
        const key = `event_type.${what}`;
        return i18next.exists(key) ? i18next.t(key) : spoken(what);
    }
    if (!of || !i18next.exists(`kind.${of}_other`)) return spoken(type);
    return i18next.t(OWN, {
        kind: kindTitle(of, 1),
        what: verbText(what),
        defaultValue: `${kindTitle(of, 1)}: ${what}`,
    });
}

/** What was changed, by name. */
function changed(event: { ref?: unknown; changes?: unknown }, most: number): string {
    const kind = (event.ref as { kind?: string } | null)?.kind ?? '';
    const changes = (Array.isArray(event.changes) ? event.changes : []) as ChangedField[];
    const names = [...new Set(changes.map((c) => changedLabel(kind, c)))];
    return names.slice(0, most).join(', ') + (names.length > most ? ' …' : '');
}

/** In lists the first few changes are named; `all` names each. */
export function eventText(told: object, all = false): string {
    const event = told as {
        type?: unknown;
        message?: unknown;
        message_text?: unknown;
        ref?: unknown;
        changes?: unknown;
    };
    const type = String(event.type ?? '');
    const message = String(event.message ?? '');
    if (!message) return type && eventTypeText(type);
    if (event.message_text) return sentence(message, event.message_text);
    const rule = Object.entries(rules as Record<string, string>).find(([, name]) =>
        message.startsWith(`${name}: `),
    );
    if (rule) return ruleText(rule[0], rule[1]) + message.slice(rule[1].length);
    const verb = type.slice(type.lastIndexOf('.') + 1);
    const more = type.startsWith('task.') ? '' : changed(event, all ? Infinity : NAMED);
    const said =
        message.endsWith(`: ${verb}`) && i18next.exists(`enum.event_verb.${verb}`)
            ? message.slice(0, -verb.length) + verbText(verb)
            : message;
    return more ? `${said} · ${more}` : said;
}
