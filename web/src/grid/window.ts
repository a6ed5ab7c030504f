// SPDX-License-Identifier: Apache-2.0
// Which rows of a long list are in the document. All rows are of one height, so this is arithmetic. Rows that leave at one end are
// used again at the other: each row in the document has a slot, and what scrolls into sight takes the slot of what went out, so
// that a step of scrolling changes texts and makes no elements. At rest the slots are put in order again, because who listens to
// the page instead of looking at it hears the rows in the order of the document.
import { useCallback, useEffect, useLayoutEffect, useRef, useState, type RefObject } from 'react';
import { flushSync } from 'react-dom';

const AROUND = 6;
const REST_MS = 200;

export interface Rows {
    /** First row in the document, and how many there are. */
    first: number;
    length: number;
    /** Row whose slot is the first one. */
    base: number;
}

/** The row in each slot, by slot. */
export function slotsOf({ first, length, base }: Rows): number[] {
    const turned = (((base - first) % length) + length) % length;
    return Array.from({ length }, (_, slot) => first + ((slot + turned) % length));
}

/** The rows for a place of the scroller; the same ones as long as they reach. */
export function rowsAt(now: Rows, from: number, inSight: number, count: number): Rows {
    const length = Math.min(count, inSight + 2 * AROUND);
    const most = Math.max(0, count - length);
    const clamp = (first: number) => Math.max(0, Math.min(most, first));
    const reaches = from >= now.first && from + inSight <= now.first + now.length;
    if (now.length === length && reaches && now.first <= most) return now;
    const first = clamp(from - AROUND);
    return { first, length, base: now.length === length ? now.base : first };
}

export function useRows(
    scroller: RefObject<HTMLElement | null>,
    { count, height, head }: { count: number; height: number; head: number },
) {
    const [place, setPlace] = useState({ from: 0, inSight: Math.ceil((700 - head) / height) + 1 });
    const [shifted, setShifted] = useState(false);
    const kept = useRef<Rows>({ first: 0, length: 0, base: 0 });
    const [rested, setRested] = useState(0);
    const rows = rowsAt(kept.current, place.from, place.inSight, count);
    useLayoutEffect(() => {
        kept.current = rows;
    });

    useLayoutEffect(() => {
        const box = scroller.current;
        if (!box) return;
        let rest: ReturnType<typeof setTimeout>;
        const look = () => {
            const from = Math.floor(box.scrollTop / height);
            const inSight = Math.ceil((box.clientHeight - head) / height) + 1;
            setShifted(box.scrollLeft > 0);
            setPlace((old) => {
                if (old.inSight === inSight) {
                    const rows = kept.current;
                    if (from >= rows.first && from + inSight <= rows.first + rows.length) return old;
                }
                return old.from === from && old.inSight === inSight ? old : { from, inSight };
            });
        };
        const settle = () => {
            if (kept.current.base === kept.current.first) return;
            kept.current = { ...kept.current, base: kept.current.first };
            setRested((n) => n + 1);
        };
        const onScroll = () => {
            clearTimeout(rest);
            rest = setTimeout(settle, REST_MS);
            // In the same frame: nobody sees an empty place.
            flushSync(look);
        };
        look();
        box.addEventListener('scroll', onScroll, { passive: true });
        const watch = typeof ResizeObserver === 'undefined' ? null : new ResizeObserver(look);
        watch?.observe(box);
        return () => {
            clearTimeout(rest);
            box.removeEventListener('scroll', onScroll);
            watch?.disconnect();
        };
    }, [scroller, height, head]);
    // A shorter list may have moved the scroller without an event.
    useEffect(() => {
        const box = scroller.current;
        if (box) setPlace((old) => ({ ...old, from: Math.floor(box.scrollTop / height) }));
    }, [scroller, count, height]);

    const scrollTo = useCallback(
        (row: number) => {
            const box = scroller.current;
            if (!box) return;
            if (row * height < box.scrollTop) box.scrollTop = row * height;
            else if (head + (row + 1) * height > box.scrollTop + box.clientHeight)
                box.scrollTop = head + (row + 1) * height - box.clientHeight;
        },
        [scroller, height, head],
    );
    return { rows, slots: slotsOf(rows), shifted, scrollTo, rested };
}
