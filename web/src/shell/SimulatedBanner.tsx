// SPDX-License-Identifier: Apache-2.0
// Says what is made up, with the way to remove it.
import { useState } from 'react';
import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { useTranslation } from 'react-i18next';
import { listQuery, useCan } from '../api/query';
import { number } from '../i18n/format';

export function SimulatedBanner() {
    const { t } = useTranslation();
    const may = useCan('provider.read');
    const manage = useCan('provider.manage');
    const { data } = useQuery({
        ...listQuery('/providers', { filter: 'simulated:true', fields: 'name', limit: 1, count: 'exact' }),
        enabled: may,
    });
    const [hidden, setHidden] = useState(false);
    if (!data?.count || hidden) return null;
    return (
        <div className="pv-banner" role="note">
            <span>{t('simulated.banner', { count: data.count, n: number(data.count) })}</span>
            {manage && (
                <Link to="/providers?filter=simulated%3Atrue&remove=simulated">{t('simulated.remove')}</Link>
            )}
            <button
                type="button"
                className="pv-iconbutton"
                aria-label={t('action.hide')}
                onClick={() => setHidden(true)}
            >
                <svg viewBox="0 0 16 16" aria-hidden="true">
                    <path d="m4 4 8 8m0-8-8 8" />
                </svg>
            </button>
        </div>
    );
}
