// SPDX-License-Identifier: Apache-2.0
// One provider: its connection and the age of its data, what can be done through it and why not, a doctor, its objects.
import { lazy, Suspense, useState } from 'react';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { valueAt } from '../../api/model';
import { isApiError } from '../../api/problem';
import { useCan } from '../../api/query';
import type { Item } from '../../api/types';
import { dateTime, duration, number } from '../../i18n/format';
import { operationText, problemText, said } from '../../i18n/words';
import { useAddress } from '../../lib/address';
import { Mark } from '../../lib/cells';
import { SmallTable } from '../../lib/Feed';
import { Fields } from '../../lib/Fields';
import { ObjectPage, type Tab, type TabProps } from '../../lib/ObjectPage';
import { Failure, FailureLine, Notice, SkeletonLines } from '../../states/states';
import { AccountRights } from './AccountRights';
import { Findings, type Finding } from './Findings';

interface Reason {
    code?: string;
    title?: string;
    detail?: string;
    remedy?: string;
}

const EventsTab = lazy(() => import('../../lib/RelatedLists').then((m) => ({ default: m.EventsTab })));
const TasksTab = lazy(() => import('../../lib/RelatedLists').then((m) => ({ default: m.TasksTab })));
/** Only where something is to be mended. */
const Mend = lazy(() => import('./Mend'));

function Sync({ item }: { item: Item }) {
    const { t } = useTranslation();
    const sync = (item.sync ?? {}) as Record<string, unknown>;
    const rows: [string, string][] = [];
    if (sync.mode)
        rows.push([
            t('providers.sync_mode'),
            t(`providers.mode_${String(sync.mode)}`, { defaultValue: String(sync.mode) }),
        ]);
    if (sync.last_full_at) rows.push([t('providers.sync_last'), dateTime(String(sync.last_full_at))]);
    if (sync.last_full_ms) rows.push([t('providers.sync_took'), duration(Number(sync.last_full_ms) / 1000)]);
    if (typeof sync.objects === 'number') rows.push([t('providers.sync_objects'), number(sync.objects)]);
    if (typeof sync.requests_last_full === 'number')
        rows.push([t('providers.sync_requests'), number(sync.requests_last_full)]);
    return (
        <section className="pv-card">
            <h2 className="pv-card__title">{t('providers.sync')}</h2>
            <dl className="pv-fields">
                {rows.map(([label, value]) => (
                    <div key={label}>
                        <dt>{label}</dt>
                        <dd>{value}</dd>
                    </div>
                ))}
            </dl>
        </section>
    );
}

function Summary({ item, etag }: TabProps) {
    const { t } = useTranslation();
    const may = useCan('provider.manage');
    const mends = may && ['auth_failed', 'cert_changed'].includes(String(item.state));
    const reason = item.state_reason as Reason | null;
    return (
        <div className="pv-columns">
            <div className="pv-columns__main">
                {reason && (
                    <Notice variant="warning" title={problemText(reason.code ?? '', reason.title ?? '')}>
                        <p>{said(reason, 'detail')}</p>
                        {reason.remedy && <p>{said(reason, 'remedy')}</p>}
                    </Notice>
                )}
                {mends && (
                    <Suspense fallback={<SkeletonLines lines={4} />}>
                        <Mend item={item} etag={etag} />
                    </Suspense>
                )}
                <Fields
                    item={item}
                    title={t('providers.connection')}
                    paths={[
                        'endpoint',
                        'username',
                        'driver',
                        'family',
                        'tls.mode',
                        'tls.pins',
                        'maintenance.on',
                        'maintenance.reason',
                    ]}
                />
                <Sync item={item} />
            </div>
            <aside className="pv-columns__rail">
                <Fields
                    item={item}
                    title={t('providers.product')}
                    paths={[
                        'product.name',
                        'product.version',
                        'product.build',
                        'product.api_version',
                        'instance_uuid',
                    ]}
                />
            </aside>
        </div>
    );
}

function Capabilities({ item }: TabProps) {
    const { t } = useTranslation();
    const { data, error, refetch } = useQuery({
        queryKey: ['capabilities', item.id],
        queryFn: ({ signal }) =>
            api.get<{ items: { name: string; state: string; reason?: string | null; needs?: string[] }[] }>(
                `/providers/${item.id}/capabilities`,
                undefined,
                signal,
            ),
    });
    if (error) return <Failure error={error} onRetry={() => void refetch()} />;
    if (!data) return <SkeletonLines lines={10} />;
    return (
        <>
            <AccountRights driver={String(item.driver)} />
            <section className="pv-card">
                <SmallTable
                    stack
                    label={t('vm.tab.capabilities')}
                    heads={[
                        t('field.any.action'),
                        t('capability.name'),
                        t('capability.state'),
                        t('capability.reason'),
                    ]}
                >
                    {data.items.map((c) => (
                        <tr key={c.name}>
                            <td>{operationText(c.name, '')}</td>
                            <td data-label={t('capability.name')}>
                                <code className="pv-code pv-code--word pv-subtle">{c.name}</code>
                            </td>
                            <td>
                                <span className="pv-state">
                                    <Mark
                                        as={c.state === 'yes' ? 'on' : c.state === 'limited' ? 'warn' : 'off'}
                                    />
                                    {t(`capability.${c.state}`)}
                                </span>
                            </td>
                            <td className="pv-subtle">
                                {[said(c, 'reason'), ...(c.needs ?? [])].filter(Boolean).join(' · ')}
                            </td>
                        </tr>
                    ))}
                </SmallTable>
            </section>
        </>
    );
}

function Doctor({ item }: TabProps) {
    const { t } = useTranslation();
    const [findings, setFindings] = useState<Finding[] | null>(null);
    const [error, setError] = useState<unknown>(null);
    const [busy, setBusy] = useState(false);
    const look = async () => {
        setBusy(true);
        setError(null);
        try {
            setFindings((await api.get<{ findings: Finding[] }>(`/providers/${item.id}/doctor`)).findings);
        } catch (failure) {
            setError(failure);
        } finally {
            setBusy(false);
        }
    };
    const problem = isApiError(error) ? error : null;
    return (
        <section className="pv-card pv-pad">
            <p>{t('providers.doctor_intro', { name: String(valueAt(item, 'name') ?? '') })}</p>
            <button type="button" className="pv-button" disabled={busy} onClick={() => void look()}>
                {t('providers.test')}
            </button>
            {problem && <FailureLine error={problem} />}
            {findings && <Findings findings={findings} />}
        </section>
    );
}

const tabs: Tab[] = [
    { id: 'summary', title: 'vm.tab.summary', Component: Summary },
    { id: 'capabilities', title: 'vm.tab.capabilities', Component: Capabilities },
    { id: 'doctor', title: 'providers.doctor', Component: Doctor },
    { id: 'events', title: 'nav.events', Component: EventsTab },
    { id: 'tasks', title: 'nav.tasks', Component: TasksTab },
];

const RemoveDialog = lazy(() => import('./Remove'));

function RemoveButton({ id }: { id: string }) {
    const { t } = useTranslation();
    const may = useCan('provider.manage');
    const [params, change] = useAddress();
    return (
        <>
            <button
                type="button"
                className="pv-button"
                aria-disabled={!may}
                title={may ? undefined : 'provider.manage'}
                onClick={() => may && change((next) => next.set('remove', id))}
            >
                {t('providers.remove_ask')}
            </button>
            {params.get('remove') === id && may && (
                <Suspense fallback={null}>
                    <RemoveDialog />
                </Suspense>
            )}
        </>
    );
}

export const ProviderPage = () => (
    <ObjectPage
        kind="provider"
        section="nav.providers"
        tabs={tabs}
        extra={(item) => <RemoveButton id={item.id} />}
    />
);
