// SPDX-License-Identifier: Apache-2.0
// The dialog over a page. Looks as the design system's (its style sheets), without what that brings along: tooltips, their placing,
// a library for focus, and English words. Focus goes into the dialog, stays in it by Tab, and goes back where it was; what is behind
// is hidden from screen readers. Several may be open: the last one is meant by the keyboard.
import {
    useEffect,
    useId,
    useLayoutEffect,
    useRef,
    useState,
    type HTMLAttributes,
    type ReactNode,
} from 'react';
import { createPortal } from 'react-dom';
import { useTranslation } from 'react-i18next';
import '@patternfly/patternfly/components/Backdrop/backdrop.css';
import '@patternfly/patternfly/components/ModalBox/modal-box.css';
import '@patternfly/patternfly/layouts/Bullseye/bullseye.css';
import { Mark } from './cells';

const SIZES = { small: 'pf-m-sm', medium: 'pf-m-md', large: 'pf-m-lg' } as const;
const REACHED =
    'a[href], button:not([disabled]), input:not([disabled]), select:not([disabled]), textarea:not([disabled]), summary, [contenteditable], [tabindex]';

/** Open dialogs, the last is on top. */
const open: HTMLElement[] = [];

const isTop = (box: HTMLElement | null) => box !== null && open[open.length - 1] === box;

/** Everything beside the dialog on top is there for nobody. */
function hideOthers(): void {
    const top = open[open.length - 1];
    document.body.classList.toggle('pf-v6-c-backdrop__open', top !== undefined);
    for (const child of document.body.children)
        if (top && !child.contains(top)) child.setAttribute('aria-hidden', 'true');
        else child.removeAttribute('aria-hidden');
}

/** What Tab stops at, in order. Of radio buttons with one name it stops at one. */
function stops(box: HTMLElement): HTMLElement[] {
    return [...box.querySelectorAll<HTMLElement>(REACHED)].filter((node) => {
        if (node.tabIndex < 0 || node.closest('[inert], fieldset[disabled]')) return false;
        const folded = node.closest('details:not([open])');
        if (folded && !(node.tagName === 'SUMMARY' && node.parentElement === folded)) return false;
        if (!(node instanceof HTMLInputElement) || node.type !== 'radio' || node.checked || !node.name)
            return true;
        return !box.querySelector(`input[type=radio][name="${CSS.escape(node.name)}"]:checked`);
    });
}

/** Keeps the focus within the box as long as it is the one on top. */
function useFocusWithin(first: string | undefined, onEscape: (() => void) | undefined) {
    const ref = useRef<HTMLDivElement>(null);
    // Before a field of it that asks for the focus has it.
    const [before] = useState(() => document.activeElement);
    const escape = useRef(onEscape);
    useEffect(() => {
        escape.current = onEscape;
    });
    useLayoutEffect(() => {
        const box = ref.current!;
        open.push(box);
        hideOthers();
        if (!box.contains(document.activeElement)) {
            const wanted = first ? box.querySelector<HTMLElement>(first) : null;
            (wanted ?? stops(box)[0] ?? box).focus();
        }
        const onKey = (event: KeyboardEvent) => {
            if (!isTop(box)) return;
            if (event.key === 'Escape') escape.current?.();
            if (event.key !== 'Tab') return;
            const all = stops(box);
            const edge = event.shiftKey ? all[0] : all[all.length - 1];
            const active = document.activeElement;
            if (box.contains(active) && active !== edge && active !== box) return;
            event.preventDefault();
            ((event.shiftKey ? all[all.length - 1] : all[0]) ?? box).focus();
        };
        document.body.addEventListener('keydown', onKey);
        return () => {
            document.body.removeEventListener('keydown', onKey);
            open.splice(open.indexOf(box), 1);
            hideOthers();
            // Who closes it by a click elsewhere, or by going to another page, has said where to be.
            const active = document.activeElement;
            if (before instanceof HTMLElement && (box.contains(active) || active === document.body))
                before.focus();
        };
    }, [first, before]);
    return ref;
}

interface Props extends HTMLAttributes<HTMLDivElement> {
    variant?: keyof typeof SIZES;
    /** Without it the dialog cannot be left. */
    onClose?: () => void;
    /** Selector of what has the focus first; else the first that can have it. */
    elementToFocus?: string;
    'data-surface': string;
    'data-of'?: string;
    'aria-labelledby': string;
}

export function Modal({ variant = 'medium', onClose, elementToFocus, children, ...rest }: Props) {
    const { 'data-surface': surface, ...more } = rest;
    const { t } = useTranslation();
    const id = useId();
    const ref = useFocusWithin(elementToFocus, onClose);
    return createPortal(
        <div className="pf-v6-c-backdrop">
            <div className="pf-v6-l-bullseye">
                <div
                    {...more}
                    data-surface={surface}
                    ref={ref}
                    id={id}
                    role="dialog"
                    aria-modal="true"
                    tabIndex={-1}
                    className={`pf-v6-c-modal-box ${SIZES[variant]}`}
                >
                    {onClose && (
                        <div className="pf-v6-c-modal-box__close">
                            <button
                                type="button"
                                className="pv-iconbutton"
                                aria-label={t('action.close')}
                                onClick={onClose}
                            >
                                <svg viewBox="0 0 16 16" aria-hidden="true">
                                    <path d="m4 4 8 8m0-8-8 8" />
                                </svg>
                            </button>
                        </div>
                    )}
                    {children}
                </div>
            </div>
        </div>,
        document.body,
    );
}

export function ModalHeader(p: {
    title: ReactNode;
    labelId: string;
    description?: ReactNode;
    /** What is asked for can do harm: said in front of the title, to those who do not see the sign as well. */
    warning?: boolean;
}) {
    const { t } = useTranslation();
    return (
        <header className="pf-v6-c-modal-box__header">
            <h1
                id={p.labelId}
                className={`pf-v6-c-modal-box__title${p.warning ? ' pf-m-icon pf-m-warning' : ''}`}
            >
                {p.warning && (
                    <>
                        <span className="pf-v6-c-modal-box__title-icon">
                            <Mark as="warn" />
                        </span>
                        <span className="pv-sr">{t('action.warning')}</span>
                    </>
                )}
                <span className="pf-v6-c-modal-box__title-text">{p.title}</span>
            </h1>
            {p.description && <div className="pf-v6-c-modal-box__description">{p.description}</div>}
        </header>
    );
}

export function ModalBody({ children, ...rest }: HTMLAttributes<HTMLDivElement>) {
    return (
        <div {...rest} className="pf-v6-c-modal-box__body">
            {children}
        </div>
    );
}

export function ModalFooter({ children }: { children: ReactNode }) {
    return <footer className="pf-v6-c-modal-box__footer">{children}</footer>;
}
