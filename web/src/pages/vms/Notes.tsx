// SPDX-License-Identifier: Apache-2.0
// Our own notes and tags of an object.
import { lazy, Suspense } from 'react';
import { useTranslation } from 'react-i18next';
import { useCan } from '../../api/query';
import type { Item } from '../../api/types';
import { useOpened } from '../../lib/address';
import { RefLink, TagList } from '../../lib/cells';
import { SkeletonLines } from '../../states/states';

const NotesForm = lazy(() => import('./NotesForm'));

export function Notes({ item }: { item: Item }) {
    const { t } = useTranslation();
    const may = useCan('tag.write');
    const [asked, edit] = useOpened('edit', 'notes');
    const editing = asked && may;
    const tags = (item.tags as string[] | null) ?? [];
    const folder = item.folder as { id: string; name?: string | null } | null | undefined;
    const notes = (item.notes as string | null) ?? '';
    return (
        <section className="pv-card">
            <h2 className="pv-card__title">
                {t('machine.vm.notes')}
                {!editing && (
                    <button
                        type="button"
                        className="pv-button pv-button--link pv-card__more"
                        aria-disabled={!may}
                        title={may ? undefined : t('state.needs', { permission: 'tag.write' })}
                        onClick={() => may && edit(true)}
                    >
                        {t('action.edit')}
                    </button>
                )}
            </h2>
            {editing ? (
                <Suspense fallback={<SkeletonLines lines={4} />}>
                    <NotesForm base={item} onClose={() => edit(false)} />
                </Suspense>
            ) : (
                <div className="pv-pad">
                    {folder && (
                        <p>
                            <span className="pv-subtle">{t('field.any.folder')}</span>{' '}
                            <RefLink value={folder} kind="folder" />
                        </p>
                    )}
                    <TagList tags={tags} />
                    {notes && <p className="pv-prewrap">{notes}</p>}
                    {!tags.length && !notes && !folder && (
                        <span className="pv-subtle">{t('machine.vm.no_notes')}</span>
                    )}
                </div>
            )}
        </section>
    );
}
