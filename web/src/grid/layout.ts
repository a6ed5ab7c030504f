// SPDX-License-Identifier: Apache-2.0
// Which columns are shown, in which order, how wide, and what that means for the rows: one line of grid tracks for all of them.
import type { Column } from './columns';

export interface Layout {
    /** Shown columns in their order. */
    columns: string[];
    widths: Record<string, number>;
    /** Pinned to the left. */
    pinned: string[];
    /** Takes what is left of the width; the first unless said. */
    grows?: string;
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

const LETTER = 7.3;
const CYRILLIC = 8.2;
const IDEOGRAPH = 13.2;
/** Padding of a cell, with the arrow of the order or the mark of a state. */
const AROUND = 38;
const WORDS_MOST = 260;

/** About how wide a text is: measuring each would lay out the page. */
export function wordsWidth(text: string): number {
    let width = 0;
    for (const c of text)
        width += /[\u2e80-\u9fff\uff00-\uffef]/.test(c)
            ? IDEOGRAPH
            : /[\u0400-\u04ff]/.test(c)
              ? CYRILLIC
              : LETTER;
    return Math.ceil(width);
}

/** As wide as declared, and as its name and its words are in the person's language. */
function ownWidth(column: Column): number {
    const texts = [column.label?.() ?? '', ...(column.words?.() ?? [])];
    const needed = AROUND + Math.max(...texts.map(wordsWidth));
    return Math.max(column.width ?? WIDTH, Math.min(WORDS_MOST, needed));
}

export const widthOf = (column: Column | undefined, layout: Layout): number =>
    (column && (layout.widths[column.id] ?? ownWidth(column))) ?? WIDTH;

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
        const grows = column.id === (layout.grows ?? shown[0]?.id);
        tracks.push(grows ? `minmax(${own}px, 1fr)` : `${own}px`);
    }
    return { shown, template: tracks.join(' '), width, pinned, stuck };
}

const NARROW_FIRST = 130;
const NARROW_LEAST = 100;
const NARROW = 104;
const NARROW_SMALL = 84;
const NARROW_AROUND = 30;
const NARROW_MOST = 168;
const NARROW_ROOM = 412;
const NARROW_TIME = 186;

/** On a phone: a column of sentences takes what is left of the width, else the first that is no time does. */
export function narrowLayout(
    columns: Column[],
    ids: string[],
    isTime: (id: string) => boolean = () => false,
    room = NARROW_ROOM,
): Layout {
    const width = (id: string) => columns.find((c) => c.id === id)?.width ?? WIDTH;
    const first = ids[0] ?? '';
    const grows = ids.reduce((a, b) => (isTime(a) || width(b) > 1.5 * width(a) ? b : a), first);
    const widthAt = (id: string) =>
        id === grows
            ? NARROW_FIRST
            : isTime(id)
              ? Math.min(width(id), NARROW_TIME)
              : grows === first && ids.length > 2
                ? NARROW
                : Math.min(width(id), NARROW_MOST);
    const widths = Object.fromEntries(ids.map((id) => [id, widthAt(id)]));
    const of = (all: string[]) => CHECK + all.reduce((sum, id) => sum + widths[id]!, 0);
    const words = (id: string) => {
        const own = columns.find((c) => c.id === id)?.words?.() ?? [];
        return NARROW_AROUND + Math.max(0, ...own.map(wordsWidth));
    };
    if (ids.length > 2 && grows === first && !ids.some(isTime)) {
        // States are read to their end where there is room for it.
        for (const id of ids.slice(1))
            widths[id] = Math.max(
                widths[id]!,
                Math.min(words(id), widths[id]! + Math.max(0, room - of(ids))),
            );
        if (of(ids) > room) {
            widths[first] = NARROW_LEAST;
            for (const id of ids.slice(1)) widths[id] = Math.max(NARROW_SMALL, Math.min(NARROW, words(id)));
        }
        // The last is left out before it is cut: the menu of the row and its page have it.
        const cut = of(ids) > room || ids.slice(1, -1).some((id) => words(id) > widths[id]!);
        if (room < NARROW_ROOM - 40 && cut) {
            const kept = ids.slice(0, -1);
            for (const id of kept.slice(1))
                widths[id] = Math.max(NARROW_SMALL, Math.min(words(id), NARROW_MOST));
            return { columns: kept, widths, pinned: [], grows };
        }
    }
    return { columns: ids, widths, pinned: [], grows };
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
