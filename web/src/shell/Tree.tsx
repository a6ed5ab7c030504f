// SPDX-License-Identifier: Apache-2.0
// The estate as a tree: provider, cluster, host, VM, or our own folders. Children are asked for when a node opens, page by page;
// counts and the worst health come with it. Only the lines in sight are in the document.
import { useMemo, useRef, useState, type KeyboardEvent } from 'react';
import { useQueries, useQuery } from '@tanstack/react-query';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useLocation } from 'react-router';
import { useTranslation } from 'react-i18next';
import '../i18n/organise';
import { api } from '../api/client';
import { useCan } from '../api/query';
import { ActionMenu, type MenuPlace } from '../actions/ActionMenu';
import { Failure, SkeletonLines } from '../states/states';
import { useAddress, useGo } from '../lib/address';
import { Mark } from '../lib/cells';
import { linkTo } from '../lib/links';
import { number } from '../i18n/format';
import { enumText, kindText } from '../i18n/words';

interface Node {
    kind: string;
    id: string;
    name: string | null;
    health?: string;
    power_state?: string;
    state?: string;
    expands: boolean;
    vms?: number;
    worst_health?: string;
}

interface Page {
    items: Node[];
    next: string | null;
}

interface Line extends Node {
    depth: number;
    waiting?: boolean;
    /** Not a node: more of them, of this parent, behind this cursor. */
    more?: { parent: string; cursor: string };
}

type View = 'hosts' | 'folders';

/** As many as fit into an address; beyond that what was opened first is closed. */
const MOST_OPEN = 50;

/** The top has no parent: ''. */
const treeQuery = (view: View, parent: string, cursor: string) => ({
    queryKey: ['list', '/tree', view, parent, cursor],
    queryFn: ({ signal }: { signal: AbortSignal }) =>
        api.get<Page>('/tree', { view, ...(parent && { parent }), ...(cursor && { cursor }) }, signal),
});

const HEALTH: Record<string, string> = { ok: 'on', warning: 'warn', critical: 'bad', unknown: 'none' };
const POWER: Record<string, string> = {
    running: 'on',
    on: 'on',
    off: 'off',
    paused: 'pause',
    suspended: 'sleep',
};

export default function Tree({ view }: { view: View }) {
    const { t } = useTranslation();
    const goTo = useGo();
    const location = useLocation();
    // Opening is looking around: it changes the address and is no step of the way back.
    const [params, change] = useAddress();
    const opened = params.get('tree') ?? '';
    const open = useMemo(() => opened.split(',').filter(Boolean), [opened]);
    const [active, setActive] = useState(0);
    const [menu, setMenu] = useState<MenuPlace | null>(null);
    const scroller = useRef<HTMLDivElement>(null);
    /** Cursors of the further pages that were asked for, by parent. */
    const [further, setFurther] = useState<Record<string, string[]>>({});
    const mayFolders = useCan('folder.manage');
    const askFolder = (what: string) => change((next) => next.set('folder', what));
    const root = useQuery(treeQuery(view, '', ''));
    const wanted = useMemo(
        () =>
            ['', ...open].flatMap((parent) =>
                ['', ...(further[parent] ?? [])].map((cursor) => ({ parent, cursor })),
            ),
        [open, further],
    );
    const pages = useQueries({ queries: wanted.map((w) => treeQuery(view, w.parent, w.cursor)) });
    const lines = useMemo(() => {
        const found: Line[] = [];
        const walk = (parent: string, depth: number) => {
            let last: Page | undefined;
            wanted.forEach((w, i) => {
                if (w.parent !== parent) return;
                last = pages[i]?.data;
                for (const node of last?.items ?? []) {
                    const inside = open.includes(node.id);
                    found.push({
                        ...node,
                        depth,
                        waiting: inside && !pages[wanted.findIndex((x) => x.parent === node.id)]?.data,
                    });
                    if (inside) walk(node.id, depth + 1);
                }
            });
            if (last?.next)
                found.push({
                    kind: 'more',
                    id: `more ${parent}`,
                    name: null,
                    expands: false,
                    depth,
                    more: { parent, cursor: last.next },
                });
        };
        walk('', 0);
        return found;
    }, [wanted, pages, open]);
    const virtual = useVirtualizer({
        count: lines.length,
        getScrollElement: () => scroller.current,
        estimateSize: () => 28,
        overscan: 10,
        initialRect: { width: 240, height: 600 },
    });

    if (root.error) return <Failure error={root.error} onRetry={() => void root.refetch()} />;
    if (!root.data) return <SkeletonLines lines={10} />;

    const toggle = (id: string) =>
        change((next) => {
            const now = (next.get('tree') ?? '').split(',').filter(Boolean);
            const then = now.includes(id) ? now.filter((x) => x !== id) : [...now, id].slice(-MOST_OPEN);
            if (then.length) next.set('tree', then.join(','));
            else next.delete('tree');
        }, 'replace');
    const go = (at: number) => {
        const next = Math.max(0, Math.min(lines.length - 1, at));
        setActive(next);
        virtual.scrollToIndex(next);
    };
    const visit = (line: Line) => {
        if (line.more) {
            const { parent, cursor } = line.more;
            setFurther((f) => ({ ...f, [parent]: [...(f[parent] ?? []), cursor] }));
            return;
        }
        const to = linkTo(line.id, line.kind);
        if (to) goTo(to);
    };
    const openMenu = (line: Line, x: number, y: number) =>
        !line.more && setMenu({ kind: line.kind, id: line.id, name: line.name, x, y });
    const onKey = (e: KeyboardEvent) => {
        const line = lines[active];
        if (e.key === 'ArrowDown') go(active + 1);
        else if (e.key === 'ArrowUp') go(active - 1);
        else if (e.key === 'Home') go(0);
        else if (e.key === 'End') go(lines.length - 1);
        else if (e.key === 'ArrowRight' && line) {
            if (line.expands && !open.includes(line.id)) toggle(line.id);
            else go(active + 1);
        } else if (e.key === 'ArrowLeft' && line) {
            if (open.includes(line.id)) toggle(line.id);
            else {
                for (let i = active - 1; i >= 0; i--)
                    if (lines[i]!.depth < line.depth) {
                        go(i);
                        break;
                    }
            }
        } else if (e.key === 'Enter' && line) visit(line);
        else if ((e.key === '.' || e.key === 'ContextMenu' || (e.key === 'F10' && e.shiftKey)) && line) {
            const box = scroller.current?.querySelector(`[data-line="${active}"]`)?.getBoundingClientRect();
            openMenu(line, (box?.left ?? 0) + 24, box?.bottom ?? 100);
        } else return;
        e.preventDefault();
    };
    const entry = (name: string, danger = false) => ({
        name,
        label: t(`organise.folders.${name}`),
        danger,
        ready: mayFolders,
        reason: mayFolders ? null : t('state.needs', { permission: 'folder.manage' }),
    });
    /** What can be done with our own folders is no operation of a hypervisor. */
    const ownOf = (id: string) => ({
        actions: [entry('new_inside'), entry('edit')],
        pick: ({ name }: { name: string }) => askFolder(name === 'edit' ? id : `new:${id}`),
    });
    const tree = (
        <div
            ref={scroller}
            className="pv-tree"
            role="tree"
            tabIndex={0}
            aria-label={t('shell.mode_tree')}
            aria-activedescendant={lines.length ? `tree-${active}` : undefined}
            onKeyDown={onKey}
        >
            <div className="pv-tree__space" style={{ height: virtual.getTotalSize() }} role="presentation">
                {virtual.getVirtualItems().map((v) => {
                    const line = lines[v.index]!;
                    const here = location.pathname.includes(line.id);
                    const mark =
                        line.power_state && line.kind === 'vm'
                            ? POWER[line.power_state]
                            : HEALTH[line.worst_health ?? line.health ?? 'unknown'];
                    const word =
                        line.power_state && line.kind === 'vm'
                            ? enumText('vm', 'power_state', line.power_state)
                            : enumText('any', 'health', line.worst_health ?? line.health ?? 'unknown');
                    const text = line.more ? t('shell.tree_more') : (line.name ?? line.id);
                    return (
                        <div
                            key={line.id}
                            id={`tree-${v.index}`}
                            data-line={v.index}
                            className={`pv-tree__line${v.index === active ? ' pv-tree__line--active' : ''}${here ? ' pv-tree__line--here' : ''}`}
                            role="treeitem"
                            aria-level={line.depth + 1}
                            aria-expanded={line.expands ? open.includes(line.id) : undefined}
                            aria-selected={here}
                            style={{
                                transform: `translateY(${v.start}px)`,
                                paddingInlineStart: 4 + line.depth * 14,
                            }}
                            title={line.more ? undefined : `${text} · ${kindText(line.kind)} · ${word}`}
                            onClick={() => {
                                setActive(v.index);
                                visit(line);
                            }}
                            onContextMenu={(e) => {
                                e.preventDefault();
                                setActive(v.index);
                                openMenu(line, e.clientX, e.clientY);
                            }}
                        >
                            <span
                                className={`pv-tree__twist${line.expands ? '' : ' pv-tree__twist--none'}`}
                                data-open={open.includes(line.id) || undefined}
                                aria-hidden="true"
                                onClick={(e) => {
                                    e.stopPropagation();
                                    if (line.expands) toggle(line.id);
                                }}
                            />
                            {!line.more && <Mark as={mark ?? 'none'} />}
                            <span className="pv-tree__name">{text}</span>
                            {!line.more && (
                                <span className="pv-sr">{`, ${kindText(line.kind)}, ${word}`}</span>
                            )}
                            {line.vms !== undefined && line.kind !== 'vm' && (
                                <span className="pv-tree__count">{number(line.vms)}</span>
                            )}
                        </div>
                    );
                })}
            </div>
            {menu && (
                <ActionMenu
                    place={menu}
                    own={menu.kind === 'folder' ? ownOf(menu.id) : undefined}
                    onClose={() => setMenu(null)}
                />
            )}
        </div>
    );
    if (view !== 'folders') return tree;
    return (
        <>
            <div className="pv-nav__tools">
                <button
                    type="button"
                    className="pv-button pv-button--small"
                    aria-disabled={!mayFolders}
                    title={mayFolders ? undefined : t('state.needs', { permission: 'folder.manage' })}
                    onClick={() => mayFolders && askFolder('new')}
                >
                    {t('organise.folders.new')}
                </button>
            </div>
            {tree}
        </>
    );
}
