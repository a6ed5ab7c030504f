// SPDX-License-Identifier: Apache-2.0
import { Link } from 'react-router';
import { useTranslation } from 'react-i18next';
import { Empty } from '../states/states';
import { useTitle } from '../lib/hooks';

export function Component() {
    const { t } = useTranslation();
    useTitle(t('state.not_found'));
    return (
        <Empty
            title={t('state.not_found')}
            body={t('state.not_found_body')}
            action={<Link to="/">{t('nav.overview')}</Link>}
        />
    );
}
