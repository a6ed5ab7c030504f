// SPDX-License-Identifier: Apache-2.0
import { lazy } from 'react';
import { valueAt } from '../../api/model';
import { ObjectPage, type Tab } from '../../lib/ObjectPage';
import { Summary } from './Summary';

const EventsTab = lazy(() => import('../../lib/RelatedLists').then((m) => ({ default: m.EventsTab })));
const TasksTab = lazy(() => import('../../lib/RelatedLists').then((m) => ({ default: m.TasksTab })));
const Hardware = lazy(() => import('./Hardware'));
const Snapshots = lazy(() => import('./Snapshots'));
const Console = lazy(() => import('./Console'));
const Metrics = lazy(() => import('./Metrics'));
const History = lazy(() => import('./History'));
const Capabilities = lazy(() => import('./Capabilities'));
const Raw = lazy(() => import('./Raw'));

const tabs: Tab[] = [
    { id: 'summary', title: 'vm.tab.summary', Component: Summary },
    { id: 'hardware', title: 'vm.tab.hardware', Component: Hardware },
    {
        id: 'snapshots',
        title: 'vm.tab.snapshots',
        Component: Snapshots,
        count: (item) => valueAt(item, 'snapshots.count') as number,
    },
    { id: 'console', title: 'vm.tab.console', Component: Console },
    { id: 'metrics', title: 'vm.tab.metrics', Component: Metrics },
    { id: 'events', title: 'nav.events', Component: EventsTab },
    { id: 'tasks', title: 'nav.tasks', Component: TasksTab },
    { id: 'history', title: 'vm.tab.history', Component: History },
    { id: 'capabilities', title: 'vm.tab.capabilities', Component: Capabilities },
    { id: 'raw', title: 'vm.tab.raw', Component: Raw },
];

/** These stand in their tabs, at what they act on. */
const ELSEWHERE =
    /^vm\.(disk|nic|cdrom|controller|iso)\.|^vm\.(console|screenshot|keystrokes)$|^vm\.metrics\./;

export function Component() {
    return <ObjectPage kind="vm" section="nav.vms" tabs={tabs} without={(name) => ELSEWHERE.test(name)} />;
}
