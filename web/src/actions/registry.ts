// SPDX-License-Identifier: Apache-2.0
// What can be done, from the operation table and from what the API says about an object: menus of the tree, the grid and the
// object's page are all made here. Which hypervisor it is never matters.
import { api, type RequestOptions } from '../api/client';
import { operationOf, pathOf } from '../api/model';
import type { ActionState, Plan, Task } from '../api/types';
import { grantorsText, operationText, said, sentences } from '../i18n/words';
import { targetsOf, type Selection } from '../grid/selection';

/** What something is done to. */
export type Target = (
    | { kind: string; id: string; name?: string | null; owner?: string; etag?: string | null }
    | { kind: string; selection: Selection; names?: string[] }
) & {
    /** What the form starts with. */
    preset?: Record<string, unknown>;
};

export interface Action {
    name: string;
    label: string;
    danger: boolean;
    /** Not now, not here, or not you: the reason is shown. */
    reason: string | null;
    ready: boolean;
    /** It can be asked for, and there is nothing to do. */
    idle?: boolean;
    params?: ActionState['params'];
}

const DANGER =
    /\.(delete|remove|stop|reset|revert|detach|compact|evacuate|consolidate|eject|delete_snapshots)$|^snapshot\.|\.disk\.shrink$/;

/** Asks for a confirmation that names what is lost. */
export function isDangerous(name: string): boolean {
    return operationOf(name)?.danger ?? DANGER.test(name);
}

/** Asks before it is done, though nothing is lost for good. */
export function asksFirst(name: string): boolean {
    return isDangerous(name) || /^(vm\.(shutdown|reboot|pause|suspend)|host\.service\.restart)$/.test(name);
}

/** Order of menus: what people do most comes first, deleting last. */
const ORDER = [
    'vm.start',
    'vm.shutdown',
    'vm.reboot',
    'vm.snapshot.create',
    'vm.suspend',
    'vm.resume',
    'vm.pause',
    'vm.reset',
    'vm.stop',
];

function rank(name: string): number {
    if (/\.delete$/.test(name)) return 1000;
    if (name === 'vm.delete_snapshots') return 900;
    const at = ORDER.indexOf(name);
    return at < 0 ? 100 : at;
}

export function actionsOf(states: ActionState[]): Action[] {
    return states
        .map((s) => ({
            name: s.name,
            label: operationText(s.name, s.title),
            danger: isDangerous(s.name),
            ready: s.state !== 'no' && s.allowed_now !== false,
            idle: s.state === 'yes' && s.allowed_now !== false && !!s.reason,
            reason:
                sentences(said(s, 'reason'), grantorsText(s.grantors)) ||
                (s.needs?.length ? s.needs.join(', ') : null),
            params: s.params && Object.keys(s.params.properties ?? {}).length ? s.params : undefined,
        }))
        .sort((a, b) => rank(a.name) - rank(b.name));
}

/** Operations that bulk can do to a kind: those with the object's id as their only subject. */
export function bulkOperations(
    kind: string,
    names: string[],
    may: (permission: string) => boolean,
): Action[] {
    const plural = pathOf(kind);
    return names
        .map((name) => ({ name, operation: operationOf(name, kind) }))
        .filter(
            ({ operation }) =>
                operation &&
                (operation.path.startsWith(`${plural}/{id}/actions/`) ||
                    operation.path === `${plural}/{id}/snapshots`),
        )
        .map(({ name, operation }) => ({
            name,
            label: operationText(name, operation!.title),
            danger: isDangerous(name),
            ready: may(operation!.permission),
            reason: may(operation!.permission) ? null : operation!.permission,
        }))
        .sort((a, b) => rank(a.name) - rank(b.name));
}

function single(name: string, target: Extract<Target, { id: string }>): { method: string; path: string } {
    const operation = operationOf(name, target.kind);
    const path = (
        operation?.path ?? `${pathOf(target.kind)}/{id}/actions/${name.slice(name.lastIndexOf('.') + 1)}`
    )
        .replace('{plural}', pathOf(target.kind).slice(1))
        .replace('{owner}', encodeURIComponent(target.owner ?? ''))
        .replace('{id}', encodeURIComponent(target.id));
    return { method: operation?.method ?? 'POST', path };
}

function queryOfDelete(method: string, params: Record<string, unknown>): RequestOptions['query'] {
    return method === 'DELETE' ? (params as RequestOptions['query']) : undefined;
}

/** What would happen; nothing does. */
export async function preview(
    name: string,
    target: Target,
    params: Record<string, unknown>,
    signal?: AbortSignal,
): Promise<Plan> {
    if ('selection' in target) {
        const body = { action: name, ...targetsOf(target.selection), params };
        return (await api.post<Plan>('/bulk', body, { query: { dry_run: true }, signal })).data;
    }
    const { method, path } = single(name, target);
    const query = { dry_run: true, ...queryOfDelete(method, params) };
    return (await api.call<Plan>(method, path, method === 'DELETE' ? undefined : params, { query, signal }))
        .data;
}

export async function run(
    name: string,
    target: Target,
    params: Record<string, unknown>,
    idempotencyKey: string,
): Promise<Task> {
    if ('selection' in target) {
        const body = { action: name, ...targetsOf(target.selection), params };
        return (await api.post<Task>('/bulk', body, { idempotencyKey })).data;
    }
    const { method, path } = single(name, target);
    return (
        await api.call<Task>(method, path, method === 'DELETE' ? undefined : params, {
            idempotencyKey,
            ifMatch: target.etag ?? undefined,
            query: queryOfDelete(method, params),
        })
    ).data;
}

/** Several changes of one machine as one task: all are checked before the first begins, one follows the other. */
export async function runSteps(
    vm: string,
    steps: { operation: string; target: Extract<Target, { id: string }>; params: Record<string, unknown> }[],
    idempotencyKey: string,
): Promise<Task> {
    const body = {
        steps: steps.map((step) => {
            const version = /-(\d+)"$/.exec(step.target.etag ?? '')?.[1];
            return {
                action: step.operation,
                target: step.target.id,
                ...(Object.keys(step.params).length ? { params: step.params } : {}),
                ...(version ? { if_version: Number(version) } : {}),
            };
        }),
    };
    return (await api.post<Task>(`/vms/${encodeURIComponent(vm)}/steps`, body, { idempotencyKey })).data;
}
