// SPDX-License-Identifier: Apache-2.0
// What lies in a datastore, read from its hypervisor when it is looked at. The folder stands in the address.
import { lazy, Suspense, useEffect, useMemo, useRef, useState, type DragEvent } from 'react';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import '../../i18n/estate';
import { api, urlOf } from '../../api/client';
import { queryClient } from '../../api/query';
import type { Item } from '../../api/types';
import { ActionButton, ActionMenu, type MenuPlace } from '../../actions/ActionMenu';
import type { Action } from '../../actions/registry';
import { useAct } from '../../actions/useAct';
import type { Column } from '../../grid/columns';
import { Grid } from '../../grid/Grid';
import type { RowSource } from '../../grid/rows';
import { EMPTY } from '../../grid/store';
import { NOTHING } from '../../grid/selection';
import { bytes, dateTime } from '../../i18n/format';
import { enumText, t as word } from '../../i18n/words';
import { useAddress } from '../../lib/address';
import { useLook, useNarrow } from '../../lib/hooks';
import { useActions, type TabProps } from '../../lib/ObjectPage';
import { uploads } from '../../lib/uploads';
import { live } from '../../live/live';
import { Empty, Failure, FailureLine, SkeletonLines, Unsupported } from '../../states/states';

const Uploads = lazy(() => import('./Uploads'));

interface File {
    name: string;
    path: string;
    type: string;
    size_bytes: number | null;
    modified_at: string | null;
}

const size = (item: Item) => (typeof item.size_bytes === 'number' ? bytes(item.size_bytes) : '');
const time = (item: Item) => (item.modified_at ? dateTime(String(item.modified_at)) : '');
const type = (item: Item) => enumText('file', 'file_type', String(item.type));

/** All rows are here: the order is the server's, folders first, or that of one column. */
function rowsOf(files: File[], sort: string): RowSource {
    const by = sort.replace(/^-/, '') as keyof File;
    const turn = sort.startsWith('-') ? -1 : 1;
    const sorted = [...files];
    if (sort)
        sorted.sort((a, b) => {
            const folders = Number(b.type === 'folder') - Number(a.type === 'folder');
            const [x, y] = [a[by] ?? '', b[by] ?? ''];
            return (
                folders ||
                turn *
                    (typeof x === 'number' && typeof y === 'number'
                        ? x - y
                        : String(x).localeCompare(String(y), undefined, { numeric: true }))
            );
        });
    const items = sorted.map((f) => ({ ...f, id: f.path, kind: 'file' }) as Item);
    const state = {
        ...EMPTY,
        loading: false,
        count: items.length,
        reachable: items.length,
        indexed: true,
    };
    const nothing = () => undefined;
    return {
        watch: () => nothing,
        get: () => state,
        load: nothing,
        reload: nothing,
        look: nothing,
        stop: nothing,
        id: (i) => items[i]?.id,
        row: (i) => items[i],
        range: (from, to) => items.slice(Math.min(from, to), Math.max(from, to) + 1).map((x) => x.id),
        series: nothing,
    };
}

function Crumbs({ path, root, go }: { path: string; root: string; go: (path: string) => void }) {
    const { t } = useTranslation();
    const parts = path ? path.split('/') : [];
    const crumb = (label: string, to: string) =>
        to === path ? (
            <span key={to} aria-current="page">
                {label}
            </span>
        ) : (
            <button key={to} type="button" className="pv-linkbutton" onClick={() => go(to)}>
                {label}
            </button>
        );
    return (
        <nav className="pv-crumbs pv-files__path" aria-label={t('files.path')}>
            {crumb(root, '')}
            {parts.map((part, i) => (
                <span key={i} className="pv-files__part">
                    <span aria-hidden="true">›</span>
                    {crumb(part, parts.slice(0, i + 1).join('/'))}
                </span>
            ))}
        </nav>
    );
}

/** The browser saves it, and goes on with what it has after a cut. It shows no reason for a refusal, so that is asked for first. */
async function download(address: string, file: Item): Promise<void> {
    const query = { path: String(file.path) };
    if (file.size_bytes !== 0)
        await api.blob(`${address}/content`, 'application/octet-stream', {
            query,
            headers: { Range: 'bytes=0-0' },
        });
    const link = document.createElement('a');
    link.href = urlOf(`${address}/content`, query);
    link.download = file.name ?? '';
    link.click();
}

const parentOf = (path: string) => path.slice(0, Math.max(0, path.lastIndexOf('/')));

export default function Files({ item }: TabProps) {
    const { t } = useTranslation();
    const act = useAct();
    const narrow = useNarrow();
    const { density } = useLook();
    const [params, change] = useAddress();
    const path = params.get('path') ?? '';
    const [sort, setSort] = useState('');
    const [menu, setMenu] = useState<MenuPlace | null>(null);
    const [refused, setRefused] = useState<unknown>(null);
    const [over, setOver] = useState(false);
    const chooser = useRef<HTMLInputElement>(null);
    const actions = useActions(item);
    const browse = actions.find((a) => a.name === 'datastore.files');
    const address = `/datastores/${item.id}/files`;
    const { data, error, refetch, isFetching } = useQuery({
        queryKey: ['files', item.id, path],
        queryFn: ({ signal }) => api.get<{ items: File[]; left_out: number }>(address, { path }, signal),
        enabled: browse?.ready === true,
        staleTime: 5_000,
    });
    // A task that ends may have made, moved or deleted what is shown.
    useEffect(
        () =>
            live.listen((events) => {
                if (
                    events.some(
                        (e) => e.type.startsWith('task.') && e.message?.includes(item.name ?? item.id),
                    )
                )
                    void queryClient.invalidateQueries({ queryKey: ['files', item.id] });
            }),
        [item.id, item.name],
    );
    const go = useMemo(
        () => (to: string) => change((next) => (to ? next.set('path', to) : next.delete('path'))),
        [change],
    );
    const rowOf = (file: string) => data?.items.find((f) => f.path === file) as Item | undefined;
    const store = useMemo(() => rowsOf(data?.items ?? [], sort), [data, sort]);
    const columns = useMemo<Column[]>(
        () => [
            {
                id: 'name',
                label: () => word('files.name'),
                width: 320,
                sort: true,
                text: (f) => String(f.name),
                cell: (f) =>
                    f.type === 'folder' ? (
                        <button
                            type="button"
                            tabIndex={-1}
                            className="pv-linkbutton"
                            onClick={() => go(String(f.path))}
                        >
                            {f.name}/
                        </button>
                    ) : (
                        f.name
                    ),
            },
            { id: 'type', label: () => word('files.type'), width: 150, sort: true, cell: type, text: type },
            {
                id: 'size_bytes',
                label: () => word('files.size'),
                width: 110,
                align: 'end',
                sort: true,
                cell: size,
                text: size,
            },
            {
                id: 'modified_at',
                label: () => word('files.modified'),
                width: 190,
                sort: true,
                cell: time,
                text: time,
            },
        ],
        [go],
    );
    const layout = useMemo(
        () => ({
            columns: narrow ? ['name', 'size_bytes'] : ['name', 'type', 'size_bytes', 'modified_at'],
            widths: narrow ? { name: 240 } : ({} as Record<string, number>),
            pinned: [],
        }),
        [narrow],
    );
    const target = (preset: Record<string, unknown>) => ({
        kind: 'datastore',
        id: item.id,
        name: item.name,
        preset,
    });
    const of = (names: string[]) => names.map((n) => actions.find((a) => a.name === n)).filter((a) => !!a);
    const save = (file: Item) => void download(address, file).then(() => setRefused(null), setRefused);
    const own = (file: string) => ({
        actions: of([
            ...(rowOf(file)?.type === 'folder' ? [] : ['datastore.file.download']),
            'datastore.file.move',
            'datastore.file.delete',
        ]),
        pick: (a: Action) => {
            if (a.name === 'datastore.file.download') save(rowOf(file)!);
            else
                act(
                    a.name,
                    target(a.name === 'datastore.file.move' ? { path: file, to: file } : { path: file }),
                );
        },
    });
    const upload = actions.find((a) => a.name === 'datastore.file.upload');
    const send = (files: FileList | null) => {
        for (const file of files ?? []) uploads.add(item.id, path ? `${path}/${file.name}` : file.name, file);
    };
    const drop = upload?.ready && {
        onDragOver: (e: DragEvent) => {
            if (!e.dataTransfer.types.includes('Files')) return;
            e.preventDefault();
            setOver(true);
        },
        onDragLeave: (e: DragEvent) => {
            if (!e.currentTarget.contains(e.relatedTarget as Node | null)) setOver(false);
        },
        onDrop: (e: DragEvent) => {
            e.preventDefault();
            setOver(false);
            send(e.dataTransfer.files);
        },
    };
    if (browse && !browse.ready)
        return <Unsupported title={t('files.cannot')} reason={browse.reason ?? ''} />;
    if (error && !data) return <Failure error={error} onRetry={() => void refetch()} />;
    if (!data) return <SkeletonLines lines={8} />;
    return (
        <div className={`pv-inlist pv-files${over ? ' pv-files--over' : ''}`} {...drop}>
            <div className="pv-files__head">
                <Crumbs path={path} root={item.name ?? item.id} go={go} />
                <span className="pv-files__tools" role="toolbar" aria-label={t('object.actions')}>
                    {path && (
                        <button type="button" className="pv-button" onClick={() => go(parentOf(path))}>
                            {t('files.up')}
                        </button>
                    )}
                    {upload && (
                        <>
                            <input
                                ref={chooser}
                                type="file"
                                multiple
                                hidden
                                tabIndex={-1}
                                onChange={(e) => {
                                    send(e.target.files);
                                    e.target.value = '';
                                }}
                            />
                            <ActionButton action={upload} onPick={() => chooser.current?.click()} />
                        </>
                    )}
                    {of(['datastore.folder.create']).map((a) => (
                        <ActionButton
                            key={a.name}
                            action={a}
                            onPick={() => act(a.name, target({ path: path ? `${path}/` : '' }))}
                        />
                    ))}
                    <button
                        type="button"
                        className="pv-button"
                        aria-busy={isFetching}
                        onClick={() => void refetch()}
                    >
                        {t('files.again')}
                    </button>
                </span>
            </div>
            {upload && (
                <Suspense>
                    <Uploads datastore={item.id} />
                </Suspense>
            )}
            {error && <Failure error={error} onRetry={() => void refetch()} />}
            {refused !== null && <FailureLine error={refused} onClose={() => setRefused(null)} />}
            {data.items.length ? (
                <Grid
                    key={path}
                    plain
                    store={store}
                    label={t('files.label', { name: path || item.name })}
                    columns={columns}
                    layout={layout}
                    sort={sort}
                    onSort={(next) => setSort((now) => next(now))}
                    selection={NOTHING}
                    onSelection={() => undefined}
                    onOpen={(f) => f.type === 'folder' && go(String(f.path))}
                    onMenu={(f, at) => setMenu({ kind: 'file', id: String(f.path), name: f.name, ...at })}
                    density={density}
                />
            ) : (
                <Empty title={t('files.none.title')} body={t('files.none.body')} />
            )}
            {menu && <ActionMenu place={menu} onClose={() => setMenu(null)} own={own(menu.id)} />}
        </div>
    );
}
