// SPDX-License-Identifier: Apache-2.0
// Words for what the model declares: fields, enum values, kinds, operations. A field without a word of its own is shown by its
// path, so that a field that is new in the server is there at once.
import i18next from 'i18next';
import { operationOf } from '../api/model';

function has(key: string): boolean {
    return i18next.exists(key);
}

export function fieldLabel(kind: string, path: string): string {
    const key = path.replaceAll('.', '_');
    for (const candidate of [`field.${kind}.${key}`, `field.any.${key}`])
        if (has(candidate)) return i18next.t(candidate);
    const words = path.replaceAll('.', ' ').replaceAll('_', ' ');
    return words.charAt(0).toUpperCase() + words.slice(1);
}

export function enumText(_kind: string, path: string, value: string): string {
    const name = path.slice(path.lastIndexOf('.') + 1);
    for (const key of [`enum.${name}.${value}`, `enum.any.${value}`]) if (has(key)) return i18next.t(key);
    const words = value.replaceAll('_', ' ');
    return words.charAt(0).toUpperCase() + words.slice(1);
}

/** One or many of a kind: "virtual machines". */
export function kindText(kind: string, count = 1): string {
    return has(`kind.${kind}_other`) ? i18next.t(`kind.${kind}`, { count }) : kind.replaceAll('_', ' ');
}

/** For headings. */
export function kindTitle(kind: string, count = 2): string {
    return begun(kindText(kind, count));
}

/** A part of a sentence that stands alone begins like one; vSphere and iSCSI, and what has the look of a name, stay. */
export function begun(text: string): string {
    const [, operation] = /^([a-z]+(?:\.[a-z_]+)+): /.exec(text) ?? [];
    if (operation && has(`op.${operation.replaceAll('.', '_')}`))
        return operationText(operation) + text.slice(operation.length);
    if (/^(\p{Ll}+\p{Lu}|[^\s:]+-[^\s:]*:|[^\s]*[\d._@\\/])/u.test(text)) return text;
    return text.charAt(0).toLocaleUpperCase(i18next.language || 'en') + text.slice(1);
}

export function operationText(name: string, title?: string | null): string {
    const key = `op.${name.replaceAll('.', '_')}`;
    return has(key) ? i18next.t(key) : (title ?? operationOf(name)?.title ?? name);
}

export function paramText(operation: string, name: string, title?: string): string {
    for (const key of [`param.${operation.replaceAll('.', '_')}.${name}`, `param.any.${name}`])
        if (has(key)) return i18next.t(key);
    if (title) return title;
    const words = name.replaceAll('_', ' ');
    return words.charAt(0).toUpperCase() + words.slice(1);
}

export function permissionText(name: string): string {
    const key = `permission.${name.replaceAll('.', '_')}`;
    return has(key) ? i18next.t(key) : name;
}

/** A problem's title in the person's language; the server's own where there is no translation. */
export function problemText(code: string, title: string): string {
    return has(`problem.${code}`) ? i18next.t(`problem.${code}`) : title;
}

/** Why something is not well: a code of a driver. */
export function healthText(code: string): string {
    const key = `health_reason.${code}`;
    return has(key) ? i18next.t(key) : code.replaceAll('_', ' ');
}

/** A sentence of the server as it comes beside the English one: reason_text, detail_text. */
export interface Sentence {
    code: string;
    params: Record<string, string | (Sentence & { text?: string })>;
}

/** A parameter by its path: "memory.max_bytes". */
function pathText(path: string): string {
    const field = `field.vm.${path.replaceAll('.', '_')}`;
    const member = `param.any.${path.slice(path.lastIndexOf('.') + 1)}`;
    if (!/^[a-z0-9_.]+$/.test(path)) return path;
    return has(field) ? i18next.t(field) : has(member) ? i18next.t(member) : path;
}

/** "disk-images" in words. */
function kindsText(plural: string): string {
    const name = plural.replaceAll('-', '_');
    const kind = [name.replace(/s$/, ''), name.replace(/es$/, '')].find((k) => has(`kind.${k}_other`));
    return kind ? kindText(kind, 2) : plural;
}

function place(name: string, value: string): string {
    switch (name) {
        case 'state':
            return enumText('vm', 'power_state', value).toLocaleLowerCase(i18next.language);
        case 'task_state':
        case 'provider_state':
            return enumText('', 'state', value).toLocaleLowerCase(i18next.language);
        case 'permission':
            return permissionText(value);
        case 'verb':
            return operationText(`vm.${value}`, value);
        case 'operation':
            return operationText(value);
        case 'kind':
        case 'other':
            return kindText(value);
        case 'kinds':
            return kindsText(value);
        case 'field':
            return fieldLabel('vm', value);
        case 'what':
            return pathText(value);
        default:
            return value;
    }
}

/** What the server said, in the person's language where its code is known; else as it said it. */
export function sentence(text: string | null | undefined, found?: unknown): string {
    const known = found as Sentence | null | undefined;
    if (!known?.code || !has(`text.${known.code}`)) return text ?? '';
    const values = Object.entries(known.params ?? {}).map(([name, value]) => [
        name,
        typeof value === 'string' ? place(name, value) : sentence(value.text, value),
    ]);
    return i18next.t(`text.${known.code}`, Object.fromEntries(values) as Record<string, string>);
}

/** Name of an alert rule that comes with the product and was not renamed. */
export function ruleText(builtin: string | null | undefined, name: string): string {
    return sentence(name, builtin ? { code: `rule.${builtin}`, params: {} } : null);
}

/** Name of a role: those of the product have words, and nobody else can have their names. */
export function roleText(name: string): string {
    const key = `enum.role.${name}`;
    return has(key) ? i18next.t(key) : name;
}

/** What a value of a field is called among values: in heads of groups and beside a list. */
export function valueText(
    kind: string,
    path: string,
    type: string | undefined,
    value: string,
    name?: string | null,
) {
    if (type === 'enum') return enumText(kind, path, value);
    if (type === 'bool') return i18next.t(value === 'true' ? 'value.yes' : 'value.no');
    return path === 'role' && name ? roleText(name) : (name ?? value);
}

/**
 * A member of an answer that has its code beside it: said(problem, 'detail'). The server's own sentences begin with a capital,
 * unless a name stands there; what a hypervisor wrote stays as it wrote it, and so do names of steps.
 */
export function said(answer: object | null | undefined, member: string): string {
    const all = (answer ?? {}) as Record<string, unknown>;
    const known = all[`${member}_text`] as Sentence | null | undefined;
    const text = sentence(all[member] as string | undefined, known);
    if (!known?.code || member === 'name') return text;
    const named = Object.entries(known.params ?? {}).some(
        ([place, v]) => place !== 'verb' && typeof v === 'string' && v && text.startsWith(v),
    );
    return named && !/^[a-z]+(\.[a-z_]+)+: /.test(text) ? text : begun(text);
}

/** The word for what changed; of a device the path begins with the member that it is in: nics.ip_addresses. */
export function changedLabel(kind: string, change: { field: string; id?: string | null }): string {
    const at = change.field.indexOf('.');
    const part = change.field.slice(0, Math.max(0, at - 1));
    const own = [kind, 'any'].some((k) => has(`field.${k}.${change.field.replaceAll('.', '_')}`));
    return part && (change.id || (!own && has(`kind.${part}_other`)))
        ? fieldLabel(part, change.field.slice(at + 1))
        : fieldLabel(kind, change.field);
}

/** With its full stop: some texts of the server come without. */
export function stopped(text: string): string {
    return /[.。!?…:]$/.test(text) ? text : `${text}${i18next.language === 'zh-CN' ? '。' : '.'}`;
}

/** Sentences one after the other. */
export function sentences(...parts: (string | null | undefined)[]): string {
    const all = parts.filter((p): p is string => !!p);
    return all.map((p, i) => (i < all.length - 1 ? stopped(p) : p)).join(' ');
}

/** Whom to ask for a right; nothing where the server does not tell. The words come with states/grantors.ts. */
export function grantorsText(who: { names: string[]; more: number } | null | undefined): string {
    if (!who?.names.length) return '';
    const names = who.names.join(', ');
    return i18next.t(who.more ? 'organise.grantors.more' : 'organise.grantors.all', { names, n: who.more });
}

/** A driver by what it is for; one that we have no words for by its name. */
export function driverText(name: string): string {
    const key = `providers.driver.${name}`;
    return has(key) ? i18next.t(key) : name;
}

/** For words outside of components; components use useTranslation, which follows the language. */
export function t(key: string, values?: Record<string, unknown>): string {
    return i18next.t(key, values ?? {});
}
