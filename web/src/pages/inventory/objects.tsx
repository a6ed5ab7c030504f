// SPDX-License-Identifier: Apache-2.0
// Pages of what machines run on and hang on: what it is, how much of it is used, everything that belongs to it, what happened.
import { lazy, useMemo } from 'react';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import '../../i18n/estate';
import { pathOf, valueAt } from '../../api/model';
import { listQuery } from '../../api/query';
import type { Item } from '../../api/types';
import { Fields } from '../../lib/Fields';
import { ObjectPage, type Tab, type TabProps } from '../../lib/ObjectPage';
import type { ListDeclaration } from '../../list/types';
import { Empty, Failure, SkeletonLines } from '../../states/states';
import { vmList } from '../vms/list';
import {
    clusterList,
    clusterRuleList,
    datastoreList,
    hostAdapterList,
    hostList,
    hostServiceList,
    imageList,
    networkList,
    nicList,
    switchList,
} from './declarations';

const ListView = lazy(() => import('../../list/ListPage').then((m) => ({ default: m.ListView })));
const EventsTab = lazy(() => import('../../lib/RelatedLists').then((m) => ({ default: m.EventsTab })));
const TasksTab = lazy(() => import('../../lib/RelatedLists').then((m) => ({ default: m.TasksTab })));
const Capacity = lazy(() => import('./Capacity').then((m) => ({ default: m.Capacity })));
const Space = lazy(() => import('./Capacity').then((m) => ({ default: m.Space })));
const Files = lazy(() => import('./Files'));
const Balance = lazy(() => import('./Balance'));
const ClusterHa = lazy(() => import('./ClusterHa'));
const Chain = lazy(() => import('./Chain'));
const Metrics = lazy(() => import('../vms/Metrics'));
const Notes = lazy(() =>
    Promise.all([import('../vms/Notes'), import('../../i18n/machine')]).then(([m]) => ({ default: m.Notes })),
);

/** Fields of a summary, by heading. */
type Groups = Record<string, string[]>;

const COMMON = ['folder', 'native.id', 'native.type', 'native.path', 'created_at', 'updated_at'];

function summary(groups: Groups, Head?: React.ComponentType<{ item: Item }>) {
    return function Summary({ item }: TabProps) {
        const { t } = useTranslation();
        return (
            <div className="pv-columns">
                <div className="pv-columns__main">
                    {Head && <Head item={item} />}
                    {Object.entries(groups).map(([title, paths]) => (
                        <Fields key={title} item={item} title={t(title)} paths={paths} />
                    ))}
                </div>
                <aside className="pv-columns__rail">
                    <Fields item={item} title={t('vm.identity')} paths={COMMON} known />
                    <Notes item={item} />
                </aside>
            </div>
        );
    };
}

const ids = (item: Item, path: string) => ((valueAt(item, path) ?? []) as { id: string }[]).map((r) => r.id);

/** One of several references; null where there are none to ask for. */
const oneOf = (field: string, found: string[]) => (found.length ? `${field}:{${found.join(',')}}` : null);

/** The list within its scope, on a tab. */
function Inside({ list, scope, prefix }: { list: ListDeclaration; scope: string | null; prefix: string }) {
    const { t } = useTranslation();
    const scoped = useMemo(
        () => ({ ...list, empty: 'estate.tab.none', scope: scope ?? undefined }),
        [list, scope],
    );
    if (scope === null) return <Empty title={t('estate.tab.none.title')} body={t('estate.tab.none.body')} />;
    return (
        <div className="pv-inlist">
            <ListView list={scoped} prefix={prefix} />
        </div>
    );
}

/** A tab with a list of what belongs to the object, and how many that are. */
function belongs(
    id: string,
    title: string,
    list: ListDeclaration,
    prefix: string,
    scopeOf: (item: Item) => string | null,
): Tab {
    function Belonging({ item }: { item: Item }) {
        return <Inside list={list} scope={scopeOf(item)} prefix={prefix} />;
    }
    return { id, title, Component: Belonging, counted: { path: pathOf(list.kind), scopeOf } };
}

/** The same where what it is part of must be asked for first: networks of a switch, hosts of a cluster. */
function through(
    id: string,
    title: string,
    list: ListDeclaration,
    prefix: string,
    between: { kind: string; scopeOf: (item: Item) => string },
    field: string,
): Tab {
    function Belonging({ item }: { item: Item }) {
        const { data, error, refetch } = useQuery(
            listQuery(pathOf(between.kind), {
                filter: between.scopeOf(item),
                fields: 'name',
                limit: 200,
            }),
        );
        if (error) return <Failure error={error} onRetry={() => void refetch()} />;
        if (!data) return <SkeletonLines lines={6} />;
        const found = data.items.map((x) => x.id);
        return <Inside list={list} scope={oneOf(field, found)} prefix={prefix} />;
    }
    return { id, title, Component: Belonging };
}

const by = (field: string) => (item: Item) => `${field}:${item.id}`;
const events: Tab = { id: 'events', title: 'nav.events', Component: EventsTab };
const tasks: Tab = { id: 'tasks', title: 'nav.tasks', Component: TasksTab };
const vms = (field: string) => belongs('vms', 'nav.vms', vmList, 'v-', by(field));

function tabs(groups: Groups, Head?: React.ComponentType<{ item: Item }>, ...more: Tab[]): Tab[] {
    return [
        { id: 'summary', title: 'vm.tab.summary', Component: summary(groups, Head) },
        ...more,
        events,
        tasks,
    ];
}

const hostTabs = tabs(
    {
        'inventory.state': [
            'connection_state',
            'power_state',
            'maintenance_mode',
            'product.name',
            'product.version',
            'product.build',
            'boot_time',
        ],
        'inventory.hardware': [
            'hardware.vendor',
            'hardware.model',
            'hardware.serial',
            'hardware.cpu_model',
            'hardware.sockets',
            'hardware.cores',
            'hardware.threads',
            'hardware.cpu_mhz',
            'hardware.memory_bytes',
            'hardware.numa_nodes',
            'virtualization.nested',
            'virtualization.iommu',
            'virtualization.tpm',
        ],
        'vm.placement': ['datacenter', 'cluster', 'management_ip', 'addresses'],
        'estate.limits': ['limits.live_migrations', 'limits.storage_migrations'],
        'estate.certificate': [
            'certificate.subject',
            'certificate.issuer',
            'certificate.expires_at',
            'certificate.sha256',
        ],
    },
    Capacity,
    vms('host'),
    belongs('datastores', 'nav.datastores', datastoreList, 'd-', by('hosts')),
    belongs('networks', 'nav.networks', networkList, 'n-', by('hosts')),
    belongs('switches', 'inventory.switches', switchList, 's-', (item) => oneOf('id', ids(item, 'switches'))),
    belongs('adapters', 'estate.tab.adapters', hostAdapterList, 'p-', by('host')),
    belongs('services', 'estate.tab.services', hostServiceList, 'e-', by('host')),
    { id: 'metrics', title: 'vm.tab.metrics', Component: Metrics },
);

const ofCluster = { kind: 'host', scopeOf: by('cluster') };

const clusterTabs = tabs(
    {
        'inventory.state': ['cluster_type', 'ha_enabled', 'drs_mode', 'cpu_compat', 'quorum', 'datacenter'],
        'inventory.hardware': ['totals.hosts', 'totals.cores', 'totals.cpu_mhz', 'totals.memory_bytes'],
    },
    Capacity,
    belongs('hosts', 'nav.hosts', hostList, 'h-', by('cluster')),
    vms('cluster'),
    { id: 'ha', title: 'estate.cluster.tab', Component: ClusterHa },
    belongs('rules', 'estate.cluster.rules.tab', clusterRuleList, 'r-', by('cluster')),
    { id: 'balance', title: 'estate.cluster.balance.tab', Component: Balance },
    through('datastores', 'nav.datastores', datastoreList, 'd-', ofCluster, 'hosts'),
    through('networks', 'nav.networks', networkList, 'n-', ofCluster, 'hosts'),
);

const datastoreTabs = tabs(
    {
        'inventory.state': [
            'datastore_type',
            'root_path',
            'accessible',
            'shared',
            'maintenance',
            'datacenter',
        ],
        'inventory.offload': [
            'supports.offload.full_copy',
            'supports.offload.block_zero',
            'supports.offload.ats',
            'supports.offload.unmap',
            'supports.thin',
            'supports.reflink',
        ],
    },
    Space,
    { id: 'files', title: 'files.tab', Component: Files },
    vms('datastores'),
    belongs('hosts', 'nav.hosts', hostList, 'h-', by('datastores')),
    belongs('disks', 'estate.tab.images', imageList, 'i-', by('datastore')),
);

const imageTabs = tabs(
    {
        'inventory.state': [
            'path',
            'datastore',
            'host',
            'format',
            'subformat',
            'capacity_bytes',
            'file_bytes',
            'chain_depth',
            'disk_id',
        ],
        'estate.disk_check': ['check.result', 'check.at', 'check.detail'],
        'estate.disk_layout': ['block_bytes', 'logical_sector', 'physical_sector', 'change_id'],
    },
    undefined,
    { id: 'chain', title: 'estate.tab.chain', Component: Chain },
    belongs('vms', 'nav.vms', vmList, 'v-', (item) => oneOf('id', ids(item, 'used_by'))),
);

const networkTabs = tabs(
    {
        'inventory.state': [
            'network_type',
            'switch',
            'vlan.mode',
            'vlan.id',
            'vlan.allowed',
            'accessible',
            'datacenter',
        ],
    },
    undefined,
    belongs('adapters', 'estate.tab.adapters', nicList, 'a-', by('network')),
    vms('networks'),
    belongs('hosts', 'nav.hosts', hostList, 'h-', by('networks')),
);

const ofSwitch = { kind: 'network', scopeOf: by('switch') };

const switchTabs = tabs(
    {
        'inventory.state': [
            'switch_type',
            'host',
            'uplinks',
            'mtu',
            'teaming',
            'extensions',
            'management_os',
            'annotation',
            'datacenter',
        ],
    },
    undefined,
    belongs('networks', 'nav.networks', networkList, 'n-', by('switch')),
    through('adapters', 'estate.tab.adapters', nicList, 'a-', ofSwitch, 'network'),
    through('vms', 'nav.vms', vmList, 'v-', ofSwitch, 'networks'),
    belongs('hosts', 'nav.hosts', hostList, 'h-', by('switches')),
);

const datacenterTabs = tabs(
    { 'inventory.state': ['health', 'provider'] },
    undefined,
    belongs('clusters', 'nav.clusters', clusterList, 'c-', by('datacenter')),
    belongs('hosts', 'nav.hosts', hostList, 'h-', by('datacenter')),
    vms('datacenter'),
    belongs('datastores', 'nav.datastores', datastoreList, 'd-', by('datacenter')),
    belongs('networks', 'nav.networks', networkList, 'n-', by('datacenter')),
);

const poolTabs = tabs(
    {
        'inventory.state': ['parent', 'cluster', 'host'],
        'estate.limits': [
            'cpu.reservation_mhz',
            'cpu.limit_mhz',
            'cpu.shares',
            'memory.reservation_bytes',
            'memory.limit_bytes',
            'memory.shares',
        ],
    },
    undefined,
    vms('resource_pool'),
);

export const HostPage = () => <ObjectPage kind="host" section="nav.hosts" tabs={hostTabs} />;
export const ClusterPage = () => <ObjectPage kind="cluster" section="nav.clusters" tabs={clusterTabs} />;
export const DatastorePage = () => (
    <ObjectPage
        kind="datastore"
        section="nav.datastores"
        tabs={datastoreTabs}
        without={(name) => name.startsWith('datastore.')}
    />
);
export const DiskPage = () => <ObjectPage kind="disk_image" section="nav.disks" tabs={imageTabs} />;
export const NetworkPage = () => <ObjectPage kind="network" section="nav.networks" tabs={networkTabs} />;
export const SwitchPage = () => <ObjectPage kind="switch" section="inventory.switches" tabs={switchTabs} />;
export const DatacenterPage = () => (
    <ObjectPage kind="datacenter" section="estate.datacenters" tabs={datacenterTabs} />
);
export const PoolPage = () => <ObjectPage kind="resource_pool" section="estate.pools" tabs={poolTabs} />;
