// SPDX-License-Identifier: Apache-2.0
// The estate as a tree: provider, cluster, host, VM. Children are asked for when a node opens; counts and the worst health come
// with it. Only the lines in sight are in the document.
import { useMemo, useRef, useState, type KeyboardEvent } from 'react';
import { useQueries, useQuery } from '@tanstack/react-query';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useLocation, useNavigate } from 'react-router';
import { useTranslation } from 'react-i18next';
import { api } from '../api/client';
import { ActionMenu, type MenuPlace } from '../actions/ActionMenu';
import { Failure, SkeletonLines } from '../states/states';
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

interface Line extends Node {
    depth: number;
    waiting?: boolean;
}

const treeQuery = (parent: string) => ({
    queryKey: ['list', '/tree', parent],
    queryFn: ({ signal }: { signal: AbortSignal }) =>
        api.get<{ items: Node[] }>('/tree', parent ? { parent } : {}, signal),
});

const HEALTH: Record<string, string> = { ok: 'on', warning: 'warn', critical: 'bad', unknown: 'none' };
const POWER: Record<string, string> = {
    running: 'on',
    on: 'on',
    off: 'off',
    paused: 'pause',
    suspended: 'sleep',
};

export default function Tree() {
    const { t } = useTranslation();
    const navigate = useNavigate();
    const location = useLocation();
    const [open, setOpen] = useState<string[]>([]);
    const [active, setActive] = useState(0);
    const [menu, setMenu] = useState<MenuPlace | null>(null);
    const scroller = useRef<HTMLDivElement>(null);
    const root = useQuery(treeQuery(''));
    const children = useQueries({ queries: open.map((id) => treeQuery(id)) });
    const loaded = useMemo(
        () => new Map(open.map((id, i) => [id, children[i]?.data?.items])),
        [open, children],
    );
    const lines = useMemo(() => {
        const found: Line[] = [];
        const walk = (nodes: Node[], depth: number) => {
            for (const node of nodes) {
                const inside = open.includes(node.id);
                const kids = loaded.get(node.id);
                found.push({ ...node, depth, waiting: inside && !kids });
                if (inside && kids) walk(kids, depth + 1);
            }
        };
        walk(root.data?.items ?? [], 0);
        return found;
    }, [root.data, open, loaded]);
    const virtual = useVirtualizer({
        count: lines.length,
        getScrollElement: () => scroller.current,
        estimateSize: () => 28,
        overscan: 10,
        initialRect: { width: 240, height: 600 },
    });

    if (root.error) return <Failure error={root.error} onRetry={() => void root.refetch()} />;
    if (!root.data) return <SkeletonLines lines={10} />;

    const toggle = (id: string) => setOpen((o) => (o.includes(id) ? o.filter((x) => x !== id) : [...o, id]));
    const go = (at: number) => {
        const next = Math.max(0, Math.min(lines.length - 1, at));
        setActive(next);
        virtual.scrollToIndex(next);
    };
    const visit = (line: Line) => {
        const to = linkTo(line.id, line.kind);
        if (to) void navigate(to);
    };
    const openMenu = (line: Line, x: number, y: number) =>
        setMenu({ kind: line.kind, id: line.id, name: line.name, x, y });
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
    return (
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
                            title={`${line.name ?? ''} · ${kindText(line.kind)} · ${word}`}
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
                            <Mark as={mark ?? 'none'} />
                            <span className="pv-tree__name">{line.name ?? line.id}</span>
                            <span className="pv-sr">{`, ${kindText(line.kind)}, ${word}`}</span>
                            {line.vms !== undefined && line.kind !== 'vm' && (
                                <span className="pv-tree__count">{number(line.vms)}</span>
                            )}
                        </div>
                    );
                })}
            </div>
            {menu && <ActionMenu place={menu} onClose={() => setMenu(null)} />}
        </div>
    );
}
