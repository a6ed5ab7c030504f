// SPDX-License-Identifier: Apache-2.0
// One dialog for every action on one object or many: its parameters, what would happen and what is skipped and why (the
// server's dry run), and a confirmation where something is lost.
import { useEffect, useMemo, useRef, useState } from 'react';
import {
    Button,
    Form,
    FormGroup,
    Modal,
    ModalBody,
    ModalFooter,
    ModalHeader,
    TextInput,
} from '@patternfly/react-core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { actionsQuery, listQuery, objectQuery } from '../api/query';
import { operationOf, paramsOf, pathOf } from '../api/model';
import { isApiError } from '../api/problem';
import type { Item, JsonSchema, PlanEntry } from '../api/types';
import { number } from '../i18n/format';
import { enumText, fieldLabel, kindText, operationText, said } from '../i18n/words';
import { useDebounced } from '../lib/hooks';
import { FailureLine, Notice, SkeletonLines } from '../states/states';
import { sizeOf } from '../grid/selection';
import { errorsOf, ParamForm } from './ParamForm';
import { isDangerous, preview, run, type Target } from './registry';
import { accepted, useCloseAction, useOpenAction } from './useAct';

export default function ActionDialogs() {
    const open = useOpenAction();
    if (!open) return null;
    const key = `${open.name}:${'id' in open.target ? open.target.id : 'many'}`;
    return <ActionDialog key={key} name={open.name} target={open.target} />;
}

function defaults(name: string, schema: JsonSchema | undefined, when: Date): Record<string, unknown> {
    if (name !== 'vm.snapshot.create' || !schema?.properties?.name) return {};
    const two = (n: number) => String(n).padStart(2, '0');
    const stamp = `${when.getFullYear()}-${two(when.getMonth() + 1)}-${two(when.getDate())} ${two(when.getHours())}:${two(when.getMinutes())}`;
    return { name: stamp };
}

function change(entry: PlanEntry): string {
    const before = entry.before ?? {};
    const after = entry.after ?? {};
    const show = (key: string, v: unknown) =>
        v === null || v === undefined
            ? '–'
            : typeof v === 'object'
              ? JSON.stringify(v)
              : enumText(entry.ref.kind, key, String(v));
    return Object.keys({ ...before, ...after })
        .filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]))
        .map(
            (key) =>
                `${fieldLabel(entry.ref.kind, key)}: ${show(key, before[key])} → ${show(key, after[key])}`,
        )
        .join('; ');
}

function ActionDialog({ name, target }: { name: string; target: Target }) {
    const { t } = useTranslation();
    const close = useCloseAction();
    const operation = operationOf(name, target.kind);
    const one = 'id' in target;
    const count = one ? 1 : sizeOf(target.selection);
    const owner = one ? (target.owner ?? target.id) : '';
    const ownerKind = one && target.owner ? 'vm' : target.kind;
    const states = useQuery({ ...actionsQuery(ownerKind, owner), enabled: one && !target.owner });
    const object = useQuery({
        ...objectQuery<Item>(target.kind, one ? target.id : ''),
        enabled: one && !target.name,
    });
    const asked = useQuery({
        queryKey: ['params', operation?.method, operation?.path],
        queryFn: async () => (operation && (await paramsOf(operation))) ?? null,
        staleTime: Infinity,
        enabled: !!operation?.asks,
    });
    const offered = states.data?.items.find((s) => s.name === name)?.params;
    const schema =
        (offered?.properties && Object.keys(offered.properties).length ? offered : asked.data) ?? undefined;
    const [params, setParams] = useState<Record<string, unknown>>(() => defaults(name, schema, new Date()));
    const [typed, setTyped] = useState('');
    const [error, setError] = useState<unknown>(null);
    const [busy, setBusy] = useState(false);
    const key = useRef(crypto.randomUUID());
    const settled = useDebounced(params, 300);
    const known = !operation?.asks || !!schema;
    const complete =
        known && (schema?.required ?? []).every((k) => settled[k] !== undefined && settled[k] !== '');
    const plan = useQuery({
        queryKey: ['plan', name, one ? target.id : target.selection, settled],
        queryFn: ({ signal }) => preview(name, target, settled, signal),
        enabled: complete,
        placeholderData: keepPreviousData,
        retry: false,
        staleTime: 0,
        gcTime: 0,
    });
    // Names of what was picked one by one, for the list of what is done.
    const ids = useMemo(
        () => (one || target.selection.by !== 'ids' ? [] : [...target.selection.ids].slice(0, 200)),
        [one, target],
    );
    const named = useQuery({
        ...listQuery(pathOf(target.kind), {
            ids: ids.join(','),
            fields: 'name,power_state,provider',
            limit: 200,
        }),
        enabled: ids.length > 0,
    });

    const label = operationText(name, operation?.title);
    const danger = isDangerous(name);
    const mustType = danger && count > 1;
    const title = one
        ? t('dialog.single', { action: label, name: target.name ?? object.data?.item.name ?? '' })
        : t('dialog.many', {
              action: label,
              count,
              what: kindText(target.kind, count),
              n: number(count),
          });
    const entries = plan.data?.plan ?? [];
    const findings = plan.data?.findings ?? [];
    const willChange = entries.length;
    const total = plan.data?.count ?? count;
    const refused = new Set(findings.map((f) => f.ref?.id ?? f.detail));
    const already = Math.max(0, total - willChange - (one ? 0 : refused.size));
    const changing = new Set(entries.map((e) => e.ref.id));
    const quiet = (named.data?.items ?? []).filter((i) => !changing.has(i.id) && !refused.has(i.id));
    const planProblem = isApiError(plan.error) ? plan.error : null;
    const fieldErrors = errorsOf(
        (isApiError(error) ? error.problem.errors : planProblem?.problem.errors) ?? undefined,
    );
    const fieldTrouble = Object.keys(fieldErrors).length > 0 && !!schema;
    const ready =
        complete &&
        !busy &&
        !planProblem &&
        (!mustType || typed.trim() === String(count)) &&
        (!plan.data || plan.data.ok || willChange > 0);

    useEffect(() => {
        if (schema) setParams((old) => (Object.keys(old).length ? old : defaults(name, schema, new Date())));
    }, [schema, name]);

    const go = () => {
        setBusy(true);
        setError(null);
        run(name, target, params, key.current).then(
            () => {
                accepted();
                close();
            },
            (e: unknown) => {
                key.current = crypto.randomUUID();
                setBusy(false);
                setError(e);
            },
        );
    };

    return (
        <Modal
            isOpen
            onClose={close}
            variant="medium"
            aria-labelledby="action-title"
            aria-describedby="action-body"
            elementToFocus=".pf-v6-c-modal-box__body :is(input, select, textarea), .pf-v6-c-modal-box__footer button"
        >
            <ModalHeader
                title={title}
                labelId="action-title"
                titleIconVariant={danger ? 'warning' : undefined}
            />
            <ModalBody id="action-body">
                <Form
                    onSubmit={(e) => {
                        e.preventDefault();
                        if (ready) go();
                    }}
                >
                    {danger && (
                        <p>{t(`danger.${name.replaceAll('.', '_')}`, { defaultValue: t('danger.any') })}</p>
                    )}
                    {schema && (
                        <ParamForm
                            name={name}
                            schema={schema}
                            value={params}
                            onChange={setParams}
                            errors={fieldErrors}
                            id="action"
                        />
                    )}
                    {error !== null && !fieldTrouble && <FailureLine error={error} />}
                    {planProblem && !fieldTrouble && <FailureLine error={planProblem} />}
                    {complete && (
                        <section className="pv-plan" aria-live="polite" aria-busy={plan.isFetching}>
                            <h3 className="pv-h3">{t('dialog.preview')}</h3>
                            {plan.isPending && !planProblem ? (
                                <SkeletonLines lines={3} />
                            ) : plan.data ? (
                                <>
                                    <ul className="pv-plan__sums">
                                        <li>
                                            <strong>{number(willChange)}</strong>{' '}
                                            {t('dialog.will_change', { count: willChange })}
                                        </li>
                                        {already > 0 && (
                                            <li>
                                                <strong>{number(already)}</strong>{' '}
                                                {t('dialog.already', { count: already })}
                                            </li>
                                        )}
                                        {findings.length > 0 && (
                                            <li>
                                                <strong>{number(refused.size)}</strong>{' '}
                                                {t('dialog.skipped', { count: refused.size })}
                                            </li>
                                        )}
                                    </ul>
                                    <div
                                        className="pv-plan__list"
                                        role="region"
                                        aria-label={t('dialog.preview')}
                                        tabIndex={0}
                                    >
                                        <table className="pv-table">
                                            <tbody>
                                                {findings.map((f, i) => (
                                                    <tr key={`f${i}`} className="pv-plan__refused">
                                                        <td>{f.ref?.name ?? ''}</td>
                                                        <td>
                                                            {said(f, 'detail')} {said(f, 'remedy')}
                                                        </td>
                                                    </tr>
                                                ))}
                                                {entries.slice(0, 200).map((e) => (
                                                    <tr key={e.ref.id}>
                                                        <td>{e.ref.name ?? e.ref.id}</td>
                                                        <td>{change(e)}</td>
                                                    </tr>
                                                ))}
                                                {quiet.map((i) => (
                                                    <tr key={i.id} className="pv-plan__quiet">
                                                        <td>{i.name}</td>
                                                        <td>
                                                            {t('dialog.no_change', {
                                                                state: enumText(
                                                                    'vm',
                                                                    'power_state',
                                                                    String(i.power_state ?? ''),
                                                                ),
                                                            })}
                                                        </td>
                                                    </tr>
                                                ))}
                                            </tbody>
                                        </table>
                                        {entries.length > 200 && (
                                            <p className="pv-subtle">
                                                {t('dialog.more', { count: entries.length - 200 })}
                                            </p>
                                        )}
                                    </div>
                                </>
                            ) : null}
                        </section>
                    )}
                    {mustType && (
                        <FormGroup
                            label={t('dialog.type_count', { count, n: String(count) })}
                            fieldId="action-count"
                        >
                            <TextInput
                                id="action-count"
                                value={typed}
                                inputMode="numeric"
                                autoComplete="off"
                                onChange={(_, v) => setTyped(v)}
                            />
                        </FormGroup>
                    )}
                    {count > 10_000 && <Notice variant="warning" title={t('dialog.too_many')} />}
                </Form>
            </ModalBody>
            <ModalFooter>
                <Button
                    variant={danger ? 'danger' : 'primary'}
                    isDisabled={!ready}
                    isLoading={busy}
                    onClick={go}
                >
                    {one ? label : t('dialog.do_many', { action: label, n: number(willChange || count) })}
                </Button>
                <Button variant="link" onClick={close}>
                    {t('action.cancel')}
                </Button>
            </ModalFooter>
        </Modal>
    );
}
