// SPDX-License-Identifier: Apache-2.0
// The form follows from the API's description of the request.
import { useRef, useState } from 'react';
import { Button, Form, Modal, ModalBody, ModalFooter, ModalHeader } from '@patternfly/react-core';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { api } from '../api/client';
import { formOf } from '../api/model';
import { isApiError } from '../api/problem';
import { queryClient } from '../api/query';
import { errorsOf, ParamForm } from '../actions/ParamForm';
import { CopyButton, FailureLine, Notice, SkeletonLines } from '../states/states';

export default function NewForm({
    path,
    title,
    onClose,
}: {
    path: string;
    title: string;
    onClose: () => void;
}) {
    const { t } = useTranslation();
    const schema = useQuery({
        queryKey: ['form', path],
        queryFn: async () => (await formOf('POST', path)) ?? null,
        staleTime: Infinity,
    });
    const [value, setValue] = useState<Record<string, unknown>>({});
    const [error, setError] = useState<unknown>(null);
    const [busy, setBusy] = useState(false);
    const [token, setToken] = useState<string | null>(null);
    const key = useRef(crypto.randomUUID());
    const save = async () => {
        setBusy(true);
        setError(null);
        try {
            const made = await api.post<{ token?: string }>(path, value, { idempotencyKey: key.current });
            await queryClient.invalidateQueries();
            if (made.data.token) setToken(made.data.token);
            else onClose();
        } catch (failure) {
            key.current = crypto.randomUUID();
            setError(failure);
        } finally {
            setBusy(false);
        }
    };
    const errors = isApiError(error) ? errorsOf(error.problem.errors) : {};
    return (
        <Modal isOpen variant="medium" onClose={onClose} aria-labelledby="new-title">
            <ModalHeader title={title} labelId="new-title" />
            <ModalBody>
                {token ? (
                    <Notice variant="success" title={t('access.token_once')}>
                        <code className="pv-code">{token}</code> <CopyButton text={token} />
                    </Notice>
                ) : !schema.data ? (
                    <SkeletonLines lines={4} />
                ) : (
                    <Form
                        id="new-form"
                        onSubmit={(e) => {
                            e.preventDefault();
                            void save();
                        }}
                    >
                        {error !== null && Object.keys(errors).length === 0 && <FailureLine error={error} />}
                        <ParamForm
                            name={path}
                            schema={schema.data}
                            value={value}
                            onChange={setValue}
                            errors={errors}
                            id="new"
                        />
                    </Form>
                )}
            </ModalBody>
            <ModalFooter>
                {token ? (
                    <Button onClick={onClose}>{t('action.done')}</Button>
                ) : (
                    <>
                        <Button type="submit" form="new-form" isDisabled={busy || !schema.data}>
                            {t('action.save')}
                        </Button>
                        <Button variant="link" onClick={onClose}>
                            {t('action.cancel')}
                        </Button>
                    </>
                )}
            </ModalFooter>
        </Modal>
    );
}
