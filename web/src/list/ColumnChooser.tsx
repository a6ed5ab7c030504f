// SPDX-License-Identifier: Apache-2.0
// Which columns a list shows, in which order, which are pinned. Every way works without dragging.
import { useState, type ReactNode } from 'react';
import { Button, TextInput } from '@patternfly/react-core';
import { useTranslation } from 'react-i18next';
import type { Column } from '../grid/columns';
import { widthOf, withMoved, withPinned, withWidth, type Layout } from '../grid/layout';
import { Modal, ModalBody, ModalFooter, ModalHeader } from '../lib/Modal';
import { initialLayout, type ListUrl } from './url';
import type { ListDeclaration } from './types';

export default function ColumnChooser(p: {
    list: ListDeclaration;
    columns: Column[];
    url: ListUrl;
    onClose: () => void;
}) {
    const { t } = useTranslation();
    const { layout, set } = p.url;
    const [text, setText] = useState('');
    const shown = layout.columns
        .map((id) => p.columns.find((c) => c.id === id))
        .filter((c): c is Column => !!c);
    const label = (c: Column) => c.label?.() ?? c.id;
    const others = p.columns
        .filter(
            (c) =>
                !layout.columns.includes(c.id) &&
                `${label(c)} ${c.id}`.toLowerCase().includes(text.toLowerCase()),
        )
        .slice(0, 60);
    const put = (next: (now: Layout) => Layout) => set({ layout: next }, 'replace');
    const move = (id: string, by: number) => put((now) => withMoved(now, id, by) ?? now);
    const widen = (c: Column, by: number) => put((now) => withWidth(now, c.id, widthOf(c, now) + by));
    const small = (
        key: string,
        text: string,
        icon: ReactNode,
        onClick: () => void,
        disabled = false,
        pressed?: boolean,
    ) => (
        <button
            key={key}
            type="button"
            className="pv-iconbutton"
            aria-label={text}
            title={text}
            aria-disabled={disabled}
            aria-pressed={pressed}
            onClick={() => !disabled && onClick()}
        >
            <svg viewBox="0 0 16 16" aria-hidden="true">
                {icon}
            </svg>
        </button>
    );
    return (
        <Modal variant="medium" onClose={p.onClose} data-surface="columns" aria-labelledby="columns-title">
            <ModalHeader title={t('list.columns').replace(/ ?…$/, '')} labelId="columns-title" />
            <ModalBody>
                <div className="pv-chooser">
                    <section>
                        <h3 className="pv-h3">{t('list.columns_shown')}</h3>
                        <ol className="pv-chooser__list">
                            {shown.map((c, i) => (
                                <li key={c.id}>
                                    <span className="pv-chooser__name">{label(c)}</span>
                                    {small(
                                        'up',
                                        t('list.move_up', { name: label(c) }),
                                        <path d="m4 10 4-4 4 4" />,
                                        () => move(c.id, -1),
                                        i === 0,
                                    )}
                                    {small(
                                        'down',
                                        t('list.move_down', { name: label(c) }),
                                        <path d="m4 6 4 4 4-4" />,
                                        () => move(c.id, 1),
                                        i === shown.length - 1,
                                    )}
                                    {small(
                                        'narrower',
                                        t('lists.narrower', { name: label(c) }),
                                        <path d="M3 8h10" />,
                                        () => widen(c, -16),
                                    )}
                                    <span className="pv-subtle">{widthOf(c, layout)}</span>
                                    {small(
                                        'wider',
                                        t('lists.wider', { name: label(c) }),
                                        <path d="M8 3v10M3 8h10" />,
                                        () => widen(c, 16),
                                    )}
                                    {small(
                                        'pin',
                                        t('list.pin', { name: label(c) }),
                                        <path d="M6 2h4v5l2 2H4l2-2zM8 9v5" />,
                                        () => put((now) => withPinned(now, c.id)),
                                        false,
                                        layout.pinned.includes(c.id),
                                    )}
                                    {small(
                                        'hide',
                                        t('list.hide', { name: label(c) }),
                                        <path d="m4 4 8 8m0-8-8 8" />,
                                        () =>
                                            put((now) => ({
                                                ...now,
                                                columns: now.columns.filter((id) => id !== c.id),
                                            })),
                                        shown.length === 1,
                                    )}
                                </li>
                            ))}
                        </ol>
                    </section>
                    <section>
                        <h3 className="pv-h3">{t('list.columns_more')}</h3>
                        <TextInput
                            aria-label={t('form.search')}
                            placeholder={t('form.search')}
                            value={text}
                            onChange={(_, v) => setText(v)}
                        />
                        <ul className="pv-chooser__list">
                            {others.map((c) => (
                                <li key={c.id}>
                                    <span className="pv-chooser__name">
                                        {label(c)} <code className="pv-subtle">{c.path}</code>
                                    </span>
                                    {small(
                                        'add',
                                        t('list.show', { name: label(c) }),
                                        <path d="M8 3v10M3 8h10" />,
                                        () => put((now) => ({ ...now, columns: [...now.columns, c.id] })),
                                    )}
                                </li>
                            ))}
                        </ul>
                    </section>
                </div>
            </ModalBody>
            <ModalFooter>
                <Button variant="primary" onClick={p.onClose}>
                    {t('action.done')}
                </Button>
                <Button variant="link" onClick={() => set({ layout: initialLayout(p.list) }, 'replace')}>
                    {t('list.columns_reset')}
                </Button>
            </ModalFooter>
        </Modal>
    );
}
