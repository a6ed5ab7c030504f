// SPDX-License-Identifier: Apache-2.0
// Changes or deletes one object of a collection of ours; the address of the dialog is ?edit=<id>. The form follows from the API's
// description of the request, filled with what is.
import { useEffect, useMemo, useRef, useState, type ReactNode } from 'react';
import { Button, Form } from '@patternfly/react-core';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { api } from '../api/client';
import { formOf, kindOf, pathOf } from '../api/model';
import { isApiError, isMissing } from '../api/problem';
import { objectQuery, queryClient } from '../api/query';
import type { Item, JsonSchema } from '../api/types';
import { kindText } from '../i18n/words';
import { errorsOf } from '../actions/errors';
import { ParamForm } from '../actions/ParamForm';
import { GoneDialog } from '../states/gone';
import { FailureLine, SkeletonLines } from '../states/states';
import { Modal, ModalBody, ModalFooter, ModalHeader } from './Modal';
import { useDialog } from './address';
import { Fields } from './Fields';
import { narrowed, tidied } from './NewForm';

/** What a reference is called where the API takes names and ids alike. */
function plain(value: unknown): unknown {
    if (Array.isArray(value)) return value.map(plain);
    if (value && typeof value === 'object' && 'id' in value) {
        const { id, name } = value as { id: string; name?: string | null };
        return name ?? id;
    }
    return value;
}

/** What the object has for the members of the form. */
function valuesOf(schema: JsonSchema, from: Record<string, unknown>): Record<string, unknown> {
    const found: Record<string, unknown> = {};
    for (const [key, member] of Object.entries(schema.properties ?? {})) {
        const value = from[key];
        if (value === undefined || value === null || member.writeOnly) continue;
        // What is chosen from a list is its id.
        if (member['x-kind']) found[key] = (value as { id?: string }).id ?? value;
        else if (member.items?.['x-kind']) found[key] = (value as { id: string }[]).map((v) => v.id);
        else
            found[key] = member.properties
                ? valuesOf(member, value as Record<string, unknown>)
                : plain(value);
    }
    return found;
}

export default function EditForm({
    kind,
    id,
    onClose,
    shape = (schema) => schema,
    extra,
    name: called,
    stays = false,
    lost,
}: {
    kind: string;
    id: string;
    onClose: () => void;
    /** Says more about the members than the API's description does. */
    shape?: (schema: JsonSchema, value: Record<string, unknown>) => JsonSchema;
    /** Below the fields. */
    extra?: (value: Record<string, unknown>, change: (value: Record<string, unknown>) => void) => ReactNode;
    /** What it is called, if not by its name. */
    name?: string;
    /** It cannot be deleted. */
    stays?: boolean;
    /** What deleting it means; the kind's own words unless given. */
    lost?: string;
}) {
    const { t } = useTranslation();
    const path = pathOf(kind);
    // What was kept from before may be of an older version, which the server would refuse to change.
    const object = useQuery({ ...objectQuery<Item>(kind, id, { view: 'full' }), refetchOnMount: 'always' });
    const read = object.isFetchedAfterMount ? object.data : undefined;
    const schema = useQuery({
        queryKey: ['form', 'PATCH', path],
        queryFn: async () => (await formOf('PATCH', `${path}/{id}`)) ?? null,
        staleTime: Infinity,
    });
    const item = read?.item;
    const base = useMemo(
        () => (schema.data && item ? valuesOf(schema.data, item) : null),
        [schema.data, item],
    );
    const [own, setOwn] = useState<Record<string, unknown> | null>(null);
    const [sure, showSure] = useDialog('delete');
    const [error, setError] = useState<unknown>(null);
    const [busy, setBusy] = useState(false);
    const etag = useRef<string | null>(null);
    etag.current ??= read?.etag ?? null;
    const value = own ?? base ?? {};
    const changed = Object.fromEntries(
        Object.entries(value).filter(([key, v]) => JSON.stringify(v) !== JSON.stringify(base?.[key])),
    );
    // What was emptied is taken away.
    for (const key of Object.keys(base ?? {})) if (!(key in value)) changed[key] = null;
    const send = async (request: () => Promise<unknown>, gone = false) => {
        setBusy(true);
        setError(null);
        try {
            await request();
            onClose();
            // What is deleted is asked for no more.
            await queryClient.invalidateQueries({
                predicate: ({ queryKey }) => !gone || queryKey[0] !== 'object' || queryKey[2] !== id,
            });
        } catch (failure) {
            setError(failure);
            setBusy(false);
        }
    };
    const o = { ifMatch: etag.current ?? undefined };
    const save = () => send(() => api.patch(`${path}/${id}`, changed, o));
    const remove = () => send(() => api.del(`${path}/${id}`, o), true);
    // The fields come after the dialog, which could only give the focus to its own button.
    const there = !!base;
    useEffect(() => {
        if (there) document.querySelector<HTMLElement>('#edit-form :is(input, select, textarea)')?.focus();
    }, [there]);
    // What can only be made and deleted is shown.
    const fixed = schema.data === null;
    const errors = isApiError(error) ? errorsOf(error.problem.errors) : {};
    const failure = error ?? object.error ?? schema.error;
    const name = called ?? item?.name ?? t(`access.one_${kind}`);
    // What is being deleted is missed by nobody.
    if (isMissing(object.error) && !busy)
        return <GoneDialog what={kindText(kind)} error={object.error} onClose={onClose} />;
    return (
        <Modal
            variant="medium"
            onClose={onClose}
            data-surface="edit"
            data-of={kind}
            aria-labelledby="edit-title"
        >
            <ModalHeader
                title={
                    sure
                        ? t('access.delete_title', { name })
                        : fixed
                          ? name
                          : t('access.edit_title', { name })
                }
                labelId="edit-title"
                warning={sure}
            />
            <ModalBody>
                {failure && Object.keys(errors).length === 0 ? <FailureLine error={failure} /> : null}
                {sure ? (
                    <p>{lost ?? t(`access.delete_${kind}`)}</p>
                ) : fixed && item ? (
                    <Fields item={{ ...item, kind }} paths={Object.keys(kindOf(kind).fields)} known />
                ) : !base || !schema.data ? (
                    !failure && <SkeletonLines lines={4} />
                ) : (
                    <Form
                        id="edit-form"
                        onSubmit={(e) => {
                            e.preventDefault();
                            void save();
                        }}
                    >
                        <ParamForm
                            name={path}
                            schema={narrowed(shape(schema.data, value), value)}
                            value={value}
                            onChange={(v) => setOwn(tidied(v))}
                            errors={errors}
                            around={kind === 'folder' ? { outside: id } : undefined}
                            id="edit"
                        />
                        {extra?.(value, setOwn)}
                    </Form>
                )}
            </ModalBody>
            <ModalFooter>
                {sure ? (
                    <Button variant="danger" isDisabled={busy} onClick={() => void remove()}>
                        {t('access.delete')}
                    </Button>
                ) : (
                    <>
                        {!fixed && (
                            <Button
                                type="submit"
                                form="edit-form"
                                isDisabled={busy || Object.keys(changed).length === 0}
                            >
                                {t('action.save')}
                            </Button>
                        )}
                        {!stays && (
                            <Button
                                variant="danger"
                                isDisabled={busy || !item}
                                onClick={() => showSure(true)}
                            >
                                {t('access.delete')}
                            </Button>
                        )}
                    </>
                )}
                <Button variant="link" onClick={() => (sure ? showSure(false) : onClose())}>
                    {t('action.cancel')}
                </Button>
            </ModalFooter>
        </Modal>
    );
}
