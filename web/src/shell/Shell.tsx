// SPDX-License-Identifier: Apache-2.0
// The frame: masthead, navigation, content, task tray.
import { lazy, Suspense, useCallback, useEffect, useRef, useState } from 'react';
import { Outlet, useLocation, useNavigate } from 'react-router';
import { useTranslation } from 'react-i18next';
import { useQuery } from '@tanstack/react-query';
import { live } from '../live/live';
import { keepFresh } from '../live/sync';
import { meQuery, queryClient, summaryQuery } from '../api/query';
import { OfflineBanner, SkeletonLines } from '../states/states';
import { useAddress, useDialog, useGo, useOpened } from '../lib/address';
import { look } from '../lib/look';
import { useLook, useNarrow } from '../lib/hooks';
import { Masthead } from './Masthead';
import { Navigation } from './Navigation';

import { useShortcuts } from './shortcuts';
import { TaskTray } from './TaskTray';
import { Toasts } from './Notifications';
import { SimulatedBanner } from './SimulatedBanner';
import { useOpenAction } from '../actions/useAct';
import { calls } from '../api/calls';
import { onSignedOut } from '../api/client';

// Dialogs are loaded when they are first wanted.
const ActionDialogs = lazy(() => import('../actions/ActionDialog'));
const loadPalette = () => import('./Palette');
const Palette = lazy(loadPalette);
const HelpSheet = lazy(() => import('./HelpSheet'));
const SessionOver = lazy(() => import('./SessionOver'));
const ApiCalls = lazy(() => import('./ApiCalls'));
const FolderDialog = lazy(() => import('../lib/FolderDialog'));
const IdleWatch = lazy(() => import('./IdleWatch'));
const Tour = lazy(() => import('./Tour'));

export function Shell() {
    const { t } = useTranslation();
    const location = useLocation();
    const navigate = useNavigate();
    const { data: me, error } = useQuery(meQuery);
    const narrow = useNarrow(1200);
    const { navigation } = useLook();
    const go = useGo();
    const [params] = useAddress();
    const [overlay, showOverlay] = useOpened('menu');
    const [palette, showPalette] = useDialog('palette');
    const [help, showHelp] = useDialog('help');
    const [showsCalls, showCalls] = useOpened('calls');
    const [tray, showTray] = useOpened('tray');
    const [over, setOver] = useState(false);
    const acting = useOpenAction() !== null;
    const tour = params.has('tour');
    const main = useRef<HTMLElement>(null);
    const summary = useQuery({ ...summaryQuery, enabled: !!me });

    useEffect(() => keepFresh(queryClient), []);
    // Who presses Ctrl+K types on at once.
    useEffect(() => {
        // Without a connection it is loaded when it is wanted.
        const timer = setTimeout(() => void loadPalette().catch(() => undefined), 1500);
        return () => clearTimeout(timer);
    }, []);
    // Before anybody was signed in, it is the sign-in page's turn.
    useEffect(() => onSignedOut(() => queryClient.getQueryData(meQuery.queryKey) && setOver(true)), []);
    useEffect(() => live.watch(() => live.state === 'signed-out' && setOver(true)), []);
    const seq = (summary.data as { event_seq?: number } | undefined)?.event_seq;
    useEffect(() => {
        if (me && seq) live.start(seq);
    }, [me, seq]);
    // An effect of a parent runs after those of its children, whose first requests would be forgotten.
    const shown = useRef(location.pathname);
    if (shown.current !== location.pathname) {
        shown.current = location.pathname;
        queueMicrotask(calls.forget);
    }
    useEffect(() => {
        if (error && !me && !over)
            void navigate(`/login?next=${encodeURIComponent(location.pathname + location.search)}`, {
                replace: true,
            });
    }, [error, me, over, navigate, location]);

    // Links in cells (see RefLink) are followed here.
    useEffect(() => {
        const follow = (e: MouseEvent) => {
            const link = (e.target as HTMLElement).closest?.<HTMLAnchorElement>('a[data-go]');
            if (!link || e.button || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey || e.defaultPrevented)
                return;
            e.preventDefault();
            go(link.pathname + link.search);
        };
        document.addEventListener('click', follow);
        return () => document.removeEventListener('click', follow);
    }, [go]);

    const toggleTray = useCallback(() => showTray(!tray), [showTray, tray]);
    useShortcuts({ palette: () => showPalette(true), help: () => showHelp(true), tray: toggleTray });

    if (!me && !over) return <SkeletonLines lines={10} />;
    const open = narrow ? overlay : navigation !== 'closed';
    const toggle = () => {
        if (narrow) showOverlay(!overlay);
        else look.set({ navigation: open ? 'closed' : 'open' });
    };
    return (
        <div className={`pv-shell${open ? ' pv-shell--nav' : ''}${narrow ? ' pv-shell--narrow' : ''}`}>
            <a className="pv-skip" href="#content">
                {t('shell.skip')}
            </a>
            <Masthead
                onNavigation={toggle}
                navigationOpen={open}
                onPalette={() => showPalette(true)}
                onHelp={() => showHelp(true)}
                onTray={toggleTray}
            />
            {open && <Navigation />}
            {narrow && open && (
                <div className="pv-scrim" onClick={() => showOverlay(false)} aria-hidden="true" />
            )}
            <main className="pv-main" id="content" ref={main} tabIndex={-1}>
                <OfflineBanner />
                <SimulatedBanner />
                <Suspense fallback={<SkeletonLines lines={12} />}>
                    <Outlet />
                </Suspense>
            </main>
            <TaskTray open={tray} onToggle={toggleTray} />
            <Toasts />
            <Suspense fallback={null}>
                {palette && <Palette onHelp={() => showHelp(true)} onCalls={() => showCalls(true)} />}
                {help && (
                    <HelpSheet
                        onClose={() => showHelp(false)}
                        onCalls={() => {
                            showHelp(false);
                            showCalls(true);
                        }}
                    />
                )}
                {showsCalls && <ApiCalls onClose={() => showCalls(false)} />}
                {acting && <ActionDialogs />}
                {params.has('folder') && <FolderDialog />}
                {me?.idle_s && !over && <IdleWatch idleS={me.idle_s} onEnd={() => setOver(true)} />}
                {over && <SessionOver onDone={() => setOver(false)} />}
                {tour && <Tour />}
            </Suspense>
        </div>
    );
}
