// SPDX-License-Identifier: Apache-2.0
// What was told, until it is cleared.
import { useEffect, useRef, useSyncExternalStore } from 'react';
import { useTranslation } from 'react-i18next';
import { ago } from '../i18n/format';
import { notifications } from '../lib/notify';
import { useNow, useReturnFocus } from '../lib/hooks';
import { Links } from './Notifications';

export default function NotificationDrawer({ onClose }: { onClose: () => void }) {
    const { t } = useTranslation();
    const notes = useSyncExternalStore(notifications.subscribe, notifications.get);
    const box = useRef<HTMLDivElement>(null);
    useNow();
    useReturnFocus();
    useEffect(() => {
        box.current?.focus();
        const away = (e: PointerEvent) => {
            const at = e.target as Element;
            // The bell closes it by itself.
            if (!box.current?.contains(at) && !at.closest('[data-notes]')) onClose();
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
        <div
            ref={box}
            className="pv-drawer"
            data-surface="notifications"
            role="dialog"
            aria-label={t('notes.title')}
            tabIndex={-1}
        >
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
