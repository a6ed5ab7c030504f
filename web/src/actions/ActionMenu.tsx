// SPDX-License-Identifier: Apache-2.0
// Menus of actions: at a row (right click, Shift+F10), behind "More" on an object's page, and on a tree's node. What cannot be
// done is there too, with its reason.
import { useEffect, useId, useRef, useState, type RefObject } from 'react';
import { createPortal } from 'react-dom';
import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { useTranslation } from 'react-i18next';
import { actionsQuery } from '../api/query';
import { begun } from '../i18n/words';
import { SkeletonLines } from '../states/states';
import { linkTo } from '../lib/links';
import { actionsOf, type Action } from './registry';
import { useAct } from './useAct';

export interface MenuPlace {
    kind: string;
    id: string;
    name?: string | null;
    x: number;
    y: number;
}

/** Arrow keys go through the entries, Escape and Tab leave. */
function useMenuKeys(box: RefObject<HTMLDivElement | null>, close: () => void) {
    // Whoever shows the menu may be drawn again while it is open: the focus stays where it is.
    const latest = useRef(close);
    useEffect(() => {
        latest.current = close;
    });
    useEffect(() => {
        const onClose = () => latest.current();
        const before = document.activeElement as HTMLElement | null;
        const entries = () => [...(box.current?.querySelectorAll<HTMLElement>('[role=menuitem]') ?? [])];
        const key = (e: KeyboardEvent) => {
            const list = entries();
            const at = list.indexOf(document.activeElement as HTMLElement);
            if (e.key === 'Escape' || e.key === 'Tab') onClose();
            else if (e.key === 'ArrowDown') list[(at + 1) % list.length]?.focus();
            else if (e.key === 'ArrowUp') list[(at - 1 + list.length) % list.length]?.focus();
            else if (e.key === 'Home') list[0]?.focus();
            else if (e.key === 'End') list[list.length - 1]?.focus();
            else if (e.key.length === 1 && /\S/.test(e.key) && !e.ctrlKey && !e.metaKey) {
                const found = [...list.slice(at + 1), ...list].find((x) =>
                    x.textContent?.toLowerCase().startsWith(e.key.toLowerCase()),
                );
                found?.focus();
            } else return;
            e.preventDefault();
            e.stopPropagation();
        };
        const outside = (e: PointerEvent) => {
            if (!box.current?.contains(e.target as Node)) onClose();
        };
        const node = box.current;
        node?.addEventListener('keydown', key);
        document.addEventListener('pointerdown', outside, true);
        addEventListener('blur', onClose);
        return () => {
            node?.removeEventListener('keydown', key);
            document.removeEventListener('pointerdown', outside, true);
            removeEventListener('blur', onClose);
            before?.focus({ preventScroll: true });
        };
    }, [box]);
}

export function MenuEntries({ actions, onPick }: { actions: Action[]; onPick: (action: Action) => void }) {
    return (
        <>
            {actions.map((action) => (
                <button
                    key={action.name}
                    type="button"
                    role="menuitem"
                    className={`pv-menu__item${action.danger ? ' pv-menu__item--danger' : ''}`}
                    aria-disabled={!action.ready}
                    tabIndex={-1}
                    onClick={() => action.ready && onPick(action)}
                >
                    <span>{action.label}</span>
                    {!action.ready && action.reason && (
                        <span className="pv-menu__reason">{begun(action.reason)}</span>
                    )}
                </button>
            ))}
        </>
    );
}

export function ActionMenu({
    place,
    onClose,
    own,
}: {
    place: MenuPlace;
    onClose: () => void;
    /** Entries of a kind that has no operations. */
    own?: { actions: Action[]; pick: (action: Action) => void };
}) {
    const { t } = useTranslation();
    const box = useRef<HTMLDivElement>(null);
    const act = useAct();
    const { data, error } = useQuery({ ...actionsQuery(place.kind, place.id), enabled: !own });
    const [shift, setShift] = useState({ x: 0, y: 0 });
    useMenuKeys(box, onClose);
    useEffect(() => {
        const r = box.current?.getBoundingClientRect();
        if (!r) return;
        setShift({
            x: Math.min(0, innerWidth - 8 - (place.x + r.width)),
            y: Math.min(0, innerHeight - 8 - (place.y + r.height)),
        });
        if (!box.current?.contains(document.activeElement))
            box.current?.querySelector<HTMLElement>('[role=menuitem]')?.focus();
    }, [place, data]);
    const open = linkTo(place.id, place.kind);
    return createPortal(
        <div
            ref={box}
            className="pv-menu"
            data-surface="menu-object"
            data-of={place.kind}
            role="menu"
            aria-label={t('grid.menu_of', { name: place.name ?? '' })}
            style={{ left: Math.max(4, place.x + shift.x), top: Math.max(4, place.y + shift.y) }}
        >
            {open && (
                <Link role="menuitem" className="pv-menu__item" to={open} tabIndex={-1} onClick={onClose}>
                    {t('action.open')}
                </Link>
            )}
            <div className="pv-menu__rule" role="separator" />
            {own ? (
                <MenuEntries
                    actions={own.actions}
                    onPick={(action) => {
                        onClose();
                        own.pick(action);
                    }}
                />
            ) : error ? (
                <p className="pv-menu__reason">{String(error)}</p>
            ) : data ? (
                <MenuEntries
                    actions={actionsOf(data.items)}
                    onPick={(action) => {
                        onClose();
                        act(action.name, { kind: place.kind, id: place.id, name: place.name });
                    }}
                />
            ) : (
                <SkeletonLines lines={5} />
            )}
        </div>,
        document.body,
    );
}

/** A button that opens a menu below it; for pages and tool bars. */
export function MenuButton(p: {
    /** What tells this menu from all others, in tests. */
    surface: `menu-${string}`;
    label: string;
    actions: Action[];
    onPick: (action: Action) => void;
    /** Of what, where several such buttons stand in a list. */
    name?: string | null;
    onOpen?: () => void;
}) {
    const [open, setOpen] = useState(false);
    const button = useRef<HTMLButtonElement>(null);
    return (
        <span className="pv-menubutton">
            <button
                ref={button}
                type="button"
                className="pv-button"
                aria-haspopup="menu"
                aria-expanded={open}
                aria-label={p.name ? `${p.label}: ${p.name}` : undefined}
                onClick={() => {
                    if (!open) p.onOpen?.();
                    setOpen((o) => !o);
                }}
            >
                {p.label}
                <svg className="pv-caret" viewBox="0 0 16 16" aria-hidden="true">
                    <path d="m4 6 4 4 4-4" />
                </svg>
            </button>
            {open && <Dropped button={button} {...p} onClose={() => setOpen(false)} />}
        </span>
    );
}

function Dropped(p: {
    button: RefObject<HTMLButtonElement | null>;
    surface: string;
    label: string;
    actions: Action[];
    onPick: (action: Action) => void;
    onClose: () => void;
}) {
    const box = useRef<HTMLDivElement>(null);
    const [at, setAt] = useState({ left: 0, top: 0 });
    useMenuKeys(box, p.onClose);
    useEffect(() => {
        const r = p.button.current?.getBoundingClientRect();
        const own = box.current?.getBoundingClientRect();
        if (!r || !own) return;
        setAt({
            left: Math.max(4, Math.min(r.left, innerWidth - own.width - 8)),
            top: r.bottom + own.height + 8 > innerHeight ? Math.max(4, r.top - own.height - 4) : r.bottom + 4,
        });
        box.current?.querySelector<HTMLElement>('[role=menuitem]')?.focus();
    }, [p.button]);
    return createPortal(
        <div
            ref={box}
            className="pv-menu"
            data-surface={p.surface}
            role="menu"
            aria-label={p.label}
            style={at}
        >
            <MenuEntries
                actions={p.actions}
                onPick={(action) => {
                    p.onClose();
                    p.onPick(action);
                }}
            />
        </div>,
        document.body,
    );
}

/** An action as a button. What cannot be done stays reachable by keyboard and says why. */
export function ActionButton(p: {
    action: Action;
    onPick: (action: Action) => void;
    primary?: boolean;
    small?: boolean;
}) {
    const { action } = p;
    const id = useId();
    const classes = ['pv-button'];
    if (p.primary) classes.push('pv-button--primary');
    if (p.small) classes.push('pv-button--small');
    return (
        <>
            <button
                type="button"
                className={classes.join(' ')}
                aria-disabled={!action.ready}
                aria-describedby={action.ready ? undefined : id}
                title={action.ready ? undefined : (action.reason ?? undefined)}
                onClick={() => action.ready && p.onPick(action)}
            >
                {action.label}
            </button>
            {!action.ready && (
                <span id={id} className="pv-sr">
                    {action.reason}
                </span>
            )}
        </>
    );
}
