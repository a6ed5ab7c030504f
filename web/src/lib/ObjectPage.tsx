// SPDX-License-Identifier: Apache-2.0
// The page of one object: where it stands, how it is, what can be done, tabs with addresses of their own.
import { Suspense, type ComponentType, type ReactNode } from 'react';
import { useQuery } from '@tanstack/react-query';
import { Link, NavLink, useParams } from 'react-router';
import { useTranslation } from 'react-i18next';
import { isMissing } from '../api/problem';
import { actionsQuery, listQuery, objectQuery } from '../api/query';
import type { Item } from '../api/types';
import { actionsOf, type Action } from '../actions/registry';
import { ActionButton, MenuButton } from '../actions/ActionMenu';
import { useAct } from '../actions/useAct';
import { kindText, healthText } from '../i18n/words';
import { ago, dateTime, number } from '../i18n/format';
import { Empty, Failure, Notice, SkeletonLines, StaleLine } from '../states/states';
import { useTabInSight, useTitle, useNarrow } from './hooks';
import { Health, Power, ProviderBadge, State } from './cells';
import { placeOf } from './links';

export interface TabProps {
    item: Item;
    etag: string | null;
}

export interface Tab {
    id: string;
    /** Key of its name. */
    title: string;
    Component: ComponentType<TabProps>;
    count?: (item: Item) => number | null | undefined;
    /** The list whose length it is. */
    counted?: { path: string; scopeOf: (item: Item) => string | null };
}

function Counted({ item, counted }: { item: Item; counted: NonNullable<Tab['counted']> }) {
    const scope = counted.scopeOf(item);
    const { data } = useQuery({
        ...listQuery(counted.path, { filter: scope, limit: 1, count: 'exact', fields: 'id' }),
        enabled: scope !== null,
    });
    return data?.count ? <span className="pv-tabs__count">{number(data.count)}</span> : null;
}

const BUTTONS = 3;

export function ObjectPage(p: {
    kind: string;
    tabs: Tab[];
    /** Key of the section's name. */
    section: string;
    /** Actions that are elsewhere on the page. */
    without?: (name: string) => boolean;
    extra?: (item: Item) => ReactNode;
}) {
    const { t } = useTranslation();
    const { id = '', tab } = useParams();
    const { data, error, refetch } = useQuery({
        ...objectQuery<Item>(p.kind, id, { view: 'full' }),
        placeholderData: (old) => (old?.item.id === id ? old : undefined),
    });
    const item = data?.item;
    const tabs = useTabInSight(item ? (tab ?? '') : null);
    const place = placeOf(p.kind) ?? '/';
    useTitle(item?.name ?? kindText(p.kind));
    if (!item) {
        return isMissing(error) ? (
            <section className="pv-page">
                <Empty
                    title={t('problem.not-found')}
                    body={t('state.not_found_body')}
                    action={
                        <Link className="pv-button" to={place}>
                            {t(p.section)}
                        </Link>
                    }
                />
            </section>
        ) : error ? (
            <Failure error={error} onRetry={() => void refetch()} />
        ) : (
            <section className="pv-page">
                <SkeletonLines lines={12} />
            </section>
        );
    }
    const current = p.tabs.find((x) => x.id === tab) ?? p.tabs[0]!;
    const provider = item.provider as
        { id: string; name?: string; family?: string; simulated?: boolean } | null | undefined;
    const observed = item.observed_at as string | undefined;
    return (
        <article className="pv-page pv-object" aria-labelledby="page-title">
            <nav className="pv-crumbs" aria-label={t('object.where')}>
                <Link to={place}>{t(p.section)}</Link>
                {provider?.name && provider.id !== item.id && (
                    <>
                        <span aria-hidden="true">›</span>
                        <Link to={`/providers/${provider.id}`}>{provider.name}</Link>
                    </>
                )}
            </nav>
            <header className="pv-object__head">
                <div className="pv-object__title">
                    <h1 className="pv-h1" id="page-title">
                        {item.name ?? item.id}
                    </h1>
                    <span className="pv-object__facts">
                        {p.kind === 'vm' ? (
                            <Power item={item} />
                        ) : (
                            <State
                                kind={p.kind}
                                path={item.connection_state ? 'connection_state' : 'state'}
                                value={(item.connection_state ?? item.state) as string | null}
                            />
                        )}
                        {typeof item.health === 'string' && item.health !== 'ok' && (
                            <Health value={item.health} />
                        )}
                        {provider && <ProviderBadge value={provider} />}
                        {provider?.simulated && <span className="pv-tag">{t('object.simulated')}</span>}
                        {observed && (
                            <span className="pv-subtle" title={dateTime(observed)}>
                                {t('object.seen', { ago: ago(observed) })}
                            </span>
                        )}
                    </span>
                </div>
                <ActionBar item={item} etag={data.etag} without={p.without} extra={p.extra?.(item)} />
            </header>
            {item.stale === true && observed && (
                <StaleLine
                    since={observed}
                    reason={reasonText(item.stale_reason)}
                    link={<Link to={`/providers/${provider?.id ?? ''}`}>{provider?.name}</Link>}
                />
            )}
            {item.presence === 'missing' && <Notice variant="warning" title={t('object.missing')} />}
            {((item.health_reasons as unknown[]) ?? []).length > 0 && (
                <Notice variant="warning" title={t('object.health')}>
                    {(item.health_reasons as unknown[]).map(reasonText).join(' · ')}
                </Notice>
            )}
            <nav ref={tabs} className="pv-tabs" aria-label={t('object.tabs')}>
                {p.tabs.map((x) => {
                    const count = x.count?.(item);
                    return (
                        <NavLink
                            key={x.id}
                            data-tab={x.id}
                            to={`${place}/${id}${x === p.tabs[0] ? '' : `/${x.id}`}`}
                            end
                            className={x === current ? 'pv-tabs__tab active' : 'pv-tabs__tab'}
                            aria-current={x === current ? 'page' : undefined}
                        >
                            {t(x.title)}
                            {count ? <span className="pv-tabs__count">{number(count)}</span> : null}
                            {x.counted && <Counted item={item} counted={x.counted} />}
                        </NavLink>
                    );
                })}
            </nav>
            <div className="pv-object__body">
                <Suspense fallback={<SkeletonLines lines={8} />}>
                    <current.Component item={item} etag={data.etag} />
                </Suspense>
            </div>
        </article>
    );
}

export function reasonText(reason: unknown): string {
    if (!reason) return '';
    if (typeof reason === 'string') return healthText(reason);
    const r = reason as { detail?: string; text?: string; code?: string };
    return r.detail ?? r.text ?? r.code ?? JSON.stringify(reason);
}

/** What can be done to the object: the first few as buttons, all behind "More", refused ones with their reason. */
export function useActions(item: Item, without?: (name: string) => boolean): Action[] {
    const { data } = useQuery(actionsQuery(item.kind, item.id));
    return actionsOf(data?.items ?? []).filter((a) => !without?.(a.name));
}

function ActionBar(p: {
    item: Item;
    etag: string | null;
    without?: (name: string) => boolean;
    extra?: ReactNode;
}) {
    const { t } = useTranslation();
    const act = useAct();
    const actions = useActions(p.item, p.without);
    const pick = (action: Action) =>
        act(action.name, { kind: p.item.kind, id: p.item.id, name: p.item.name });
    // On a phone they stay in one line; the menu has them all.
    const buttons = useNarrow() ? (p.extra ? 1 : 2) : BUTTONS;
    const useful = actions.filter((a) => a.ready && !a.idle);
    // What destroys stands in the menu, where nobody gets by a slip.
    const first = (useful.length ? useful : actions).filter((a) => !a.danger).slice(0, buttons);
    return (
        <div className="pv-object__actions" role="toolbar" aria-label={t('object.actions')}>
            {first.map((action) => (
                <ActionButton key={action.name} action={action} onPick={pick} />
            ))}
            {p.extra}
            {actions.length > 0 && (
                <MenuButton surface="menu-more" label={t('action.more')} actions={actions} onPick={pick} />
            )}
        </div>
    );
}
