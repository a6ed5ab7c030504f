// SPDX-License-Identifier: Apache-2.0
// After a bulk task: what failed is tried again, what succeeded is taken back. Both go through the dialog that shows first what
// would happen.
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import '../i18n/machine';
import { listQuery } from '../api/query';
import type { Task } from '../api/types';
import { number } from '../i18n/format';
import { operationText } from '../i18n/words';
import { useAct } from './useAct';

const MOST = 1000;

export interface UndoGroup {
    operation: string;
    kind: string;
    params: Record<string, unknown>;
    ids: string[];
}

/** What would take the parts back, those that need the same together. */
export function undoGroups(children: Task[]): UndoGroup[] {
    const found = new Map<string, UndoGroup>();
    for (const { undo } of children) {
        const ref = undo?.ref;
        if (!undo?.operation || !ref?.id || !ref.kind) continue;
        const params = undo.params ?? {};
        const key = JSON.stringify([undo.operation, ref.kind, params]);
        const group = found.get(key) ?? { operation: undo.operation, kind: ref.kind, params, ids: [] };
        group.ids.push(ref.id);
        found.set(key, group);
    }
    return [...found.values()];
}

export default function BulkAgain({ task }: { task: Task }) {
    const { t } = useTranslation();
    const act = useAct();
    const path = `/tasks/${task.id}/children`;
    const failed = useQuery({
        ...listQuery<Task>(path, { filter: 'state:{failed,lost}', fields: 'subjects', limit: MOST }),
        enabled: (task.children?.failed ?? 0) > 0,
    });
    const done = useQuery({
        ...listQuery<Task>(path, { filter: 'state:succeeded changed:true', fields: 'undo', limit: MOST }),
        enabled: (task.children?.succeeded ?? 0) > 0,
    });
    const subjects = (failed.data?.items ?? [])
        .map((c) => c.subjects?.[0])
        .filter((s): s is { kind: string; id: string } => !!s);
    const groups = undoGroups(done.data?.items ?? []).slice(0, 4);
    // The steps of one machine are no list of equals.
    const kind = task.params?.steps ? undefined : subjects[0]?.kind;
    const params = (task.params?.params ?? undefined) as Record<string, unknown> | undefined;
    return (
        <>
            {kind && (
                <button
                    type="button"
                    className="pv-button pv-button--primary"
                    onClick={() =>
                        act(task.action ?? '', {
                            kind,
                            selection: { by: 'ids', ids: new Set(subjects.map((s) => s.id)) },
                            preset: params,
                        })
                    }
                >
                    {t('machine.tasks.retry', { count: subjects.length })}
                </button>
            )}
            {groups.map((g) => (
                <button
                    key={`${g.operation}${JSON.stringify(g.params)}`}
                    type="button"
                    className="pv-button"
                    onClick={() =>
                        act(g.operation, {
                            kind: g.kind,
                            selection: { by: 'ids', ids: new Set(g.ids) },
                            preset: g.params,
                        })
                    }
                >
                    {t('machine.undo', {
                        action: `${operationText(g.operation)} (${number(g.ids.length)})`,
                    })}
                </button>
            ))}
        </>
    );
}
