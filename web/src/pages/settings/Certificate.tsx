// SPDX-License-Identifier: Apache-2.0
// The certificate that the server itself shows.
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { ago, dateTime } from '../../i18n/format';
import { CopyButton, Failure, Notice, SkeletonLines } from '../../states/states';

interface Shown {
    tls: boolean;
    subject?: string;
    issuer?: string;
    names?: string[];
    not_before?: string;
    not_after?: string;
    sha256?: string;
    self_signed?: boolean;
}

const SOON_MS = 30 * 86400_000;

export function Certificate() {
    const { t } = useTranslation();
    const { data, error, refetch } = useQuery({
        queryKey: ['settings', 'certificate'],
        queryFn: ({ signal }) => api.get<Shown>('/settings/certificate', undefined, signal),
    });
    if (error) return <Failure error={error} onRetry={() => void refetch()} />;
    if (!data) return <SkeletonLines lines={6} />;
    if (!data.tls || !data.not_after) return <Notice variant="info" title={t('settings.no_tls')} />;
    const left = new Date(data.not_after).getTime() - Date.now();
    return (
        <section className="pv-card">
            <h2 className="pv-card__title">{t('settings.tab.certificate')}</h2>
            {left < SOON_MS && (
                <Notice variant="warning" title={t('settings.expires_soon', { ago: ago(data.not_after) })}>
                    {t('settings.replace')}
                </Notice>
            )}
            <dl className="pv-fields">
                <div>
                    <dt>{t('providers.certificate_subject')}</dt>
                    <dd>{data.subject}</dd>
                </div>
                <div>
                    <dt>{t('providers.certificate_issuer')}</dt>
                    <dd>{data.self_signed ? t('settings.self_signed') : data.issuer}</dd>
                </div>
                <div>
                    <dt>{t('settings.names')}</dt>
                    <dd>{data.names?.join(', ')}</dd>
                </div>
                <div>
                    <dt>{t('settings.valid_from')}</dt>
                    <dd>{data.not_before && dateTime(data.not_before)}</dd>
                </div>
                <div>
                    <dt>{t('settings.expires')}</dt>
                    <dd>
                        {dateTime(data.not_after)} <span className="pv-subtle">({ago(data.not_after)})</span>
                    </dd>
                </div>
                <div>
                    <dt>{t('providers.certificate_sha256')}</dt>
                    <dd>
                        <code className="pv-code pv-wrap">{data.sha256}</code>{' '}
                        <CopyButton text={data.sha256 ?? ''} />
                    </dd>
                </div>
            </dl>
            <p className="pv-subtle pv-pad">{t('settings.replace')}</p>
        </section>
    );
}
