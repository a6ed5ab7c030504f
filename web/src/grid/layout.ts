// SPDX-License-Identifier: Apache-2.0
// Which columns are shown, in which order, how wide, and what that means for the rows: one line of grid tracks for all of them.
import type { Column } from './columns';

export interface Layout {
    /** Shown columns in their order. */
    columns: string[];
    widths: Record<string, number>;
    /** Pinned to the left. */
    pinned: string[];
}

export interface Shape {
    /** In their order on the screen: pinned ones first. */
    shown: Column[];
    template: string;
    width: number;
    /** Left edge of each pinned column. */
    pinned: Record<string, number>;
    /** What check boxes and pinned columns take of the width. */
    stuck: number;
}

export const CHECK = 40;
const WIDTH = 140;
const LEAST = 48;
const MOST = 900;

export const widthOf = (column: Column | undefined, layout: Layout): number =>
    (column && layout.widths[column.id]) ?? column?.width ?? WIDTH;

export function shapeOf(columns: Column[], layout: Layout, plain: boolean): Shape {
    const byId = new Map(columns.map((c) => [c.id, c]));
    const found = layout.columns.map((id) => byId.get(id)).filter((c): c is Column => !!c);
    const isPinned = (c: Column) => layout.pinned.includes(c.id);
    const shown = [...found.filter(isPinned), ...found.filter((c) => !isPinned(c))];
    const pinned: Record<string, number> = {};
    const tracks = plain ? [] : [`${CHECK}px`];
    let width = plain ? 0 : CHECK;
    let stuck = width;
    for (const column of shown) {
        const own = widthOf(column, layout);
        if (isPinned(column)) {
            pinned[column.id] = width;
            stuck = width + own;
        }
        width += own;
        // The first column takes what is left.
        tracks.push(column === shown[0] ? `minmax(${own}px, 1fr)` : `${own}px`);
    }
    return { shown, template: tracks.join(' '), width, pinned, stuck };
}

export function withWidth(layout: Layout, id: string, width: number): Layout {
    const kept = Math.max(LEAST, Math.min(MOST, Math.round(width)));
    return { ...layout, widths: { ...layout.widths, [id]: kept } };
}

/** The column moved by so many places; null where it cannot. */
export function withMoved(layout: Layout, id: string, by: number): Layout | null {
    const columns = [...layout.columns];
    const at = columns.indexOf(id);
    const to = at + by;
    if (at < 0 || to < 0 || to >= columns.length) return null;
    [columns[at], columns[to]] = [columns[to]!, columns[at]!];
    return { ...layout, columns };
}

export function withPinned(layout: Layout, id: string): Layout {
    const pinned = layout.pinned.includes(id)
        ? layout.pinned.filter((p) => p !== id)
        : [...layout.pinned, id];
    return { ...layout, pinned };
}
