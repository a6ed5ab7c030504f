// SPDX-License-Identifier: Apache-2.0
// Every list: title, count, filter, saved views, grid, bulk bar. What differs is in its declaration.
import {
    lazy,
    Suspense,
    useCallback,
    useEffect,
    useId,
    useMemo,
    useState,
    useSyncExternalStore,
} from 'react';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { fieldOf, operations } from '../api/model';
import { isApiError } from '../api/problem';
import type { Item } from '../api/types';
import { allColumns } from '../grid/columns';
import { Grid } from '../grid/Grid';
import { narrowLayout, type Layout } from '../grid/layout';
import { NOTHING, type Selection } from '../grid/selection';
import { GroupStore } from '../grid/groups';
import type { GroupHead, RowSource } from '../grid/rows';
import { ListStore } from '../grid/store';
import { FilterBox } from '../filter/FilterBox';
import { ActionMenu, type MenuPlace } from '../actions/ActionMenu';
import { bulkOperations } from '../actions/registry';
import { Empty, Failure, FailureLine, NoMatch, SkeletonLines } from '../states/states';
import { useAddress, useGo, type How } from '../lib/address';
import { useLook, useNarrow, useTitle } from '../lib/hooks';
import { number } from '../i18n/format';
import { fieldLabel, problemText, valueText } from '../i18n/words';
import { notify } from '../lib/notify';
import { linkTo } from '../lib/links';
import { BulkBar } from './BulkBar';
import { Facets } from './Facets';
import { ListTools } from './ListTools';
import { timeFilter, timesOf } from './range';
import { useListUrl } from './url';
import type { ListDeclaration } from './types';

const Away = lazy(() => import('./Away'));
const TimeTools = lazy(() => import('./TimeTools'));

/** Narrower than the phones that most people have: columns have to give way. */
const SMALL = 400;

const noMenu = () => undefined;

export function ListPage({ list }: { list: ListDeclaration }) {
    const { t } = useTranslation();
    useTitle(t(list.title));
    return (
        <section className="pv-page pv-page--list" aria-labelledby="page-title">
            <ListView list={list} heading />
        </section>
    );
}

/** The same inside a page, e.g. a host's VMs; `prefix` keeps its address apart. */
export function ListView({
    list,
    prefix = '',
    heading = false,
}: {
    list: ListDeclaration;
    prefix?: string;
    heading?: boolean;
}) {
    const { t } = useTranslation();
    const go = useGo();
    const look = useLook();
    const narrow = useNarrow();
    const small = useNarrow(SMALL);
    const url = useListUrl(list, prefix);
    const grouped = url.group !== null;
    const store = useMemo<RowSource>(() => (grouped ? new GroupStore() : new ListStore()), [grouped]);
    const state = useSyncExternalStore(store.watch, store.get);
    const [selection, setSelection] = useState<Selection>(NOTHING);
    const [menu, setMenu] = useState<{ place: MenuPlace; item: Item } | null>(null);
    const columns = useMemo(() => allColumns(list.kind, list.columns), [list]);
    const layout = useMemo(
        () =>
            narrow
                ? narrowLayout(
                      columns,
                      list.narrow,
                      (id) => fieldOf(list.kind, id)?.type === 'time',
                      small ? window.innerWidth : undefined,
                  )
                : { ...url.layout, grows: url.layout.columns.find((id) => id === list.grows) },
        [narrow, small, columns, list.kind, list.narrow, list.grows, url.layout],
    );
    const fields = useMemo(() => {
        const wanted = new Set(['name', 'version', 'presence', 'stale'].filter((f) => fieldOf(list.kind, f)));
        for (const id of layout.columns)
            for (const field of columns.find((c) => c.id === id)?.fields ?? [id]) wanted.add(field);
        return [...wanted].join(',');
    }, [layout.columns, columns, list.kind]);
    const [params] = useAddress();
    const within = timeFilter(list.time, timesOf(params, prefix));
    const fixed = [list.scope, within].filter(Boolean).join(' ');
    const filter = fixed ? [fixed, url.filter && `(${url.filter})`].filter(Boolean).join(' ') : url.filter;

    const shown = useMemo(
        () => layout.columns.map((id) => columns.find((c) => c.id === id)).filter((c) => c !== undefined),
        [layout.columns, columns],
    );
    const series = [...new Set(shown.map((c) => c.series).filter(Boolean))].join(',') || undefined;

    const { path, kind, params: more } = list;
    const facets = url.facets ? list.facets?.join(',') : undefined;
    const group = url.group ?? undefined;
    useEffect(() => {
        store.load({ path, kind, filter, sort: url.sort, fields, params: more, facets, series, group });
    }, [store, path, kind, more, filter, url.sort, fields, facets, series, group]);
    useEffect(() => () => store.stop(), [store]);
    // Whoever has everything read again (the key r, a dialog that made something) means this list, too.
    useQuery({
        queryKey: ['grid', useId()],
        queryFn: () => {
            store.reload();
            return Date.now();
        },
        initialData: 0,
        staleTime: Infinity,
        gcTime: 0,
    });
    useEffect(() => setSelection(NOTHING), [filter, group]);
    const groupLabel = useCallback(
        ({ key, name }: GroupHead) => {
            const field = group ? fieldOf(kind, group) : undefined;
            const called = name && list.valueName ? list.valueName(group ?? '', name) : name;
            const text = key ? valueText(kind, group ?? '', field?.type, key, called) : t('lists.no_value');
            return t('lists.group_head', { field: fieldLabel(kind, group ?? ''), value: text });
        },
        [t, kind, group, list],
    );
    const copy = useCallback(() => {
        import('./copyTable')
            .then((m) => m.copyTable({ list, columns: shown, filter, sort: url.sort, selection }))
            .then(
                ({ rows, cut }) =>
                    notify({
                        variant: 'success',
                        title: t('lists.copied', { count: rows, n: number(rows) }),
                        body: cut ? t('lists.cut', { count: rows, n: number(rows) }) : undefined,
                    }),
                (error: unknown) =>
                    notify({ variant: 'danger', title: t('lists.copy_failed'), body: String(error) }),
            );
    }, [list, shown, filter, url.sort, selection, t]);

    const open = useCallback(
        (item: Item) => {
            const to = list.linkOf ? list.linkOf(item) : linkTo(item.id, item.kind);
            if (to) go(to);
        },
        [go, list],
    );
    const openMenu = useCallback(
        (item: Item, at: { x: number; y: number }) =>
            setMenu({ place: { kind: item.kind, id: item.id, name: item.name, ...at }, item }),
        [],
    );
    const hasMenu = !!list.Menu || bulkOperations(list.kind, operations(), () => true).length > 0;
    const closeMenu = useCallback(() => setMenu(null), []);
    const { set } = url;
    const setLayout = useCallback((next: (now: Layout) => Layout) => set({ layout: next }, 'replace'), [set]);
    const setFilter = useCallback(
        (value: string, how?: How) => set({ filter: value, view: null }, how),
        [set],
    );

    const filterError = isApiError(state.error) && state.error.code === 'invalid-filter';
    const never = !state.query || (state.count === null && !state.error);
    const title = t(list.title);
    return (
        <>
            <header className="pv-listhead">
                {heading && (
                    <h1 className="pv-h1" id="page-title">
                        {title}
                        {state.count !== null && <span className="pv-count">{number(state.count)}</span>}
                    </h1>
                )}
                <FilterBox
                    kind={list.kind}
                    value={url.filter}
                    onChange={setFilter}
                    error={state.error}
                    label={t('filter.label', { what: title })}
                />
                <ListTools
                    list={list}
                    columns={columns}
                    url={url}
                    filter={filter}
                    onReload={store.reload}
                    onCopy={copy}
                    prefix={prefix}
                    heading={heading}
                    narrow={narrow}
                />
                {list.time && (
                    <div className="pv-listtimes">
                        <Suspense fallback={null}>
                            <TimeTools prefix={prefix} waiting={state.outOfOrder} onReload={store.reload} />
                        </Suspense>
                    </div>
                )}
            </header>
            {state.outOfOrder > 0 && !narrow && (
                <button type="button" className="pv-fresh" onClick={store.reload}>
                    {t('grid.refresh_order', { count: state.outOfOrder, n: number(state.outOfOrder) })}
                </button>
            )}
            {!!state.error && !filterError && state.count !== null && (
                <FailureLine error={state.error} onRetry={store.reload} />
            )}
            {heading && !!fieldOf(list.kind, 'stale') && (
                <Suspense fallback={null}>
                    <Away />
                </Suspense>
            )}
            <div className="pv-listbody" data-old={(filterError && state.count !== null) || undefined}>
                {url.facets && list.facets && (
                    <Facets list={list} facets={state.facets} filter={url.filter} onFilter={setFilter} />
                )}
                {never ? (
                    <SkeletonLines lines={14} />
                ) : state.count === null ? (
                    filterError ? (
                        <NoMatch
                            title={problemText('invalid-filter', '')}
                            filter={url.filter}
                            onClear={() => setFilter('')}
                        />
                    ) : (
                        <Failure error={state.error} onRetry={store.reload} />
                    )
                ) : state.count === 0 && !state.loading ? (
                    url.filter ? (
                        <NoMatch filter={url.filter} onClear={() => setFilter('')} />
                    ) : within ? (
                        <Empty title={t('estate.time.none')} />
                    ) : (
                        <Empty
                            title={t(`${list.empty}.title`)}
                            body={t(`${list.empty}.body`)}
                            action={list.EmptyAction && <list.EmptyAction />}
                        />
                    )
                ) : (
                    <Grid
                        store={store}
                        label={title}
                        columns={columns}
                        layout={layout}
                        onLayout={narrow ? undefined : setLayout}
                        sort={url.sort}
                        onSort={(next) => set({ sort: (now) => next(now) || list.sort })}
                        selection={selection}
                        onSelection={setSelection}
                        onOpen={open}
                        onMenu={hasMenu ? openMenu : noMenu}
                        onCopy={copy}
                        groupLabel={grouped ? groupLabel : undefined}
                        density={look.density}
                        plain={list.plain}
                    />
                )}
            </div>
            {state.count !== null &&
                !state.indexed &&
                !grouped &&
                state.count > state.reachable &&
                state.count > 50_000 && (
                    <p className="pv-note">
                        {t('grid.growing', { shown: number(state.reachable), count: number(state.count) })}
                    </p>
                )}
            {!list.plain && (
                <BulkBar
                    list={list}
                    selection={selection}
                    count={state.count ?? 0}
                    filter={filter}
                    onSelection={setSelection}
                />
            )}
            {menu &&
                (list.Menu ? (
                    <list.Menu {...menu} onClose={closeMenu} />
                ) : (
                    <ActionMenu place={menu.place} onClose={closeMenu} />
                ))}
        </>
    );
}
