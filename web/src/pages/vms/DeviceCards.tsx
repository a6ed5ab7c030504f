// SPDX-License-Identifier: Apache-2.0
// Disks, adapters, drives and controllers in the hardware form: each can be changed, removed or added; nothing is done before the
// whole is saved.
import { useCallback, useEffect, useId, useState, type Dispatch, type SetStateAction } from 'react';
import { Form, FormSelect, FormSelectOption } from '@patternfly/react-core';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { changesOf, valuesOf, type Values } from '../../actions/draft';
import { Fit } from '../../actions/Fit';
import { choiceText, labelOf } from '../../actions/labels';
import { ParamForm, type FormAround } from '../../actions/ParamForm';
import { blockedBy, subjectActionsQuery, subjectQuery, type Subject } from '../../actions/useDraft';
import type { ActionState, Item } from '../../api/types';
import { bytes } from '../../i18n/format';
import { enumText, kindTitle, operationText, said } from '../../i18n/words';
import { useAddress, type How } from '../../lib/address';
import { familyOf, useDocs } from '../../lib/Fields';
import { FailureLine, SkeletonLines } from '../../states/states';
import { nameOf, type Addition, type FormState, type Removal } from './steps';

interface DeviceKind {
    kind: string;
    member: string;
    add: string;
    change?: string;
    whole?: boolean;
    remove: string;
    /** Takes what is in it out, and leaves it there. */
    empty?: string;
}

const DEVICES: DeviceKind[] = [
    {
        kind: 'disk',
        member: 'disks',
        add: 'vm.disk.attach',
        change: 'vm.disk.update',
        remove: 'vm.disk.detach',
    },
    { kind: 'nic', member: 'nics', add: 'vm.nic.attach', change: 'vm.nic.update', remove: 'vm.nic.detach' },
    {
        kind: 'cdrom',
        member: 'cdroms',
        add: 'vm.cdrom.attach',
        change: 'vm.iso.mount',
        whole: true,
        remove: 'vm.cdrom.detach',
        empty: 'vm.iso.eject',
    },
    {
        kind: 'controller',
        member: 'controllers',
        add: 'vm.controller.attach',
        remove: 'vm.controller.detach',
    },
];

type SetState = Dispatch<SetStateAction<FormState>>;

function without<T>(map: Readonly<Record<string, T>>, id: string): Record<string, T> {
    return Object.fromEntries(Object.entries(map).filter(([k]) => k !== id));
}

/** A device in a line: what tells it from others. */
function lineOf(kind: string, d: Item): string {
    const at = (path: string) =>
        path.split('.').reduce<unknown>((v, k) => (v as Record<string, unknown> | null)?.[k], d);
    const place = at('controller.type')
        ? `${enumText(kind, 'controller.type', String(at('controller.type')))} ${String(at('controller.bus') ?? 0)}:${String(at('controller.unit') ?? 0)}`
        : '';
    const parts: unknown[] =
        kind === 'disk'
            ? [typeof d.capacity_bytes === 'number' && bytes(d.capacity_bytes), place, at('image.path')]
            : kind === 'nic'
              ? [at('network.name'), d.mac, d.adapter && enumText(kind, 'adapter', String(d.adapter))]
              : kind === 'cdrom'
                ? [at('image.path'), place]
                : [d.bus && enumText(kind, 'bus', String(d.bus)), d.model];
    return parts.filter(Boolean).join(' · ');
}

export function DeviceCards(p: { item: Item; states: ActionState[]; state: FormState; setState: SetState }) {
    const { t } = useTranslation();
    return (
        <>
            {DEVICES.map((d) => {
                const add = p.states.find((s) => s.name === d.add);
                const reason =
                    add && add.state !== 'no' && add.allowed_now !== false ? null : said(add, 'reason');
                const list = (p.state.vm.item[d.member] as Item[] | undefined) ?? [];
                const mine = p.state.additions.filter((a) => a.kind === d.kind);
                return (
                    <section key={d.kind} className="pv-card" aria-label={kindTitle(d.kind)}>
                        <h2 className="pv-card__title">
                            {kindTitle(d.kind)}
                            <span className="pv-count">{list.length}</span>
                            {add && (
                                <span className="pv-card__more">
                                    <AddButton
                                        label={operationText(add.name, add.title)}
                                        reason={
                                            reason === null ? null : reason || t('machine.vm.driver_cannot')
                                        }
                                        onAdd={() => addOne(p.setState, d, add)}
                                    />
                                </span>
                            )}
                        </h2>
                        <ul className="pv-devices">
                            {list.map((device) => (
                                <Device
                                    key={device.id}
                                    kind={d}
                                    device={{ ...device, kind: d.kind }}
                                    vm={p.item}
                                    state={p.state}
                                    setState={p.setState}
                                />
                            ))}
                            {mine.map((a) => (
                                <NewDevice
                                    key={a.key}
                                    addition={a}
                                    vm={p.item}
                                    add={add}
                                    setState={p.setState}
                                />
                            ))}
                            {!list.length && !mine.length && <li className="pv-subtle">{t('value.none')}</li>}
                        </ul>
                    </section>
                );
            })}
        </>
    );
}

function AddButton({ label, reason, onAdd }: { label: string; reason: string | null; onAdd: () => void }) {
    const id = useId();
    return (
        <>
            <button
                type="button"
                className="pv-button pv-button--small"
                aria-disabled={!!reason}
                aria-describedby={reason ? id : undefined}
                title={reason ?? undefined}
                onClick={() => !reason && onAdd()}
            >
                {label}
            </button>
            {reason && (
                <span id={id} className="pv-sr">
                    {reason}
                </span>
            )}
        </>
    );
}

function addOne(setState: SetState, d: DeviceKind, add: ActionState) {
    const one: Addition = {
        key: `add-${crypto.randomUUID()}`,
        kind: d.kind,
        operation: d.add,
        schema: add.params ?? {},
        params: {},
    };
    setState((s) => ({ ...s, additions: [...s.additions, one] }));
}

const openDevices = (params: URLSearchParams) => (params.get('device') ?? '').split(',').filter(Boolean);

function Device(p: { kind: DeviceKind; device: Item; vm: Item; state: FormState; setState: SetState }) {
    const { t } = useTranslation();
    const { kind: d, device, state, setState } = p;
    const draft = state.devices[device.id];
    const removal = state.removals[device.id];
    const [params, ask] = useAddress();
    const open = openDevices(params).includes(device.id);
    const setOpen = useCallback(
        (on: boolean, how: How = on ? 'push' : 'close') =>
            ask((next) => {
                const now = openDevices(next).filter((id) => id !== device.id);
                if (on) now.push(device.id);
                if (now.length) next.set('device', now.join(','));
                else next.delete('device');
            }, how),
        [ask, device.id],
    );
    const subject: Subject = { kind: d.kind, id: device.id, owner: p.vm.id };
    const actions = useQuery(subjectActionsQuery(subject));
    const states = actions.data?.items ?? [];
    const name = nameOf(device);
    const changes = draft ? changesOf(draft.schema, draft.base, draft.now).length : 0;
    // Whoever comes back to a form that was left finds what was changed in it.
    const [found] = useState(changes > 0);
    useEffect(() => {
        if (found) setOpen(true, 'replace');
    }, [found, setOpen]);
    const remove = (operation: string) => {
        const one: Removal = {
            kind: d.kind,
            id: device.id,
            name,
            operation,
            etag: device.version ? `"${d.kind}-${device.version}"` : null,
            params: operation === 'vm.disk.detach' ? { file: 'keep' } : {},
        };
        setState((s) => ({ ...s, removals: { ...s.removals, [device.id]: one } }));
    };
    const button = (operation: string | undefined, label: string, onClick: () => void) => {
        const s = states.find((x) => x.name === operation);
        if (!operation || !s) return null;
        const reason =
            s.state !== 'no' && s.allowed_now !== false
                ? null
                : said(s, 'reason') || t('machine.vm.driver_cannot');
        return (
            <button
                type="button"
                className="pv-button pv-button--small"
                aria-disabled={!!reason}
                title={reason ?? undefined}
                aria-label={[`${label}: ${name}`, reason].filter(Boolean).join('. ')}
                onClick={() => !reason && onClick()}
            >
                {label}
            </button>
        );
    };
    const image = (device.image as { path?: string | null } | undefined)?.path;
    return (
        <li
            className={`pv-device${removal ? ' pv-device--gone' : changes ? ' pv-device--changed' : ''}`}
            data-device={device.id}
        >
            <div className="pv-device__line">
                <span className="pv-device__name">{name}</span>
                <span className="pv-device__facts">{lineOf(d.kind, device)}</span>
                {removal ? (
                    <>
                        <span className="pv-tag">{operationText(removal.operation)}</span>
                        <button
                            type="button"
                            className="pv-button pv-button--small"
                            onClick={() =>
                                setState((s) => ({ ...s, removals: without(s.removals, device.id) }))
                            }
                        >
                            {t('machine.keep')}
                        </button>
                    </>
                ) : (
                    <>
                        {changes > 0 && <span className="pv-tag">{t('machine.changed')}</span>}
                        {button(d.change, t('machine.change'), () => setOpen(!open))}
                        {image && button(d.empty, operationText(d.empty ?? ''), () => remove(d.empty!))}
                        {button(d.remove, t('machine.remove'), () => remove(d.remove))}
                    </>
                )}
            </div>
            {removal?.operation === 'vm.disk.detach' && (
                <label className="pv-device__choice" data-surface="device-file">
                    {t('machine.param.vm_disk_detach.file')}
                    <FormSelect
                        id={`file-${device.id}`}
                        value={String(removal.params.file)}
                        onChange={(_, file) =>
                            setState((s) => ({
                                ...s,
                                removals: { ...s.removals, [device.id]: { ...removal, params: { file } } },
                            }))
                        }
                    >
                        <FormSelectOption value="keep" label={choiceText('file', 'keep')} />
                        <FormSelectOption value="delete" label={choiceText('file', 'delete')} />
                    </FormSelect>
                </label>
            )}
            {open && !removal && d.change && (
                <DeviceForm
                    {...p}
                    subject={subject}
                    operation={d.change}
                    offered={states.find((s) => s.name === d.change)}
                />
            )}
            {actions.error && <FailureLine error={actions.error} />}
        </li>
    );
}

function DeviceForm(p: {
    kind: DeviceKind;
    device: Item;
    vm: Item;
    state: FormState;
    setState: SetState;
    subject: Subject;
    operation: string;
    offered: ActionState | undefined;
}) {
    const { kind: d, device, offered, setState } = p;
    const docs = useDocs(d.kind, familyOf(p.vm));
    const read = useQuery(subjectQuery(p.subject));
    const draft = p.state.devices[device.id];
    useEffect(() => {
        if (draft || !read.data || !offered?.params) return;
        const base = valuesOf(offered.params, read.data.item);
        const one = {
            ...read.data,
            kind: d.kind,
            operation: p.operation,
            schema: offered.params,
            whole: d.whole,
            base,
            now: base,
        };
        setState((s) => ({ ...s, devices: { ...s.devices, [device.id]: one } }));
    }, [draft, read.data, offered, d, p.operation, device.id, setState]);
    if (read.error) return <FailureLine error={read.error} onRetry={() => void read.refetch()} />;
    if (!draft) return <SkeletonLines lines={3} />;
    const around: FormAround = {
        kind: d.kind,
        base: draft.base,
        blocked: blockedBy(offered),
        provider: (p.vm.provider as { id?: string } | null)?.id,
        hint: (path) => [path, docs[path]].filter(Boolean).join(': '),
        label: (path) => labelOf(d.kind, path, p.operation),
        quiet: true,
    };
    return (
        <Form
            className="pv-hwform__fields"
            data-surface="device"
            data-of={d.kind}
            onSubmit={(e) => e.preventDefault()}
        >
            <ParamForm
                name={p.operation}
                id={`hw-${device.id}`}
                schema={draft.schema}
                around={around}
                value={draft.now}
                onChange={(now: Values) =>
                    setState((s) => ({ ...s, devices: { ...s.devices, [device.id]: { ...draft, now } } }))
                }
            />
        </Form>
    );
}

function NewDevice(p: { addition: Addition; vm: Item; add: ActionState | undefined; setState: SetState }) {
    const { t } = useTranslation();
    const { addition: a, setState } = p;
    const change = (params: Values) =>
        setState((s) => ({
            ...s,
            additions: s.additions.map((x) => (x.key === a.key ? { ...x, params } : x)),
        }));
    const there = (p.vm.datastores as { id?: string }[] | null)?.[0]?.id;
    const around: FormAround = {
        kind: undefined,
        blocked: blockedBy(p.add),
        provider: (p.vm.provider as { id?: string } | null)?.id,
        label: (path) => labelOf(a.kind, path, a.operation),
        quiet: true,
        below: (path, value) =>
            a.kind === 'disk' && path === 'image.datastore' && (value || there) ? (
                <Fit
                    kind="datastore"
                    id={String(value ?? there)}
                    same={!value}
                    need={typeof a.params.capacity_bytes === 'number' ? a.params.capacity_bytes : null}
                />
            ) : null,
    };
    return (
        <li className="pv-device pv-device--new" data-surface="device-new" data-of={a.kind}>
            <div className="pv-device__line">
                <span className="pv-device__name">{operationText(a.operation)}</span>
                <span className="pv-device__facts" />
                <button
                    type="button"
                    className="pv-button pv-button--small"
                    onClick={() =>
                        setState((s) => ({ ...s, additions: s.additions.filter((x) => x.key !== a.key) }))
                    }
                >
                    {t('machine.drop')}
                </button>
            </div>
            <Form className="pv-hwform__fields" onSubmit={(e) => e.preventDefault()}>
                <ParamForm
                    name={a.operation}
                    id={`hw-${a.key}`}
                    schema={a.schema}
                    around={around}
                    value={a.params}
                    onChange={change}
                />
            </Form>
        </li>
    );
}
