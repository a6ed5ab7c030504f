// SPDX-License-Identifier: Apache-2.0
import { lazy, Suspense, useCallback, useSyncExternalStore } from 'react';
import { Link, useNavigate } from 'react-router';
import { useTranslation } from 'react-i18next';
import { useQuery } from '@tanstack/react-query';
import { api } from '../api/client';
import { listQuery, may, queryClient, useMe } from '../api/query';
import type { Task } from '../api/types';
import { MenuButton } from '../actions/ActionMenu';
import { LANGUAGES, setLanguage } from '../i18n';
import { live } from '../live/live';
import { useDialog } from '../lib/address';
import { look } from '../lib/look';
import { useLook } from '../lib/hooks';
import { number } from '../i18n/format';
import { notifications } from '../lib/notify';
import { Kbd } from '../lib/cells';

const NotificationDrawer = lazy(() => import('./NotificationDrawer'));

const entry = (name: string, label: string, danger = false) => ({
    name,
    label,
    danger,
    ready: true,
    reason: null,
});

export function Masthead(p: {
    onNavigation: () => void;
    navigationOpen: boolean;
    onPalette: () => void;
    onHelp: () => void;
    onTray: () => void;
}) {
    const { t, i18n } = useTranslation();
    const me = useMe();
    const navigate = useNavigate();
    const { theme = 'system', contrast = 'system' } = useLook();
    const notes = useSyncExternalStore(notifications.subscribe, notifications.get);
    const [drawer, showDrawer] = useDialog('notifications');
    const closeDrawer = useCallback(() => showDrawer(false), [showDrawer]);
    const unread = notes.filter((n) => !n.read).length;
    const tasks = useQuery({
        ...listQuery<Task>('/tasks', {
            filter: 'state:{queued,waiting,running,canceling,reattaching}',
            limit: 50,
            sort: '-created_at',
            count: 'exact',
        }),
        enabled: may(me, 'task.read'),
    });
    const running = (tasks.data?.items ?? []).filter((x) => !x.parent);
    const known = running.filter((x) => typeof x.progress === 'number');
    const overall = known.length
        ? Math.round(known.reduce((sum, x) => sum + (x.progress ?? 0), 0) / known.length)
        : null;

    const signOut = () => {
        void api
            .post('/auth/logout')
            .catch(() => undefined)
            .then(() => {
                live.stop();
                queryClient.clear();
                void navigate('/login');
            });
    };
    return (
        <header className="pv-masthead">
            <button
                type="button"
                className="pv-mast-button"
                aria-label={t('shell.navigation')}
                aria-expanded={p.navigationOpen}
                onClick={p.onNavigation}
            >
                <svg viewBox="0 0 16 16" aria-hidden="true">
                    <path d="M2 4h12M2 8h12M2 12h12" />
                </svg>
            </button>
            <Link className="pv-brand" to="/" aria-label="Polyvisor">
                <svg viewBox="0 0 32 32" aria-hidden="true">
                    <path d="M6 10.5 16 5l10 5.5L16 16z" className="pv-brand__top" />
                    <path d="m6 16.2 10 5.5 10-5.5M6 21.8l10 5.4 10-5.4" className="pv-brand__line" />
                </svg>
                <span>Polyvisor</span>
            </Link>
            <button
                type="button"
                className="pv-search"

                onClick={p.onPalette}
                aria-haspopup="dialog"
            >
                <svg viewBox="0 0 16 16" aria-hidden="true">
                    <circle cx="7" cy="7" r="4.5" />
                    <path d="m10.5 10.5 3.5 3.5" />
                </svg>
                <span>{t('shell.search')}</span>
                <Kbd keys="Ctrl K" />
            </button>
            <div className="pv-masthead__right">
                <button type="button" className="pv-mast-button pv-mast-button--wide" onClick={p.onTray}>
                    <span className="pv-sr">
                        {t('shell.tasks', { count: running.length, n: number(running.length) })}
                    </span>
                    <svg viewBox="0 0 16 16" aria-hidden="true">
                        <path d="M6 3.5h8M6 8h8M6 12.5h8M2 3.5l1 1 1.5-2M2 8l1 1 1.5-2M2 12.5l1 1 1.5-2" />
                    </svg>
                    {running.length > 0 && (
                        <span className="pv-badge">
                            {number(running.length)}
                            {overall !== null && (
                                <span className="pv-badge__more"> · {number(overall)} %</span>
                            )}
                        </span>
                    )}
                </button>
                <button
                    type="button"
                    className="pv-mast-button"
                    aria-label={t('shell.notifications', { count: unread, n: number(unread) })}
                    aria-expanded={drawer}
                    data-notes=""
                    onClick={() => {
                        showDrawer(!drawer);
                        notifications.read();
                    }}
                >
                    <svg viewBox="0 0 16 16" aria-hidden="true">
                        <path d="M8 2a4 4 0 0 1 4 4v3l1.5 2.5h-11L4 9V6a4 4 0 0 1 4-4zM6.5 13.5a1.5 1.5 0 0 0 3 0" />
                    </svg>
                    {unread > 0 && <span className="pv-badge pv-badge--alert">{number(unread)}</span>}
                </button>
                <span className="pv-masthead__extra">
                    <MenuButton
                        surface="menu-theme"
                        label={t('shell.theme')}
                        actions={[
                            ...(['light', 'dark', 'system'] as const).map((x) =>
                                entry(x, `${theme === x ? '✓ ' : ''}${t(`theme.${x}`)}`),
                            ),
                            entry('contrast', `${contrast === 'high' ? '✓ ' : ''}${t('theme.contrast')}`),
                        ]}
                        onPick={({ name }) =>
                            name === 'contrast'
                                ? look.set({ contrast: contrast === 'high' ? 'system' : 'high' })
                                : look.set({ theme: name as 'light' | 'dark' | 'system' })
                        }
                    />
                    <MenuButton
                        surface="menu-language"
                        label={LANGUAGES.find((l) => l.code === i18n.language)?.name ?? 'English'}
                        actions={LANGUAGES.map((l) => entry(l.code, l.name))}
                        onPick={({ name }) => {
                            look.set({ language: name });
                            void setLanguage(name);
                        }}
                    />
                </span>
                <button
                    type="button"
                    className="pv-mast-button"
                    aria-label={t('shell.help')}
                    onClick={p.onHelp}
                >
                    <svg viewBox="0 0 16 16" aria-hidden="true">
                        <circle cx="8" cy="8" r="6" />
                        <path d="M6.2 6.3a1.8 1.8 0 1 1 2.6 1.6c-.6.3-.8.7-.8 1.3M8 11.3v.1" />
                    </svg>
                </button>
                <MenuButton
                    surface="menu-me"
                    label={me?.user.name ?? ''}
                    actions={[
                        entry('me', t('shell.me')),
                        entry('theme', t('shell.appearance')),
                        entry('out', t('shell.sign_out')),
                    ]}
                    onPick={({ name }) => {
                        if (name === 'out') signOut();
                        else void navigate(name === 'me' ? '/me' : '/me?tab=preferences');
                    }}
                />
            </div>
            <Suspense fallback={null}>{drawer && <NotificationDrawer onClose={closeDrawer} />}</Suspense>
        </header>
    );
}
