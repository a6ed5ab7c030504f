// SPDX-License-Identifier: Apache-2.0
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { ago, dateTime } from '../../i18n/format';
import { Failure, SkeletonLines } from '../../states/states';

const LICENCE = 'Apache-2.0';

export function About() {
    const { t } = useTranslation();
    const { data, error, refetch } = useQuery({
        queryKey: ['version'],
        queryFn: ({ signal }) =>
            api.get<{ version: string; api?: string; started_at?: string }>('/version', undefined, signal),
    });
    if (error) return <Failure error={error} onRetry={() => void refetch()} />;
    if (!data) return <SkeletonLines lines={4} />;
    return (
        <section className="pv-card">
            <h2 className="pv-card__title">{t('settings.about')}</h2>
            <p className="pv-pad">{t('settings.about_body')}</p>
            <dl className="pv-fields">
                <div>
                    <dt>{t('settings.version')}</dt>
                    <dd>{data.version}</dd>
                </div>
                <div>
                    <dt>{t('settings.api')}</dt>
                    <dd>{data.api}</dd>
                </div>
                {data.started_at && (
                    <div>
                        <dt>{t('settings.started')}</dt>
                        <dd>
                            {dateTime(data.started_at)}{' '}
                            <span className="pv-subtle">({ago(data.started_at)})</span>
                        </dd>
                    </div>
                )}
                <div>
                    <dt>{t('settings.licence')}</dt>
                    <dd>{LICENCE}</dd>
                </div>
            </dl>
        </section>
    );
}
