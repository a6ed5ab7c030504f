// SPDX-License-Identifier: Apache-2.0
// A form from a JSON Schema: parameters of operations, settings of drivers. Sizes are typed in GiB, references are searched. About
// something that is there already, it is filled with what is, and marks what was changed.
import type { ReactNode } from 'react';
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
import '../i18n/machine';
import { fieldOf } from '../api/model';
import type { JsonSchema } from '../api/types';
import { useDocText } from '../i18n/docs';
import { begun, fieldLabel, paramText } from '../i18n/words';
import { fromLocal, localTime } from '../lib/localTime';
import { getAt, type Values } from './draft';
import { choiceText } from './labels';
import { ExpiryField } from './ExpiryField';
import { CheckField, NOTHING, OrderField, RefField, RefListField } from './ParamFields';

/** What is the same in all of a form, however deep. */
export interface FormAround {
    /** Kind whose fields the parameters are: its words are taken. */
    kind?: string;
    /** The values that the form was filled with. */
    base?: Values;
    /** Why a parameter cannot be given (a capability that is not there, a machine that runs), by its pointer. */
    blocked?: (pointer: string) => string | null;
    /** Restricts searched references: the provider of the object at hand. */
    provider?: string;
    /** The folder whose form it is: it is offered nowhere below itself. */
    outside?: string;
    /** What stands in the title of a label: the native name. */
    hint?: (path: string) => string | undefined;
    /** Words for a path, before all others. */
    label?: (path: string) => string | undefined;
    /** What stands below a field: room that is left where it points to. */
    below?: (path: string, value: unknown) => ReactNode;
    /** Words that a list takes beside those that are in it. */
    choices?: (path: string) => { value: string; text: string }[] | undefined;
    /** No line about each field; it is in the title of its label. */
    quiet?: boolean;
}

export interface ParamFormProps {
    /** Operation or driver, for the words. */
    name: string;
    schema: JsonSchema;
    value: Values;
    onChange: (value: Values) => void;
    /** Errors by JSON pointer, as the server gave them. */
    errors?: Record<string, string>;
    id?: string;
    around?: FormAround;
    /** Path of what these are members of, with a dot behind. */
    prefix?: string;
}

const GIB = 1024 ** 3;

function typeOf(schema: JsonSchema): string {
    const types = [schema.type ?? (schema.properties ? 'object' : 'string')].flat();
    return types.find((x) => x !== 'null') ?? 'string';
}

const changed = (a: unknown, b: unknown) =>
    JSON.stringify(a === '' ? undefined : a) !== JSON.stringify(b === '' ? undefined : b);

interface FieldProps {
    id: string;
    path: string;
    schema: JsonSchema;
    name: string;
    label: string;
    value: unknown;
    required: boolean;
    invalid: boolean;
    disabled: boolean;
    around: FormAround;
    set: (value: unknown) => void;
}

function NumberField(p: FieldProps) {
    const { t } = useTranslation();
    const { schema } = p;
    const gib = p.path.endsWith('bytes') || schema['x-unit'] === 'bytes';
    const shown = p.value === undefined || p.value === null ? '' : Number(p.value) / (gib ? GIB : 1);
    return (
        <span className="pv-withunit">
            <TextInput
                id={p.id}
                type="number"
                isRequired={p.required}
                isDisabled={p.disabled}
                min={gib ? 0 : schema.minimum}
                max={gib ? undefined : schema.maximum}
                step={typeOf(schema) === 'number' || gib ? 'any' : 1}
                placeholder={schema.default === undefined ? undefined : String(schema.default)}
                value={shown}
                validated={p.invalid ? 'error' : 'default'}
                onChange={(_, v) =>
                    p.set(v === '' ? undefined : gib ? Math.round(Number(v) * GIB) : Number(v))
                }
            />
            {gib && <span>{t('unit.GiB')}</span>}
            {p.path.endsWith('_mhz') && <span>{t('unit.MHz')}</span>}
            {p.path.endsWith('_pct') && <span>{'%'}</span>}
        </span>
    );
}

function EnumField(p: FieldProps) {
    const { t } = useTranslation();
    const { schema } = p;
    const filled = p.around.base !== undefined && getAt(p.around.base, p.path) !== undefined;
    return (
        <FormSelect
            id={p.id}
            isDisabled={p.disabled}
            value={String(p.value ?? schema.default ?? '')}
            onChange={(_, v) => p.set(v)}
        >
            {!p.required && !filled && <FormSelectOption value="" label={t('form.unchanged')} />}
            {p.required && p.value === undefined && schema.default === undefined && (
                <FormSelectOption value="" label={t('form.choose')} />
            )}
            {(schema.enum ?? [])
                .filter((v) => v !== null && v !== 'unknown')
                .map((v) => (
                    <FormSelectOption
                        key={String(v)}
                        value={String(v)}
                        label={choiceText(p.path, String(v))}
                    />
                ))}
        </FormSelect>
    );
}

function TextField(p: FieldProps) {
    const { schema } = p;
    if ((schema.maxLength ?? 0) > 512 && !/(^|\.)path$|folder$/.test(p.path))
        return (
            <TextArea
                id={p.id}
                rows={3}
                isDisabled={p.disabled}
                value={String(p.value ?? '')}
                onChange={(_, v) => p.set(v)}
                resizeOrientation="vertical"
            />
        );
    return (
        <TextInput
            id={p.id}
            type={schema.writeOnly ? 'password' : 'text'}
            autoComplete={schema.writeOnly ? 'new-password' : 'off'}
            isRequired={p.required}
            isDisabled={p.disabled}
            maxLength={schema.maxLength}
            placeholder={schema.default === undefined ? undefined : String(schema.default)}
            value={String(p.value ?? '')}
            validated={p.invalid ? 'error' : 'default'}
            onChange={(_, v) => p.set(v)}
        />
    );
}

/** What no control knows is typed as JSON. */
function JsonField(p: FieldProps) {
    return (
        <TextArea
            id={p.id}
            rows={3}
            className="pv-mono"
            isDisabled={p.disabled}
            defaultValue={p.value ? JSON.stringify(p.value, null, 2) : ''}
            onBlur={(e) => {
                try {
                    p.set(e.target.value ? (JSON.parse(e.target.value) as unknown) : undefined);
                } catch {
                    p.set(e.target.value);
                }
            }}
        />
    );
}

/** A moment, said and shown in the person's own time. */
function TimeField(p: FieldProps) {
    const at = typeof p.value === 'string' ? new Date(p.value).getTime() : NaN;
    return (
        <TextInput
            id={p.id}
            type="datetime-local"
            isDisabled={p.disabled}
            value={Number.isNaN(at) ? '' : localTime(at)}
            onChange={(_, v) => p.set(fromLocal(v))}
        />
    );
}

function Control(p: FieldProps) {
    const { t } = useTranslation();
    const { schema } = p;
    const type = typeOf(schema);
    const choices = type === 'array' ? p.around.choices?.(p.path) : undefined;
    if (schema['x-kind'])
        return (
            <RefField
                id={p.id}
                kind={schema['x-kind']}
                provider={p.around.provider}
                outside={p.around.outside}
                value={p.value === null ? NOTHING : String(p.value ?? '')}
                disabled={p.disabled}
                none={[schema.type].flat().includes('null')}
                required={p.required}
                onChange={(v) => p.set(v === NOTHING ? null : v)}
            />
        );
    if (schema.enum) return <EnumField {...p} />;
    if (schema.format === 'date-time' && p.path === 'expires_at')
        return (
            <ExpiryField
                id={p.id}
                value={p.value}
                disabled={p.disabled}
                filled={!!p.around.base?.expires_at}
                onChange={p.set}
            />
        );
    if (schema.format === 'date-time') return <TimeField {...p} />;
    if (type === 'integer' || type === 'number') return <NumberField {...p} />;
    if (type === 'array' && schema.items?.type === 'object') return <JsonField {...p} />;
    if (choices)
        return (
            <OrderField
                id={p.id}
                value={(p.value as string[] | undefined) ?? []}
                choices={choices}
                disabled={p.disabled}
                onChange={(v) => p.set(v)}
            />
        );
    const list = (p.value as string[] | undefined) ?? [];
    if (type === 'array' && schema.items?.['x-kind'])
        return (
            <RefListField
                id={p.id}
                label={p.label}
                kind={schema.items['x-kind']}
                value={list}
                disabled={p.disabled}
                onChange={p.set}
            />
        );
    if (type === 'array' && schema.items?.enum)
        return (
            <CheckField
                id={p.id}
                label={p.label}
                value={list}
                choices={schema.items.enum.map((v) => ({
                    value: String(v),
                    text: choiceText(p.path, String(v)),
                }))}
                disabled={p.disabled}
                onChange={p.set}
            />
        );
    if (type === 'array')
        return (
            <TextArea
                id={p.id}
                rows={3}
                isDisabled={p.disabled}
                placeholder={t('form.one_a_line')}
                value={((p.value as unknown[]) ?? []).join('\n')}
                onChange={(_, v) => p.set(v ? v.split('\n') : undefined)}
            />
        );
    if (type === 'object') return <JsonField {...p} />;
    return <TextField {...p} />;
}

function classOf(type: string, schema: JsonSchema, mark: boolean): string {
    const names = ['pv-field'];
    if (mark) names.push('pv-field--changed');
    if (type === 'boolean') names.push('pv-field--check');
    if (type === 'string' && (schema.maxLength ?? 0) > 512 && !schema['x-kind']) names.push('pv-field--wide');
    return names.join(' ');
}

export function ParamForm(p: ParamFormProps) {
    const around = p.around ?? {};
    const idBase = p.id ?? 'param';
    const docText = useDocText();
    const set = (key: string, value: unknown) => {
        const next = { ...p.value };
        if (value === undefined || value === '') delete next[key];
        else next[key] = value;
        p.onChange(next);
    };
    const wordOf = (key: string, path: string, schema: JsonSchema) =>
        around.label?.(path) ??
        (around.kind && fieldOf(around.kind, path)
            ? fieldLabel(around.kind, path)
            : paramText(p.name, key, docText(schema.title)));
    return (
        <>
            {Object.entries(p.schema.properties ?? {}).map(([key, schema]) => {
                const id = `${idBase}-${key}`;
                const path = `${p.prefix ?? ''}${key}`;
                const label = wordOf(key, path, schema);
                const required = p.schema.required?.includes(key) ?? false;
                const blocked = around.blocked?.(`/${path.replaceAll('.', '/')}`) ?? null;
                const error = p.errors?.[`/${key}`] ?? p.errors?.[`/params/${key}`] ?? p.errors?.[key];
                const value = p.value[key];
                const type = typeOf(schema);
                if (type === 'object' && schema.properties)
                    return (
                        <fieldset key={key} className="pv-fieldset">
                            <legend>{label}</legend>
                            {blocked && <p className="pv-locked">{blocked}</p>}
                            <ParamForm
                                name={p.name}
                                id={id}
                                schema={schema}
                                around={blocked ? { ...around, blocked: () => blocked, quiet: true } : around}
                                prefix={`${path}.`}
                                value={(value as Values | undefined) ?? {}}
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
                const whole = p.prefix && around.blocked?.(`/${p.prefix.slice(0, -1).replaceAll('.', '/')}`);
                const help = around.quiet ? undefined : docText(schema.description);
                // What only says the label again is no help.
                const doc = help?.replace(/[.。]$/, '') === label ? undefined : help;
                const words = error ?? (blocked && blocked !== whole ? blocked : doc);
                const line = words && begun(words);
                const hint = around.hint?.(path) ?? (around.quiet ? docText(schema.description) : undefined);
                const mark = around.base !== undefined && changed(value, getAt(around.base, path));
                const title = hint ? <span title={hint}>{label}</span> : label;
                const field = { id, path, schema, name: p.name, label, value, required, around };
                return (
                    <div key={key} className={classOf(type, schema, mark)}>
                        {type === 'boolean' ? (
                            <FormGroup fieldId={id}>
                                <Checkbox
                                    id={id}
                                    label={title}
                                    description={line}
                                    isChecked={Boolean(value ?? schema.default)}
                                    isDisabled={!!blocked}
                                    onChange={(_, on) => set(key, on)}
                                />
                            </FormGroup>
                        ) : (
                            <FormGroup label={title} fieldId={id} isRequired={required}>
                                <Control
                                    {...field}
                                    invalid={!!error}
                                    disabled={!!blocked}
                                    set={(v) => set(key, v)}
                                />
                                {line && (
                                    <FormHelperText>
                                        <HelperText>
                                            <HelperTextItem variant={error ? 'error' : 'default'}>
                                                {line}
                                            </HelperTextItem>
                                        </HelperText>
                                    </FormHelperText>
                                )}
                                {around.below?.(path, value)}
                            </FormGroup>
                        )}
                    </div>
                );
            })}
        </>
    );
}
