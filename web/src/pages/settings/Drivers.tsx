// SPDX-License-Identifier: Apache-2.0
// The drivers that are loaded or broken: file, version, interface, and what each can do.
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { number } from '../../i18n/format';
import { operationText, said } from '../../i18n/words';
import { State } from '../../lib/cells';
import { Failure, SkeletonLines } from '../../states/states';

interface Driver {
    name: string;
    version?: string;
    state: string;
    abi?: string;
    path?: string;
    error?: string | null;
    remedy?: string | null;
    operations?: string[];
}

export function Drivers() {
    const { t } = useTranslation();
    const { data, error, refetch } = useQuery({
        queryKey: ['drivers'],
        queryFn: ({ signal }) => api.get<{ items: Driver[] }>('/drivers', undefined, signal),
    });
    if (error) return <Failure error={error} onRetry={() => void refetch()} />;
    if (!data) return <SkeletonLines lines={8} />;
    return (
        <div className="pv-sections">
            {data.items.map((d) => (
                <section key={d.name} className="pv-card" aria-label={d.name}>
                    <h2 className="pv-card__title">
                        {t(`providers.driver.${d.name}`, { defaultValue: d.name })}
                    </h2>
                    {d.error && (
                        <p className="pv-pad">
                            {said(d, 'error')} {said(d, 'remedy')}
                        </p>
                    )}
                    <dl className="pv-fields">
                        <div>
                            <dt>{t('field.any.name')}</dt>
                            <dd>
                                <code className="pv-code">{d.name}</code>
                            </dd>
                        </div>
                        <div>
                            <dt>{t('field.any.state')}</dt>
                            <dd>
                                <State kind="driver" path="state" value={d.state} />
                            </dd>
                        </div>
                        <div>
                            <dt>{t('settings.version')}</dt>
                            <dd>{d.version}</dd>
                        </div>
                        <div>
                            <dt>{t('settings.abi')}</dt>
                            <dd>{d.abi}</dd>
                        </div>
                        <div>
                            <dt>{t('settings.path')}</dt>
                            <dd>
                                <code className="pv-code pv-wrap">{d.path}</code>
                            </dd>
                        </div>
                    </dl>
                    <details className="pv-pad">
                        <summary>
                            {t('settings.operations')} ({number(d.operations?.length ?? 0)})
                        </summary>
                        <ul className="pv-textcolumns">
                            {d.operations?.map((name) => (
                                <li key={name}>
                                    {operationText(name)} <code className="pv-code pv-subtle">{name}</code>
                                </li>
                            ))}
                        </ul>
                    </details>
                </section>
            ))}
        </div>
    );
}
