// SPDX-License-Identifier: Apache-2.0
// Changes tags and notes by a merge patch that means one version; when somebody else was faster, all three are shown.
import { useState } from 'react';
import { Button, Form, FormGroup, TextArea, TextInput } from '@patternfly/react-core';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { pathOf } from '../../api/model';
import { isApiError } from '../../api/problem';
import { queryClient } from '../../api/query';
import type { Item } from '../../api/types';
import { FailureLine, Notice } from '../../states/states';

export default function NotesForm({ base, onClose }: { base: Item; onClose: () => void }) {
    const { t } = useTranslation();
    const [tags, setTags] = useState(((base.tags as string[] | null) ?? []).join(' '));
    const [notes, setNotes] = useState((base.notes as string | null) ?? '');
    const [error, setError] = useState<unknown>(null);
    const [theirs, setTheirs] = useState<Item | null>(null);
    const path = `${pathOf(base.kind)}/${base.id}`;
    const save = async () => {
        const version = (theirs ?? base).version;
        setError(null);
        try {
            await api.patch(
                path,
                { tags: tags.split(/[\s,]+/).filter(Boolean), notes: notes || null },
                { ifMatch: version ? `"${base.kind}-${version}"` : undefined },
            );
            await queryClient.invalidateQueries({ queryKey: ['object', base.kind, base.id] });
            onClose();
        } catch (failure) {
            if (isApiError(failure) && failure.status === 412) setTheirs(await api.get<Item>(path));
            else setError(failure);
        }
    };
    return (
        <Form
            className="pv-pad"
            onSubmit={(e) => {
                e.preventDefault();
                void save();
            }}
        >
            {theirs && (
                <Notice variant="warning" title={t('vm.changed_meanwhile')}>
                    <table className="pv-table">
                        <thead>
                            <tr>
                                <th scope="col">{t('vm.before')}</th>
                                <th scope="col">{t('vm.theirs')}</th>
                                <th scope="col">{t('vm.yours')}</th>
                            </tr>
                        </thead>
                        <tbody>
                            <tr>
                                <td>{[base.tags, base.notes].flat().filter(Boolean).join(' ')}</td>
                                <td>{[theirs.tags, theirs.notes].flat().filter(Boolean).join(' ')}</td>
                                <td>{`${tags} ${notes}`}</td>
                            </tr>
                        </tbody>
                    </table>
                </Notice>
            )}
            {error !== null && <FailureLine error={error} />}
            <FormGroup label={t('field.any.tags')} fieldId="note-tags">
                <TextInput
                    id="note-tags"
                    value={tags}
                    placeholder="env=prod team=web"
                    onChange={(_, v) => setTags(v)}
                />
            </FormGroup>
            <FormGroup label={t('field.any.notes')} fieldId="note-text">
                <TextArea id="note-text" rows={4} value={notes} onChange={(_, v) => setNotes(v)} />
            </FormGroup>
            <div className="pv-buttons">
                <Button type="submit" variant="primary" size="sm">
                    {theirs ? t('vm.save_mine') : t('action.save')}
                </Button>
                <Button variant="link" size="sm" onClick={onClose}>
                    {t('action.cancel')}
                </Button>
            </div>
        </Form>
    );
}
