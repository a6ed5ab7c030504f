// SPDX-License-Identifier: Apache-2.0
// The tree of snapshots with the current state in its place; old ones and deep chains are pointed at.
import { lazy, Suspense, useMemo } from 'react';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import '../../i18n/machine';
import { listQuery } from '../../api/query';
import { ActionButton } from '../../actions/ActionMenu';
import { useAct } from '../../actions/useAct';
import { ago, bytes, dateTime } from '../../i18n/format';
import { enumText } from '../../i18n/words';
import { useAddress } from '../../lib/address';
import { Mark } from '../../lib/cells';
import { useActions, type TabProps } from '../../lib/ObjectPage';
import { Empty, Failure, Notice, SkeletonLines } from '../../states/states';
import { OwnedMenu, useOwnedActions } from './Hardware';
import type { Shot } from './shot';

const ShotCompare = lazy(() => import('./ShotCompare'));

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

/** When the server deletes it. */
function Until({ shot }: { shot: Shot }) {
    const { t } = useTranslation();
    if (!shot.expires_at) return <span className="pv-subtle">{t('machine.shots.stays')}</span>;
    if (shot.expiry?.deleting) return <>{t('machine.shots.deleting')}</>;
    if (shot.expiry?.failures)
        return (
            <span className="pv-state pv-shotwarn">
                <Mark as="warn" />
                {t('machine.shots.failed', { time: ago(shot.expiry.next_at ?? shot.expires_at) })}
            </span>
        );
    return (
        <time dateTime={shot.expires_at} title={dateTime(shot.expires_at)}>
            {ago(shot.expires_at)}
        </time>
    );
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
    const [params, change] = useAddress();
    const picked = (params.get('compare') ?? '').split(',').filter(Boolean);
    const pick = (id: string) => {
        // Two at most: a third takes the place of the first.
        const list = picked.includes(id) ? picked.filter((x) => x !== id) : [...picked, id].slice(-2);
        change((next) => (list.length ? next.set('compare', list.join(',')) : next.delete('compare')));
    };
    const clone = useActions(item).find((a) => a.name === 'vm.clone');
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
            <Empty
                title={t('machine.vm.no_snapshots.title')}
                body={t('machine.vm.no_snapshots.body')}
                action={takeButton}
            />
        );
    const isOld = (shot: Shot) =>
        !!shot.taken_at && Date.now() - new Date(shot.taken_at).getTime() > OLD_DAYS * 86_400_000;
    const old = lines.filter(({ shot }) => isOld(shot)).length;
    const sizes = lines.map(({ shot }) => shot.size_bytes).filter((n) => typeof n === 'number');
    const two = picked
        .map((id) => lines.find(({ shot }) => shot.id === id)?.shot)
        .filter((x): x is Shot => !!x);
    const depth = Math.max(...lines.map((l) => l.depth)) + 1;
    return (
        <div className="pv-stack">
            <div className="pv-buttons">
                {takeButton}
                {sizes.length > 0 && (
                    <span className="pv-subtle pv-buttons__text">
                        {t('machine.shots.total', { size: bytes(sizes.reduce((a, b) => a + b, 0)) })}
                    </span>
                )}
                {lines.length > 1 && (
                    <span className="pv-subtle pv-buttons__text">{t('machine.shots.compare_pick')}</span>
                )}
            </div>
            {old > 0 && <Notice variant="warning" title={t('machine.vm.old_snapshots', { count: old })} />}
            {depth > DEEP && (
                <Notice variant="warning" title={t('machine.vm.deep_snapshots', { count: depth })} />
            )}
            {two.length === 2 && (
                <Suspense fallback={<SkeletonLines lines={4} />}>
                    <ShotCompare vm={item} a={two[0]!} b={two[1]!} />
                </Suspense>
            )}
            <section className="pv-card">
                <div className="pv-scroll" role="region" aria-label={t('vm.tab.snapshots')} tabIndex={0}>
                    <table className="pv-table pv-table--stack">
                        <thead>
                            <tr>
                                {lines.length > 1 && (
                                    <th scope="col">
                                        <span className="pv-sr">{t('machine.shots.compare')}</span>
                                    </th>
                                )}
                                <th scope="col">{t('field.any.name')}</th>
                                <th scope="col">{t('field.any.taken_at')}</th>
                                <th scope="col">{t('field.any.size_bytes')}</th>
                                <th scope="col">{t('machine.vm.holds')}</th>
                                <th scope="col">{t('machine.shots.until')}</th>
                                <th scope="col">
                                    <span className="pv-sr">{t('object.actions')}</span>
                                </th>
                            </tr>
                        </thead>
                        <tbody>
                            {lines.map(({ shot, depth: level }) => (
                                <tr key={shot.id}>
                                    {lines.length > 1 && (
                                        <td>
                                            <input
                                                type="checkbox"
                                                className="pv-pickbox"
                                                aria-label={t('machine.shots.pick', {
                                                    name: shot.name ?? '',
                                                })}
                                                checked={picked.includes(shot.id)}
                                                onChange={() => pick(shot.id)}
                                            />
                                        </td>
                                    )}
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
                                                        {t('machine.vm.current')}
                                                    </span>
                                                )}
                                                {shot.description && (
                                                    <div className="pv-subtle">{shot.description}</div>
                                                )}
                                            </div>
                                        </div>
                                    </td>
                                    <td data-label={t('field.any.taken_at')}>
                                        {shot.taken_at && (
                                            <time dateTime={shot.taken_at} title={dateTime(shot.taken_at)}>
                                                {dateTime(shot.taken_at)}{' '}
                                                <span className="pv-subtle">{ago(shot.taken_at)}</span>
                                            </time>
                                        )}
                                        {isOld(shot) && (
                                            <span className="pv-state pv-shotwarn">
                                                <Mark as="warn" />
                                                {t('machine.shots.age_old')}
                                            </span>
                                        )}
                                        {level + 1 > DEEP && (
                                            <span className="pv-state pv-shotwarn">
                                                <Mark as="warn" />
                                                {t('machine.shots.deep')}
                                            </span>
                                        )}
                                    </td>
                                    <td data-label={t('field.any.size_bytes')}>
                                        {typeof shot.size_bytes === 'number' ? bytes(shot.size_bytes) : '–'}
                                    </td>
                                    <td data-label={t('machine.vm.holds')}>
                                        {[
                                            shot.memory
                                                ? t('machine.vm.with_memory')
                                                : t('machine.vm.disks_only'),
                                            shot.quiesced && t('machine.vm.quiesced'),
                                            shot.power_state &&
                                                enumText('vm', 'power_state', shot.power_state),
                                        ]
                                            .filter(Boolean)
                                            .join(' · ')}
                                    </td>
                                    <td data-label={t('machine.shots.until')}>
                                        <Until shot={shot} />
                                    </td>
                                    <td className="pv-table__end">
                                        <OwnedMenu
                                            actions={own}
                                            target={{
                                                kind: 'snapshot',
                                                id: shot.id,
                                                owner: item.id,
                                                name: shot.name,
                                            }}
                                            more={
                                                clone && {
                                                    action: { ...clone, label: t('machine.shots.clone') },
                                                    run: () =>
                                                        act('vm.clone', {
                                                            kind: 'vm',
                                                            id: item.id,
                                                            name: item.name,
                                                            preset: { snapshot: shot.id },
                                                        }),
                                                }
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
