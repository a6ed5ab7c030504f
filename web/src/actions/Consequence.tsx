// SPDX-License-Identifier: Apache-2.0
// What a dangerous action is done to, at which provider, and what is lost by it.
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { objectQuery } from '../api/query';
import { valueAt } from '../api/model';
import type { Item } from '../api/types';
import { bytes, number } from '../i18n/format';
import { operationText } from '../i18n/words';
import { Power, ProviderBadge } from '../lib/cells';
import type { Values } from './draft';
import { isDangerous } from './registry';

type ProviderRef = { id: string; name?: string | null; family?: string } | null | undefined;

/** Sentences about what is lost; the parameters change them. */
function useLosses(name: string, machine: Item | undefined, params: Values): string[] {
    const { t } = useTranslation();
    const said = t(`machine.loses.${name.replaceAll('.', '_')}`, {
        defaultValue: t(`danger.${name.replaceAll('.', '_')}`, { defaultValue: t('danger.any') }),
    });
    const losses = [said];
    const disks = (machine?.disks as Item[] | undefined)?.length;
    if (name === 'vm.delete') {
        const used = valueAt(machine, 'storage.used_bytes');
        if (params.disks === 'delete')
            losses.push(
                t('machine.loses.disks', {
                    count: disks ?? 0,
                    n: number(disks ?? 0),
                    size: typeof used === 'number' ? bytes(used) : '–',
                }),
            );
        else losses.push(t('machine.loses.disks_stay'));
        if (params.force === true) losses.push(t('machine.loses.forced'));
        const shots = Number(valueAt(machine, 'snapshots.count') ?? 0);
        if (shots) losses.push(t('machine.loses.snapshots', { count: shots, n: number(shots) }));
    }
    if (name === 'vm.disk.detach' && params.file === 'delete') losses.push(t('machine.loses.file'));
    if (name === 'vm.snapshot.delete' && params.children === true) losses.push(t('machine.loses.children'));
    return losses;
}

export function Consequence(p: {
    name: string;
    item?: Item;
    owner?: Item;
    params: Values;
    /** Of several objects: those that are named. */
    named?: Item[];
    count: number;
}) {
    const { t } = useTranslation();
    const machine = p.owner ?? (p.item?.kind === 'vm' ? p.item : undefined);
    const full = useQuery({
        ...objectQuery<Item>('vm', machine?.id ?? '', { view: 'full' }),
        enabled: !!machine,
    });
    const losses = useLosses(p.name, full.data?.item ?? machine, p.params);
    const dangerous = isDangerous(p.name);
    const provider = (p.item?.provider ?? p.owner?.provider) as ProviderRef;
    const providers = [
        ...new Map(
            (p.named ?? [])
                .map((i) => i.provider as ProviderRef)
                .filter((x) => !!x)
                .map((x) => [x.id, x]),
        ).values(),
    ];
    return (
        <div className="pv-consequence">
            {(provider || machine) && (
                <dl className="pv-consequence__facts">
                    {p.owner && (
                        <div>
                            <dt>{t('machine.of_machine')}</dt>
                            <dd>
                                {p.owner.name} <Power item={p.owner} />
                            </dd>
                        </div>
                    )}
                    {!p.owner && machine && (
                        <div>
                            <dt>{t('machine.now')}</dt>
                            <dd>
                                <Power item={machine} />
                            </dd>
                        </div>
                    )}
                    {provider && (
                        <div>
                            <dt>{t('machine.at_provider')}</dt>
                            <dd>
                                <ProviderBadge value={provider} />
                            </dd>
                        </div>
                    )}
                </dl>
            )}
            {providers.length > 0 && (
                <dl className="pv-consequence__facts">
                    <div>
                        <dt>{t('machine.at_provider')}</dt>
                        <dd className="pv-list">
                            {providers.slice(0, 6).map((x) => (
                                <ProviderBadge key={x.id} value={x} />
                            ))}
                            {providers.length > 6 && <span>+{number(providers.length - 6)}</span>}
                        </dd>
                    </div>
                </dl>
            )}
            {dangerous && (
                <ul
                    className="pv-consequence__losses"
                    aria-label={t('machine.consequence', { action: operationText(p.name) })}
                >
                    {losses.map((text) => (
                        <li key={text}>{text}</li>
                    ))}
                </ul>
            )}
        </div>
    );
}
