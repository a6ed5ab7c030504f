// SPDX-License-Identifier: Apache-2.0
import { useState } from 'react';
import { Button, Checkbox, Form, FormGroup, Radio, TextInput } from '@patternfly/react-core';
import { useTranslation } from 'react-i18next';
import { useQuery } from '@tanstack/react-query';
import '../i18n/organise';
import { listQuery } from '../api/query';
import { roleText } from '../i18n/words';
import { Modal, ModalBody, ModalFooter, ModalHeader } from '../lib/Modal';
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
    /** Nobody, everybody, or the people of some roles. */
    const [who, setWho] = useState<'me' | 'all' | 'roles'>('me');
    const [roles, setRoles] = useState<string[]>([]);
    const known = useQuery({
        ...listQuery('/roles', { fields: 'name', sort: 'name', limit: 200 }),
        retry: false,
    });
    const names = (known.data?.items ?? []).map((r) => r.name ?? '').filter(Boolean);
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
            shared: who === 'all',
            roles: who === 'roles' ? roles : [],
            default: first,
        }).then((id) => {
            url.set({ view: id }, 'replace');
            onClose();
        }, setError);
    };
    return (
        <Modal variant="small" onClose={onClose} data-surface="save-view" aria-labelledby="view-title">
            <ModalHeader title={t('views.save').replace(/ ?…$/, '')} labelId="view-title" />
            <ModalBody>
                <Form
                    id="view-form"
                    className="pv-form"
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
                    <FormGroup label={t('organise.views.who')} role="radiogroup" fieldId="view-me">
                        {(['me', 'all', 'roles'] as const).map(
                            (one) =>
                                (one !== 'roles' || names.length > 0) && (
                                    <Radio
                                        key={one}
                                        id={`view-${one === 'all' ? 'shared' : one}`}
                                        name="view-who"
                                        label={one === 'all' ? t('views.shared') : t(`organise.views.${one}`)}
                                        isChecked={who === one}
                                        onChange={() => setWho(one)}
                                    />
                                ),
                        )}
                    </FormGroup>
                    {who === 'roles' && (
                        <FormGroup label={t('organise.views.which')} role="group" fieldId="view-role-0">
                            {names.map((role, i) => (
                                <Checkbox
                                    key={role}
                                    id={`view-role-${i}`}
                                    label={roleText(role)}
                                    isChecked={roles.includes(role)}
                                    onChange={(_, on) =>
                                        setRoles(on ? [...roles, role] : roles.filter((r) => r !== role))
                                    }
                                />
                            ))}
                        </FormGroup>
                    )}
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
                <Button
                    type="submit"
                    form="view-form"
                    variant="primary"
                    isDisabled={!name.trim() || (who === 'roles' && !roles.length)}
                >
                    {t('action.save')}
                </Button>
                <Button variant="link" onClick={onClose}>
                    {t('action.cancel')}
                </Button>
            </ModalFooter>
        </Modal>
    );
}
