// SPDX-License-Identifier: Apache-2.0
// The places that are managed: how their connections are and how old their data is.
import { lazy, Suspense } from 'react';
import { useCan } from '../../api/query';
import { column } from '../../grid/columns';
import { AddProvider } from '../../lib/AddProvider';
import { useAddress } from '../../lib/address';
import { ListPage } from '../../list/ListPage';
import type { ListDeclaration } from '../../list/types';

export const providerList: ListDeclaration = {
    kind: 'provider',
    name: 'providers',
    title: 'nav.providers',
    empty: 'providers.none',
    columns: [
        column('provider', 'name', { width: 230 }),
        column('provider', 'state', { width: 150 }),
        column('provider', 'family', { width: 110 }),
        column('provider', 'driver', { width: 200 }),
        column('provider', 'endpoint', { width: 260 }),
        column('provider', 'product.name', { width: 200 }),
        column('provider', 'product.version'),
        column('provider', 'simulated'),
        column('provider', 'updated_at'),
    ],
    shown: ['name', 'state', 'family', 'driver', 'endpoint', 'product.name', 'product.version'],
    narrow: ['name', 'state'],
    sort: 'name',
    facets: ['state', 'family'],
    Tools: AddProvider,
    EmptyAction: AddProvider,
};

const RemoveDialog = lazy(() => import('./Remove'));

export function Providers() {
    const may = useCan('provider.manage');
    const [params] = useAddress();
    return (
        <>
            <ListPage list={providerList} />
            {may && params.get('remove') && (
                <Suspense fallback={null}>
                    <RemoveDialog />
                </Suspense>
            )}
        </>
    );
}
