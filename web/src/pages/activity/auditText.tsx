// SPDX-License-Identifier: Apache-2.0
// The audit in words: what was asked for, by operation or by route; on what; what of its details people look for.
import { useQuery } from '@tanstack/react-query';
import i18next from 'i18next';
import { api } from '../../api/client';
import { fieldOf, kindOf, kinds, pathOf } from '../../api/model';
import { useCan } from '../../api/query';
import type { Item } from '../../api/types';
import { fieldLabel, kindText, kindTitle, operationText, t } from '../../i18n/words';
import { RefLink } from '../../lib/cells';
import { kindOfId } from '../../lib/links';

const ID = /\b[a-z]{2,3}_[0-9a-z]{26}\b/g;
const MOST_IDS = 200;
const GATHER_MS = 20;

export function lastId(text: string | undefined): string | undefined {
    return text?.match(ID)?.at(-1);
}

const VERBS: Record<string, string> = {
    POST: 'create',
    create: 'create',
    PATCH: 'update',
    PUT: 'update',
    update: 'update',
    DELETE: 'delete',
    delete: 'delete',
};

const done = (verb: string, kind: string) => t(`estate.audit.verb.${verb}`, { what: kindText(kind) });

const named = (name: string) => {
    const key = `estate.audit.action.${name.replaceAll('.', '_')}`;
    return i18next.exists(key) ? i18next.t(key) : null;
};

/** "vm.stop", "user.create", "PATCH /api/v1/alert-rules/{id}" in words. */
export function auditAction(action: string): string {
    const [, method, plural, rest] = /^([A-Z]+) \/api\/v1(\/[a-z-]+)(.*)$/.exec(action) ?? [];
    if (!method || !plural) {
        const own = named(action);
        if (own) return own;
        const [kind = '', verb = ''] = action.split('.');
        const words = operationText(action);
        return words === action && VERBS[verb] && i18next.exists(`kind.${kind}_other`)
            ? done(VERBS[verb], kind)
            : words;
    }
    const kind = kinds().find((k) => pathOf(k) === plural);
    const verb = /\/actions\/([a-z_]+)$/.exec(rest ?? '')?.[1];
    if (!kind) return action;
    if (verb) return named(`${kind}.${verb}`) ?? operationText(`${kind}.${verb}`, action);
    return VERBS[method] ? done(VERBS[method], kind) : action;
}

interface Waiting {
    ids: Map<string, ((name: string | null) => void)[]>;
}
const waiting = new Map<string, Waiting>();

/** The names of one kind in one request, however many cells ask for one. */
async function ask(kind: string): Promise<void> {
    const { ids } = waiting.get(kind)!;
    waiting.delete(kind);
    const all = [...ids.keys()];
    for (let i = 0; i < all.length; i += MOST_IDS) {
        const part = all.slice(i, i + MOST_IDS);
        const found = await api
            .get<{ items: Item[] }>(pathOf(kind), { ids: part.join(','), fields: 'name' })
            .then((page) => new Map(page.items.map((item) => [item.id, item.name])))
            // Whoever may read the audit need not see what it tells of.
            .catch(() => new Map<string, string>());
        for (const id of part) for (const tell of ids.get(id)!) tell(found.get(id) ?? null);
    }
}

function nameOf(kind: string, id: string): Promise<string | null> {
    return new Promise((tell) => {
        let group = waiting.get(kind);
        if (!group) {
            group = { ids: new Map() };
            waiting.set(kind, group);
            setTimeout(() => void ask(kind), GATHER_MS);
        }
        group.ids.set(id, [...(group.ids.get(id) ?? []), tell]);
    });
}

/** What a record is about: its name where it is still there, else what it was. */
export function Subject({ text }: { text: string | undefined }) {
    const id = lastId(text);
    const kind = id && kindOfId(id);
    // Alerts and grants have no names, and whoever may not read a kind is told what it was.
    const sees = useCan(kind ? kindOf(kind).permission : '');
    const { data } = useQuery({
        queryKey: ['audit', 'name', id],
        queryFn: () => nameOf(kind!, id!),
        enabled: sees && !!kind && !!pathOf(kind) && !!fieldOf(kind, 'name'),
        staleTime: 60_000,
    });
    if (!id || !kind) return <>{text ?? ''}</>;
    return <RefLink value={{ id, name: data || kindTitle(kind, 1) }} kind={kind} />;
}

/** What was made, else what was meant; the address of a collection is neither. */
export function subjectOf(record: Item): string {
    const { made } = (record.detail ?? {}) as { made?: string };
    const text = lastId(made) ?? String(record.subject ?? '');
    return text.startsWith('/api/') ? (lastId(text) ?? '') : text;
}

/** Fields that were changed, and the answer of what did not work. */
export function detailText(record: Item): string {
    const detail = (record.detail ?? {}) as {
        status?: number;
        changes?: { field: string }[];
        after?: Record<string, unknown>;
    };
    const kind = kindOfId(lastId(String(record.subject ?? '')) ?? '') ?? '';
    const fields = detail.changes?.map((c) => c.field) ?? Object.keys(detail.after ?? {});
    return [
        fields.map((field) => fieldLabel(kind, field)).join(', '),
        (detail.status ?? 0) >= 400 ? `HTTP ${detail.status}` : '',
    ]
        .filter(Boolean)
        .join(' · ');
}
