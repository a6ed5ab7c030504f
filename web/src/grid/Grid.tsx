// SPDX-License-Identifier: Apache-2.0
// The one grid for all lists. Rows are absolutely placed plain elements; focus stays on the grid and the active cell is named by
// aria-activedescendant, so nothing is lost when rows come and go under it.
import {
    memo,
    useCallback,
    useEffect,
    useId,
    useLayoutEffect,
    useMemo,
    useRef,
    useState,
    useSyncExternalStore,
    type CSSProperties,
    type KeyboardEvent,
    type MouseEvent,
} from 'react';
import {
    columnOrderingFeature,
    columnPinningFeature,
    columnSizingFeature,
    columnVisibilityFeature,
    tableFeatures,
    useTable,
    type ColumnDef,
} from '@tanstack/react-table';
import { defaultRangeExtractor, useVirtualizer, type Range } from '@tanstack/react-virtual';
import { useTranslation } from 'react-i18next';
import type { Item } from '../api/types';
import { number } from '../i18n/format';
import type { Column } from './columns';
import { InGrid } from '../lib/cells';
import { add, isSelected, only, sizeOf, toggle, type Selection } from './selection';
import type { ListStore } from './store';

const features = tableFeatures({
    columnOrderingFeature,
    columnPinningFeature,
    columnSizingFeature,
    columnVisibilityFeature,
});

export interface Layout {
    /** Shown columns in their order. */
    columns: string[];
    widths: Record<string, number>;
    /** Pinned to the left. */
    pinned: string[];
}

export interface GridProps {
    store: ListStore;
    label: string;
    columns: Column[];
    layout: Layout;
    onLayout?: (layout: Layout) => void;
    sort: string;
    onSort?: (sort: string) => void;
    selection: Selection;
    onSelection: (selection: Selection) => void;
    onOpen?: (item: Item) => void;
    /** The row's menu, at a place of the window. */
    onMenu?: (item: Item, at: { x: number; y: number }) => void;
    density?: 'compact' | 'normal';
    /** Without a column of check boxes. */
    plain?: boolean;
    onActive?: (item: Item | undefined) => void;
}

const HEAD = 34;
const CHECK = 40;
const NO_DATA: Item[] = [];

export function sortOf(sort: string, path: string): 'ascending' | 'descending' | 'none' {
    for (const part of sort.split(',')) {
        if (part === path) return 'ascending';
        if (part === `-${path}`) return 'descending';
    }
    return 'none';
}

/** The next order after a click on a column: up, down, none; with `more` beside the others. */
export function nextSort(sort: string, path: string, more: boolean): string {
    const now = sortOf(sort, path);
    const next = now === 'none' ? path : now === 'ascending' ? `-${path}` : '';
    const others = more ? sort.split(',').filter((p) => p && p.replace(/^-/, '') !== path) : [];
    return [...others, next].filter(Boolean).slice(0, 4).join(',');
}

interface RowProps {
    item: Item | undefined;
    index: number;
    top: number;
    height: number;
    columns: Column[];
    pinned: Record<string, number>;
    selected: boolean;
    activeColumn: number | null;
    base: string;
    plain: boolean;
    version: number;
}

const Row = memo(function Row(p: RowProps) {
    const { item } = p;
    const first = p.plain ? 0 : 1;
    const classes = ['pv-row'];
    if (p.selected) classes.push('pv-row--selected');
    if (p.activeColumn !== null) classes.push('pv-row--active');
    if (item?.stale) classes.push('pv-row--stale');
    if (item?.presence === 'gone') classes.push('pv-row--gone');
    const style: CSSProperties = { height: p.height, transform: `translateY(${p.top}px)` };
    return (
        <div
            className={classes.join(' ')}
            role="row"
            aria-rowindex={p.index + 2}
            aria-selected={p.plain ? undefined : p.selected}
            data-index={p.index}
            style={style}
        >
            {!p.plain && (
                <div
                    className="pv-cell pv-cell--check"
                    role="gridcell"
                    aria-colindex={1}
                    id={`${p.base}-${p.index}-0`}
                    data-check=""
                >
                    <span className="pv-check" data-on={p.selected || undefined} aria-hidden="true" />
                </div>
            )}
            {p.columns.map((column, i) => {
                const left = p.pinned[column.id];
                const at = i + first;
                const classes = ['pv-cell'];
                if (column.align) classes.push('pv-cell--end');
                if (left !== undefined) classes.push('pv-cell--pinned');
                if (p.activeColumn === at) classes.push('pv-cell--active');
                return (
                    <div
                        key={column.id}
                        className={classes.join(' ')}
                        role={i === 0 ? 'rowheader' : 'gridcell'}
                        aria-colindex={at + 1}
                        id={`${p.base}-${p.index}-${at}`}
                        style={left === undefined ? undefined : { left }}
                    >
                        {item ? column.cell?.(item) : <span className="pv-ghost" />}
                    </div>
                );
            })}
        </div>
    );
});

export function Grid(props: GridProps) {
    const { store, columns, layout, selection, onSelection, plain = false } = props;
    const { t } = useTranslation();
    const base = useId();
    const state = useSyncExternalStore(store.watch, store.get);
    const scroller = useRef<HTMLDivElement>(null);
    const [active, setActive] = useState<{ row: number; column: number }>({ row: 0, column: plain ? 0 : 1 });
    const [focused, setFocused] = useState(false);
    const anchor = useRef(0);
    const height = props.density === 'compact' ? 28 : 36;

    const defs = useMemo<ColumnDef<typeof features, Item>[]>(
        () =>
            columns.map((c) => ({
                id: c.id,
                size: c.width ?? 140,
                minSize: 48,
                accessorFn: (item: Item) => item.id,
            })),
        [columns],
    );
    const tableState = useMemo(
        () => ({
            columnVisibility: Object.fromEntries(columns.map((c) => [c.id, layout.columns.includes(c.id)])),
            columnOrder: layout.columns,
            columnSizing: layout.widths,
            columnPinning: { start: layout.pinned.filter((id) => layout.columns.includes(id)), end: [] },
        }),
        [columns, layout],
    );
    const table = useTable({ features, columns: defs, data: NO_DATA, state: tableState });
    const byId = useMemo(() => new Map(columns.map((c) => [c.id, c])), [columns]);
    const leaves = table.getVisibleLeafColumns();
    const shape = leaves.map((c) => `${c.id}:${c.getSize()}:${c.getIsPinned()}`).join();
    const { shown, template, width, pinned } = useMemo(() => {
        const shown: Column[] = [];
        const pinned: Record<string, number> = {};
        let width = plain ? 0 : CHECK;
        const tracks = plain ? [] : [`${CHECK}px`];
        const ordered = [...leaves].sort((a, b) => Number(!!b.getIsPinned()) - Number(!!a.getIsPinned()));
        for (const leaf of ordered) {
            const found = byId.get(leaf.id);
            if (!found) continue;
            shown.push(found);
            if (leaf.getIsPinned()) pinned[leaf.id] = width;
            width += leaf.getSize();
            tracks.push(shown.length === 1 ? `minmax(${leaf.getSize()}px, 1fr)` : `${leaf.getSize()}px`);
        }
        return { shown, template: tracks.join(' '), width, pinned };
        // The leaves are new objects at every call; `shape` says when they differ.
        // eslint-disable-next-line react-hooks/exhaustive-deps
    }, [shape, byId, plain]);

    const count = state.reachable;
    const extract = useCallback(
        (range: Range) => {
            const rows = defaultRangeExtractor(range);
            if (
                active.row >= 0 &&
                active.row < count &&
                (active.row < rows[0]! || active.row > rows[rows.length - 1]!)
            )
                rows.push(active.row);
            return rows;
        },
        [active.row, count],
    );
    const virtual = useVirtualizer({
        count,
        getScrollElement: () => scroller.current,
        estimateSize: () => height,
        overscan: 5,
        paddingStart: HEAD,
        scrollPaddingStart: HEAD,
        rangeExtractor: extract,
        initialRect: { width: 1000, height: 700 },
    });
    useLayoutEffect(() => virtual.measure(), [virtual, height]);

    const items = virtual.getVirtualItems();
    const inView = virtual.range;
    const from = inView?.startIndex ?? 0;
    const to = inView?.endIndex ?? 0;
    useEffect(() => store.look(from, to), [store, from, to, state.query, count]);

    // Another list begins at its top; the same list, whatever happens in it, stays where it is.
    const key = state.query ? `${state.query.filter}|${state.query.sort}|${state.query.path}` : '';
    const shownKey = useRef(key);
    useEffect(() => {
        if (state.loading || shownKey.current === key) return;
        shownKey.current = key;
        scroller.current?.scrollTo({ top: 0 });
        setActive((a) => ({ ...a, row: 0 }));
    }, [key, state.loading]);

    const activeItem = store.row(active.row);
    const { onActive } = props;
    useEffect(() => onActive?.(activeItem), [activeItem, onActive]);

    const select = useCallback((next: Selection) => onSelection(next), [onSelection]);

    const go = (row: number, column = active.column, extend = false) => {
        const last = shown.length - (plain ? 1 : 0);
        const next = {
            row: Math.max(-1, Math.min(count - 1, row)),
            column: Math.max(0, Math.min(last, column)),
        };
        setActive(next);
        if (next.row >= 0) virtual.scrollToIndex(next.row, { align: 'auto' });
        if (extend && next.row >= 0) select(add(selection, store.range(anchor.current, next.row)));
        else if (!extend) anchor.current = Math.max(0, next.row);
        const cell = document.getElementById(`${base}-${Math.max(0, next.row)}-${next.column}`);
        const box = scroller.current;
        if (cell && box && !(shown[next.column - (plain ? 0 : 1)]?.id ?? '' in pinned)) {
            const stuck = Object.keys(pinned).length ? width - Math.max(...Object.values(pinned)) : 0;
            if (cell.offsetLeft < box.scrollLeft)
                box.scrollLeft = Math.max(0, cell.offsetLeft - Math.min(stuck, 260));
            else if (cell.offsetLeft + cell.offsetWidth > box.scrollLeft + box.clientWidth)
                box.scrollLeft = cell.offsetLeft + cell.offsetWidth - box.clientWidth;
        }
    };

    const columnAt = (index: number): Column | undefined => shown[index - (plain ? 0 : 1)];

    const sortBy = (column: Column, more: boolean) => {
        if (column.sort && props.onSort) props.onSort(nextSort(props.sort, column.path ?? column.id, more));
    };

    const menuFor = (row: number) => {
        const item = store.row(row);
        if (!item || !props.onMenu) return;
        const cell = document.getElementById(`${base}-${row}-${Math.max(active.column, plain ? 0 : 1)}`);
        const box = cell?.getBoundingClientRect();
        props.onMenu(item, { x: box ? box.left + 24 : 100, y: box ? box.bottom : 100 });
    };

    const resize = (id: string, by: number) => {
        const column = byId.get(id);
        const now = layout.widths[id] ?? column?.width ?? 140;
        props.onLayout?.({
            ...layout,
            widths: { ...layout.widths, [id]: Math.max(48, Math.min(900, now + by)) },
        });
    };

    const move = (id: string, by: number) => {
        const order = [...layout.columns];
        const at = order.indexOf(id);
        const to = at + by;
        if (at < 0 || to < 0 || to >= order.length) return;
        [order[at], order[to]] = [order[to]!, order[at]!];
        props.onLayout?.({ ...layout, columns: order });
        setActive((a) => ({ ...a, column: a.column + by }));
    };

    const onKey = (e: KeyboardEvent) => {
        if (e.target !== e.currentTarget) return;
        const page = Math.max(1, Math.floor(((scroller.current?.clientHeight ?? 400) - HEAD) / height) - 1);
        const item = store.row(active.row);
        const head = active.row < 0 ? columnAt(active.column) : undefined;
        switch (e.key) {
            case 'ArrowDown':
            case 'j':
                if (e.key === 'j' && (e.ctrlKey || e.metaKey || e.altKey)) return;
                go(active.row + 1, active.column, e.shiftKey);
                break;
            case 'ArrowUp':
            case 'k':
                if (e.key === 'k' && (e.ctrlKey || e.metaKey || e.altKey)) return;
                go(active.row - 1, active.column, e.shiftKey);
                break;
            case 'ArrowLeft':
            case 'ArrowRight': {
                const by = e.key === 'ArrowRight' ? 1 : -1;
                if (head && e.altKey) move(head.id, by);
                else if (head && e.shiftKey) resize(head.id, by * 16);
                else if (e.altKey) return;
                else go(active.row, active.column + by);
                break;
            }
            case 'Home':
                go(e.ctrlKey ? 0 : active.row, e.ctrlKey ? active.column : 0);
                break;
            case 'End':
                go(e.ctrlKey ? count - 1 : active.row, e.ctrlKey ? active.column : shown.length);
                break;
            case 'PageDown':
                go(active.row + page, active.column, e.shiftKey);
                break;
            case 'PageUp':
                go(Math.max(0, active.row - page), active.column, e.shiftKey);
                break;
            case ' ':
            case 'x':
                if (e.ctrlKey || e.metaKey || plain) return;
                if (active.row < 0) toggleAll();
                else if (item) select(toggle(selection, item.id));
                break;
            case 'a':
                if (!(e.ctrlKey || e.metaKey) || plain) return;
                toggleAll(true);
                break;
            case 'Enter':
                if (head) sortBy(head, e.shiftKey);
                else if (item) props.onOpen?.(item);
                break;
            case '.':
            case 'ContextMenu':
                menuFor(active.row);
                break;
            case 'F10':
                if (!e.shiftKey) return;
                menuFor(active.row);
                break;
            case 'Escape':
                if (!sizeOf(selection)) return;
                select({ by: 'ids', ids: new Set() });
                break;
            default:
                return;
        }
        e.preventDefault();
        e.stopPropagation();
    };

    const selected = sizeOf(selection);
    const allOn = count > 0 && sizeOf(selection) >= (state.count ?? count);
    const toggleAll = (on = !allOn) => {
        if (!on) select({ by: 'ids', ids: new Set() });
        else if (state.indexed && (state.count ?? 0) <= 200)
            select({ by: 'ids', ids: new Set(store.range(0, count - 1)) });
        else
            select({
                by: 'filter',
                filter: state.query?.filter ?? '',
                count: state.count ?? count,
                except: new Set(),
            });
    };

    const placeOf = (target: EventTarget): { row: number; element: HTMLElement } | null => {
        const element = (target as HTMLElement).closest<HTMLElement>('[data-index]');
        return element ? { row: Number(element.dataset.index), element } : null;
    };

    const onClick = (e: MouseEvent) => {
        const target = e.target as HTMLElement;
        const place = placeOf(target);
        if (!place) return;
        const id = store.id(place.row);
        const cell = target.closest<HTMLElement>('[aria-colindex]');
        setActive({
            row: place.row,
            column: cell ? Number(cell.getAttribute('aria-colindex')) - 1 : active.column,
        });
        if (target.closest('a, button')) return;
        scroller.current?.focus({ preventScroll: true });
        if (!id || plain) {
            anchor.current = place.row;
            return;
        }
        if (e.shiftKey) select(add(selection, store.range(anchor.current, place.row)));
        else if (target.closest('[data-check]') || e.ctrlKey || e.metaKey) select(toggle(selection, id));
        else select(only(id));
        if (!e.shiftKey) anchor.current = place.row;
    };

    // The full text of what is cut off, made when somebody points at it.
    const onOver = (e: MouseEvent) => {
        const cell = (e.target as HTMLElement).closest<HTMLElement>('.pv-row > [aria-colindex]');
        const place = cell && placeOf(cell);
        const item = place && store.row(place.row);
        if (!cell || !item) return;
        const text = columnAt(Number(cell.getAttribute('aria-colindex')) - 1)?.text?.(item);
        if (text && cell.title !== text) cell.title = text;
    };

    const onDouble = (e: MouseEvent) => {
        const place = placeOf(e.target);
        const item = place && store.row(place.row);
        if (item && !(e.target as HTMLElement).closest('[data-check], a, button')) props.onOpen?.(item);
    };

    const onContext = (e: MouseEvent) => {
        const place = placeOf(e.target);
        const item = place && store.row(place.row);
        if (!item || !props.onMenu || e.shiftKey) return;
        e.preventDefault();
        setActive((a) => ({ ...a, row: place.row }));
        props.onMenu(item, { x: e.clientX, y: e.clientY });
    };

    // Dragging a column's edge; the keyboard's way is Shift+Left and Shift+Right on its head.
    const dragEdge = (e: React.PointerEvent, id: string) => {
        e.preventDefault();
        e.stopPropagation();
        const start = e.clientX;
        const before = layout.widths[id] ?? byId.get(id)?.width ?? 140;
        const drag = (m: PointerEvent) =>
            props.onLayout?.({
                ...layout,
                widths: {
                    ...layout.widths,
                    [id]: Math.max(48, Math.min(900, Math.round(before + m.clientX - start))),
                },
            });
        const end = () => {
            removeEventListener('pointermove', drag);
            removeEventListener('pointerup', end);
        };
        addEventListener('pointermove', drag);
        addEventListener('pointerup', end);
    };

    // The same element while nothing of it changes: a step of scrolling does not render it again.
    const headRow = active.row < 0 ? active.column : null;
    const { sort, onLayout } = props;
    const head = useMemo(
        () => (
            <div className="pv-head" role="row" aria-rowindex={1}>
                {!plain && (
                    <div
                        className="pv-cell pv-cell--check"
                        role="columnheader"
                        aria-colindex={1}
                        id={`${base}--1-0`}
                        aria-label={t('grid.select_all')}
                        onClick={() => toggleAll()}
                    >
                        <span
                            className={`pv-check${active.row < 0 && active.column === 0 ? ' pv-check--active' : ''}`}
                            data-on={allOn || undefined}
                            data-some={(!allOn && selected > 0) || undefined}
                            aria-hidden="true"
                        />
                    </div>
                )}
                {shown.map((column, i) => {
                    const at = i + (plain ? 0 : 1);
                    const order = sortOf(sort, column.path ?? column.id);
                    const left = pinned[column.id];
                    const classes = ['pv-cell', 'pv-cell--head'];
                    if (column.align) classes.push('pv-cell--end');
                    if (column.sort) classes.push('pv-cell--sortable');
                    if (left !== undefined) classes.push('pv-cell--pinned');
                    if (active.row < 0 && active.column === at) classes.push('pv-cell--active');
                    return (
                        <div
                            key={column.id}
                            className={classes.join(' ')}
                            role="columnheader"
                            aria-colindex={at + 1}
                            aria-sort={column.sort ? order : undefined}
                            id={`${base}--1-${at}`}
                            style={left === undefined ? undefined : { left }}
                            onClick={(e) => sortBy(column, e.shiftKey)}
                            title={column.label?.()}
                        >
                            <span className="pv-cell__label">{column.label?.() ?? column.id}</span>
                            {order !== 'none' && (
                                <span className={`pv-arrow pv-arrow--${order}`} aria-hidden="true" />
                            )}
                            {props.onLayout && (
                                <span
                                    className="pv-edge"
                                    aria-hidden="true"
                                    onPointerDown={(e) => dragEdge(e, column.id)}
                                    onClick={(e) => e.stopPropagation()}
                                />
                            )}
                        </div>
                    );
                })}
            </div>
        ),
        // The handlers of this render are good as long as what they use is the same.
        // eslint-disable-next-line react-hooks/exhaustive-deps
        [
            shown,
            pinned,
            sort,
            headRow,
            allOn,
            selected,
            onLayout,
            layout,
            plain,
            state.query,
            state.indexed,
            count,
            t,
        ],
    );
    const style = { '--pv-cols': template, '--pv-width': `${width}px` } as CSSProperties;
    return (
        <>
            <div
                ref={scroller}
                className={`pv-grid${props.density === 'compact' ? ' pv-grid--compact' : ''}${focused ? ' pv-grid--focused' : ''}`}
                role="grid"
                tabIndex={0}
                aria-label={props.label}
                aria-rowcount={(state.count ?? count) + 1}
                aria-colcount={shown.length + (plain ? 0 : 1)}
                aria-multiselectable={plain ? undefined : true}
                aria-busy={state.loading}
                aria-activedescendant={
                    count || active.row < 0 ? `${base}-${active.row}-${active.column}` : undefined
                }
                style={style}
                onKeyDown={onKey}
                onClick={onClick}
                onDoubleClick={onDouble}
                onContextMenu={onContext}
                onMouseOver={onOver}
                onFocus={() => setFocused(true)}
                onBlur={() => setFocused(false)}
            >
                <div
                    className="pv-grid__space"
                    style={{ height: Math.max(virtual.getTotalSize(), HEAD) }}
                    role="presentation"
                >
                    {head}
                    <InGrid value>
                        {items.map((v) => {
                            const item = store.row(v.index);
                            const id = store.id(v.index);
                            return (
                                <Row
                                    key={v.key}
                                    item={item}
                                    index={v.index}
                                    top={v.start}
                                    height={height}
                                    columns={shown}
                                    pinned={pinned}
                                    selected={!plain && id !== undefined && isSelected(selection, id)}
                                    activeColumn={v.index === active.row ? active.column : null}
                                    base={base}
                                    plain={plain}
                                    version={item?.version ?? 0}
                                />
                            );
                        })}
                    </InGrid>
                </div>
            </div>
            <div className="pv-sr" role="status" aria-live="polite">
                {state.count === null
                    ? ''
                    : t('grid.announce', {
                          count: state.count,
                          shown: number(state.count),
                          selected: number(selected),
                      })}
            </div>
        </>
    );
}
