// SPDX-License-Identifier: Apache-2.0
// How evenly the hosts of a cluster are loaded, and moves that would even it out. Each opens the dialog of a move: people decide.
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import '../../i18n/cluster';
import '../../i18n/estate';
import { api } from '../../api/client';
import { actionsQuery } from '../../api/query';
import { ActionButton } from '../../actions/ActionMenu';
import { actionsOf } from '../../actions/registry';
import { useAct } from '../../actions/useAct';
import { dateTime, number } from '../../i18n/format';
import { said } from '../../i18n/words';
import { Bar, RefLink } from '../../lib/cells';
import type { TabProps } from '../../lib/ObjectPage';
import { Empty, Failure, Notice, SkeletonLines } from '../../states/states';

interface Ref {
    id: string;
    name: string | null;
}

interface Spread {
    mean_pct: number;
    deviation_pct: number;
    range_pct: number;
}

type Spreads = Record<'cpu' | 'memory', Spread>;

interface Load {
    host: Ref;
    takes_none: string | null;
    cpu_pct: number | null;
    memory_pct: number | null;
    cpu_after_pct: number | null;
    memory_after_pct: number | null;
    running: number;
}

export interface Move {
    vm: Ref;
    from: Ref;
    to: Ref;
    reason: string;
}

interface Plan {
    no_advice: string | null;
    by_itself: boolean;
    threshold_pct: number;
    balanced: boolean | null;
    usage_at: string | null;
    now: Spreads;
    after: Spreads;
    hosts: Load[];
    moves: Move[];
    left_out: { vm: Ref; host: Ref; why: string }[];
}

function Bars({ load, of, moved }: { load: Load; of: 'cpu' | 'memory'; moved: boolean }) {
    const { t } = useTranslation();
    const now = load[`${of}_pct`];
    const after = load[`${of}_after_pct`];
    if (now === null) return <>–</>;
    return (
        <>
            <Bar value={now} text={`${number(now, 0)} %`} />
            {moved && after !== null && Math.abs(after - now) >= 0.5 && (
                <Bar value={after} text={`${number(after, 0)} % ${t('cluster.balance.after')}`} />
            )}
        </>
    );
}

function Hosts({ plan }: { plan: Plan }) {
    const { t } = useTranslation();
    const moved = plan.moves.length > 0;
    const cpu = t('cluster.balance.cpu');
    const memory = t('cluster.balance.memory');
    return (
        <section className="pv-card">
            <h2 className="pv-card__title">{t('cluster.balance.hosts')}</h2>
            <table className="pv-table pv-table--stack">
                <thead>
                    <tr>
                        <th>{t('cluster.host_state')}</th>
                        <th>{cpu}</th>
                        <th>{memory}</th>
                    </tr>
                </thead>
                <tbody>
                    {plan.hosts.map((load) => (
                        <tr key={load.host.id}>
                            <th>
                                <RefLink value={load.host} />
                                <div className="pv-subtle">
                                    {load.takes_none
                                        ? t(`cluster.balance.takes.${load.takes_none}`)
                                        : t('cluster.balance.vms', {
                                              count: load.running,
                                              n: number(load.running),
                                          })}
                                </div>
                            </th>
                            <td data-label={cpu}>
                                <Bars load={load} of="cpu" moved={moved} />
                            </td>
                            <td data-label={memory}>
                                <Bars load={load} of="memory" moved={moved} />
                            </td>
                        </tr>
                    ))}
                </tbody>
            </table>
            {!plan.no_advice && (
                <p className="pv-subtle pv-card__foot">
                    {(['cpu', 'memory'] as const).map((of) => (
                        <span key={of}>
                            {t('cluster.balance.spread_of', {
                                what: of === 'cpu' ? cpu : memory,
                                now: number(plan.now[of].range_pct, 0),
                                after: number(plan.after[of].range_pct, 0),
                            })}
                            <br />
                        </span>
                    ))}
                </p>
            )}
        </section>
    );
}

/** What its own list of actions says about moving this machine: whether it may, and why not. */
function MoveButton({ move }: { move: Move }) {
    const { t } = useTranslation();
    const act = useAct();
    const { data } = useQuery(actionsQuery('vm', move.vm.id));
    const found = actionsOf(data?.items ?? []).find((a) => a.name === 'vm.move');
    if (!found) return null;
    const pick = () =>
        act('vm.move', {
            kind: 'vm',
            id: move.vm.id,
            name: move.vm.name,
            preset: { host: move.to.id },
        });
    return (
        <ActionButton
            small
            action={{
                ...found,
                label: t('cluster.balance.move_name', { name: move.vm.name, host: move.to.name }),
            }}
            onPick={pick}
        />
    );
}

function Moves({ plan }: { plan: Plan }) {
    const { t } = useTranslation();
    const n = number(plan.threshold_pct);
    return (
        <section className="pv-card">
            <h2 className="pv-card__title">{t('cluster.balance.moves')}</h2>
            {plan.moves.length ? (
                <>
                    <p className="pv-subtle">{t('cluster.balance.advice')}</p>
                    <table className="pv-table pv-table--stack">
                        <tbody>
                            {plan.moves.map((move) => (
                                <tr key={move.vm.id}>
                                    <th>
                                        <RefLink value={move.vm} />
                                    </th>
                                    <td>
                                        {t('cluster.balance.from_to', {
                                            from: move.from.name,
                                            to: move.to.name,
                                        })}
                                    </td>
                                    <td className="pv-table__prose">{said(move, 'reason')}</td>
                                    <td>
                                        <MoveButton move={move} />
                                    </td>
                                </tr>
                            ))}
                        </tbody>
                    </table>
                </>
            ) : (
                <Empty
                    title={t(`cluster.balance.${plan.balanced ? 'none' : 'stuck'}`)}
                    body={t(`cluster.balance.${plan.balanced ? 'none' : 'stuck'}_body`, { n })}
                />
            )}
        </section>
    );
}

function LeftOut({ plan }: { plan: Plan }) {
    const { t } = useTranslation();
    if (!plan.left_out.length) return null;
    return (
        <section className="pv-card">
            <h2 className="pv-card__title">{t('cluster.balance.left_out')}</h2>
            <table className="pv-table pv-table--stack">
                <tbody>
                    {plan.left_out.map((x) => (
                        <tr key={x.vm.id}>
                            <th>
                                <RefLink value={x.vm} />
                            </th>
                            <td>
                                <RefLink value={x.host} />
                            </td>
                            <td className="pv-table__prose">{t(`cluster.balance.why.${x.why}`)}</td>
                        </tr>
                    ))}
                </tbody>
            </table>
        </section>
    );
}

export default function Balance({ item }: TabProps) {
    const { t } = useTranslation();
    const { data, error, refetch } = useQuery({
        queryKey: ['balance', item.id],
        queryFn: ({ signal }) => api.get<Plan>(`/clusters/${item.id}/balance`, undefined, signal),
        refetchInterval: 60_000,
    });
    if (error) return <Failure error={error} onRetry={() => void refetch()} />;
    if (!data) return <SkeletonLines lines={8} />;
    return (
        <div className="pv-columns__main">
            {data.by_itself && (
                <Notice variant="info" title={t('cluster.balance.by_itself')}>
                    {t('cluster.balance.by_itself_body')}
                </Notice>
            )}
            {data.no_advice && (
                <Notice variant="warning" title={t('cluster.balance.no.title')}>
                    {t(`cluster.balance.no.${data.no_advice}`)}{' '}
                    {data.no_advice === 'usage_old' && data.usage_at && dateTime(data.usage_at)}
                </Notice>
            )}
            {data.hosts.length > 0 && <Hosts plan={data} />}
            {!data.no_advice && <Moves plan={data} />}
            {!data.no_advice && <LeftOut plan={data} />}
        </div>
    );
}
