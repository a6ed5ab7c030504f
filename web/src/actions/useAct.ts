// SPDX-License-Identifier: Apache-2.0
// Asks for an action: at once where nothing is to be said about it, else by the dialog, whose address is ?do=...&on=...
import { useCallback, useSyncExternalStore } from 'react';
import { useNavigate, useSearchParams } from 'react-router';
import i18next from 'i18next';
import { queryClient } from '../api/query';
import { isApiError } from '../api/problem';
import { notify } from '../lib/notify';
import { operationText, problemText, said } from '../i18n/words';
import { useAddress } from '../lib/address';
import { kindOfId, linkTo } from '../lib/links';
import type { Task } from '../api/types';
import { operationOf } from '../api/model';
import { asksFirst, run, type Target } from './registry';

const MOST_IN_ADDRESS = 50;

/** Targets of the open dialog that do not fit into the address. */
let held: { name: string; target: Target } | null = null;
const listeners = new Set<() => void>();
const subscribe = (l: () => void) => {
    listeners.add(l);
    return () => listeners.delete(l);
};

export function report(error: unknown, name: string): void {
    const problem = isApiError(error) ? error.problem : null;
    notify({
        variant: 'danger',
        title: i18next.t('action.failed', { action: operationText(name) }),
        body: problem
            ? [problemText(problem.code, problem.title), said(problem, 'detail'), said(problem, 'remedy')]
                  .filter(Boolean)
                  .map((part) => part.replace(/\.$/, ''))
                  .join('. ')
            : String(error),
    });
}

/** The task is on its way: lists show it, and when it is done it can be taken back where that is possible. */
export function accepted(task?: Task): void {
    void queryClient.invalidateQueries({ queryKey: ['list', '/tasks'] });
    if (task) void import('./undo').then((m) => m.offerUndo(task));
}

function describe(target: Target): string {
    if ('id' in target) return target.owner ? `${target.owner}/${target.id}` : target.id;
    if (target.selection.by === 'filter')
        return target.selection.except.size
            ? 'held'
            : `filter:${target.selection.count}:${target.selection.filter}`;
    return target.selection.ids.size > MOST_IN_ADDRESS ? 'held' : [...target.selection.ids].join(',');
}

function parse(on: string, kind: string): Target | null {
    if (on === 'held') return null;
    const filter = /^filter:(\d+):([\s\S]*)$/.exec(on);
    if (filter)
        return {
            kind,
            selection: { by: 'filter', count: Number(filter[1]), filter: filter[2]!, except: new Set() },
        };
    const ids = on.split(',').filter(Boolean);
    const first = ids[0];
    if (!first) return null;
    if (ids.length === 1) {
        const [a, b] = first.split('/');
        return b
            ? { kind: kindOfId(b) ?? kind, id: b, owner: a }
            : { kind: kindOfId(first) ?? kind, id: first };
    }
    return { kind: kindOfId(first) ?? kind, selection: { by: 'ids', ids: new Set(ids) } };
}

export function useAct(): (name: string, target: Target) => void {
    const [, change] = useAddress();
    const navigate = useNavigate();
    return useCallback(
        (name, target) => {
            const bulk = 'selection' in target;
            // A machine's hardware has a form of its own.
            if (name === 'vm.reconfigure' && !bulk) {
                void navigate(`${linkTo(target.id, 'vm', 'hardware')}?edit=1`);
                return;
            }
            const operation = operationOf(name, target.kind);
            if (!bulk && !asksFirst(name) && !operation?.asks) {
                run(name, target, {}, crypto.randomUUID()).then(accepted, (error: unknown) =>
                    report(error, name),
                );
                return;
            }
            held = { name, target };
            for (const l of listeners) l();
            change((next) => {
                next.set('do', name);
                next.set('on', describe(target));
                if (target.preset) next.set('set', JSON.stringify(target.preset));
                else next.delete('set');
            });
        },
        [change, navigate],
    );
}

function presetOf(text: string | null): Record<string, unknown> | undefined {
    try {
        const value: unknown = text && JSON.parse(text);
        return value && typeof value === 'object' ? (value as Record<string, unknown>) : undefined;
    } catch {
        return undefined;
    }
}

/** The dialog that the address asks for. */
export function useOpenAction(): { name: string; target: Target } | null {
    const [params] = useSearchParams();
    const now = useSyncExternalStore(subscribe, () => held);
    const name = params.get('do');
    const on = params.get('on');
    if (!name || !on) return null;
    if (now && now.name === name && describe(now.target) === on) return now;
    const target = parse(on, name.split('.')[0] ?? 'vm');
    const preset = presetOf(params.get('set'));
    return target && { name, target: preset ? { ...target, preset } : target };
}

export function useCloseAction(): () => void {
    const [, change] = useAddress();
    return useCallback(() => {
        held = null;
        change(
            (next) => {
                for (const key of ['do', 'on', 'set']) next.delete(key);
            },
            { replace: true },
        );
    }, [change]);
}
