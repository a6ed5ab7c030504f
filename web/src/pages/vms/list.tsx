// SPDX-License-Identifier: Apache-2.0
// The list of virtual machines, of all hypervisors.
import { valueAt } from '../../api/model';
import type { Item } from '../../api/types';
import { column } from '../../grid/columns';
import { trend } from '../../grid/Spark';
import { bytes, duration, percent } from '../../i18n/format';
import { t } from '../../i18n/words';
import { Bar, ProviderBadge } from '../../lib/cells';
import type { ListDeclaration } from '../../list/types';

const KIND = 'vm';
/** What was measured last says nothing of a machine that runs no more. */
const usage = (item: Item, name: string) =>
    item.power_state === 'running' ? (valueAt(item, `usage.${name}`) as number | undefined) : undefined;
const provider = (item: object) =>
    valueAt(item, 'provider') as { id: string; name?: string; family?: string } | null;

function uptime(item: Item): string {
    const since = valueAt(item, 'boot_time') as string | null;
    if (!since || item.power_state !== 'running') return '';
    return duration((Date.now() - new Date(since).getTime()) / 1000);
}

export const vmList: ListDeclaration = {
    kind: KIND,
    name: 'vms',
    title: 'vm.title',
    empty: 'vm.empty',
    columns: [
        column(KIND, 'name', { width: 210 }),
        column(KIND, 'power_state', { width: 118, fields: ['power_state', 'activity'] }),
        column(KIND, 'provider', { width: 210, cell: (item) => <ProviderBadge value={provider(item)} /> }),
        column(KIND, 'host', { width: 190 }),
        column(KIND, 'cluster', { width: 140 }),
        column(KIND, 'cpu.count', { width: 64 }),
        column(KIND, 'memory.bytes', { width: 92 }),
        {
            id: 'usage.cpu',
            label: () => t('vm.cpu_use'),
            width: 118,
            fields: ['usage', 'power_state'],
            cell: (item) => <Bar value={usage(item, 'cpu.usage_pct')} />,
            text: (item) => {
                const used = usage(item, 'cpu.usage_pct');
                return used === undefined ? '' : percent(used);
            },
        },
        {
            id: 'usage.memory',
            label: () => t('vm.memory_use'),
            width: 118,
            fields: ['usage', 'power_state', 'memory.bytes'],
            cell: (item) => {
                const used = usage(item, 'mem.usage_bytes');
                const all = valueAt(item, 'memory.bytes') as number | null;
                return used === undefined || !all ? null : <Bar value={Math.min(100, (used / all) * 100)} />;
            },
            text: (item) => {
                const used = usage(item, 'mem.usage_bytes');
                return used === undefined ? '' : bytes(used);
            },
        },
        column(KIND, 'guest.ip_addresses', { width: 150 }),
        column(KIND, 'guest.os_name', { width: 180 }),
        column(KIND, 'tags', { width: 170 }),
        {
            id: 'uptime',
            path: 'boot_time',
            label: () => t('vm.uptime'),
            width: 92,
            align: 'end',
            sort: true,
            fields: ['boot_time', 'power_state'],
            cell: uptime,
            text: uptime,
        },
        trend('trend.cpu', 'cpu.usage_pct', () => t('lists.cpu_trend'), percent, 100),
        column(KIND, 'health'),
        column(KIND, 'updated_at'),
    ],
    shown: [
        'name',
        'power_state',
        'provider',
        'host',
        'cluster',
        'cpu.count',
        'memory.bytes',
        'usage.cpu',
        'usage.memory',
        'guest.ip_addresses',
        'guest.os_name',
        'tags',
        'uptime',
    ],
    narrow: ['name', 'power_state', 'provider'],
    sort: 'name',
    facets: ['power_state', 'provider', 'cluster', 'host', 'guest.os_family', 'health'],
};
