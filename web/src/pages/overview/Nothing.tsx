// SPDX-License-Identifier: Apache-2.0
// The overview before there is anything to see: what to do about it, which depends on who looks.
import { useState } from 'react';
import { Link } from 'react-router';
import { useTranslation } from 'react-i18next';
import '../../i18n/start';
import { queryClient, summaryQuery, useCan, useMe } from '../../api/query';
import { permissionText } from '../../i18n/words';
import { simulate } from '../../lib/simulate';
import { Empty, FailureLine } from '../../states/states';

export function Nothing() {
    const { t } = useTranslation();
    const me = useMe();
    const manages = useCan('provider.manage');
    const [busy, setBusy] = useState(false);
    const [error, setError] = useState<unknown>(null);
    const tryIt = async () => {
        setBusy(true);
        setError(null);
        try {
            await simulate();
            await queryClient.invalidateQueries({ queryKey: summaryQuery.queryKey });
        } catch (failure) {
            setError(failure);
        } finally {
            setBusy(false);
        }
    };
    if (manages)
        return (
            <Empty
                title={t('overview.empty.title')}
                body={
                    <>
                        <p>{t('overview.empty.body')}</p>
                        <p className="pv-subtle">{t('overview.empty.simulated')}</p>
                    </>
                }
                action={
                    <Link className="pv-button pv-button--primary" to="/providers/new">
                        {t('providers.add')}
                    </Link>
                }
                more={
                    <>
                        <button
                            type="button"
                            className="pv-button"
                            disabled={busy}
                            onClick={() => void tryIt()}
                        >
                            {t('setup.simulate')}
                        </button>
                        {error !== null && <FailureLine error={error} />}
                    </>
                }
            />
        );
    const rights = (me?.permissions ?? []).filter((p) => p.endsWith('.read'));
    return (
        <Empty
            title={t('overview.empty.none_title')}
            body={
                <>
                    <p>{t(rights.length ? 'overview.empty.none_body' : 'overview.empty.rights_body')}</p>
                    <p className="pv-subtle">
                        {t('overview.empty.ask', { right: permissionText('provider.manage') })}
                    </p>
                </>
            }
            action={
                <Link className="pv-button" to="/me">
                    {t('overview.empty.my_rights')}
                </Link>
            }
            more={
                <Link className="pv-button pv-button--link" to="?tour=1">
                    {t('overview.empty.tour')}
                </Link>
            }
        />
    );
}
