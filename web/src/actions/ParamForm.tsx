// SPDX-License-Identifier: Apache-2.0
// A form from a JSON Schema: parameters of operations, settings of drivers. Sizes are typed in GiB, references are searched.
import { useState, type ReactNode } from 'react';
import {
    Checkbox,
    FormGroup,
    FormHelperText,
    FormSelect,
    FormSelectOption,
    HelperText,
    HelperTextItem,
    TextArea,
    TextInput,
} from '@patternfly/react-core';
import { useTranslation } from 'react-i18next';
import { useQuery } from '@tanstack/react-query';
import { listQuery } from '../api/query';
import { pathOf } from '../api/model';
import type { JsonSchema } from '../api/types';
import { useDebounced } from '../lib/hooks';
import { enumText, paramText, said } from '../i18n/words';

export interface ParamFormProps {
    /** Operation or driver, for the words. */
    name: string;
    schema: JsonSchema;
    value: Record<string, unknown>;
    onChange: (value: Record<string, unknown>) => void;
    /** Errors by JSON pointer, as the server gave them. */
    errors?: Record<string, string>;
    /** Why a parameter cannot be given (a capability that is not there). */
    blocked?: (schema: JsonSchema) => string | null;
    id?: string;
    /** Restricts searched references: the provider of the object at hand. */
    provider?: string;
}

const GIB = 1024 ** 3;

function typeOf(schema: JsonSchema): string {
    const types = [schema.type ?? (schema.properties ? 'object' : 'string')].flat();
    return types.find((x) => x !== 'null') ?? 'string';
}

function RefField(p: {
    id: string;
    kind: string;
    value: string;
    provider?: string;
    onChange: (id: string) => void;
}) {
    const { t } = useTranslation();
    const [typed, setTyped] = useState('');
    const text = useDebounced(typed, 150);
    const parts = [
        p.provider && `provider:${p.provider}`,
        text && `name:"${text.replaceAll('"', '')}"`,
    ].filter(Boolean);
    const { data } = useQuery(
        listQuery(pathOf(p.kind), { limit: 50, sort: 'name', fields: 'name', filter: parts.join(' ') }),
    );
    const items = data?.items ?? [];
    return (
        <div className="pv-ref">
            <TextInput
                id={`${p.id}-search`}
                aria-label={t('form.search')}
                placeholder={t('form.search')}
                value={typed}
                onChange={(_, v) => setTyped(v)}
            />
            <FormSelect id={p.id} value={p.value} onChange={(_, v) => p.onChange(v)}>
                <FormSelectOption value="" label={t('form.choose')} />
                {p.value && !items.some((i) => i.id === p.value) && (
                    <FormSelectOption value={p.value} label={p.value} />
                )}
                {items.map((i) => (
                    <FormSelectOption key={i.id} value={i.id} label={i.name ?? i.id} />
                ))}
            </FormSelect>
        </div>
    );
}

export function ParamForm(p: ParamFormProps) {
    const { t } = useTranslation();
    const base = p.id ?? 'param';
    const set = (key: string, value: unknown) => {
        const next = { ...p.value };
        if (value === undefined || value === '') delete next[key];
        else next[key] = value;
        p.onChange(next);
    };
    return (
        <>
            {Object.entries(p.schema.properties ?? {}).map(([key, schema]) => {
                const id = `${base}-${key}`;
                const label = paramText(p.name, key, schema.title);
                const required = p.schema.required?.includes(key) ?? false;
                const blocked = p.blocked?.(schema) ?? null;
                const error = p.errors?.[`/${key}`] ?? p.errors?.[`/params/${key}`] ?? p.errors?.[key];
                const value = p.value[key];
                const type = typeOf(schema);
                const help = (error || blocked || schema.description) && (
                    <FormHelperText>
                        <HelperText>
                            <HelperTextItem variant={error ? 'error' : 'default'}>
                                {error ?? blocked ?? schema.description}
                            </HelperTextItem>
                        </HelperText>
                    </FormHelperText>
                );
                let control: ReactNode;
                if (type === 'boolean') {
                    return (
                        <FormGroup key={key} fieldId={id}>
                            <Checkbox
                                id={id}
                                label={label}
                                description={error ?? blocked ?? schema.description}
                                isChecked={Boolean(value ?? schema.default)}
                                isDisabled={!!blocked}
                                onChange={(_, on) => set(key, on)}
                            />
                        </FormGroup>
                    );
                }
                if (type === 'object' && schema.properties) {
                    return (
                        <fieldset key={key} className="pv-fieldset">
                            <legend>{label}</legend>
                            <ParamForm
                                {...p}
                                id={id}
                                schema={schema}
                                value={(value as Record<string, unknown>) ?? {}}
                                onChange={(v) => set(key, Object.keys(v).length ? v : undefined)}
                                errors={Object.fromEntries(
                                    Object.entries(p.errors ?? {}).map(([k, v]) => [
                                        k.replace(`/${key}/`, '/'),
                                        v,
                                    ]),
                                )}
                            />
                        </fieldset>
                    );
                }
                if (schema['x-kind']) {
                    control = (
                        <RefField
                            id={id}
                            kind={schema['x-kind']}
                            provider={p.provider}
                            value={String(value ?? '')}
                            onChange={(v) => set(key, v)}
                        />
                    );
                } else if (schema.enum) {
                    control = (
                        <FormSelect
                            id={id}
                            value={String(value ?? schema.default ?? '')}
                            onChange={(_, v) => set(key, v)}
                        >
                            {!required && <FormSelectOption value="" label={t('form.unchanged')} />}
                            {required && value === undefined && schema.default === undefined && (
                                <FormSelectOption value="" label={t('form.choose')} />
                            )}
                            {schema.enum
                                .filter((v) => v !== null)
                                .map((v) => (
                                    <FormSelectOption
                                        key={String(v)}
                                        value={String(v)}
                                        label={enumText(p.name, key, String(v))}
                                    />
                                ))}
                        </FormSelect>
                    );
                } else if (type === 'integer' || type === 'number') {
                    const gib = key.endsWith('bytes') || schema['x-unit'] === 'bytes';
                    control = (
                        <span className="pv-withunit">
                            <TextInput
                                id={id}
                                type="number"
                                isRequired={required}
                                min={gib ? 0 : schema.minimum}
                                max={gib ? undefined : schema.maximum}
                                step={type === 'number' || gib ? 'any' : 1}
                                placeholder={
                                    schema.default === undefined ? undefined : String(schema.default)
                                }
                                value={
                                    value === undefined ? '' : gib ? Number(value) / GIB : (value as number)
                                }
                                validated={error ? 'error' : 'default'}
                                onChange={(_, v) =>
                                    set(
                                        key,
                                        v === '' ? undefined : gib ? Math.round(Number(v) * GIB) : Number(v),
                                    )
                                }
                            />
                            {gib && <span>{t('unit.GiB')}</span>}
                        </span>
                    );
                } else if (type === 'array') {
                    control = (
                        <TextArea
                            id={id}
                            rows={3}
                            placeholder={t('form.one_a_line')}
                            value={((value as unknown[]) ?? []).join('\n')}
                            onChange={(_, v) => set(key, v ? v.split('\n') : undefined)}
                        />
                    );
                } else if (type === 'object') {
                    control = (
                        <TextArea
                            id={id}
                            rows={3}
                            className="pv-mono"
                            defaultValue={value ? JSON.stringify(value, null, 2) : ''}
                            onBlur={(e) => {
                                try {
                                    set(
                                        key,
                                        e.target.value ? (JSON.parse(e.target.value) as unknown) : undefined,
                                    );
                                } catch {
                                    set(key, e.target.value);
                                }
                            }}
                        />
                    );
                } else if ((schema.maxLength ?? 0) > 512) {
                    control = (
                        <TextArea
                            id={id}
                            rows={3}
                            value={String(value ?? '')}
                            onChange={(_, v) => set(key, v)}
                            resizeOrientation="vertical"
                        />
                    );
                } else {
                    control = (
                        <TextInput
                            id={id}
                            type={schema.writeOnly ? 'password' : 'text'}
                            autoComplete={schema.writeOnly ? 'new-password' : 'off'}
                            isRequired={required}
                            maxLength={schema.maxLength}
                            placeholder={schema.default === undefined ? undefined : String(schema.default)}
                            value={String(value ?? '')}
                            validated={error ? 'error' : 'default'}
                            onChange={(_, v) => set(key, v)}
                        />
                    );
                }
                return (
                    <FormGroup key={key} label={label} fieldId={id} isRequired={required}>
                        {control}
                        {help}
                    </FormGroup>
                );
            })}
        </>
    );
}

/** Errors of a problem by their pointer, for the fields. */
export function errorsOf(errors: { pointer: string; detail?: string }[] | undefined): Record<string, string> {
    return Object.fromEntries((errors ?? []).map((e) => [e.pointer, said(e, 'detail')]));
}
