// SPDX-License-Identifier: Apache-2.0
// Lists of everything that machines run on and hang on.
import i18next from 'i18next';
import { valueAt } from '../../api/model';
import { column } from '../../grid/columns';
import { trend } from '../../grid/Spark';
import { percent } from '../../i18n/format';
import { t } from '../../i18n/words';
import { Bar, ProviderBadge } from '../../lib/cells';
import type { ListDeclaration } from '../../list/types';

type ProviderRef = { id: string; name?: string; family?: string } | null;

const provider = (kind: string) =>
    column(kind, 'provider', {
        width: 210,
        cell: (item) => <ProviderBadge value={valueAt(item, 'provider') as ProviderRef} />,
    });

/** The share of what is taken. */
const used = {
    id: 'used',
    label: () => t('inventory.used'),
    width: 130,
    fields: ['capacity_bytes', 'free_bytes'],
    cell: (item: object) => {
        const all = valueAt(item, 'capacity_bytes') as number | null;
        const free = valueAt(item, 'free_bytes') as number | null;
        return all && free !== null ? <Bar value={((all - free) / all) * 100} /> : null;
    },
};

const offload = (name: string) => column('datastore', `supports.offload.${name}`, { width: 120 });

export const hostList: ListDeclaration = {
    kind: 'host',
    name: 'hosts',
    title: 'nav.hosts',
    empty: 'inventory.none',
    columns: [
        column('host', 'name', { width: 230 }),
        column('host', 'connection_state', { width: 130 }),
        provider('host'),
        column('host', 'cluster', { width: 150 }),
        column('host', 'hardware.model', { width: 170 }),
        column('host', 'hardware.cores'),
        column('host', 'hardware.memory_bytes'),
        column('host', 'product.version', { width: 110 }),
        column('host', 'maintenance_mode'),
        column('host', 'health'),
        trend('trend.cpu', 'cpu.usage_pct', () => t('lists.cpu_trend'), percent, 100),
    ],
    shown: [
        'name',
        'connection_state',
        'health',
        'provider',
        'cluster',
        'hardware.model',
        'hardware.cores',
        'hardware.memory_bytes',
        'product.version',
        'maintenance_mode',
    ],
    narrow: ['name', 'connection_state', 'health'],
    sort: 'name',
    facets: ['connection_state', 'provider', 'cluster', 'health'],
};

export const clusterList: ListDeclaration = {
    kind: 'cluster',
    name: 'clusters',
    title: 'nav.clusters',
    empty: 'inventory.none',
    columns: [
        column('cluster', 'name', { width: 230 }),
        provider('cluster'),
        column('cluster', 'cluster_type'),
        column('cluster', 'totals.hosts'),
        column('cluster', 'totals.cores'),
        column('cluster', 'totals.memory_bytes'),
        column('cluster', 'ha_enabled'),
        column('cluster', 'health'),
    ],
    shown: [
        'name',
        'health',
        'provider',
        'cluster_type',
        'totals.hosts',
        'totals.cores',
        'totals.memory_bytes',
        'ha_enabled',
    ],
    narrow: ['name', 'totals.hosts', 'health'],
    sort: 'name',
    facets: ['provider', 'cluster_type', 'health'],
};

export const datastoreList: ListDeclaration = {
    kind: 'datastore',
    name: 'datastores',
    title: 'nav.datastores',
    empty: 'inventory.none',
    columns: [
        column('datastore', 'name', { width: 220 }),
        provider('datastore'),
        column('datastore', 'datastore_type', { width: 100 }),
        used,
        column('datastore', 'free_bytes'),
        column('datastore', 'capacity_bytes'),
        column('datastore', 'provisioned_bytes'),
        column('datastore', 'shared', { width: 90 }),
        offload('full_copy'),
        offload('block_zero'),
        offload('ats'),
        offload('unmap'),
        column('datastore', 'health'),
    ],
    shown: [
        'name',
        'health',
        'provider',
        'datastore_type',
        'used',
        'free_bytes',
        'capacity_bytes',
        'shared',
        'supports.offload.full_copy',
        'supports.offload.unmap',
    ],
    narrow: ['name', 'used', 'free_bytes'],
    sort: 'name',
    facets: ['datastore_type', 'provider', 'shared', 'health'],
};

export const networkList: ListDeclaration = {
    kind: 'network',
    name: 'networks',
    title: 'nav.networks',
    empty: 'inventory.none',
    columns: [
        column('network', 'name', { width: 230 }),
        provider('network'),
        column('network', 'network_type', { width: 130 }),
        column('network', 'switch', { width: 190 }),
        column('network', 'vlan.mode'),
        column('network', 'vlan.id'),
        column('network', 'accessible'),
        column('network', 'health'),
    ],
    shown: ['name', 'health', 'provider', 'network_type', 'switch', 'vlan.mode', 'vlan.id'],
    narrow: ['name', 'vlan.id', 'health'],
    sort: 'name',
    facets: ['network_type', 'provider', 'switch', 'vlan.mode'],
};

export const switchList: ListDeclaration = {
    kind: 'switch',
    name: 'switches',
    title: 'inventory.switches',
    empty: 'inventory.none',
    columns: [
        column('switch', 'name', { width: 230 }),
        provider('switch'),
        column('switch', 'switch_type'),
        column('switch', 'host'),
        column('switch', 'uplinks'),
        column('switch', 'mtu'),
        column('switch', 'health'),
    ],
    shown: ['name', 'health', 'provider', 'switch_type', 'host', 'uplinks', 'mtu'],
    narrow: ['name', 'switch_type', 'health'],
    sort: 'name',
    facets: ['switch_type', 'provider', 'host'],
};

/** Ports that are in use: the adapters of machines. */
export const nicList: ListDeclaration = {
    kind: 'nic',
    name: 'nics',
    title: 'estate.tab.adapters',
    empty: 'inventory.none',
    columns: [
        column('nic', 'vm', { width: 220 }),
        column('nic', 'label', { width: 170 }),
        column('nic', 'network', { width: 180 }),
        column('nic', 'mac', { width: 150 }),
        column('nic', 'ip_addresses'),
        column('nic', 'connected'),
        column('nic', 'vlan.mode'),
        column('nic', 'vlan.id'),
        column('nic', 'adapter'),
    ],
    shown: ['vm', 'label', 'network', 'mac', 'ip_addresses', 'connected', 'vlan.id', 'adapter'],
    narrow: ['vm', 'mac'],
    sort: 'mac',
    facets: ['connected', 'adapter'],
    plain: true,
    linkOf: (nic) => {
        const vm = nic.vm as { id: string } | null;
        return vm && `/vms/${vm.id}/hardware`;
    },
};

/** 25 Gb/s */
function bitRate(bps: number): string {
    const [value, unit] = bps >= 1e9 ? [bps / 1e9, 'gigabit-per-second'] : [bps / 1e6, 'megabit-per-second'];
    return new Intl.NumberFormat(i18next.language, { style: 'unit', unit, maximumFractionDigits: 1 }).format(
        value,
    );
}

const speed = (item: object) => {
    const bps = valueAt(item, 'speed_bps') as number | null;
    return bps ? bitRate(bps) : '';
};

export const hostAdapterList: ListDeclaration = {
    kind: 'host_adapter',
    name: 'host-adapters',
    title: 'estate.tab.adapters',
    empty: 'inventory.none',
    columns: [
        column('host_adapter', 'name', { width: 170 }),
        column('host_adapter', 'adapter_type', { width: 130 }),
        column('host_adapter', 'link_up', { width: 90 }),
        column('host_adapter', 'speed_bps', { width: 120, cell: speed, text: speed }),
        column('host_adapter', 'full_duplex', { width: 110 }),
        column('host_adapter', 'switch', { width: 190 }),
        column('host_adapter', 'mac', { width: 150 }),
        column('host_adapter', 'wwn', { width: 190 }),
        column('host_adapter', 'iqn', { width: 190 }),
        column('host_adapter', 'model', { width: 240 }),
        column('host_adapter', 'driver', { width: 110 }),
        column('host_adapter', 'pci', { width: 120 }),
    ],
    shown: ['name', 'adapter_type', 'link_up', 'speed_bps', 'switch', 'mac', 'wwn', 'model', 'driver'],
    narrow: ['name', 'link_up', 'switch'],
    sort: 'name',
    facets: ['adapter_type', 'link_up'],
    plain: true,
    linkOf: () => null,
};

export const hostServiceList: ListDeclaration = {
    kind: 'host_service',
    name: 'host-services',
    title: 'estate.tab.services',
    empty: 'inventory.none',
    columns: [
        column('host_service', 'label', { width: 300 }),
        column('host_service', 'name', { width: 150 }),
        column('host_service', 'state', { width: 120 }),
        column('host_service', 'start_mode', { width: 130 }),
        column('host_service', 'required', { width: 120 }),
    ],
    shown: ['label', 'name', 'state', 'start_mode', 'required'],
    narrow: ['label', 'state'],
    sort: 'label',
    facets: ['state', 'start_mode', 'required'],
    linkOf: () => null,
};

export const imageList: ListDeclaration = {
    kind: 'disk_image',
    name: 'disk-images',
    title: 'nav.disks',
    empty: 'estate.disks',
    columns: [
        column('disk_image', 'name', { width: 260 }),
        column('disk_image', 'path', { width: 360 }),
        provider('disk_image'),
        column('disk_image', 'datastore'),
        column('disk_image', 'format'),
        column('disk_image', 'subformat'),
        column('disk_image', 'capacity_bytes'),
        column('disk_image', 'file_bytes'),
        column('disk_image', 'used_by'),
        column('disk_image', 'parent', { width: 220 }),
        column('disk_image', 'chain_depth'),
        column('disk_image', 'check.result'),
        column('disk_image', 'host'),
        column('disk_image', 'health'),
    ],
    shown: [
        'name',
        'datastore',
        'format',
        'subformat',
        'capacity_bytes',
        'file_bytes',
        'used_by',
        'parent',
        'check.result',
    ],
    narrow: ['name', 'file_bytes'],
    sort: 'name',
    facets: ['format', 'subformat', 'datastore', 'check.result'],
};

export const datacenterList: ListDeclaration = {
    kind: 'datacenter',
    name: 'datacenters',
    title: 'estate.datacenters',
    empty: 'inventory.none',
    columns: [
        column('datacenter', 'name', { width: 230 }),
        provider('datacenter'),
        column('datacenter', 'health'),
    ],
    shown: ['name', 'health', 'provider'],
    narrow: ['name', 'health'],
    sort: 'name',
    facets: ['provider', 'health'],
};

export const poolList: ListDeclaration = {
    kind: 'resource_pool',
    name: 'resource-pools',
    title: 'estate.pools',
    empty: 'inventory.none',
    columns: [
        column('resource_pool', 'name', { width: 230 }),
        provider('resource_pool'),
        column('resource_pool', 'parent'),
        column('resource_pool', 'cluster'),
        column('resource_pool', 'cpu.limit_mhz'),
        column('resource_pool', 'memory.limit_bytes'),
        column('resource_pool', 'health'),
    ],
    shown: ['name', 'health', 'provider', 'parent', 'cluster', 'cpu.limit_mhz', 'memory.limit_bytes'],
    narrow: ['name', 'cluster'],
    sort: 'name',
    facets: ['provider', 'cluster'],
};

export const clusterRuleList: ListDeclaration = {
    kind: 'cluster_rule',
    name: 'cluster-rules',
    title: 'estate.cluster.rules.tab',
    empty: 'estate.cluster.rules.none',
    columns: [
        column('cluster_rule', 'name', { width: 240 }),
        column('cluster_rule', 'state', { width: 130 }),
        column('cluster_rule', 'rule_type', { width: 160 }),
        column('cluster_rule', 'mandatory', { width: 110 }),
        column('cluster_rule', 'enabled', { width: 110 }),
        column('cluster_rule', 'vms', { width: 280 }),
        column('cluster_rule', 'placement', { width: 170 }),
        column('cluster_rule', 'hosts', { width: 240 }),
        column('cluster_rule', 'broken_by', { width: 240 }),
        column('cluster_rule', 'depends_on', { width: 240 }),
        column('cluster_rule', 'vm_group', { width: 160 }),
        column('cluster_rule', 'host_group', { width: 160 }),
        column('cluster_rule', 'in_compliance', { width: 150 }),
    ],
    shown: ['name', 'state', 'rule_type', 'mandatory', 'vms', 'placement', 'hosts', 'broken_by'],
    narrow: ['name', 'state', 'rule_type'],
    sort: '-state,name',
    facets: ['state', 'rule_type', 'enabled', 'mandatory'],
    plain: true,
    linkOf: () => null,
};
