// SPDX-License-Identifier: Apache-2.0
// Keys of the whole page. Single keys can be switched off, and never count in inputs, grids that use them, or consoles.
import { useEffect, useRef } from 'react';
import { useNavigate } from 'react-router';
import { queryClient } from '../api/query';
import { look } from '../lib/look';
import { SECTIONS } from './sections';

function inInput(target: EventTarget | null): boolean {
    const e = target as HTMLElement | null;
    return !!e?.closest?.(
        'input, textarea, select, [contenteditable], [data-keys="own"], dialog, [role=dialog], [role=menu]',
    );
}

export function useShortcuts(on: { palette: () => void; help: () => void; tray: () => void }) {
    const navigate = useNavigate();
    const latest = useRef(on);
    useEffect(() => {
        latest.current = on;
    });
    useEffect(() => {
        let waiting = false;
        let timer: ReturnType<typeof setTimeout>;
        const key = (e: KeyboardEvent) => {
            if ((e.ctrlKey || e.metaKey) && !e.altKey && !e.shiftKey && e.key.toLowerCase() === 'k') {
                if ((e.target as HTMLElement).closest?.('[data-keys="own"]')) return;
                e.preventDefault();
                latest.current.palette();
                return;
            }
            if (e.ctrlKey || e.metaKey || e.altKey || inInput(e.target) || look.get().singleKeys === false)
                return;
            if (waiting) {
                waiting = false;
                const section = SECTIONS.find((s) => s.key === e.key);
                if (section) {
                    e.preventDefault();
                    e.stopImmediatePropagation();
                    void navigate(section.path);
                }
                return;
            }
            if (e.key === 'g') {
                waiting = true;
                clearTimeout(timer);
                timer = setTimeout(() => (waiting = false), 1500);
            } else if (e.key === '/') {
                const filter = document.querySelector<HTMLInputElement>('[data-filter]');
                if (filter) filter.focus();
                else latest.current.palette();
            } else if (e.key === '?') latest.current.help();
            else if (e.key === 't') latest.current.tray();
            else if (e.key === 'r') void queryClient.invalidateQueries();
            else if (e.key === 'c') document.querySelector<HTMLElement>('[data-tab=console]')?.click();
            else return;
            e.preventDefault();
        };
        addEventListener('keydown', key, true);
        return () => {
            removeEventListener('keydown', key, true);
            clearTimeout(timer);
        };
    }, [navigate]);
}
