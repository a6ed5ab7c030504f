// SPDX-License-Identifier: Apache-2.0
// The form follows from the API's description of the request.
import { useEffect, useRef, useState, type ReactNode } from 'react';
import { Button, Form } from '@patternfly/react-core';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { api } from '../api/client';
import { formOf } from '../api/model';
import { isApiError } from '../api/problem';
import { queryClient } from '../api/query';
import type { JsonSchema } from '../api/types';
import { errorsOf } from '../actions/errors';
import { ParamForm } from '../actions/ParamForm';
import { CopyButton, FailureLine, Notice, SkeletonLines } from '../states/states';
import { Modal, ModalBody, ModalFooter, ModalHeader } from './Modal';

/** Of the members of a scope only those that its type has: the others would only be refused. */
export function narrowed(schema: JsonSchema, value: Record<string, unknown>): JsonSchema {
    const scope = schema.properties?.scope;
    if (!scope?.properties) return schema;
    const type = String((value.scope as { type?: string } | undefined)?.type ?? '');
    const properties = Object.fromEntries(
        Object.entries(scope.properties).filter(([key]) => key === 'type' || key === type),
    );
    return { ...schema, properties: { ...schema.properties, scope: { ...scope, properties } } };
}

/** Another type of scope forgets what was said for the one before. */
export function tidied(value: Record<string, unknown>): Record<string, unknown> {
    const scope = value.scope as Record<string, unknown> | undefined;
    const type = scope?.type;
    if (typeof type !== 'string') return value;
    return { ...value, scope: { type, ...(scope && type in scope ? { [type]: scope[type] } : {}) } };
}

export default function NewForm({
    path,
    title,
    onClose,
    shape = (schema) => schema,
    tidy = (value) => value,
    start = {},
    extra,
}: {
    path: string;
    title: string;
    onClose: () => void;
    /** Says more about the members than the API's description does. */
    shape?: (schema: JsonSchema, value: Record<string, unknown>) => JsonSchema;
    /** What one member's value does to the others. */
    tidy?: (value: Record<string, unknown>) => Record<string, unknown>;
    /** What it is filled with. */
    start?: Record<string, unknown>;
    /** Below the fields. */
    extra?: (value: Record<string, unknown>, change: (value: Record<string, unknown>) => void) => ReactNode;
}) {
    const { t } = useTranslation();
    const schema = useQuery({
        queryKey: ['form', path],
        queryFn: async () => (await formOf('POST', path)) ?? null,
        staleTime: Infinity,
    });
    const [value, setValue] = useState<Record<string, unknown>>(start);
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
    // The fields come after the dialog, which could only give the focus to its own button.
    const there = !!schema.data;
    useEffect(() => {
        if (there) document.querySelector<HTMLElement>('#new-form :is(input, select, textarea)')?.focus();
    }, [there]);
    const errors = isApiError(error) ? errorsOf(error.problem.errors) : {};
    return (
        <Modal
            variant="medium"
            onClose={onClose}
            data-surface="new"
            data-of={path}
            aria-labelledby="new-title"
        >
            <ModalHeader title={title} labelId="new-title" />
            <ModalBody>
                {token ? (
                    <div data-surface="token">
                        <Notice variant="success" title={t('access.token_once')}>
                            <code className="pv-code">{token}</code> <CopyButton text={token} />
                        </Notice>
                    </div>
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
                            schema={narrowed(shape(schema.data, value), value)}
                            value={value}
                            onChange={(v) => setValue(tidy(tidied(v)))}
                            errors={errors}
                            id="new"
                        />
                        {extra?.(value, setValue)}
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
