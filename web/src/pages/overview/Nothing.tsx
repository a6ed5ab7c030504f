// SPDX-License-Identifier: Apache-2.0
// The overview before there is anything to see: what to do about it, which depends on who looks.
import { Link } from 'react-router';
import { useTranslation } from 'react-i18next';
import { useCan, useMe } from '../../api/query';
import { permissionText } from '../../i18n/words';
import { Empty } from '../../states/states';

export function Nothing() {
    const { t } = useTranslation();
    const me = useMe();
    const manages = useCan('provider.manage');
    if (manages)
        return (
            <Empty
                title={t('overview.empty.title')}
                body={t('overview.empty.body')}
                action={
                    <Link className="pv-button pv-button--primary" to="/providers/new">
                        {t('providers.add')}
                    </Link>
                }
                more={<span className="pv-subtle">{t('overview.empty.simulated')}</span>}
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
