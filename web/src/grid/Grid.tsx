// SPDX-License-Identifier: Apache-2.0
// The one grid for all lists. Rows are absolutely placed plain elements; focus stays on the grid and the active cell is named by
// aria-activedescendant, so nothing is lost when rows come and go under it. With groups it is a tree of two levels.
import {
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
    type PointerEvent as ReactPointerEvent,
} from 'react';
import { useTranslation } from 'react-i18next';
import type { Item } from '../api/types';
import { number } from '../i18n/format';
import { InGrid } from '../lib/cells';
import type { Column } from './columns';
import { Head, type HeadDoes } from './Head';
import { shapeOf, widthOf, withMoved, withWidth, type Layout } from './layout';
import { cellId, GroupRow, Row } from './Row';
import type { GroupHead, RowSource } from './rows';
import { add, isSelected, NOTHING, only, sizeOf, toggle, type Selection } from './selection';
import { nextSort } from './sort';
import { useRows } from './window';

export interface GridProps {
    store: RowSource;
    label: string;
    columns: Column[];
    layout: Layout;
    onLayout?: (next: (now: Layout) => Layout) => void;
    sort: string;
    /** The next order, from what it is by then: the one that is shown may be older. */
    onSort?: (next: (now: string) => string) => void;
    selection: Selection;
    onSelection: (selection: Selection) => void;
    onOpen?: (item: Item) => void;
    /** The row's menu, at a place of the window. */
    onMenu?: (item: Item, at: { x: number; y: number }) => void;
    /** Ctrl+C. */
    onCopy?: () => void;
    /** Words for the head of a group; rows are not grouped without. */
    groupLabel?: (group: GroupHead) => string;
    density?: 'compact' | 'normal';
    /** Without a column of check boxes. */
    plain?: boolean;
    onActive?: (item: Item | undefined) => void;
}

const HEAD = 34;
/** So many are chosen by their ids; more are sent as the filter. */
const BY_IDS = 200;

export function Grid(props: GridProps) {
    const {
        store,
        columns,
        layout,
        selection,
        onSelection: select,
        onLayout,
        groupLabel,
        plain = false,
    } = props;
    const { t, i18n } = useTranslation();
    const base = useId();
    const state = useSyncExternalStore(store.watch, store.get);
    const scroller = useRef<HTMLDivElement>(null);
    const offset = plain ? 0 : 1;
    const [active, setActive] = useState<{ row: number; column: number }>({ row: 0, column: offset });
    const [focused, setFocused] = useState(false);
    const anchor = useRef(0);
    const height = props.density === 'compact' ? 28 : 36;
    // Names and words of columns are longer in one language than in another.
    const { language } = i18n;
    // eslint-disable-next-line react-hooks/exhaustive-deps
    const shape = useMemo(() => shapeOf(columns, layout, plain), [columns, layout, plain, language]);
    const { shown, pinned } = shape;
    const span = shown.length + offset;

    const count = state.reachable;
    const { rows, slots, shifted, scrollTo } = useRows(scroller, { count, height, head: HEAD });
    const { first, length } = rows;
    useEffect(
        () => store.look(first, Math.max(first, first + length - 1)),
        [store, first, length, state.query, count],
    );

    // Another list begins at its top; the same list, whatever happens in it, stays where it is.
    const { query } = state;
    const key = query ? `${query.filter}|${query.sort}|${query.path}|${query.group}` : '';
    const shownKey = useRef(key);
    useEffect(() => {
        if (state.loading || shownKey.current === key) return;
        shownKey.current = key;
        scroller.current?.scrollTo({ top: 0 });
        // Who orders from a column's head stays there and may turn the order round.
        setActive((a) => (a.row < 0 ? a : { ...a, row: 0 }));
    }, [key, state.loading]);

    const activeItem = store.row(active.row);
    const { onActive } = props;
    useEffect(() => onActive?.(activeItem), [activeItem, onActive]);

    const cellAt = (row: number, column: number): HTMLElement | null =>
        scroller.current?.querySelector<HTMLElement>(
            `[aria-rowindex="${row + 2}"] > [aria-colindex="${column + 1}"]`,
        ) ?? null;
    const columnAt = (index: number): Column | undefined => shown[index - offset];

    /** Not behind the pinned columns, and not beyond the right edge. */
    const bringIntoSight = (row: number, column: number) => {
        const box = scroller.current;
        const cell = cellAt(Math.max(first, Math.min(first + length - 1, row)), column);
        if (!box || !cell || (columnAt(column)?.id ?? '') in pinned) return;
        const stuck = Object.keys(pinned).length ? Math.min(shape.stuck, box.clientWidth / 2) : 0;
        if (cell.offsetLeft < box.scrollLeft + stuck) box.scrollLeft = Math.max(0, cell.offsetLeft - stuck);
        else if (cell.offsetLeft + cell.offsetWidth > box.scrollLeft + box.clientWidth)
            box.scrollLeft = cell.offsetLeft + cell.offsetWidth - box.clientWidth;
    };

    const go = (row: number, column = active.column, extend = false) => {
        const next = {
            row: Math.max(-1, Math.min(count - 1, row)),
            column: Math.max(0, Math.min(span - 1, column)),
        };
        setActive(next);
        if (next.row >= 0) scrollTo(next.row);
        if (extend && next.row >= 0 && !plain) select(add(selection, store.range(anchor.current, next.row)));
        else if (!extend) anchor.current = Math.max(0, next.row);
        if (next.column !== active.column) bringIntoSight(next.row, next.column);
    };

    const sortBy = (column: Column, more: boolean) => {
        if (column.sort) props.onSort?.((now) => nextSort(now, column.path ?? column.id, more));
    };

    const menuFor = (row: number) => {
        const item = store.row(row);
        if (!item || !props.onMenu) return;
        const box = cellAt(row, Math.max(active.column, offset))?.getBoundingClientRect();
        props.onMenu(item, { x: box ? box.left + 24 : 100, y: box ? box.bottom : 100 });
    };

    const moveColumn = (id: string, by: number) => {
        if (!onLayout || !withMoved(layout, id, by)) return;
        onLayout((now) => withMoved(now, id, by) ?? now);
        setActive((a) => ({ ...a, column: a.column + by }));
    };

    const selected = sizeOf(selection);
    const allOn = count > 0 && selected >= (state.count ?? count);
    const toggleAll = (on = !allOn) => {
        const total = state.count ?? count;
        if (!on) select(NOTHING);
        else if (state.indexed && total <= BY_IDS && store.range(0, count - 1).length === total)
            select({ by: 'ids', ids: new Set(store.range(0, count - 1)) });
        else select({ by: 'filter', filter: query?.filter ?? '', count: total, except: new Set() });
    };

    const toggleGroup = (row: number) => {
        const all = store.all?.(row);
        const group = store.groupAt?.(row);
        const on = selection.by === 'filter' && selection.group !== undefined && selection.group === group;
        select(on || !all ? NOTHING : all);
    };

    const toggleRow = (row: number) => {
        const id = store.id(row);
        if (store.head?.(row)) toggleGroup(row);
        else if (id !== undefined && selection.by === 'filter' && selection.group !== undefined) {
            // Beside a whole group only what belongs to it can be taken out.
            if (selection.group === store.groupAt?.(row)) select(toggle(selection, id));
            else select(only(id));
        } else if (id !== undefined) select(toggle(selection, id));
    };

    const onKey = (e: KeyboardEvent) => {
        if (e.target !== e.currentTarget) return;
        const page = Math.max(1, Math.floor(((scroller.current?.clientHeight ?? 400) - HEAD) / height) - 1);
        const item = store.row(active.row);
        const column = active.row < 0 ? columnAt(active.column) : undefined;
        const group = active.row < 0 ? undefined : store.head?.(active.row);
        const held = e.ctrlKey || e.metaKey;
        switch (e.key) {
            case 'ArrowDown':
            case 'j':
                if (e.key === 'j' && (held || e.altKey)) return;
                go(active.row + 1, active.column, e.shiftKey);
                break;
            case 'ArrowUp':
            case 'k':
                if (e.key === 'k' && (held || e.altKey)) return;
                go(active.row - 1, active.column, e.shiftKey);
                break;
            case 'ArrowLeft':
            case 'ArrowRight': {
                const by = e.key === 'ArrowRight' ? 1 : -1;
                if (column && e.altKey) moveColumn(column.id, by);
                else if (column && e.shiftKey)
                    onLayout?.((now) => withWidth(now, column.id, widthOf(column, now) + by * 16));
                else if (e.altKey) return;
                else if (group && group.open !== by > 0) store.open?.(active.row, by > 0);
                else if (group) go(by > 0 ? active.row + 1 : active.row);
                else if (by < 0 && active.column === 0 && active.row >= 0 && store.headOf)
                    go(store.headOf(active.row));
                else go(active.row, active.column + by);
                break;
            }
            case 'Home':
                go(held ? 0 : active.row, held ? active.column : 0);
                break;
            case 'End':
                go(held ? count - 1 : active.row, held ? active.column : span - 1);
                break;
            case 'PageDown':
                go(active.row + page, active.column, e.shiftKey);
                break;
            case 'PageUp':
                go(Math.max(0, active.row - page), active.column, e.shiftKey);
                break;
            case ' ':
            case 'x':
                if (held || plain) return;
                if (active.row < 0) toggleAll();
                else toggleRow(active.row);
                break;
            case 'a':
                if (!held || plain) return;
                toggleAll(true);
                break;
            case 'c':
                if (!held || !props.onCopy || String(getSelection() ?? '')) return;
                props.onCopy();
                break;
            case 'Enter':
                if (column) sortBy(column, e.shiftKey);
                else if (group) store.open?.(active.row, !group.open);
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
                if (!selected) return;
                select(NOTHING);
                break;
            default:
                return;
        }
        e.preventDefault();
        e.stopPropagation();
    };

    const rowOf = (target: EventTarget): number | null => {
        const element = (target as HTMLElement).closest<HTMLElement>('[data-index]');
        return element ? Number(element.dataset.index) : null;
    };

    const onClick = (e: MouseEvent) => {
        const target = e.target as HTMLElement;
        const row = rowOf(target);
        if (row === null) return;
        const cell = target.closest<HTMLElement>('[aria-colindex]');
        const column = cell ? Number(cell.getAttribute('aria-colindex')) - 1 : active.column;
        const head = store.head?.(row);
        setActive({ row, column: head ? active.column : column });
        if (target.closest('a, button')) return;
        scroller.current?.focus({ preventScroll: true });
        const id = store.id(row);
        if (head) store.open?.(row, !head.open);
        else if (id && !plain) {
            if (e.shiftKey) select(add(selection, store.range(anchor.current, row)));
            else if (target.closest('[data-check]') || e.ctrlKey || e.metaKey) toggleRow(row);
            else select(only(id));
        }
        if (!e.shiftKey) anchor.current = row;
    };

    // The full text of what is cut off, made when somebody points at it.
    const onOver = (e: MouseEvent) => {
        const cell = (e.target as HTMLElement).closest<HTMLElement>('.pv-row > [aria-colindex]');
        const row = cell && rowOf(cell);
        const item = row === null ? undefined : store.row(row);
        if (!cell || !item) return;
        const text = columnAt(Number(cell.getAttribute('aria-colindex')) - 1)?.text?.(item) ?? '';
        if (cell.title !== text) cell.title = text;
    };

    const onDouble = (e: MouseEvent) => {
        const row = rowOf(e.target);
        const item = row === null ? undefined : store.row(row);
        if (item && !(e.target as HTMLElement).closest('[data-check], a, button')) props.onOpen?.(item);
    };

    const onContext = (e: MouseEvent) => {
        const row = rowOf(e.target);
        const item = row === null ? undefined : store.row(row);
        if (row === null || !item || !props.onMenu || e.shiftKey) return;
        e.preventDefault();
        setActive((a) => ({ ...a, row }));
        props.onMenu(item, { x: e.clientX, y: e.clientY });
    };

    // Dragging a column's edge; the keyboard's way is Shift+Left and Shift+Right on its head.
    const drag = (e: ReactPointerEvent, id: string) => {
        e.preventDefault();
        e.stopPropagation();
        const start = e.clientX;
        const before = widthOf(
            columns.find((c) => c.id === id),
            layout,
        );
        const move = (m: PointerEvent) => onLayout?.((now) => withWidth(now, id, before + m.clientX - start));
        const end = () => {
            removeEventListener('pointermove', move);
            removeEventListener('pointerup', end);
        };
        addEventListener('pointermove', move);
        addEventListener('pointerup', end);
    };

    // The head keeps what it was given; what it calls is what is meant now.
    const now = useRef({ sortBy, toggleAll, drag });
    useLayoutEffect(() => {
        now.current = { sortBy, toggleAll, drag };
    });
    const does = useMemo<HeadDoes>(
        () => ({
            sort: (column, more) => now.current.sortBy(column, more),
            all: () => now.current.toggleAll(),
            drag: (e, id) => now.current.drag(e, id),
        }),
        [],
    );

    const rowElement = useCallback(
        (index: number, slot: string) => {
            const id = store.id(index);
            const activeColumn = index === active.row ? active.column : null;
            const top = HEAD + index * height;
            const group = groupLabel && store.head?.(index);
            if (group)
                return (
                    <GroupRow
                        key={slot}
                        group={group}
                        label={groupLabel(group)}
                        span={span}
                        index={index}
                        top={top}
                        base={base}
                        activeColumn={activeColumn}
                        selected={selection.by === 'filter' && selection.group === group.key}
                    />
                );
            return (
                <Row
                    key={slot}
                    item={store.row(index)}
                    series={id === undefined ? undefined : store.series(id)}
                    index={index}
                    top={top}
                    columns={shown}
                    pinned={pinned}
                    selected={!plain && id !== undefined && isSelected(selection, id, store.groupAt?.(index))}
                    activeColumn={activeColumn}
                    base={base}
                    plain={plain}
                    level={groupLabel ? 2 : undefined}
                />
            );
        },
        [store, active, height, groupLabel, base, span, selection, shown, pinned, plain],
    );

    const outside =
        active.row >= 0 && active.row < count && (active.row < first || active.row >= first + length);
    const activeCell = groupLabel && active.row >= 0 && store.head?.(active.row) ? 0 : active.column;
    const style = { '--pv-cols': shape.template, '--pv-width': `${shape.width}px` } as CSSProperties;
    let name = 'pv-grid';
    if (props.density === 'compact') name += ' pv-grid--compact';
    if (focused) name += ' pv-grid--focused';
    if (shifted) name += ' pv-grid--shifted';
    return (
        <>
            <div
                ref={scroller}
                className={name}
                role={groupLabel ? 'treegrid' : 'grid'}
                tabIndex={0}
                aria-label={props.label}
                aria-rowcount={(groupLabel ? count : (state.count ?? count)) + 1}
                aria-colcount={span}
                aria-multiselectable={plain ? undefined : true}
                aria-busy={state.loading}
                aria-activedescendant={
                    count || active.row < 0 ? cellId(base, active.row, activeCell) : undefined
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
                <div className="pv-grid__space" style={{ height: HEAD + count * height }} role="presentation">
                    <Head
                        shape={shape}
                        sort={props.sort}
                        base={base}
                        activeColumn={active.row < 0 ? active.column : null}
                        plain={plain}
                        all={allOn ? 'all' : selected > 0 ? 'some' : 'none'}
                        canResize={!!onLayout}
                        does={does}
                    />
                    <InGrid value>
                        {slots.map((index, slot) => rowElement(index, String(slot)))}
                        {outside && rowElement(active.row, 'active')}
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
