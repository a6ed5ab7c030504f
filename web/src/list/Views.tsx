// SPDX-License-Identifier: Apache-2.0
// Saved views: a name for a filter, an order and columns. The address stays the truth of what is shown, so opening a view never
// changes it.
import { lazy, Suspense, useEffect, useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { MenuButton } from '../actions/ActionMenu';
import { useMe } from '../api/query';
import { isBare, useDialog, type How } from '../lib/address';
import { look } from '../lib/look';
import { notify } from '../lib/notify';
import { readLayout, type ListUrl } from './url';
import type { ListDeclaration } from './types';
import { removeView, useViews } from './savedViews';

const SaveView = lazy(() => import('./SaveView'));

export function Views({
    list,
    url,
    prefix,
    opens,
}: {
    list: ListDeclaration;
    url: ListUrl;
    prefix: string;
    /** The list opens with one's default view when the address asks for nothing. */
    opens: boolean;
}) {
    const { t } = useTranslation();
    const me = useMe();
    const views = useViews(list.name);
    const [naming, showNaming] = useDialog(`${prefix}save-view`);
    const current = views.find((v) => v.id === url.view);
    const own = current && (!current.user || current.user.id === me?.user.id);
    const entry = (id: string, label: string, danger = false) => ({
        name: id,
        label,
        danger,
        ready: true,
        reason: null,
    });
    const open = (id: string, how?: How) => {
        const found = views.find((v) => v.id === id);
        if (!found) return;
        if (found.layout?.density) look.set({ density: found.layout.density });
        url.set(
            {
                filter: found.filter ?? '',
                sort: found.sort || list.sort,
                layout: found.layout?.cols ? readLayout(found.layout.cols) : undefined,
                group: found.layout?.group ?? null,
                view: found.id,
            },
            how,
        );
    };
    const asked = useRef(!opens || !isBare(location.search));
    useEffect(() => {
        const first = views.find((v) => v.default && (!v.user || v.user.id === me?.user.id));
        if (asked.current || !first) return;
        asked.current = true;
        open(first.id, 'replace');
    });
    return (
        <>
            <MenuButton
                surface="menu-views"
                label={current?.name ?? t('views.label')}
                actions={[
                    entry('all', t('views.all')),
                    ...views.map((v) =>
                        entry(
                            `view:${v.id}`,
                            v.shared || v.roles?.length ? t('views.shared_name', { name: v.name }) : v.name,
                        ),
                    ),
                    entry('save', t('views.save')),
                    ...(own ? [entry('delete', t('views.delete', { name: current.name }), true)] : []),
                ]}
                onPick={({ name }) => {
                    if (name === 'all') url.set({ filter: '', sort: list.sort, group: null, view: null });
                    else if (name === 'save') showNaming(true);
                    else if (name === 'delete' && current)
                        removeView(current.id).then(
                            () => url.set({ view: null }, 'replace'),
                            (error: unknown) =>
                                notify({
                                    variant: 'danger',
                                    title: t('views.delete_failed'),
                                    body: String(error),
                                }),
                        );
                    else open(name.replace(/^view:/, ''));
                }}
            />
            <Suspense fallback={null}>
                {naming && <SaveView list={list} url={url} onClose={() => showNaming(false)} />}
            </Suspense>
        </>
    );
}
