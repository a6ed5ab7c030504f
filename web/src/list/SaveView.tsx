// SPDX-License-Identifier: Apache-2.0
import { useState } from 'react';
import {
    Button,
    Checkbox,
    Form,
    FormGroup,
    Modal,
    ModalBody,
    ModalFooter,
    ModalHeader,
    TextInput,
} from '@patternfly/react-core';
import { useTranslation } from 'react-i18next';
import { look } from '../lib/look';
import { FailureLine } from '../states/states';
import { writeLayout, type ListUrl } from './url';
import type { ListDeclaration } from './types';
import { saveView } from './savedViews';

export default function SaveView({
    list,
    url,
    onClose,
}: {
    list: ListDeclaration;
    url: ListUrl;
    onClose: () => void;
}) {
    const { t } = useTranslation();
    const [name, setName] = useState('');
    const [shared, setShared] = useState(false);
    const [first, setFirst] = useState(false);
    const [error, setError] = useState<unknown>(null);
    const save = () => {
        saveView({
            name: name.trim(),
            list: list.name,
            filter: url.filter || null,
            sort: url.sort,
            columns: url.layout.columns,
            layout: {
                cols: writeLayout(url.layout),
                group: url.group,
                density: look.get().density ?? 'normal',
            },
            shared,
            default: first,
        }).then((id) => {
            url.set({ view: id }, 'replace');
            onClose();
        }, setError);
    };
    return (
        <Modal isOpen variant="small" onClose={onClose} aria-labelledby="view-title">
            <ModalHeader title={t('views.save')} labelId="view-title" />
            <ModalBody>
                <Form
                    id="view-form"
                    onSubmit={(e) => {
                        e.preventDefault();
                        save();
                    }}
                >
                    <FormGroup label={t('views.name')} fieldId="view-name" isRequired>
                        <TextInput
                            id="view-name"
                            value={name}
                            autoFocus
                            maxLength={80}
                            onChange={(_, v) => setName(v)}
                        />
                    </FormGroup>
                    <code className="pv-code">{url.filter || t('views.no_filter')}</code>
                    <Checkbox
                        id="view-shared"
                        label={t('views.shared')}
                        isChecked={shared}
                        onChange={(_, on) => setShared(on)}
                    />
                    <Checkbox
                        id="view-default"
                        label={t('lists.default_view')}
                        isChecked={first}
                        onChange={(_, on) => setFirst(on)}
                    />
                    {error !== null && <FailureLine error={error} />}
                </Form>
            </ModalBody>
            <ModalFooter>
                <Button type="submit" form="view-form" variant="primary" isDisabled={!name.trim()}>
                    {t('action.save')}
                </Button>
                <Button variant="link" onClick={onClose}>
                    {t('action.cancel')}
                </Button>
            </ModalFooter>
        </Modal>
    );
}
