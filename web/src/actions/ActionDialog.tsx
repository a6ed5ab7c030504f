// SPDX-License-Identifier: Apache-2.0
// One dialog for every action on one object or many: its parameters, what would happen and what is skipped and why (the
// server's dry run), and a confirmation where something is lost. What changes an object starts from the object as it is; only
// what was changed is sent, for the version that was read.
import { lazy, Suspense, useEffect, useMemo, useRef, useState } from 'react';
import { Button, Form, FormGroup, TextInput } from '@patternfly/react-core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import '../i18n/machine';
import { listQuery, objectQuery } from '../api/query';
import { operationOf, paramsOf, pathOf } from '../api/model';
import { isApiError, isMissing } from '../api/problem';
import type { Item, JsonSchema, Task } from '../api/types';
import { number } from '../i18n/format';
import { kindText, operationText } from '../i18n/words';
import { Modal, ModalBody, ModalFooter, ModalHeader } from '../lib/Modal';
import { useDebounced } from '../lib/hooks';
import { GoneDialog } from '../states/gone';
import { FailureLine, Notice, SkeletonLines } from '../states/states';
import { sizeOf } from '../grid/selection';
import { ChangeTable, showValue } from './ChangeTable';
import Commands from './Commands';
import { Consequence } from './Consequence';
import { Fit, needOf } from './Fit';
import { changesOf, compareThree, patchOf, valuesOf, type Compared, type Values } from './draft';
import { ShotSpace } from './ShotSpace';
import { errorsOf } from './errors';
import { ParamForm } from './ParamForm';
import { isIdle, PlanView, sumsOf } from './PlanView';
import { asksFirst, isDangerous, preview, run, type Target } from './registry';
import { ThreeWay } from './ThreeWay';
import { labelOf } from './labels';
import { accepted, useCloseAction, useOpenAction } from './useAct';
import { blockedBy, forget, readSubject, subjectQuery, useSubjectActions, type Read } from './useDraft';

const Evacuation = lazy(() => import('./Evacuation').then((m) => ({ default: m.Evacuation })));

export default function ActionDialogs() {
    const open = useOpenAction();
    const close = useCloseAction();
    if (!open) return null;
    if (!open.target || !operationOf(open.name, open.target.kind))
        return <GoneDialog why={open.target ? 'action' : 'selection'} what={open.name} onClose={close} />;
    const key = `${open.name}:${'id' in open.target ? open.target.id : 'many'}`;
    return <ActionDialog key={key} name={open.name} target={open.target} />;
}

/** What a form that makes something starts with: what is made where one stands is made there. */
function defaults(name: string, schema: JsonSchema | undefined, when: Date, target: Target): Values {
    if ('id' in target && schema?.properties?.[target.kind]?.['x-kind'] === target.kind)
        return { [target.kind]: target.id };
    if (name !== 'vm.snapshot.create' || !schema?.properties?.name) return {};
    const two = (n: number) => String(n).padStart(2, '0');
    const stamp = `${when.getFullYear()}-${two(when.getMonth() + 1)}-${two(when.getDate())} ${two(when.getHours())}:${two(when.getMinutes())}`;
    return { name: stamp };
}

/** These set fields of what is there: their form starts from it. */
export function changesObject(name: string, kind: string): boolean {
    return operationOf(name, kind)?.method === 'PATCH' || name.endsWith('.rename');
}

interface Started extends Read {
    values: Values;
}

function ActionDialog({ name, target }: { name: string; target: Target }) {
    const { t } = useTranslation();
    const close = useCloseAction();
    const operation = operationOf(name, target.kind);
    const one = 'id' in target;
    const subject = { kind: target.kind, id: one ? target.id : '', owner: one ? target.owner : undefined };
    const count = one ? 1 : sizeOf(target.selection);
    const danger = isDangerous(name);
    const sets = one && changesObject(name, target.kind);
    const state = useSubjectActions(subject, one).find((s) => s.name === name);
    const object = useQuery({ ...subjectQuery(subject), enabled: one });
    const owner = useQuery({
        ...objectQuery<Item>('vm', subject.owner ?? '', { view: 'full' }),
        enabled: !!subject.owner,
    });
    const asked = useQuery({
        queryKey: ['params', operation?.method, operation?.path],
        queryFn: async () => (operation && (await paramsOf(operation))) ?? null,
        staleTime: Infinity,
        enabled: !!operation?.asks,
    });
    const offered = state?.params;
    const schema =
        (offered?.properties && Object.keys(offered.properties).length
            ? offered
            : one && !state
              ? undefined
              : asked.data) ?? undefined;
    const [typed, setTyped] = useState('');
    const [error, setError] = useState<unknown>(null);
    const [busy, setBusy] = useState(false);
    const [start, setStart] = useState<Started | null>(null);
    const [params, setParams] = useState<Values>({});
    const [clash, setClash] = useState<{ rows: Compared[]; read: Read; current: Values } | null>(null);
    const filled = useRef(false);
    const key = useRef(crypto.randomUUID());

    useEffect(() => {
        if (filled.current || !schema || (sets && !object.data)) return;
        filled.current = true;
        if (sets && object.data) {
            const values = valuesOf(schema, object.data.item);
            setStart({ ...object.data, values });
            setParams(values);
        } else setParams({ ...defaults(name, schema, new Date(), target), ...target.preset });
    }, [schema, sets, object.data, name, target]);

    // The fields come a moment after the dialog: who opened it by keyboard goes on in the first of them.
    const shown = !!schema && (!sets || !!start);
    useEffect(() => {
        const modal = document.querySelector('.pf-v6-c-modal-box');
        const at = document.activeElement;
        if (shown && (!at || at === document.body || at.closest('.pf-v6-c-modal-box__close')))
            modal
                ?.querySelector<HTMLElement>('#action-body :is(input, select, textarea):not(:disabled)')
                ?.focus();
    }, [shown]);

    const changes = useMemo(
        () => (sets ? changesOf(schema, start?.values ?? {}, params) : []),
        [sets, schema, start, params],
    );
    const sent = useMemo(() => (sets ? patchOf(changes) : params), [sets, changes, params]);
    const settled = useDebounced(sent, 300);
    const known = !operation?.asks || (!!schema && (!sets || !!start));
    const complete =
        known &&
        !clash &&
        (sets
            ? Object.keys(settled).length > 0
            : (schema?.required ?? []).every((k) => settled[k] !== undefined && settled[k] !== ''));
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

    if (isMissing(object.error))
        return <GoneDialog what={kindText(target.kind)} error={object.error} onClose={close} />;
    const item = object.data?.item;
    const label = operationText(name, operation?.title);
    const mustType = danger && count > 1;
    const nameOfOne = (one ? target.name : null) ?? item?.name ?? String(item?.label ?? '');
    const title = one
        ? t('dialog.single', {
              action: label,
              name: nameOfOne,
          })
        : t('dialog.many', { action: label, count, what: kindText(target.kind, count), n: number(count) });
    const sums = sumsOf(plan.data, count, one);
    const planProblem = complete && isApiError(plan.error) ? plan.error : null;
    const fieldErrors = errorsOf(
        (isApiError(error) ? error.problem.errors : planProblem?.problem.errors) ?? undefined,
    );
    const fieldTrouble = Object.keys(fieldErrors).length > 0 && !!schema;
    const idle = isIdle(plan.data, sums, one);
    const ready =
        complete &&
        !busy &&
        !planProblem &&
        (!mustType || typed.trim() === String(count)) &&
        !idle &&
        (!plan.data || plan.data.ok || sums.change > 0);
    const words = (path: string) => labelOf(target.kind, path);
    const provider = (item?.provider as { id?: string } | undefined)?.id;

    const refused = async (failure: unknown) => {
        key.current = crypto.randomUUID();
        if (sets && start && isApiError(failure) && failure.status === 412) {
            const read = await readSubject(subject);
            const current = valuesOf(schema, read.item);
            setClash({ rows: compareThree(schema, start.values, params, current), read, current });
        } else setError(failure);
        setBusy(false);
    };
    const go = () => {
        setBusy(true);
        setError(null);
        const meant = one && (sets || danger) ? { ...target, etag: (start ?? object.data)?.etag } : target;
        run(name, meant, sent, key.current).then(
            (task: Task) => {
                accepted(task);
                if (one) void forget(subject);
                close();
            },
            (failure: unknown) => void refused(failure).catch(setError),
        );
    };
    const below = (path: string, value: unknown) => {
        const last = path.slice(path.lastIndexOf('.') + 1);
        if (
            !one ||
            (last !== 'host' && last !== 'datastore') ||
            !/^vm\.(clone|move|disk\.attach)$/.test(name)
        )
            return null;
        const there =
            last === 'host'
                ? (item?.host as { id?: string } | null)?.id
                : (item?.datastores as { id?: string }[] | null)?.[0]?.id;
        const id = String(value ?? there ?? '');
        const same = !value || value === there;
        const need = same && name === 'vm.move' ? null : needOf(name, item, params, last);
        return id ? <Fit kind={last} id={id} need={need} same={!value} /> : null;
    };

    return (
        <Modal
            onClose={close}
            variant="medium"
            data-surface="action"
            data-of={name}
            aria-labelledby="action-title"
            aria-describedby="action-body"
            elementToFocus=".pf-v6-c-modal-box__body :is(input:not([type=radio]), select, textarea), .pf-v6-c-modal-box__footer button"
        >
            <ModalHeader title={title} labelId="action-title" warning={danger} />
            <ModalBody id="action-body">
                <Form
                    onSubmit={(e) => {
                        e.preventDefault();
                        if (ready) go();
                    }}
                >
                    {(danger || asksFirst(name)) && (
                        <Consequence
                            name={name}
                            item={item}
                            owner={owner.data?.item}
                            params={params}
                            named={named.data?.items}
                            count={count}
                        />
                    )}
                    {clash && start ? (
                        <ThreeWay
                            rows={clash.rows}
                            current={clash.current}
                            label={words}
                            show={(leaf, v) => showValue(target.kind, leaf, v)}
                            onDone={(values) => {
                                setStart({ ...clash.read, values: clash.current });
                                setParams(values);
                                setClash(null);
                            }}
                        />
                    ) : (
                        schema &&
                        (!sets || start) && (
                            <ParamForm
                                name={name}
                                schema={schema}
                                value={params}
                                onChange={setParams}
                                errors={fieldErrors}
                                id="action"
                                around={{
                                    kind: sets ? target.kind : undefined,
                                    base: start?.values,
                                    blocked: blockedBy(state),
                                    provider: name === 'vm.move' ? undefined : provider,
                                    label: (path) => labelOf(target.kind, path, name),
                                    below,
                                    quiet: sets,
                                }}
                            />
                        )
                    )}
                    {name === 'vm.snapshot.create' && item && <ShotSpace machine={item} params={params} />}
                    {name === 'host.enter_maintenance' && item && (
                        <Suspense fallback={<SkeletonLines lines={3} />}>
                            <Evacuation host={item} plan={plan.data} off={params.evacuate_off === true} />
                        </Suspense>
                    )}
                    {error !== null && !fieldTrouble && <FailureLine error={error} />}
                    {planProblem && !fieldTrouble && <FailureLine error={planProblem} />}
                    {sets && start && !clash && !changes.length && (
                        <p className="pv-subtle">{t('machine.nothing_changed')}</p>
                    )}
                    {changes.length > 0 && !clash && (
                        <ChangeTable
                            changes={changes}
                            label={words}
                            show={(leaf, v) => showValue(target.kind, leaf, v)}
                        />
                    )}
                    {complete && (plan.data || !planProblem) && (
                        <section className="pv-plan" aria-live="polite" aria-busy={plan.isFetching}>
                            <h3 className="pv-h3">{t('dialog.preview')}</h3>
                            {plan.isPending && !planProblem ? (
                                <SkeletonLines lines={3} />
                            ) : plan.data ? (
                                <PlanView
                                    plan={plan.data}
                                    sums={sums}
                                    named={named.data?.items}
                                    name={one ? nameOfOne : null}
                                    bare={sets}
                                />
                            ) : null}
                        </section>
                    )}
                    {!one && complete && <Commands name={name} target={target} params={sent} />}
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
                    {one
                        ? label
                        : idle
                          ? t('dialog.do_none', { action: label })
                          : t('dialog.do_many', { action: label, n: number(sums.change || count) })}
                </Button>
                <Button variant="link" onClick={close}>
                    {t('action.cancel')}
                </Button>
            </ModalFooter>
        </Modal>
    );
}
