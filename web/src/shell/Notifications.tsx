// SPDX-License-Identifier: Apache-2.0
import { useEffect, useRef, useSyncExternalStore } from 'react';
import { Link } from 'react-router';
import { useTranslation } from 'react-i18next';
import { ago } from '../i18n/format';
import { notifications, type Note } from '../lib/notify';
import { useNow } from '../lib/hooks';
import { Notice } from '../states/states';

/** The others wait in the drawer. */
const MOST_TOASTS = 3;

function Links({ note }: { note: Note }) {
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
                    title={n.title}
                    onClose={() => notifications.hide(n.id)}
                    links={(n.link || n.action) && <Links note={n} />}
                >
                    {n.body}
                </Notice>
            ))}
        </div>
    );
}

export function NotificationDrawer({ onClose }: { onClose: () => void }) {
    const { t } = useTranslation();
    const notes = useSyncExternalStore(notifications.subscribe, notifications.get);
    const box = useRef<HTMLDivElement>(null);
    useNow();
    useEffect(() => {
        box.current?.focus();
        const away = (e: PointerEvent) => {
            if (!box.current?.contains(e.target as Node)) onClose();
        };
        const key = (e: KeyboardEvent) => e.key === 'Escape' && onClose();
        setTimeout(() => document.addEventListener('pointerdown', away));
        document.addEventListener('keydown', key);
        return () => {
            document.removeEventListener('pointerdown', away);
            document.removeEventListener('keydown', key);
        };
    }, [onClose]);
    return (
        <div ref={box} className="pv-drawer" role="dialog" aria-label={t('notes.title')} tabIndex={-1}>
            <div className="pv-drawer__head">
                <h2 className="pv-h2">{t('notes.title')}</h2>
                <button
                    type="button"
                    className="pv-button pv-button--link"
                    onClick={() => notifications.clear()}
                >
                    {t('notes.clear')}
                </button>
            </div>
            {notes.length === 0 && <p className="pv-subtle pv-pad">{t('notes.none')}</p>}
            <ul className="pv-notes">
                {notes.map((n) => (
                    <li key={n.id} className={`pv-notes__item pv-notes__item--${n.variant}`}>
                        <strong>{n.title}</strong>
                        {n.body && <p>{n.body}</p>}
                        <span className="pv-subtle">
                            {ago(n.time)} <Links note={n} />
                        </span>
                    </li>
                ))}
            </ul>
        </div>
    );
}
