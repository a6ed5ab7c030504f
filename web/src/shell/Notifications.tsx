// SPDX-License-Identifier: Apache-2.0
import { useEffect, useRef, useSyncExternalStore } from 'react';
import { Link } from 'react-router';
import { stopped } from '../i18n/words';
import { notifications, type Note } from '../lib/notify';
import { Notice } from '../states/states';

/** The others wait in the drawer. */
const MOST_TOASTS = 3;

export function Links({ note }: { note: Note }) {
    return (
        <>
            {note.action && (
                <button
                    type="button"
                    className="pv-button pv-button--link pv-button--small"
                    onClick={() => notifications.act(note.id)}
                >
                    {note.action.text}
                </button>
            )}
            {note.link && <Link to={note.link.to}>{note.link.text}</Link>}
        </>
    );
}

export function Toasts() {
    const notes = useSyncExternalStore(notifications.subscribe, notifications.get).filter((n) => n.toast);
    const box = useRef<HTMLDivElement>(null);
    const some = notes.length > 0;
    // Dialogs leave this room free.
    useEffect(() => {
        const { style } = document.documentElement;
        const node = box.current;
        if (!some || !node) return;
        const watch = new ResizeObserver(() => style.setProperty('--pv-toasts', `${node.offsetHeight}px`));
        watch.observe(node);
        return () => {
            watch.disconnect();
            style.removeProperty('--pv-toasts');
        };
    }, [some]);
    if (!some) return null;
    return (
        <div className="pv-toasts" ref={box}>
            {notes.slice(0, MOST_TOASTS).map((n) => (
                <Notice
                    key={n.id}
                    variant={n.variant}
                    title={n.body ? stopped(n.title) : n.title}
                    onClose={() => notifications.hide(n.id)}
                    links={(n.link || n.action) && <Links note={n} />}
                >
                    {n.body}
                </Notice>
            ))}
        </div>
    );
}
