// SPDX-License-Identifier: Apache-2.0
// The way from an empty inventory to one that fills.
import { Link } from 'react-router';
import { useTranslation } from 'react-i18next';
import { useCan } from '../api/query';
import type { ListDeclaration } from '../list/types';

export function AddProvider() {
    const { t } = useTranslation();
    return (
        useCan('provider.manage') && (
            <Link className="pv-button pv-button--primary" to="/providers/new">
                {t('providers.add')}
            </Link>
        )
    );
}

/** A list of the whole inventory: it is empty because nothing is connected. */
export const ofEverything = (list: ListDeclaration): ListDeclaration => ({
    ...list,
    EmptyAction: AddProvider,
});
