// SPDX-License-Identifier: Apache-2.0
// The frame: masthead, navigation, content, task tray.
import { lazy, Suspense, useCallback, useEffect, useRef, useState } from 'react';
import { Outlet, useLocation, useNavigate, useSearchParams } from 'react-router';
import { useTranslation } from 'react-i18next';
import { useQuery } from '@tanstack/react-query';
import { live } from '../live/live';
import { keepFresh } from '../live/sync';
import { meQuery, queryClient, summaryQuery } from '../api/query';
import { OfflineBanner, SkeletonLines } from '../states/states';
import { look } from '../lib/look';
import { useLook, useNarrow } from '../lib/hooks';
import { Masthead } from './Masthead';
import { Navigation } from './Navigation';
import { onSignedOut } from '../api/client';
import { useShortcuts } from './shortcuts';
import { TaskTray } from './TaskTray';
import { Toasts } from './Notifications';
import { SimulatedBanner } from './SimulatedBanner';
import { useOpenAction } from '../actions/useAct';
import { calls } from '../api/calls';

// Dialogs are loaded when they are first wanted.
const ActionDialogs = lazy(() => import('../actions/ActionDialog'));
const loadPalette = () => import('./Palette');
const Palette = lazy(loadPalette);
const HelpSheet = lazy(() => import('./HelpSheet'));
const SessionOver = lazy(() => import('./SessionOver'));
const ApiCalls = lazy(() => import('./ApiCalls'));
const Tour = lazy(() => import('./Tour'));

export function Shell() {
    const { t } = useTranslation();
    const location = useLocation();
    const navigate = useNavigate();
    const { data: me, error } = useQuery(meQuery);
    const narrow = useNarrow(1200);
    const { navigation } = useLook();
    const [overlay, setOverlay] = useState(false);
    const [palette, setPalette] = useState(false);
    const [help, setHelp] = useState(false);
    const [tray, setTray] = useState(false);
    const [over, setOver] = useState(false);
    const acting = useOpenAction() !== null;
    const tour = new URLSearchParams(location.search).get('tour') === '1';
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
    const [params, setParams] = useSearchParams();
    const showCalls = (on: boolean) =>
        setParams((old) => {
            const next = new URLSearchParams(old);
            if (on) next.set('calls', '1');
            else next.delete('calls');
            return next;
        });
    // An effect of a parent runs after those of its children, whose first requests would be forgotten.
    const shown = useRef(location.pathname);
    if (shown.current !== location.pathname) {
        shown.current = location.pathname;
        queueMicrotask(calls.forget);
    }
    useEffect(() => setOverlay(false), [location.pathname]);
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
            void navigate(link.pathname + link.search);
        };
        document.addEventListener('click', follow);
        return () => document.removeEventListener('click', follow);
    }, [navigate]);

    const toggleTray = useCallback(() => setTray((o) => !o), []);
    useShortcuts({ palette: () => setPalette(true), help: () => setHelp(true), tray: toggleTray });

    if (!me && !over) return <SkeletonLines lines={10} />;
    const open = narrow ? overlay : navigation !== 'closed';
    const toggle = () => {
        if (narrow) setOverlay((o) => !o);
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
                onPalette={() => setPalette(true)}
                onHelp={() => setHelp(true)}
                onTray={toggleTray}
            />
            {open && <Navigation />}
            {narrow && open && (
                <div className="pv-scrim" onClick={() => setOverlay(false)} aria-hidden="true" />
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
                {palette && <Palette onClose={() => setPalette(false)} onHelp={() => setHelp(true)} />}
                {help && (
                    <HelpSheet
                        onClose={() => setHelp(false)}
                        onCalls={() => {
                            setHelp(false);
                            showCalls(true);
                        }}
                    />
                )}
                {params.get('calls') === '1' && <ApiCalls onClose={() => showCalls(false)} />}
                {acting && <ActionDialogs />}
                {over && <SessionOver onDone={() => setOver(false)} />}
                {tour && <Tour />}
            </Suspense>
        </div>
    );
}
