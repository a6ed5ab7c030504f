// SPDX-License-Identifier: Apache-2.0
// Pages of hosts, clusters, datastores, networks and switches: what they are, what runs on them, what happened.
import { lazy, useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import type { Item } from '../../api/types';
import { Fields } from '../../lib/Fields';
import { ObjectPage, type Tab, type TabProps } from '../../lib/ObjectPage';
import type { ListDeclaration } from '../../list/types';
import { vmList } from '../vms/list';
import { hostList } from './declarations';

const ListView = lazy(() => import('../../list/ListPage').then((m) => ({ default: m.ListView })));
const EventsTab = lazy(() => import('../../lib/RelatedLists').then((m) => ({ default: m.EventsTab })));
const TasksTab = lazy(() => import('../../lib/RelatedLists').then((m) => ({ default: m.TasksTab })));

/** Fields of a summary, by heading. */
type Groups = Record<string, string[]>;

const COMMON = ['folder', 'tags', 'notes', 'native.id', 'native.path', 'created_at', 'updated_at'];

function summary(groups: Groups) {
    return function Summary({ item }: TabProps) {
        const { t } = useTranslation();
        return (
            <div className="pv-columns">
                <div className="pv-columns__main">
                    {Object.entries(groups).map(([title, paths]) => (
                        <Fields key={title} item={item} title={t(title)} paths={paths} />
                    ))}
                </div>
                <aside className="pv-columns__rail">
                    <Fields item={item} title={t('vm.identity')} paths={COMMON} known />
                </aside>
            </div>
        );
    };
}

/** A list of what belongs to the object, by a field of theirs that names it. */
function belongs(list: ListDeclaration, field: string, prefix: string) {
    return function Belonging({ item }: { item: Item }) {
        const scoped = useMemo(() => ({ ...list, scope: `${field}:${item.id}` }), [item.id]);
        return (
            <div className="pv-inlist">
                <ListView list={scoped} prefix={prefix} />
            </div>
        );
    };
}

const events: Tab = { id: 'events', title: 'nav.events', Component: EventsTab };
const tasks: Tab = { id: 'tasks', title: 'nav.tasks', Component: TasksTab };

function tabs(groups: Groups, ...more: Tab[]): Tab[] {
    return [{ id: 'summary', title: 'vm.tab.summary', Component: summary(groups) }, ...more, events, tasks];
}

const vms = (field: string): Tab => ({
    id: 'vms',
    title: 'nav.vms',
    Component: belongs(vmList, field, 'v-'),
});

const hostTabs = tabs(
    {
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
        ],
        'inventory.state': [
            'connection_state',
            'power_state',
            'maintenance_mode',
            'boot_time',
            'product.name',
            'product.version',
            'product.build',
            'virtualization.nested',
            'virtualization.iommu',
            'virtualization.tpm',
        ],
        'vm.placement': [
            'datacenter',
            'cluster',
            'management_ip',
            'addresses',
            'datastores',
            'switches',
            'networks',
        ],
    },
    vms('host'),
);

const clusterTabs = tabs(
    {
        'inventory.state': ['cluster_type', 'ha_enabled', 'drs_mode', 'cpu_compat', 'quorum', 'datacenter'],
        'inventory.hardware': ['totals.hosts', 'totals.cores', 'totals.cpu_mhz', 'totals.memory_bytes'],
    },
    { id: 'hosts', title: 'nav.hosts', Component: belongs(hostList, 'cluster', 'h-') },
    vms('cluster'),
);

const datastoreTabs = tabs(
    {
        'inventory.space': [
            'capacity_bytes',
            'free_bytes',
            'provisioned_bytes',
            'datastore_type',
            'root_path',
        ],
        'inventory.offload': [
            'supports.offload.full_copy',
            'supports.offload.block_zero',
            'supports.offload.ats',
            'supports.offload.unmap',
            'supports.thin',
            'supports.reflink',
        ],
        'inventory.state': ['accessible', 'shared', 'maintenance', 'datacenter', 'hosts'],
    },
    vms('datastores'),
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
            'hosts',
        ],
    },
    vms('networks'),
);

const switchTabs = tabs({
    'inventory.state': ['switch_type', 'host', 'uplinks', 'mtu', 'teaming', 'extensions', 'datacenter'],
});

export const HostPage = () => <ObjectPage kind="host" section="nav.hosts" tabs={hostTabs} />;
export const ClusterPage = () => <ObjectPage kind="cluster" section="nav.clusters" tabs={clusterTabs} />;
export const DatastorePage = () => (
    <ObjectPage kind="datastore" section="nav.datastores" tabs={datastoreTabs} />
);
export const NetworkPage = () => <ObjectPage kind="network" section="nav.networks" tabs={networkTabs} />;
export const SwitchPage = () => <ObjectPage kind="switch" section="inventory.switches" tabs={switchTabs} />;
