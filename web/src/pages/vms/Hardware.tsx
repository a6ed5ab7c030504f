// SPDX-License-Identifier: Apache-2.0
// One neutral picture of the hardware. What can be changed follows from the API: each device's actions, and the machine's own.
import { lazy, Suspense, useState } from 'react';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { fieldOf, operations, operationOf } from '../../api/model';
import { may, useMe } from '../../api/query';
import type { ActionState, Item } from '../../api/types';
import { api } from '../../api/client';
import { isDangerous, type Action } from '../../actions/registry';
import { ActionButton, MenuButton } from '../../actions/ActionMenu';
import { useAct } from '../../actions/useAct';
import { fieldLabel, kindTitle, operationText, said } from '../../i18n/words';
import { useAddress } from '../../lib/address';
import { familyOf, Fields, FieldValue, useDocs } from '../../lib/Fields';
import { useActions, type TabProps } from '../../lib/ObjectPage';
import { useSubjectActions } from '../../actions/useDraft';
import { actionsOf } from '../../actions/registry';
import { SkeletonLines } from '../../states/states';

const HardwareForm = lazy(() => import('./HardwareForm'));

const DEVICES: { kind: string; member: string; add: string; columns: string[] }[] = [
    {
        kind: 'disk',
        member: 'disks',
        add: 'vm.disk.attach',
        columns: [
            'label',
            'capacity_bytes',
            'controller.type',
            'image.format',
            'image.subformat',
            'mode',
            'image.datastore',
            'image.path',
        ],
    },
    {
        kind: 'nic',
        member: 'nics',
        add: 'vm.nic.attach',
        columns: ['label', 'adapter', 'network', 'mac', 'connected', 'vlan.id', 'ip_addresses'],
    },
    {
        kind: 'cdrom',
        member: 'cdroms',
        add: 'vm.cdrom.attach',
        columns: ['label', 'connected', 'image.datastore', 'image.path'],
    },
    {
        kind: 'controller',
        member: 'controllers',
        add: 'vm.controller.attach',
        columns: ['label', 'bus', 'model', 'number', 'sharing'],
    },
];

/** What the provider can do, by operation; asked once for all devices. */
export function useCapabilities(item: Item): Map<string, ActionState> {
    const provider = (item.provider as { id?: string } | null)?.id;
    const { data } = useQuery({
        queryKey: ['capabilities', provider],
        queryFn: ({ signal }) =>
            api.get<{ items: ActionState[] }>(`/providers/${provider}/capabilities`, undefined, signal),
        enabled: !!provider,
        staleTime: 60_000,
    });
    return new Map((data?.items ?? []).map((c) => [c.name, c]));
}

/** Actions on something that belongs to the machine: from the operation table, the provider's capabilities, one's rights. */
export function useOwnedActions(item: Item, prefix: string, but: (name: string) => boolean): Action[] {
    const capabilities = useCapabilities(item);
    const me = useMe();
    const { t } = useTranslation();
    return operations()
        .filter(
            (name) => name.startsWith(prefix) && operationOf(name)?.path.includes('{owner}') && !but(name),
        )
        .map((name) => {
            const operation = operationOf(name)!;
            const capability = capabilities.get(name);
            const allowed = may(me, operation.permission);
            const able = capability?.state === 'yes' || capability?.state === 'limited';
            return {
                name,
                label: operationText(name, operation.title),
                danger: isDangerous(name),
                ready: allowed && able,
                reason: !allowed
                    ? t('state.needs', { permission: operation.permission })
                    : able
                      ? null
                      : said(capability, 'reason') || t('machine.vm.driver_cannot'),
            };
        });
}

/** The menu of a device or snapshot; what can be done to it now is asked when it is opened. */
export function OwnedMenu({
    actions,
    target,
    more,
}: {
    actions: Action[];
    target: { kind: string; id: string; owner: string; name?: string | null };
    /** Something that is done to the machine because of it. */
    more?: { action: Action; run: () => void };
}) {
    const { t } = useTranslation();
    const act = useAct();
    const [asked, setAsked] = useState(false);
    const now = actionsOf(useSubjectActions(target, asked));
    return (
        <MenuButton
            surface="menu-owned"
            label={t('action.more')}
            name={target.name}
            actions={[
                ...(more ? [more.action] : []),
                ...actions.map((a) => now.find((n) => n.name === a.name) ?? a),
            ]}
            onOpen={() => setAsked(true)}
            onPick={(a) => (more && a.name === more.action.name ? more.run() : act(a.name, target))}
        />
    );
}

function Devices({
    item,
    devices,
    actions,
}: {
    item: Item;
    devices: (typeof DEVICES)[number];
    actions: Action[];
}) {
    const { t } = useTranslation();
    const act = useAct();
    const docs = useDocs(devices.kind, familyOf(item));
    const list = ((item[devices.member] as Item[] | undefined) ?? []).map((d) => ({
        ...d,
        kind: devices.kind,
    }));
    const prefixes = devices.kind === 'cdrom' ? /^vm\.(cdrom|iso)\./ : new RegExp(`^vm\\.${devices.kind}\\.`);
    const own = useOwnedActions(item, 'vm.', (name) => !prefixes.test(name));
    const add = actions.find((a) => a.name === devices.add);
    const columns = devices.columns.filter((c) => fieldOf(devices.kind, c));
    return (
        <section className="pv-card">
            <h2 className="pv-card__title">
                {kindTitle(devices.kind)}
                <span className="pv-count">{list.length}</span>
                {add && (
                    <span className="pv-card__more">
                        <ActionButton
                            small
                            action={{ ...add, label: t('action.add') }}
                            onPick={() => act(add.name, { kind: 'vm', id: item.id, name: item.name })}
                        />
                    </span>
                )}
            </h2>
            {list.length === 0 ? (
                <p className="pv-subtle pv-pad">{t('value.none')}</p>
            ) : (
                <div className="pv-scroll" role="region" aria-label={kindTitle(devices.kind)} tabIndex={0}>
                    <table className="pv-table pv-table--stack">
                        <thead>
                            <tr>
                                {columns.map((c) => (
                                    <th key={c} scope="col" title={[c, docs[c]].filter(Boolean).join(': ')}>
                                        {fieldLabel(devices.kind, c)}
                                    </th>
                                ))}
                                <th scope="col">
                                    <span className="pv-sr">{t('object.actions')}</span>
                                </th>
                            </tr>
                        </thead>
                        <tbody>
                            {list.map((device) => (
                                <tr key={device.id}>
                                    {columns.map((c) => (
                                        <td key={c} data-label={fieldLabel(devices.kind, c)}>
                                            <FieldValue item={device} path={c} />
                                        </td>
                                    ))}
                                    <td className="pv-table__end">
                                        {own.length > 0 && (
                                            <OwnedMenu
                                                actions={own}
                                                target={{
                                                    kind: devices.kind,
                                                    id: device.id,
                                                    owner: item.id,
                                                    name: String(
                                                        (device as Item).label ?? device.name ?? device.id,
                                                    ),
                                                }}
                                            />
                                        )}
                                    </td>
                                </tr>
                            ))}
                        </tbody>
                    </table>
                </div>
            )}
        </section>
    );
}

export default function Hardware({ item }: TabProps) {
    const { t } = useTranslation();
    const act = useAct();
    const states = useActions(item);
    const [params, ask] = useAddress();
    const change = states.find((a) => a.name === 'vm.reconfigure');
    if (params.get('edit') === '1')
        return (
            <Suspense fallback={<SkeletonLines lines={12} />}>
                <HardwareForm
                    item={item}
                    onClose={() =>
                        ask((next) => {
                            for (const name of ['edit', 'dialog', 'device']) next.delete(name);
                        }, 'close')
                    }
                />
            </Suspense>
        );
    return (
        <div className="pv-stack">
            {change && (
                <div className="pv-buttons">
                    <ActionButton
                        action={change}
                        primary={change.ready}
                        onPick={() => act(change.name, { kind: 'vm', id: item.id, name: item.name })}
                    />
                    {!change.ready && <span className="pv-subtle">{change.reason}</span>}
                </div>
            )}
            <div className="pv-cards">
                <Fields
                    item={item}
                    title={t('vm.processor')}
                    paths={[
                        'cpu.count',
                        'cpu.sockets',
                        'cpu.cores_per_socket',
                        'cpu.threads_per_core',
                        'cpu.reservation_mhz',
                        'cpu.limit_mhz',
                        'cpu.weight',
                        'cpu.hot_add',
                        'cpu.nested',
                    ]}
                />
                <Fields
                    item={item}
                    title={t('field.any.memory_bytes')}
                    paths={[
                        'memory.bytes',
                        'memory.dynamic',
                        'memory.min_bytes',
                        'memory.max_bytes',
                        'memory.buffer_pct',
                        'memory.weight',
                        'memory.reservation_bytes',
                        'memory.limit_bytes',
                        'memory.hot_add',
                    ]}
                />
                <Fields
                    item={item}
                    title={t('vm.firmware')}
                    paths={[
                        'firmware',
                        'secure_boot.on',
                        'secure_boot.template',
                        'tpm',
                        'encryption.on',
                        'boot.order',
                        'hardware_version',
                        'autostart.on',
                        'autostart.delay_s',
                        'change_tracking',
                    ]}
                />
            </div>
            {DEVICES.map((d) => (
                <Devices key={d.kind} item={item} devices={d} actions={states} />
            ))}
        </div>
    );
}
