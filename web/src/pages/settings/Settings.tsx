// SPDX-License-Identifier: Apache-2.0
// What administrators set and look after: each tab has its address.
import { lazy, Suspense } from 'react';
import { NavLink, useParams } from 'react-router';
import { useTranslation } from 'react-i18next';
import '../../i18n/admin';
import { useTabInSight, useTitle } from '../../lib/hooks';
import { SkeletonLines } from '../../states/states';
import { About } from './About';
import { Backups } from './Backups';
import { Certificate } from './Certificate';
import { Drivers } from './Drivers';

const SettingsForm = lazy(() => import('./SettingsForm'));
const Webhooks = lazy(() => import('./Webhooks'));

const TABS = ['general', 'retention', 'certificate', 'webhooks', 'plugins', 'backup', 'about'] as const;

function Content({ tab }: { tab: string }) {
    switch (tab) {
        case 'general':
            return <SettingsForm key={tab} groups={['sign_in', 'security', 'sync', 'log']} />;
        case 'retention':
            return <SettingsForm key={tab} groups={['retention']} />;
        case 'certificate':
            return <Certificate />;
        case 'webhooks':
            return <Webhooks />;
        case 'plugins':
            return <Drivers />;
        case 'backup':
            return <Backups />;
        default:
            return <About />;
    }
}

export function Component() {
    const { t } = useTranslation();
    const { tab = 'general' } = useParams();
    useTitle(`${t('nav.settings')} · ${t(`settings.tab.${tab}`, { defaultValue: tab })}`);
    const tabs = useTabInSight(tab);
    return (
        <article className="pv-page pv-object" aria-labelledby="page-title">
            <h1 className="pv-h1" id="page-title">
                {t('nav.settings')}
            </h1>
            <nav ref={tabs} className="pv-tabs" aria-label={t('object.tabs')}>
                {TABS.map((name, i) => (
                    <NavLink
                        key={name}
                        end
                        className="pv-tabs__tab"
                        to={i === 0 ? '/settings' : `/settings/${name}`}
                    >
                        {t(`settings.tab.${name}`)}
                    </NavLink>
                ))}
            </nav>
            <div className="pv-object__body">
                <Suspense fallback={<SkeletonLines lines={8} />}>
                    <Content tab={tab} />
                </Suspense>
            </div>
        </article>
    );
}
