// SPDX-License-Identifier: Apache-2.0
// Search and commands in one: objects of all kinds, sections, actions on the object at hand, saved views, or the text as a
// filter of the VMs.
import {
    useCallback,
    useEffect,
    useLayoutEffect,
    useMemo,
    useRef,
    useState,
    type KeyboardEvent,
    type ReactNode,
} from 'react';
import { useQuery } from '@tanstack/react-query';
import { useLocation } from 'react-router';
import { useTranslation } from 'react-i18next';
import '../i18n/estate';
import { api } from '../api/client';
import { actionsQuery, may, useMe } from '../api/query';
import { actionsOf } from '../actions/registry';
import { useAct } from '../actions/useAct';
import { kindText } from '../i18n/words';
import { useAddress, useGo } from '../lib/address';
import { useTyped } from '../lib/typed';
import { useDebounced } from '../lib/hooks';
import { kindOfId, linkTo, placeOf } from '../lib/links';
import { useViews, viewAddress } from '../list/savedViews';
import { permissionOf, SECTIONS } from './sections';
import { Kbd } from '../lib/cells';

interface Hit {
    kind: string;
    id: string;
    name: string | null;
    matched?: string | null;
    provider?: string | null;
}

interface Entry {
    id: string;
    group: string;
    text: string;
    detail?: ReactNode;
    run: () => void;
}

export default function Palette({ onHelp, onCalls }: { onHelp: () => void; onCalls: () => void }) {
    const { t } = useTranslation();
    const me = useMe();
    const goTo = useGo();
    const [, change] = useAddress();
    const location = useLocation();
    const act = useAct();
    const views = useViews();
    const [text, setText] = useTyped('find', 'replace');
    const [active, setActive] = useState(0);
    const dialog = useRef<HTMLDialogElement>(null);
    const query = useDebounced(text.trim(), 150);
    const onClose = useCallback(
        () =>
            change((next) => {
                if (next.get('dialog') !== 'palette') return;
                next.delete('dialog');
                next.delete('find');
            }, 'close'),
        [change],
    );
    const hits = useQuery({
        queryKey: ['search', query],
        queryFn: ({ signal }) => api.get<{ items: Hit[] }>('/search', { q: query }, signal),
        enabled: query.length > 0,
        placeholderData: (old) => old,
    });
    const objectId = /\/([a-z]{2,3}_[0-9a-z]{26})/.exec(location.pathname)?.[1];
    const kind = objectId ? kindOfId(objectId) : undefined;
    const actions = useQuery({
        ...actionsQuery(kind ?? 'vm', objectId ?? ''),
        enabled: !!objectId && !!kind,
    });

    useLayoutEffect(() => {
        const d = dialog.current;
        if (!d || typeof d.showModal !== 'function') return;
        if (!d.open) d.showModal();
        // Closed before it goes away, it gives the focus back to who had it.
        return () => d.close();
    }, []);

    const entries = useMemo(() => {
        const found: Entry[] = [];
        const words = text.trim().toLowerCase();
        const fits = (s: string) => !words || s.toLowerCase().includes(words);
        const go = (to: string) => () => goTo(to);
        if (words)
            for (const hit of hits.data?.items ?? []) {
                const to = linkTo(hit.id, hit.kind);
                if (!to) continue;
                const detail = [kindText(hit.kind), hit.provider, hit.matched !== hit.name && hit.matched]
                    .filter(Boolean)
                    .join(' · ');
                found.push({ id: hit.id, group: 'objects', text: hit.name ?? hit.id, detail, run: go(to) });
            }
        if (objectId && kind)
            for (const action of actionsOf(actions.data?.items ?? []))
                if (action.ready && fits(action.label))
                    found.push({
                        id: action.name,
                        group: 'actions',
                        text: action.label,
                        run: () => act(action.name, { kind, id: objectId }),
                    });
        for (const view of views)
            if (fits(view.name)) {
                const to = `${placeOf(view.list.replace(/s$/, '')) ?? '/vms'}?${viewAddress(view)}`;
                found.push({
                    id: `view-${view.id}`,
                    group: 'views',
                    text: view.name,
                    detail: view.filter ?? undefined,
                    run: go(to),
                });
            }
        for (const s of SECTIONS)
            if (fits(t(s.title)) && may(me, permissionOf(s)))
                found.push({
                    id: s.path,
                    group: 'sections',
                    text: t(s.title),
                    detail: s.key && <Kbd keys={`g ${s.key}`} />,
                    run: go(s.path),
                });
        if (fits(t('shell.help')))
            found.push({
                id: 'help',
                group: 'sections',
                text: t('shell.help'),
                detail: <Kbd keys="?" />,
                run: onHelp,
            });
        if (fits(t('estate.calls.open')))
            found.push({
                id: 'calls',
                group: 'sections',
                text: t('estate.calls.open'),
                run: onCalls,
            });
        if (words)
            found.push({
                id: 'filter',
                group: 'filter',
                text: t('palette.filter_by', { text: text.trim() }),
                run: go(`/vms?filter=${encodeURIComponent(text.trim())}`),
            });
        return found;
    }, [text, hits.data, actions.data, me, goTo, objectId, kind, act, views, t, onHelp, onCalls]);

    const at = Math.min(active, entries.length - 1);
    const pick = (entry: Entry | undefined) => {
        if (!entry) return;
        onClose();
        entry.run();
    };
    const onKey = (e: KeyboardEvent) => {
        if (e.key === 'ArrowDown') setActive((at + 1) % Math.max(1, entries.length));
        else if (e.key === 'ArrowUp') setActive((at - 1 + entries.length) % Math.max(1, entries.length));
        else if (e.key === 'Enter') pick(entries[at]);
        else return;
        e.preventDefault();
    };
    useEffect(() => {
        document.getElementById(`palette-${at}`)?.scrollIntoView?.({ block: 'nearest' });
    }, [at]);
    let group = '';
    return (
        <dialog
            ref={dialog}
            className="pv-palette"
            data-surface="palette"
            aria-label={t('palette.title')}
            onClose={onClose}
            onCancel={onClose}
            onPointerDown={(e) => e.target === dialog.current && onClose()}
        >
            <input
                className="pv-palette__input"
                role="combobox"
                aria-expanded="true"
                aria-controls="palette-list"
                aria-activedescendant={entries.length ? `palette-${at}` : undefined}
                aria-label={t('palette.title')}
                placeholder={t('palette.placeholder')}
                autoFocus
                autoComplete="off"
                spellCheck={false}
                value={text}
                onChange={(e) => {
                    setText(e.target.value);
                    setActive(0);
                }}
                onKeyDown={onKey}
            />
            <div
                className="pv-palette__list"
                id="palette-list"
                role="listbox"
                aria-label={t('palette.title')}
            >
                {entries.map((entry, i) => {
                    const head = entry.group !== group;
                    group = entry.group;
                    return (
                        <div key={`${entry.group}-${entry.id}`} role="presentation">
                            {head && (
                                <div className="pv-palette__group" role="presentation">
                                    {t(`palette.${entry.group}`, { defaultValue: '' })}
                                </div>
                            )}
                            {/* eslint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/interactive-supports-focus */}
                            <div
                                id={`palette-${i}`}
                                role="option"
                                aria-selected={i === at}
                                className="pv-palette__item"
                                onMouseMove={() => setActive(i)}
                                onClick={() => pick(entry)}
                            >
                                <span className="pv-palette__text">{entry.text}</span>
                                {entry.detail && <span className="pv-palette__detail">{entry.detail}</span>}
                            </div>
                        </div>
                    );
                })}
                {!entries.length && <p className="pv-palette__none">{t('state.no_match')}</p>}
            </div>
        </dialog>
    );
}
