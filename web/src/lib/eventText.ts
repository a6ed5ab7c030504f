// SPDX-License-Identifier: Apache-2.0
// What an event says, in the person's language: the server's sentences by their code, "name: updated" by its type, alerts by their
// rule. What a hypervisor wrote is told as it wrote it.
import rules from '../api/rules.gen.json';
import i18next from 'i18next';
import { ruleText, sentence } from '../i18n/words';

export function eventText(told: object): string {
    const event = told as { type?: unknown; message?: unknown; message_text?: unknown };
    const type = String(event.type ?? '');
    const message = String(event.message ?? '');
    if (!message) return type;
    if (event.message_text) return sentence(message, event.message_text);
    const rule = Object.entries(rules as Record<string, string>).find(([, name]) =>
        message.startsWith(`${name}: `),
    );
    if (rule) return ruleText(rule[0], rule[1]) + message.slice(rule[1].length);
    const verb = type.slice(type.lastIndexOf('.') + 1);
    const key = `enum.event_verb.${verb}`;
    if (message.endsWith(`: ${verb}`) && i18next.exists(key))
        return `${message.slice(0, -verb.length)}${i18next.t(key)}`;
    return message;
}
