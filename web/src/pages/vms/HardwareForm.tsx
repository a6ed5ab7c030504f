// SPDX-License-Identifier: Apache-2.0
// The hardware as one form, filled with what is. What cannot be changed now stands there, locked, with its reason. What was
// changed is looked at before it is sent; what somebody else changed meanwhile is compared.
import { lazy, Suspense, useEffect, useMemo, useState } from 'react';
import { Form } from '@patternfly/react-core';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import '../../i18n/machine';
import { valuesOf, type Values } from '../../actions/draft';
import { labelOf } from '../../actions/labels';
import { ParamForm, type FormAround } from '../../actions/ParamForm';
import { blockedBy, subjectQuery } from '../../actions/useDraft';
import { actionsQuery } from '../../api/query';
import type { ActionState, Item, JsonSchema } from '../../api/types';
import { said } from '../../i18n/words';
import { useDialog } from '../../lib/address';
import { familyOf, useDocs } from '../../lib/Fields';
import { Failure, Notice, SkeletonLines } from '../../states/states';
import { DeviceCards } from './DeviceCards';
import { stepsOf, type FormState } from './steps';

const Review = lazy(() => import('./Review'));

/** Members of the form that stand together. What the schema has beyond them comes last. */
const GROUPS: [string, string[]][] = [
    ['vm.processor', ['cpu']],
    ['field.any.memory_bytes', ['memory']],
    ['vm.firmware', ['firmware', 'secure_boot', 'tpm', 'boot']],
    ['machine.group.autostart', ['autostart']],
    ['vm.tab.snapshots', ['snapshots']],
    ['machine.group.other', []],
];

/** Forms that were left without being saved: whoever comes back finds them. */
const kept = new Map<string, FormState>();

function groupsOf(schema: JsonSchema): { title: string; properties: Record<string, JsonSchema> }[] {
    const left = { ...(schema.properties ?? {}) };
    return GROUPS.map(([title, names]) => {
        const mine = names.length ? names.filter((n) => left[n]) : Object.keys(left);
        const properties = Object.fromEntries(mine.map((n) => [n, left[n]!]));
        for (const n of mine) delete left[n];
        return { title, properties };
    }).filter((g) => Object.keys(g.properties).length);
}

export default function HardwareForm({ item, onClose }: { item: Item; onClose: () => void }) {
    const subject = useQuery(subjectQuery({ kind: 'vm', id: item.id }));
    const actions = useQuery(actionsQuery('vm', item.id));
    const error = subject.error ?? actions.error;
    if (error)
        return (
            <Failure error={error} onRetry={() => void Promise.all([subject.refetch(), actions.refetch()])} />
        );
    if (!subject.data || !actions.data) return <SkeletonLines lines={14} />;
    return <Filled item={item} read={subject.data} states={actions.data.items} onClose={onClose} />;
}

function Filled({
    item,
    read,
    states,
    onClose,
}: {
    item: Item;
    read: { item: Item; etag: string | null };
    states: ActionState[];
    onClose: () => void;
}) {
    const { t } = useTranslation();
    const docs = useDocs('vm', familyOf(item));
    const change = states.find((s) => s.name === 'vm.reconfigure');
    const schema = change?.params;
    const [state, setState] = useState<FormState>(() => {
        const base = valuesOf(schema, read.item);
        return (
            kept.get(item.id) ?? {
                vm: { ...read, base, now: base },
                devices: {},
                removals: {},
                additions: [],
            }
        );
    });
    const [reviewing, review] = useDialog('review');
    const steps = useMemo(() => stepsOf(item, schema, state), [item, schema, state]);
    useEffect(() => {
        if (steps.length) kept.set(item.id, state);
        else kept.delete(item.id);
    }, [item.id, steps.length, state]);
    const leave = () => {
        kept.delete(item.id);
        onClose();
    };
    const setVm = (now: Values) => setState((s) => ({ ...s, vm: { ...s.vm, now } }));
    const locked =
        change && change.state !== 'no' && change.allowed_now !== false
            ? null
            : said(change, 'reason') || t('machine.vm.driver_cannot');
    const blocked = blockedBy(change);
    const behind = (item.version ?? 0) > (state.vm.item.version ?? 0);
    const devices = (read.item.disks as Item[] | undefined)?.concat(
        (read.item.cdroms as Item[] | undefined) ?? [],
        (read.item.nics as Item[] | undefined) ?? [],
    );
    const around: FormAround = {
        kind: 'vm',
        base: state.vm.base,
        blocked: (pointer) => locked ?? blocked(pointer),
        hint: (path) => [path, docs[path]].filter(Boolean).join(': '),
        label: (path) => labelOf('vm', path, 'vm.reconfigure'),
        choices: (path) =>
            path === 'boot.order'
                ? bootChoices(
                      (state.vm.base.boot as { order?: string[] } | undefined)?.order ?? [],
                      devices ?? [],
                      t,
                  )
                : undefined,
        below: (path) => (path === 'cpu.cores_per_socket' ? <Sockets now={state.vm.now} /> : null),
        quiet: true,
    };
    return (
        <div className="pv-stack">
            <div className="pv-editbar" role="region" aria-label={t('machine.editing')}>
                <strong>{t('machine.editing')}</strong>
                <span className="pv-subtle" aria-live="polite">
                    {steps.length
                        ? t('machine.steps', { count: steps.length })
                        : t('machine.nothing_changed')}
                </span>
                <button
                    type="button"
                    className="pv-button pv-button--primary"
                    aria-disabled={!steps.length}
                    onClick={() => steps.length && review(true)}
                >
                    {t('machine.review')}
                </button>
                <button type="button" className="pv-button" onClick={leave}>
                    {t('action.cancel')}
                </button>
            </div>
            {locked && <Notice variant="warning" title={locked} />}
            {behind && !reviewing && <Notice variant="info" title={t('machine.behind')} />}
            <Form
                className="pv-hwform"
                data-surface="hardware"
                onSubmit={(e) => {
                    e.preventDefault();
                    if (steps.length) review(true);
                }}
            >
                {schema &&
                    groupsOf(schema).map((g) => {
                        const [only, ...others] = Object.entries(g.properties);
                        const inner = only && !others.length && only[1].properties ? only : null;
                        const reason = inner && blocked(`/${inner[0]}`);
                        return (
                            <section key={g.title} className="pv-card" aria-label={t(g.title)}>
                                <h2 className="pv-card__title">{t(g.title)}</h2>
                                <div className="pv-hwform__fields">
                                    {reason && <p className="pv-locked">{reason}</p>}
                                    <ParamForm
                                        name="vm.reconfigure"
                                        id={inner ? `hw-${inner[0]}` : 'hw'}
                                        schema={inner ? inner[1] : { properties: g.properties }}
                                        prefix={inner ? `${inner[0]}.` : undefined}
                                        around={around}
                                        value={
                                            inner
                                                ? ((state.vm.now[inner[0]] as Values | undefined) ?? {})
                                                : state.vm.now
                                        }
                                        onChange={(v) =>
                                            setVm(
                                                inner
                                                    ? { ...state.vm.now, [inner[0]]: v }
                                                    : { ...state.vm.now, ...gone(g.properties, v), ...v },
                                            )
                                        }
                                    />
                                </div>
                            </section>
                        );
                    })}
            </Form>
            <DeviceCards item={item} states={states} state={state} setState={setState} />
            {reviewing && (
                <Suspense fallback={null}>
                    <Review
                        item={item}
                        schema={schema}
                        state={state}
                        steps={steps}
                        setState={setState}
                        onBack={() => review(false)}
                        onDone={leave}
                    />
                </Suspense>
            )}
        </div>
    );
}

/** Members of a group that were emptied. */
function gone(properties: Record<string, JsonSchema>, value: Values): Values {
    return Object.fromEntries(
        Object.keys(properties)
            .filter((n) => !(n in value))
            .map((n) => [n, undefined]),
    );
}

function Sockets({ now }: { now: Values }) {
    const { t } = useTranslation();
    const cpu = now.cpu as { count?: number; cores_per_socket?: number } | undefined;
    if (!cpu?.count || !cpu.cores_per_socket) return null;
    const sockets = cpu.count / cpu.cores_per_socket;
    return (
        <span className="pv-subtle">
            {Number.isInteger(sockets)
                ? t('machine.sockets', { count: sockets })
                : t('machine.sockets_odd', { cpus: cpu.count, cores: cpu.cores_per_socket })}
        </span>
    );
}

/** What is in the order now, each device, and the words for all of a kind. */
function bootChoices(order: string[], devices: Item[], t: (key: string) => string) {
    const all = ['disk', 'cdrom', 'network', 'floppy'].map((value) => ({
        value,
        text: t(`machine.boot.${value}`),
    }));
    const own = devices.map((d) => ({ value: d.id, text: String(d.label ?? d.id) }));
    const there = order
        .filter((value) => !all.some((c) => c.value === value) && !own.some((c) => c.value === value))
        .map((value) => ({ value, text: value }));
    return [...there, ...own, ...all];
}
