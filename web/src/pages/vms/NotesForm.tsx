// SPDX-License-Identifier: Apache-2.0
// Changes tags and notes by a merge patch that means one version; when somebody else was faster, all three are shown.
import { useState } from 'react';
import { Button, Form, FormGroup, TextArea, TextInput } from '@patternfly/react-core';
import { useTranslation } from 'react-i18next';
import '../../i18n/machine';
import { api } from '../../api/client';
import { pathOf } from '../../api/model';
import { isApiError } from '../../api/problem';
import { queryClient } from '../../api/query';
import type { Item, JsonSchema } from '../../api/types';
import { changesOf, compareThree, patchOf, valuesOf, type Compared, type Values } from '../../actions/draft';
import { showValue } from '../../actions/ChangeTable';
import { labelOf } from '../../actions/labels';
import { readSubject, type Read } from '../../actions/useDraft';
import { RefField } from '../../actions/ParamFields';
import { ThreeWay } from '../../actions/ThreeWay';
import { FailureLine } from '../../states/states';

/** What is ours of an object; a merge patch without a task. */
const OURS: JsonSchema = {
    properties: {
        tags: { type: 'array', items: { type: 'string' } },
        notes: { type: ['string', 'null'] },
        folder: { type: ['string', 'null'], 'x-kind': 'folder' },
    },
};

export default function NotesForm({ base, onClose }: { base: Item; onClose: () => void }) {
    const { t } = useTranslation();
    const [start, setStart] = useState(() => ({
        values: valuesOf(OURS, base),
        etag: base.version ? `"${base.kind}-${base.version}"` : null,
    }));
    const [values, setValues] = useState<Values>(start.values);
    const [tagText, setTagText] = useState(((base.tags as string[] | null) ?? []).join(' '));
    const [error, setError] = useState<unknown>(null);
    const [clash, setClash] = useState<{ rows: Compared[]; read: Read; current: Values } | null>(null);
    const changes = changesOf(OURS, start.values, values);
    const save = async () => {
        setError(null);
        try {
            if (changes.length)
                await api.patch(`${pathOf(base.kind)}/${base.id}`, patchOf(changes), {
                    ifMatch: start.etag ?? undefined,
                });
            await queryClient.invalidateQueries({ queryKey: ['object', base.kind, base.id] });
            onClose();
        } catch (failure) {
            if (!isApiError(failure) || failure.status !== 412) {
                setError(failure);
                return;
            }
            const read = await readSubject(base);
            const current = valuesOf(OURS, read.item);
            setClash({ read, current, rows: compareThree(OURS, start.values, values, current) });
        }
    };
    if (clash)
        return (
            <div className="pv-pad">
                <ThreeWay
                    rows={clash.rows}
                    current={clash.current}
                    label={(path) => labelOf(base.kind, path)}
                    show={(leaf, value) =>
                        Array.isArray(value) ? value.join(' ') : showValue(base.kind, leaf, value)
                    }
                    onDone={(next) => {
                        setStart({ values: clash.current, etag: clash.read.etag });
                        setValues(next);
                        setTagText(((next.tags as string[] | undefined) ?? []).join(' '));
                        setClash(null);
                    }}
                />
            </div>
        );
    return (
        <Form
            className="pv-pad"
            data-surface="notes"
            onSubmit={(e) => {
                e.preventDefault();
                void save();
            }}
        >
            {error !== null && <FailureLine error={error} />}
            <FormGroup label={t('field.any.tags')} fieldId="note-tags">
                <TextInput
                    id="note-tags"
                    value={tagText}
                    placeholder="env=prod team=web"
                    onChange={(_, v) => {
                        setTagText(v);
                        const tags = v.split(/[\s,]+/).filter(Boolean);
                        setValues((old) => ({ ...old, tags: tags.length ? tags : undefined }));
                    }}
                />
            </FormGroup>
            <FormGroup label={t('field.any.notes')} fieldId="note-text">
                <TextArea
                    id="note-text"
                    rows={4}
                    value={String(values.notes ?? '')}
                    onChange={(_, v) => setValues((old) => ({ ...old, notes: v || undefined }))}
                />
            </FormGroup>
            <FormGroup label={t('field.any.folder')} fieldId="note-folder">
                <RefField
                    id="note-folder"
                    kind="folder"
                    value={String(values.folder ?? '')}
                    none
                    onChange={(v) => setValues((old) => ({ ...old, folder: v || undefined }))}
                />
            </FormGroup>
            <div className="pv-buttons">
                <Button type="submit" variant="primary" size="sm">
                    {t('action.save')}
                </Button>
                <Button variant="link" size="sm" onClick={onClose}>
                    {t('action.cancel')}
                </Button>
            </div>
        </Form>
    );
}
