// SPDX-License-Identifier: Apache-2.0
// Before anything is sent: each step with before and after, and what the server says to it. Then one task, whatever the number of
// steps: the first that fails is its last.
import { useRef, useState, type Dispatch, type SetStateAction } from 'react';
import { Button } from '@patternfly/react-core';
import { useQueries } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { ChangeTable, showValue } from '../../actions/ChangeTable';
import { compareThree, valuesOf, type Compared, type Values } from '../../actions/draft';
import { labelOf } from '../../actions/labels';
import { isDangerous, preview, run, runSteps } from '../../actions/registry';
import { ThreeWay } from '../../actions/ThreeWay';
import { accepted } from '../../actions/useAct';
import { forget, readSubject, type Read } from '../../actions/useDraft';
import { isApiError } from '../../api/problem';
import type { Item, JsonSchema, Task } from '../../api/types';
import { operationText, said } from '../../i18n/words';
import { Modal, ModalBody, ModalFooter, ModalHeader } from '../../lib/Modal';
import { FailureLine, Notice, SkeletonLines } from '../../states/states';
import type { FormState, Step } from './steps';

interface Clash {
    step: Step;
    read: Read;
    current: Values;
    rows: Compared[];
}

export default function Review(p: {
    item: Item;
    schema: JsonSchema | undefined;
    state: FormState;
    steps: Step[];
    setState: Dispatch<SetStateAction<FormState>>;
    onBack: () => void;
    onDone: () => void;
}) {
    const { t } = useTranslation();
    const [failed, setFailed] = useState<{ key: string; error: unknown } | null>(null);
    const [clash, setClash] = useState<Clash | null>(null);
    const [busy, setBusy] = useState(false);
    const key = useRef({ about: '', id: '' });
    const plans = useQueries({
        queries: p.steps.map((step) => ({
            queryKey: ['plan', step.operation, step.target.id, step.params, step.target.etag],
            queryFn: ({ signal }: { signal: AbortSignal }) =>
                preview(step.operation, step.target, step.params, signal),
            retry: false,
            staleTime: 0,
            gcTime: 0,
        })),
    });
    const refused = plans.some((plan) => plan.error || plan.data?.ok === false);
    const words = (step: Step) => (path: string) => labelOf(kindOf(step), path, step.operation);

    const meet = async (step: Step): Promise<void> => {
        const own = step.key === 'vm';
        const draft = own ? p.state.vm : p.state.devices[step.target.id];
        const schema = own ? p.schema : p.state.devices[step.target.id]?.schema;
        const read = await readSubject(step.target);
        const current = valuesOf(schema, read.item);
        const rows = draft ? compareThree(schema, draft.base, draft.now, current) : [];
        setClash({ step, read, current, rows });
    };
    const save = async () => {
        const [only, ...others] = p.steps;
        if (!only) return;
        setBusy(true);
        setFailed(null);
        const about = JSON.stringify(p.steps.map((step) => [step.key, step.params, step.target.etag]));
        // The same again is the same request; anything else is another one.
        if (key.current.about !== about) key.current = { about, id: crypto.randomUUID() };
        try {
            const task: Task = others.length
                ? await runSteps(p.item.id, p.steps, key.current.id)
                : await run(only.operation, only.target, only.params, key.current.id);
            accepted(task);
            await forget({ kind: 'vm', id: p.item.id });
            p.onDone();
        } catch (error) {
            key.current = { about: '', id: '' };
            const step = p.steps[stepOf(error)] ?? only;
            try {
                if (!isApiError(error) || error.status !== 412) throw error;
                await meet(step);
            } catch (reason) {
                setFailed({ key: step.key, error: reason });
            }
            setBusy(false);
        }
    };
    const settle = (values: Values) => {
        if (!clash) return;
        const { step, read, current } = clash;
        const fresh = { ...read, base: current, now: values };
        p.setState((s) =>
            step.key === 'vm'
                ? { ...s, vm: fresh }
                : s.removals[step.target.id]
                  ? {
                        ...s,
                        removals: {
                            ...s.removals,
                            [step.target.id]: { ...s.removals[step.target.id]!, etag: read.etag },
                        },
                    }
                  : {
                        ...s,
                        devices: {
                            ...s.devices,
                            [step.target.id]: { ...s.devices[step.target.id]!, ...fresh },
                        },
                    },
        );
        setClash(null);
    };
    return (
        <Modal
            variant="medium"
            onClose={p.onBack}
            data-surface="review"
            aria-labelledby="review-title"
            elementToFocus=".pf-v6-c-modal-box__footer button"
        >
            <ModalHeader
                title={t('machine.review_title', { name: p.item.name ?? p.item.id })}
                labelId="review-title"
            />
            <ModalBody>
                {clash ? (
                    <ThreeWay
                        rows={clash.rows}
                        current={clash.current}
                        label={words(clash.step)}
                        show={(leaf, v) => showValue(kindOf(clash.step), leaf, v)}
                        onDone={settle}
                    />
                ) : p.steps.length === 0 ? (
                    <Notice variant="info" title={t('machine.nothing_left')} />
                ) : (
                    p.steps.map((step, i) => {
                        const plan = plans[i];
                        return (
                            <section key={step.key} className="pv-step" data-step={step.operation}>
                                <h3 className="pv-h3">
                                    {operationText(step.operation)}
                                    {step.target.kind !== 'vm' && `: ${step.target.name ?? ''}`}
                                </h3>
                                {isDangerous(step.operation) && (
                                    <p className="pv-subtle">
                                        {t(`machine.loses.${step.operation.replaceAll('.', '_')}`, {
                                            defaultValue: t('danger.any'),
                                        })}{' '}
                                        {step.params.file === 'delete' && t('machine.loses.file')}
                                    </p>
                                )}
                                {step.changes.length > 0 && (
                                    <ChangeTable
                                        changes={step.changes}
                                        label={words(step)}
                                        show={(leaf, v) => showValue(kindOf(step), leaf, v)}
                                    />
                                )}
                                {plan?.isPending ? (
                                    <SkeletonLines lines={1} />
                                ) : plan?.error && failed?.key !== step.key ? (
                                    <FailureLine error={plan.error} />
                                ) : (
                                    (plan?.data?.findings ?? []).map((f, n) => (
                                        <Notice
                                            key={n}
                                            variant="warning"
                                            title={said(f, 'detail') || (f.code ?? '')}
                                        >
                                            {said(f, 'remedy')}
                                        </Notice>
                                    ))
                                )}
                                {failed?.key === step.key && <FailureLine error={failed.error} />}
                            </section>
                        );
                    })
                )}
            </ModalBody>
            <ModalFooter>
                {!clash && (
                    <Button
                        variant={p.steps.some((s) => isDangerous(s.operation)) ? 'danger' : 'primary'}
                        isDisabled={busy || refused || !p.steps.length}
                        isLoading={busy}
                        onClick={() => void save()}
                    >
                        {t('machine.save_steps', { count: p.steps.length })}
                    </Button>
                )}
                <Button variant="link" onClick={p.onBack}>
                    {t('machine.back')}
                </Button>
            </ModalFooter>
        </Modal>
    );
}

/** Which step the refusal is about: /steps/2/params/cpu. */
function stepOf(error: unknown): number {
    const pointer = isApiError(error) ? error.problem.errors?.[0]?.pointer : undefined;
    return Number(/^\/steps\/(\d+)/.exec(pointer ?? '')?.[1] ?? 0);
}

/** Kind whose fields the step's parameters are. */
function kindOf(step: Step): string {
    const made = /^vm\.(disk|nic|cdrom|controller)\.attach$/.exec(step.operation);
    return made?.[1] ?? step.target.kind;
}
