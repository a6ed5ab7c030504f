// SPDX-License-Identifier: Apache-2.0
// The tree of snapshots with the current state in its place; old ones and deep chains are pointed at.
import { useMemo } from 'react';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { listQuery } from '../../api/query';
import type { Item } from '../../api/types';
import { ActionButton, MenuButton } from '../../actions/ActionMenu';
import { useAct } from '../../actions/useAct';
import { ago, bytes, dateTime } from '../../i18n/format';
import { enumText } from '../../i18n/words';
import { useActions, type TabProps } from '../../lib/ObjectPage';
import { Empty, Failure, Notice, SkeletonLines } from '../../states/states';
import { useOwnedActions } from './Hardware';

interface Shot extends Item {
    parent?: { id: string } | null;
    taken_at?: string | null;
    size_bytes?: number | null;
    memory?: boolean | null;
    quiesced?: boolean | null;
    current?: boolean | null;
    description?: string | null;
    snapshot_type?: string | null;
    power_state?: string | null;
}

const OLD_DAYS = 7;
const DEEP = 10;

/** The snapshots in the order of their tree, each with its depth. */
export function treeOf(shots: Shot[]): { shot: Shot; depth: number }[] {
    const children = new Map<string, Shot[]>();
    const known = new Set(shots.map((s) => s.id));
    for (const s of shots) {
        const parent = s.parent && known.has(s.parent.id) ? s.parent.id : '';
        children.set(parent, [...(children.get(parent) ?? []), s]);
    }
    const found: { shot: Shot; depth: number }[] = [];
    const walk = (parent: string, depth: number) => {
        for (const shot of (children.get(parent) ?? []).sort((a, b) =>
            (a.taken_at ?? '').localeCompare(b.taken_at ?? ''),
        )) {
            found.push({ shot, depth });
            walk(shot.id, depth + 1);
        }
    };
    walk('', 0);
    return found;
}

export default function Snapshots({ item }: TabProps) {
    const { t } = useTranslation();
    const act = useAct();
    const { data, error, refetch } = useQuery(
        listQuery<Shot>(`/vms/${item.id}/snapshots`, { limit: 1000, sort: 'taken_at' }),
    );
    const take = useActions(item).find((a) => a.name === 'vm.snapshot.create');
    const own = useOwnedActions(item, 'vm.snapshot.', () => false);
    const lines = useMemo(() => treeOf(data?.items ?? []), [data]);
    const takeButton = take && (
        <ActionButton
            primary={take.ready}
            action={take}
            onPick={() => act(take.name, { kind: 'vm', id: item.id, name: item.name })}
        />
    );
    if (error) return <Failure error={error} onRetry={() => void refetch()} />;
    if (!data) return <SkeletonLines lines={5} />;
    if (!lines.length)
        return (
            <Empty title={t('vm.no_snapshots.title')} body={t('vm.no_snapshots.body')} action={takeButton} />
        );
    const old = lines.filter(
        ({ shot }) => shot.taken_at && Date.now() - new Date(shot.taken_at).getTime() > OLD_DAYS * 86_400_000,
    ).length;
    const depth = Math.max(...lines.map((l) => l.depth)) + 1;
    return (
        <div className="pv-stack">
            <div className="pv-buttons">{takeButton}</div>
            {old > 0 && <Notice variant="warning" title={t('vm.old_snapshots', { count: old })} />}
            {depth > DEEP && <Notice variant="warning" title={t('vm.deep_snapshots', { count: depth })} />}
            <section className="pv-card">
                <div className="pv-scroll" role="region" aria-label={t('vm.tab.snapshots')} tabIndex={0}>
                    <table className="pv-table">
                        <thead>
                            <tr>
                                <th scope="col">{t('field.any.name')}</th>
                                <th scope="col">{t('field.any.taken_at')}</th>
                                <th scope="col">{t('field.any.size_bytes')}</th>
                                <th scope="col">{t('vm.holds')}</th>
                                <th scope="col">
                                    <span className="pv-sr">{t('object.actions')}</span>
                                </th>
                            </tr>
                        </thead>
                        <tbody>
                            {lines.map(({ shot, depth: level }) => (
                                <tr key={shot.id}>
                                    <td>
                                        <div className="pv-branch" style={{ paddingInlineStart: level * 20 }}>
                                            <span
                                                className="pv-branch__knot"
                                                data-current={shot.current || undefined}
                                                aria-hidden="true"
                                            />
                                            <div>
                                                <strong>{shot.name}</strong>
                                                {shot.current && (
                                                    <span className="pv-tag pv-tag--accent">
                                                        {t('vm.current')}
                                                    </span>
                                                )}
                                                {shot.description && (
                                                    <div className="pv-subtle">{shot.description}</div>
                                                )}
                                            </div>
                                        </div>
                                    </td>
                                    <td>
                                        {shot.taken_at && (
                                            <time dateTime={shot.taken_at} title={dateTime(shot.taken_at)}>
                                                {dateTime(shot.taken_at)}{' '}
                                                <span className="pv-subtle">{ago(shot.taken_at)}</span>
                                            </time>
                                        )}
                                    </td>
                                    <td>
                                        {typeof shot.size_bytes === 'number' ? bytes(shot.size_bytes) : '–'}
                                    </td>
                                    <td>
                                        {[
                                            shot.memory ? t('vm.with_memory') : t('vm.disks_only'),
                                            shot.quiesced && t('vm.quiesced'),
                                            shot.power_state &&
                                                enumText('vm', 'power_state', shot.power_state),
                                        ]
                                            .filter(Boolean)
                                            .join(' · ')}
                                    </td>
                                    <td className="pv-table__end">
                                        <MenuButton
                                            label={t('action.more')}
                                            actions={own}
                                            onPick={(a) =>
                                                act(a.name, {
                                                    kind: 'snapshot',
                                                    id: shot.id,
                                                    owner: item.id,
                                                    name: shot.name,
                                                })
                                            }
                                        />
                                    </td>
                                </tr>
                            ))}
                        </tbody>
                    </table>
                </div>
            </section>
        </div>
    );
}
