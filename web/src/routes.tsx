// SPDX-License-Identifier: Apache-2.0
// Every address and the page behind it. Pages are loaded when they are visited: a page's module exports Component.
import type { ComponentType } from 'react';
import type { RouteObject } from 'react-router';
import { Crash } from './pages/Crash';
import { Shell } from './shell/Shell';
import { SkeletonLines } from './states/states';

const waiting = <SkeletonLines lines={10} />;

const lists = () => import('./pages/inventory/lists');
const objects = () => import('./pages/inventory/objects');
const activity = () => import('./pages/activity/lists');
const alerts = () => import('./pages/activity/alerts');
const outcomes = () => import('./pages/activity/objects');
const access = () => import('./pages/access/lists');

/** A page of a module that holds several. */
function named<K extends string>(load: () => Promise<Record<K, ComponentType>>, name: K) {
    return async () => ({ Component: (await load())[name] });
}

export const routes: RouteObject[] = [
    {
        path: '/login',
        lazy: () => import('./pages/SignIn'),
        errorElement: <Crash />,
        hydrateFallbackElement: waiting,
    },
    {
        path: '/setup',
        lazy: () => import('./pages/Setup'),
        errorElement: <Crash />,
        hydrateFallbackElement: waiting,
    },
    {
        path: '/',
        element: <Shell />,
        errorElement: <Crash />,
        hydrateFallbackElement: waiting,
        children: [
            {
                errorElement: <Crash />,
                children: [
                    { path: 'vms', lazy: () => import('./pages/vms/VmList') },
                    { path: 'vms/compare', lazy: () => import('./pages/vms/Compare') },
                    { path: 'vms/new', lazy: () => import('./pages/vms/NewVm') },
                    { path: 'vms/:id/:tab?', lazy: () => import('./pages/vms/VmPage') },
                    { index: true, lazy: () => import('./pages/overview/Overview') },
                    { path: 'hosts', lazy: named(lists, 'Hosts') },
                    { path: 'hosts/:id/:tab?', lazy: named(objects, 'HostPage') },
                    { path: 'clusters', lazy: named(lists, 'Clusters') },
                    { path: 'clusters/:id/:tab?', lazy: named(objects, 'ClusterPage') },
                    { path: 'storage/datastores', lazy: named(lists, 'Datastores') },
                    { path: 'storage/datastores/:id/:tab?', lazy: named(objects, 'DatastorePage') },
                    { path: 'storage/disks', lazy: named(lists, 'Disks') },
                    { path: 'storage/disks/:id/:tab?', lazy: named(objects, 'DiskPage') },
                    { path: 'networks', lazy: named(lists, 'Networks') },
                    { path: 'networks/:id/:tab?', lazy: named(objects, 'NetworkPage') },
                    { path: 'switches', lazy: named(lists, 'Switches') },
                    { path: 'switches/:id/:tab?', lazy: named(objects, 'SwitchPage') },
                    { path: 'datacenters', lazy: named(lists, 'Datacenters') },
                    { path: 'datacenters/:id/:tab?', lazy: named(objects, 'DatacenterPage') },
                    { path: 'resource-pools', lazy: named(lists, 'Pools') },
                    { path: 'resource-pools/:id/:tab?', lazy: named(objects, 'PoolPage') },
                    {
                        path: 'folders/:id/:tab?',
                        lazy: named(() => import('./pages/inventory/FolderPage'), 'FolderPage'),
                    },
                    { path: 'providers', lazy: named(() => import('./pages/providers/list'), 'Providers') },
                    { path: 'providers/new', lazy: () => import('./pages/providers/NewProvider') },
                    {
                        path: 'providers/:id/:tab?',
                        lazy: named(() => import('./pages/providers/page'), 'ProviderPage'),
                    },
                    { path: 'tasks', lazy: named(activity, 'Tasks') },
                    { path: 'tasks/:id', lazy: named(outcomes, 'TaskPage') },
                    { path: 'events', lazy: named(activity, 'Events') },
                    { path: 'events/:id', lazy: named(outcomes, 'EventPage') },
                    { path: 'alerts', lazy: named(alerts, 'Alerts') },
                    {
                        path: 'alerts/:id',
                        lazy: named(() => import('./pages/activity/AlertPage'), 'AlertPage'),
                    },
                    { path: 'alerts/rules', lazy: named(alerts, 'AlertRules') },
                    { path: 'alerts/channels', lazy: () => import('./pages/activity/Channels') },
                    {
                        path: 'alerts/silences',
                        lazy: named(() => import('./pages/activity/silences'), 'Silences'),
                    },
                    { path: 'audit', lazy: named(activity, 'Audit') },
                    {
                        path: 'audit/:id',
                        lazy: named(() => import('./pages/activity/AuditPage'), 'AuditPage'),
                    },
                    { path: 'access/users', lazy: named(access, 'Users') },
                    { path: 'access/groups', lazy: named(access, 'Groups') },
                    { path: 'access/roles', lazy: named(access, 'Roles') },
                    { path: 'access/grants', lazy: named(access, 'Grants') },
                    { path: 'access/tokens', lazy: named(access, 'Tokens') },
                    { path: 'access/explain', lazy: named(access, 'Explain') },
                    { path: 'settings/:tab?', lazy: () => import('./pages/settings/Settings') },
                    { path: 'explorer', lazy: () => import('./pages/explorer/Explorer') },
                    { path: 'me', lazy: () => import('./pages/me/Me') },
                    { path: '*', lazy: () => import('./pages/NotFound') },
                ],
            },
        ],
    },
];
