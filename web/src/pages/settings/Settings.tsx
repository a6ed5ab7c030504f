// SPDX-License-Identifier: Apache-2.0
// What this server is: version, drivers with their state, how it looks.
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { dateTime, number } from '../../i18n/format';
import { State } from '../../lib/cells';
import { useTitle } from '../../lib/hooks';
import { Failure, SkeletonLines } from '../../states/states';

interface Driver {
    name: string;
    version?: string;
    state: string;
    operations?: unknown[];
}

export function Component() {
    const { t } = useTranslation();
    useTitle(t('nav.settings'));
    const version = useQuery({
        queryKey: ['version'],
        queryFn: ({ signal }) =>
            api.get<{ version: string; api?: string; started_at?: string }>('/version', undefined, signal),
    });
    const drivers = useQuery({
        queryKey: ['drivers'],
        queryFn: ({ signal }) => api.get<{ items: Driver[] }>('/drivers', undefined, signal),
    });
    if (version.error) return <Failure error={version.error} onRetry={() => void version.refetch()} />;
    if (!version.data || !drivers.data) return <SkeletonLines lines={8} />;
    return (
        <article className="pv-page" aria-labelledby="page-title">
            <h1 className="pv-h1" id="page-title">
                {t('nav.settings')}
            </h1>
            <section className="pv-card">
                <h2 className="pv-card__title">{t('settings.about')}</h2>
                <dl className="pv-fields">
                    <div>
                        <dt>{t('settings.version')}</dt>
                        <dd>{version.data.version}</dd>
                    </div>
                    {version.data.started_at && (
                        <div>
                            <dt>{t('settings.started')}</dt>
                            <dd>{dateTime(version.data.started_at)}</dd>
                        </div>
                    )}
                </dl>
            </section>
            <section className="pv-card">
                <h2 className="pv-card__title">{t('settings.drivers')}</h2>
                <div className="pv-scroll" role="region" aria-label={t('settings.drivers')} tabIndex={0}>
                    <table className="pv-table">
                        <thead>
                            <tr>
                                <th scope="col">{t('field.any.name')}</th>
                                <th scope="col">{t('settings.version')}</th>
                                <th scope="col">{t('field.any.state')}</th>
                                <th scope="col">{t('settings.operations')}</th>
                            </tr>
                        </thead>
                        <tbody>
                            {drivers.data.items.map((d) => (
                                <tr key={d.name}>
                                    <td>
                                        <code className="pv-code">{d.name}</code>
                                    </td>
                                    <td>{d.version}</td>
                                    <td>
                                        <State kind="driver" path="state" value={d.state} />
                                    </td>
                                    <td className="pv-num">{number(d.operations?.length ?? 0)}</td>
                                </tr>
                            ))}
                        </tbody>
                    </table>
                </div>
            </section>
        </article>
    );
}
