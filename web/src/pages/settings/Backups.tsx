// SPDX-License-Identifier: Apache-2.0
// Copies of the database on the server, and what helps to find a fault.
import { useState } from 'react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { api, urlOf } from '../../api/client';
import { queryClient } from '../../api/query';
import { bytes, dateTime } from '../../i18n/format';
import { Failure, FailureLine, SkeletonLines } from '../../states/states';

interface Backup {
    name: string;
    size_bytes: number;
    created_at: string;
}

const KEY = ['settings', 'backups'];
const again = () => queryClient.invalidateQueries({ queryKey: KEY });

export function Backups() {
    const { t } = useTranslation();
    const [sure, setSure] = useState<string | null>(null);
    const { data, error, refetch } = useQuery({
        queryKey: KEY,
        queryFn: ({ signal }) => api.get<{ items: Backup[] }>('/backups', undefined, signal),
    });
    const make = useMutation({ mutationFn: () => api.post('/backups', undefined), onSettled: again });
    const drop = useMutation({
        mutationFn: (name: string) => api.del(`/backups/${name}`),
        onSettled: again,
    });
    const failed = make.error ?? drop.error;
    if (error) return <Failure error={error} onRetry={() => void refetch()} />;
    return (
        <div className="pv-sections">
            <section className="pv-card">
                <h2 className="pv-card__title">{t('settings.backups')}</h2>
                <div className="pv-card__inner">
                    <p>{t('settings.backups_body')}</p>
                    {failed && <FailureLine error={failed} />}
                    <button
                        type="button"
                        className="pv-button"
                        disabled={make.isPending}
                        onClick={() => make.mutate()}
                    >
                        {t('settings.backup_now')}
                    </button>
                    {!data ? (
                        <SkeletonLines lines={3} />
                    ) : data.items.length === 0 ? (
                        <p className="pv-subtle">{t('settings.no_backups')}</p>
                    ) : (
                        <div
                            className="pv-scroll"
                            role="region"
                            aria-label={t('settings.backups')}
                            tabIndex={0}
                        >
                            <table className="pv-table">
                                <thead>
                                    <tr>
                                        <th scope="col">{t('field.any.created_at')}</th>
                                        <th scope="col">{t('field.any.name')}</th>
                                        <th scope="col">{t('field.any.size_bytes')}</th>
                                        <th scope="col">{t('object.actions')}</th>
                                    </tr>
                                </thead>
                                <tbody>
                                    {data.items.map((b) => (
                                        <tr key={b.name}>
                                            <td>{dateTime(b.created_at)}</td>
                                            <td>
                                                <a href={urlOf(`/backups/${b.name}`)} download={b.name}>
                                                    {b.name}
                                                </a>
                                            </td>
                                            <td className="pv-num">{bytes(b.size_bytes)}</td>
                                            <td>
                                                <button
                                                    type="button"
                                                    className="pv-button pv-button--link"
                                                    disabled={drop.isPending}
                                                    onBlur={() => setSure(null)}
                                                    onClick={() => {
                                                        if (sure === b.name) drop.mutate(b.name);
                                                        setSure(sure === b.name ? null : b.name);
                                                    }}
                                                >
                                                    {sure === b.name
                                                        ? t('settings.delete_sure')
                                                        : t('action.delete')}
                                                </button>
                                            </td>
                                        </tr>
                                    ))}
                                </tbody>
                            </table>
                        </div>
                    )}
                </div>
            </section>
            <section className="pv-card">
                <h2 className="pv-card__title">{t('settings.diagnostics')}</h2>
                <div className="pv-card__inner">
                    <p>{t('settings.diagnostics_body')}</p>

                    <a
                        className="pv-button"
                        href={urlOf('/diagnostics')}
                        download="polyvisor-diagnostics.json"
                    >
                        {t('settings.diagnostics_get')}
                    </a>
                </div>
            </section>
        </div>
    );
}
