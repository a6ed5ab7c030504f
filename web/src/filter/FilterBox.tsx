// SPDX-License-Identifier: Apache-2.0
// The filter: text in the server's language, its terms as chips, suggestions under the caret, errors at their column. Chips and
// text are two views of one thing.
import { useCallback, useEffect, useId, useLayoutEffect, useRef, useState, type KeyboardEvent } from 'react';
import { useTranslation } from 'react-i18next';
import { columnOf, isApiError } from '../api/problem';
import { number } from '../i18n/format';
import { said } from '../i18n/words';
import type { How } from '../lib/address';
import { Ahead } from '../lib/ahead';
import { suggest, type Suggestion } from './suggest';
import { tokenize, unfinished, without } from './tokens';

export interface FilterBoxProps {
    kind: string;
    value: string;
    /** What is typed is a draft until it is said that it is meant. */
    onChange: (value: string, how?: How) => void;
    /** What the server said to the filter that was sent last. */
    error?: unknown;
    label: string;
}

const TYPING_MS = 150;
const DRAFT: How = 'draft:filter';
const DONE: How = 'done:filter';

/** What one may look for in a list, by its kind. */
const EXAMPLES: Record<string, string> = {
    vm: 'power:running memory>=8GiB',
    host: 'health:{warning,critical}',
    cluster: 'health:{warning,critical}',
    datastore: 'free_bytes<100GiB',
    network: 'name~dmz*',
    switch: 'name~lan*',
    provider: 'family:vmware',
    task: 'state:failed',
    event: 'severity:warning',
    alert: 'severity:warning',
    audit: 'actor:admin',
};

export function FilterBox({ kind, value, onChange, error, label }: FilterBoxProps) {
    const { t } = useTranslation();
    const example = EXAMPLES[kind];
    const base = useId();
    const input = useRef<HTMLInputElement>(null);
    const [text, setText] = useState(value);
    const [open, setOpen] = useState(false);
    const [items, setItems] = useState<Suggestion[]>([]);
    /** The text that the suggestions are for. */
    const [about, setAbout] = useState('');
    const [active, setActive] = useState(-1);
    const sent = useRef(value);
    /** What was sent last may still become something longer. */
    const draft = useRef(false);
    const [echoes] = useState(() => new Ahead(value));

    // The address bar changed: follow it. What we sent ourselves comes back later, when more has been typed: that is no news.
    useLayoutEffect(() => {
        if (!echoes.arrive(value)) return;
        sent.current = value;
        setText((now) => (now.trim() === value ? now : value));
    }, [echoes, value]);
    const send = useCallback(
        (next: string, how?: How) => {
            sent.current = next;
            draft.current = how === DRAFT;
            echoes.send(next);
            onChange(next, how);
        },
        [echoes, onChange],
    );

    useEffect(() => {
        if (text.trim() === sent.current) return;
        // A term that waits for its value is not sent yet.
        if (unfinished(text)) return;
        const timer = setTimeout(() => send(text.trim(), DRAFT), TYPING_MS);
        return () => clearTimeout(timer);
    }, [text, send]);

    useEffect(() => {
        if (!open) return;
        const abort = new AbortController();
        const pos = input.current?.selectionStart ?? text.length;
        const timer = setTimeout(() => {
            suggest(kind, text, pos, abort.signal)
                .then((found) => {
                    setItems(found);
                    setAbout(text);
                    setActive(-1);
                })
                .catch(() => undefined);
        }, TYPING_MS);
        return () => {
            clearTimeout(timer);
            abort.abort();
        };
    }, [open, text, kind]);

    const meant = () => {
        if (draft.current || text.trim() !== sent.current) send(text.trim(), DONE);
    };
    /** At once, and not as the next letter of something. */
    const put = (next: string) => {
        setText(next);
        send(next);
    };
    const take = (item: Suggestion) => {
        // More may have been typed since it was offered; what it replaces has become longer by that.
        const to = Math.max(item.from, item.to + text.length - about.length);
        const next = text.slice(0, item.from) + item.text + text.slice(to);
        const pos = item.from + item.text.length;
        setText(next + (item.kind !== 'field' && pos === next.length ? ' ' : ''));
        if (!unfinished(next)) send(next.trim(), DONE);
        setItems([]);
        requestAnimationFrame(() => {
            input.current?.focus();
            input.current?.setSelectionRange(
                pos + (item.kind === 'field' ? 0 : 1),
                pos + (item.kind === 'field' ? 0 : 1),
            );
        });
    };

    const onKey = (e: KeyboardEvent) => {
        if (e.key === 'ArrowDown' || e.key === 'ArrowUp') {
            if (!open) setOpen(true);
            const by = e.key === 'ArrowDown' ? 1 : -1;
            if (items.length)
                setActive((a) => (a + by + items.length + (a < 0 && by < 0 ? 1 : 0)) % items.length);
            e.preventDefault();
        } else if ((e.key === 'Enter' || e.key === 'Tab') && open && active >= 0 && items[active]) {
            take(items[active]);
            e.preventDefault();
        } else if (e.key === 'Enter') {
            setOpen(false);
            meant();
        } else if (e.key === 'Escape') {
            if (open && items.length) setOpen(false);
            else if (text) put('');
            else input.current?.blur();
            e.preventDefault();
        }
    };

    const tokens = tokenize(text);
    const problem = isApiError(error) && error.code === 'invalid-filter' ? error.problem : null;
    const column = problem ? columnOf(problem) : null;
    const listId = `${base}-list`;
    const expanded = open && items.length > 0;
    return (
        <div className="pv-filter">
            <div className={`pv-filter__box${problem ? ' pv-filter__box--error' : ''}`}>
                <svg className="pv-filter__icon" viewBox="0 0 16 16" aria-hidden="true">
                    <path d="M2 3h12L9.5 8.5v4.2l-3 1.3V8.5z" />
                </svg>
                <input
                    ref={input}
                    className="pv-filter__input"
                    type="text"
                    role="combobox"
                    data-filter=""
                    aria-label={label}
                    aria-expanded={expanded}
                    aria-controls={listId}
                    aria-autocomplete="list"
                    aria-activedescendant={active >= 0 ? `${base}-${active}` : undefined}
                    aria-invalid={!!problem}
                    aria-describedby={problem ? `${base}-error` : undefined}
                    autoComplete="off"
                    autoCapitalize="off"
                    spellCheck={false}
                    placeholder={example ? t('filter.placeholder', { example }) : label}
                    value={text}
                    onChange={(e) => {
                        setText(e.target.value);
                        setActive(-1);
                        setOpen(true);
                    }}
                    onFocus={() => setOpen(true)}
                    onBlur={() => {
                        setTimeout(() => setOpen(false), 120);
                        // Whoever goes on elsewhere meant what stands here.
                        if (draft.current && text.trim() === sent.current) meant();
                    }}
                    onKeyDown={onKey}
                />
                {text && (
                    <button
                        type="button"
                        className="pv-iconbutton"
                        aria-label={t('filter.clear')}
                        onClick={() => put('')}
                    >
                        <svg viewBox="0 0 16 16" aria-hidden="true">
                            <path d="m4 4 8 8m0-8-8 8" />
                        </svg>
                    </button>
                )}
            </div>
            {expanded && (
                <ul
                    className="pv-suggest"
                    data-surface="suggestions"
                    role="listbox"
                    id={listId}
                    aria-label={t('filter.suggestions')}
                >
                    {items.map((item, i) => (
                        // Keys are handled by the combobox, which keeps the focus.
                        // eslint-disable-next-line jsx-a11y/click-events-have-key-events
                        <li
                            key={`${item.text}-${i}`}
                            id={`${base}-${i}`}
                            role="option"
                            aria-selected={i === active}
                            className="pv-suggest__item"
                            onMouseDown={(e) => e.preventDefault()}
                            onClick={() => take(item)}
                        >
                            <code>{item.label}</code>
                            {item.detail && <span className="pv-subtle">{item.detail}</span>}
                            {item.count !== undefined && (
                                <span className="pv-suggest__count">{number(item.count)}</span>
                            )}
                        </li>
                    ))}
                </ul>
            )}
            {problem && (
                <div className="pv-filter__error" id={`${base}-error`} role="alert">
                    {column !== null && (
                        <code className="pv-filter__where" aria-hidden="true">
                            {text.slice(0, column - 1)}
                            <mark>{text.slice(column - 1, column) || '\u00a0'}</mark>
                            {text.slice(column)}
                        </code>
                    )}
                    <span>{said(problem, 'detail')}</span>
                </div>
            )}
            {tokens.length > 0 && !problem && (
                <ul className="pv-chips" aria-label={t('filter.terms')}>
                    {tokens.map((token, i) =>
                        token.kind === 'term' || token.kind === 'word' ? (
                            <li key={i} className={`pv-chip${token.negated ? ' pv-chip--not' : ''}`}>
                                {token.negated && <span className="pv-chip__not">{t('filter.not')}</span>}
                                {token.kind === 'term' ? (
                                    <>
                                        <span className="pv-chip__field">{token.field}</span>
                                        <span className="pv-chip__op">{token.op}</span>
                                        <span>{token.value}</span>
                                    </>
                                ) : (
                                    <span>{token.text.replace(/^-/, '')}</span>
                                )}
                                <button
                                    type="button"
                                    className="pv-iconbutton pv-iconbutton--small"
                                    aria-label={t('filter.remove', { term: token.text })}
                                    onClick={() => put(without(text, token))}
                                >
                                    <svg viewBox="0 0 16 16" aria-hidden="true">
                                        <path d="m4 4 8 8m0-8-8 8" />
                                    </svg>
                                </button>
                            </li>
                        ) : (
                            <li key={i} className="pv-chips__word">
                                {token.kind === 'or'
                                    ? t('filter.or')
                                    : token.kind === 'and'
                                      ? ''
                                      : token.text}
                            </li>
                        ),
                    )}
                </ul>
            )}
        </div>
    );
}
