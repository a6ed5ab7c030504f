// SPDX-License-Identifier: Apache-2.0
// Asks for an action: at once where nothing is to be said about it, else by the dialog, whose address is ?do=...&on=...
import { useCallback, useMemo } from 'react';
import i18next from 'i18next';
import { queryClient } from '../api/query';
import { isApiError } from '../api/problem';
import { notify } from '../lib/notify';
import { operationText, problemText, said } from '../i18n/words';
import { useAddress, useGo } from '../lib/address';
import { readSelection, writeSelection } from '../lib/held';
import { kindOfId, linkTo, ownedKindOf } from '../lib/links';
import type { Task } from '../api/types';
import { operationOf } from '../api/model';
import { asksFirst, run, type Target } from './registry';

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

/** What was asked for last knows more than its address: names and versions. */
let latest: { name: string; on: string; target: Target } | null = null;

function describe(target: Target): string {
    if ('id' in target) return target.owner ? `${target.owner}/${target.id}` : target.id;
    return writeSelection(target.selection);
}

/** Null: nothing that can be found here. */
function parse(on: string, kind: string): Target | null {
    const selection = readSelection(on);
    if (selection?.by !== 'ids') return selection && { kind, selection };
    const ids = [...selection.ids];
    const first = ids[0]!;
    if (ids.length > 1) return { kind: kindOfId(first) ?? kind, selection };
    const [owner, id] = first.split('/');
    return id ? { kind: ownedKindOf(id) ?? kind, id, owner } : { kind: kindOfId(first) ?? kind, id: first };
}

export function useAct(): (name: string, target: Target) => void {
    const [, change] = useAddress();
    const go = useGo();
    return useCallback(
        (name, target) => {
            const bulk = 'selection' in target;
            // A machine's hardware has a form of its own.
            if (name === 'vm.reconfigure' && !bulk) {
                go(`${linkTo(target.id, 'vm', 'hardware')}?edit=1`);
                return;
            }
            const operation = operationOf(name, target.kind);
            if (!bulk && !asksFirst(name) && !operation?.asks) {
                run(name, target, {}, crypto.randomUUID()).then(accepted, (error: unknown) =>
                    report(error, name),
                );
                return;
            }
            const on = describe(target);
            latest = { name, on, target };
            change((next) => {
                next.set('do', name);
                next.set('on', on);
                if (target.preset) next.set('set', JSON.stringify(target.preset));
                else next.delete('set');
            });
        },
        [change, go],
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

/** The dialog that the address asks for; without a target: what it was about is not known here. */
export function useOpenAction(): { name: string; target: Target | null } | null {
    const [params] = useAddress();
    const name = params.get('do');
    const on = params.get('on');
    const set = params.get('set');
    return useMemo(() => {
        if (!name || !on) return null;
        if (latest?.name === name && latest.on === on) return latest;
        const target = parse(on, name.split('.')[0] ?? 'vm');
        const preset = presetOf(set);
        return { name, target: target && preset ? { ...target, preset } : target };
    }, [name, on, set]);
}

export function useCloseAction(): () => void {
    const [, change] = useAddress();
    return useCallback(
        () =>
            change((next) => {
                for (const key of ['do', 'on', 'set']) next.delete(key);
            }, 'close'),
        [change],
    );
}
