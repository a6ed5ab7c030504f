// SPDX-License-Identifier: Apache-2.0
// The least rights that a driver's account needs, in the person's language; else in the driver's own words.
import { useTranslation } from 'react-i18next';

export function AccountRights({ driver, own = '' }: { driver: string; own?: string }) {
    const { t } = useTranslation();
    const text = t(`providers.account.${driver}`, { defaultValue: own });
    if (!text) return null;
    return (
        <section className="pv-card" data-account={driver}>
            <h2 className="pv-card__title">{t('providers.account.title')}</h2>
            <p className="pv-pad">{text}</p>
        </section>
    );
}
