// SPDX-License-Identifier: Apache-2.0
import { useEffect, useRef, useState, useSyncExternalStore } from 'react';
import { look, type Look } from './look';

export function useLook(): Look {
    return useSyncExternalStore(look.subscribe, look.get);
}

function followClass(listener: () => void): () => void {
    const watch = new MutationObserver(listener);
    watch.observe(document.documentElement, { attributeFilter: ['class'] });
    return () => watch.disconnect();
}

/** What the page looks like now, by choice or by the system: for what is painted with its colours once. */
export function useAppearance(): string {
    return useSyncExternalStore(followClass, () => document.documentElement.className);
}

/** A value that follows another after it has been still for a while. */
export function useDebounced<T>(value: T, ms: number): T {
    const [settled, setSettled] = useState(value);
    useEffect(() => {
        const timer = setTimeout(() => setSettled(value), ms);
        return () => clearTimeout(timer);
    }, [value, ms]);
    return settled;
}

/** True on a narrow window. */
export function useNarrow(width = 768): boolean {
    const query = `(max-width: ${width - 1}px)`;
    return useSyncExternalStore(
        (listener) => {
            const list = matchMedia(query);
            list.addEventListener('change', listener);
            return () => list.removeEventListener('change', listener);
        },
        () => matchMedia(query).matches,
    );
}

/** The time, renewed every so often, for ages of data. */
export function useNow(every = 10_000): number {
    const [now, setNow] = useState(Date.now);
    useEffect(() => {
        const timer = setInterval(() => setNow(Date.now()), every);
        return () => clearInterval(timer);
    }, [every]);
    return now;
}

/** For a row of tabs that may be longer than the window: the one that is open is in sight. */
export function useTabInSight(open: unknown) {
    const row = useRef<HTMLElement>(null);
    useEffect(() => {
        const box = row.current;
        if (!box) return;
        const show = () => {
            const at = box.querySelector<HTMLElement>('.active');
            if (!at) return;
            const left = at.getBoundingClientRect().left - box.getBoundingClientRect().left;
            box.scrollLeft += left - (box.clientWidth - at.offsetWidth) / 2;
        };
        show();
        // Browsers leave a tab where it is whose last pixel is in sight.
        const reveal = ({ target }: FocusEvent) => {
            const at = (target as HTMLElement).getBoundingClientRect();
            const sight = box.getBoundingClientRect();
            if (at.left < sight.left) box.scrollLeft -= sight.left - at.left;
            else if (at.right > sight.right) box.scrollLeft += at.right - sight.right;
        };
        box.addEventListener('focusin', reveal);
        // A phone that is turned.
        window.addEventListener('resize', show);
        return () => {
            box.removeEventListener('focusin', reveal);
            window.removeEventListener('resize', show);
        };
    }, [open]);
    return row;
}

export function useTitle(title: string): void {
    useEffect(() => {
        document.title = title ? `${title} · Polyvisor` : 'Polyvisor';
    }, [title]);
}

/** Whoever had the focus has it again, unless somebody else has taken it. */
export function useReturnFocus(): void {
    const [before] = useState(() => document.activeElement);
    useEffect(
        () => () => {
            const lost = !document.activeElement || document.activeElement === document.body;
            if (lost && before instanceof HTMLElement) before.focus({ preventScroll: true });
        },
        [before],
    );
}
