// SPDX-License-Identifier: Apache-2.0
// One alert: what it is about, how it went, what is to be done.
import { lazy, Suspense } from 'react';
import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from 'react-router';
import { useTranslation } from 'react-i18next';
import '../../i18n/estate';
import { listQuery, objectQuery } from '../../api/query';
import type { Item } from '../../api/types';
import { ActionButton } from '../../actions/ActionMenu';
import { ago, dateTime, number } from '../../i18n/format';
import { enumText, fieldLabel } from '../../i18n/words';
import { useAddress } from '../../lib/address';
import { RefLink } from '../../lib/cells';
import { useTitle } from '../../lib/hooks';
import { Failure, SkeletonLines } from '../../states/states';
import { useAlertAct, useAlertActions, type AlertAction } from './alertActions';
import { alertText, measureText, StateOf, Subject } from './alertText';

const AlertDialog = lazy(() => import('./AlertDialog'));

function When({ at, children }: { at: unknown; children?: React.ReactNode }) {
    if (!at) return null;
    return (
        <>
            <time dateTime={String(at)}>{dateTime(String(at))}</time>{' '}
            <span className="pv-subtle">{ago(String(at))}</span> {children}
        </>
    );
}

function Line({ label, children }: { label: string; children: React.ReactNode }) {
    return (
        <div>
            <dt>{label}</dt>
            <dd>{children}</dd>
        </div>
    );
}

/** What else was found about the same object. */
function Same({ alert }: { alert: Item }) {
    const { t } = useTranslation();
    const { data } = useQuery(
        listQuery('/alerts', {
            filter: `subject_id=${String(alert.subject_id)}`,
            sort: '-fired_at',
            limit: 11,
            view: 'full',
        }),
    );
    const others = (data?.items ?? []).filter((a) => a.id !== alert.id).slice(0, 10);
    if (!others.length) return null;
    return (
        <section className="pv-card">
            <h2 className="pv-card__title">{t('estate.alerts.same')}</h2>
            <ul className="pv-feed">
                {others.map((a) => (
                    <li key={a.id}>
                        <StateOf alert={a} />
                        <span className="pv-feed__text">
                            <Link className="pv-link" to={`/alerts/${a.id}`}>
                                {alertText(a)}
                            </Link>
                        </span>
                        <time className="pv-subtle" dateTime={String(a.fired_at)}>
                            {ago(String(a.fired_at))}
                        </time>
                    </li>
                ))}
            </ul>
        </section>
    );
}

export function AlertPage() {
    const { t } = useTranslation();
    const { id = '' } = useParams();
    const [params] = useAddress();
    const act = useAlertAct();
    const { data, error, refetch } = useQuery(objectQuery<Item>('alert', id, { view: 'full' }));
    const alert = data?.item;
    const ruleId = (alert?.rule as { id: string } | null)?.id;
    const rule = useQuery({
        ...objectQuery<Item>('alert_rule', ruleId ?? '', { view: 'full' }),
        enabled: !!ruleId,
    });
    const actions = useAlertActions(alert);
    useTitle(alert ? alertText(alert) : t('nav.alerts'));
    if (!alert)
        return error ? <Failure error={error} onRetry={() => void refetch()} /> : <SkeletonLines lines={8} />;
    const silent = alert.silenced_until as string | null;
    return (
        <article className="pv-page pv-object" aria-labelledby="page-title">
            <nav className="pv-crumbs" aria-label={t('object.where')}>
                <Link to="/alerts">{t('nav.alerts')}</Link>
            </nav>
            <header className="pv-object__head">
                <div className="pv-object__title">
                    <h1 className="pv-h1" id="page-title">
                        {alertText(alert)}
                    </h1>
                    <span className="pv-object__facts">
                        <StateOf alert={alert} />
                        <span className="pv-tag">
                            {enumText('alert', 'severity', String(alert.severity))}
                        </span>
                        {silent && new Date(silent).getTime() > Date.now() && (
                            <span className="pv-tag">
                                {t('estate.alerts.silent', { time: dateTime(silent) })}
                            </span>
                        )}
                    </span>
                </div>
                <div className="pv-object__actions" role="toolbar" aria-label={t('object.actions')}>
                    {actions.map((action) => (
                        <ActionButton
                            key={action.name}
                            action={action}
                            onPick={() =>
                                act(action.name as AlertAction, { by: 'ids', ids: new Set([alert.id]) })
                            }
                        />
                    ))}
                </div>
            </header>
            <section className="pv-card">
                <h2 className="pv-card__title">{t('estate.alerts.about')}</h2>
                <dl className="pv-fields">
                    <Line label={fieldLabel('alert', 'ref')}>
                        <Subject value={alert.ref} />
                    </Line>
                    <Line label={fieldLabel('alert', 'provider')}>
                        <RefLink value={alert.provider as { id: string; name?: string }} kind="provider" />
                    </Line>
                    <Line label={fieldLabel('alert', 'rule')}>
                        {ruleId && (
                            <Link className="pv-link" to={`/alerts/rules?edit=${ruleId}`}>
                                {alertText(alert).split(': ')[0]}
                            </Link>
                        )}
                    </Line>
                    {typeof alert.value === 'number' && (
                        <Line label={t('estate.alerts.value')}>
                            {measureText(alert) ?? number(alert.value)}
                        </Line>
                    )}
                    {!!rule.data?.item.notes && (
                        <Line label={t('estate.alerts.rule_notes')}>{String(rule.data.item.notes)}</Line>
                    )}
                </dl>
            </section>
            <section className="pv-card">
                <h2 className="pv-card__title">{t('estate.alerts.course')}</h2>
                <dl className="pv-fields">
                    <Line label={t('estate.alerts.fired')}>
                        <When at={alert.fired_at} />
                    </Line>
                    {!!alert.acknowledged_at && (
                        <Line label={t('estate.alerts.taken')}>
                            <When at={alert.acknowledged_at}>{String(alert.owner ?? '')}</When>
                        </Line>
                    )}
                    {!!alert.resolved_at && (
                        <Line label={t('estate.alerts.over')}>
                            <When at={alert.resolved_at}>
                                {alert.resolved_by
                                    ? t('estate.alerts.over_by', { name: String(alert.resolved_by) })
                                    : t('estate.alerts.over_itself')}
                            </When>
                        </Line>
                    )}
                    {!!alert.silenced_by && (
                        <Line label={t('estate.silences.by')}>
                            <RefLink
                                value={alert.silenced_by as { id: string; name?: string }}
                                kind="alert_silence"
                            />
                        </Line>
                    )}
                    {!!alert.note && <Line label={t('estate.alerts.note')}>{String(alert.note)}</Line>}
                </dl>
            </section>
            <Same alert={alert} />
            {params.get('act') && (
                <Suspense fallback={null}>
                    <AlertDialog />
                </Suspense>
            )}
        </article>
    );
}
