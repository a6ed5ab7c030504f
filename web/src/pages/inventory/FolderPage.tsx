// SPDX-License-Identifier: Apache-2.0
// One of our own folders: where it is, what lies in it and below it, of every kind, across providers.
import { lazy, Suspense, useMemo } from 'react';
import { useQueries } from '@tanstack/react-query';
import { Link, NavLink, useParams } from 'react-router';
import { useTranslation } from 'react-i18next';
import '../../i18n/organise';
import { pathOf } from '../../api/model';
import { listQuery, useCan } from '../../api/query';
import { number } from '../../i18n/format';
import { permissionText } from '../../i18n/words';
import { useAddress } from '../../lib/address';
import { useFolders, wayTo } from '../../lib/folders';
import { useTabInSight, useTitle } from '../../lib/hooks';
import type { ListDeclaration } from '../../list/types';
import { Empty, SkeletonLines } from '../../states/states';
import { vmList } from '../vms/list';
import {
    clusterList,
    datacenterList,
    datastoreList,
    hostList,
    imageList,
    networkList,
    poolList,
    switchList,
} from './declarations';

const ListView = lazy(() => import('../../list/ListPage').then((m) => ({ default: m.ListView })));

/** What can lie in a folder; the first is shown unless another is asked for. */
const LISTS: [string, ListDeclaration][] = [
    ['vms', vmList],
    ['hosts', hostList],
    ['clusters', clusterList],
    ['datastores', datastoreList],
    ['networks', networkList],
    ['switches', switchList],
    ['datacenters', datacenterList],
    ['pools', poolList],
    ['disks', imageList],
];

function Inside({ id, list }: { id: string; list: ListDeclaration }) {
    const scoped = useMemo(
        () => ({ ...list, empty: 'organise.folders.none', scope: `folder:${id}` }),
        [id, list],
    );
    return (
        <div className="pv-inlist">
            <ListView list={scoped} prefix="f-" />
        </div>
    );
}

export function FolderPage() {
    const { t } = useTranslation();
    const { id = '', tab } = useParams();
    const [, change] = useAddress();
    const may = useCan('folder.manage');
    const all = useFolders();
    const folder = all?.get(id);
    const counts = useQueries({
        queries: LISTS.map(([, list]) =>
            listQuery(pathOf(list.kind), { filter: `folder:${id}`, limit: 1, count: 'exact', fields: 'id' }),
        ),
    });
    const tabs = useTabInSight(folder ? (tab ?? '') : null);
    useTitle(folder?.name ?? t('kind.folder_one'));
    if (!all)
        return (
            <section className="pv-page">
                <SkeletonLines lines={12} />
            </section>
        );
    if (!folder)
        return (
            <section className="pv-page">
                <Empty title={t('problem.not-found')} body={t('state.not_found_body')} />
            </section>
        );
    const at = Math.max(
        0,
        LISTS.findIndex(([name]) => name === tab),
    );
    const inside = [...all.values()].filter((f) => (f.parent as { id: string } | null)?.id === id);
    const ask = (what: string) => may && change((next) => next.set('folder', what));
    const reason = may ? undefined : t('state.needs', { permission: permissionText('folder.manage') });
    const tool = (name: string, what: string) => (
        <button
            type="button"
            className="pv-button"
            aria-disabled={!may}
            title={reason}
            onClick={() => ask(what)}
        >
            {t(`organise.folders.${name}`)}
        </button>
    );
    return (
        <article className="pv-page pv-object" aria-labelledby="page-title">
            <nav className="pv-crumbs" aria-label={t('object.where')}>
                <span>{t('shell.mode_folders')}</span>
                {wayTo(folder, all)
                    .slice(0, -1)
                    .map((f) => (
                        <span key={f.id}>
                            <span aria-hidden="true">› </span>
                            <Link to={`/folders/${f.id}`}>{f.name}</Link>
                        </span>
                    ))}
            </nav>
            <header className="pv-object__head">
                <div className="pv-object__title">
                    <h1 className="pv-h1" id="page-title">
                        {folder.name}
                    </h1>
                </div>
                <div className="pv-object__actions" role="toolbar" aria-label={t('object.actions')}>
                    {tool('new_inside', `new:${id}`)}
                    {tool('edit', id)}
                </div>
            </header>
            {inside.length > 0 && (
                <p className="pv-list">
                    <span className="pv-subtle">{t('organise.folders.inside')}</span>{' '}
                    {inside.map((f) => (
                        <Link key={f.id} className="pv-link" to={`/folders/${f.id}`}>
                            {f.name}
                        </Link>
                    ))}
                </p>
            )}
            <nav ref={tabs} className="pv-tabs" aria-label={t('object.tabs')}>
                {LISTS.map(([name, list], i) => {
                    const count = counts[i]!.data?.count ?? 0;
                    // What holds nothing is not offered, but the first and the one that is open are.
                    if (!count && i > 0 && i !== at) return null;
                    return (
                        <NavLink
                            key={name}
                            data-tab={name}
                            to={`/folders/${id}${i ? `/${name}` : ''}`}
                            end
                            className={i === at ? 'pv-tabs__tab active' : 'pv-tabs__tab'}
                            aria-current={i === at ? 'page' : undefined}
                        >
                            {t(list.title)}
                            {count > 0 && <span className="pv-tabs__count">{number(count)}</span>}
                        </NavLink>
                    );
                })}
            </nav>
            <div className="pv-object__body">
                <Suspense fallback={<SkeletonLines lines={8} />}>
                    <Inside key={at} id={id} list={LISTS[at]![1]} />
                </Suspense>
            </div>
        </article>
    );
}
