// SPDX-License-Identifier: Apache-2.0
// The navigation: what there is, who may see it, and the key after g.
import { kindOf } from '../api/model';

export interface Section {
    path: string;
    /** What the addresses of all its pages begin with, if not with the path. */
    root?: string;
    /** Key of its name. */
    title: string;
    /** Shown to who may read this kind. */
    kind?: string;
    permission?: string;
    key?: string;
    icon: string;
}

export interface Group {
    title: string;
    sections: Section[];
}

export const GROUPS: Group[] = [
    {
        title: '',
        sections: [
            {
                path: '/',
                title: 'nav.overview',
                key: 'o',
                icon: 'M2 8.5 8 3l6 5.5M4 7.5V13h3v-3.5h2V13h3V7.5',
            },
        ],
    },
    {
        title: 'nav.inventory',
        sections: [
            {
                path: '/vms',
                title: 'nav.vms',
                kind: 'vm',
                key: 'v',
                icon: 'M2 3h12v8H2zM6 14h4M8 11v3',
            },
            {
                path: '/hosts',
                title: 'nav.hosts',
                kind: 'host',
                key: 'h',
                icon: 'M2.5 2.5h11v4.5h-11zM2.5 9h11v4.5h-11zM5 4.8h.1M5 11.3h.1',
            },
            {
                path: '/clusters',
                title: 'nav.clusters',
                kind: 'cluster',
                key: 'l',
                icon: 'M2 2h5v5H2zM9 2h5v5H9zM2 9h5v5H2zM9 9h5v5H9z',
            },
            {
                path: '/networks',
                title: 'nav.networks',
                kind: 'network',
                key: 'n',
                icon: 'M6 2h4v3H6zM2 11h4v3H2zM10 11h4v3h-4zM8 5v3M4 11V8h8v3',
            },
            {
                path: '/switches',
                title: 'inventory.switches',
                kind: 'switch',
                icon: 'M2 6h12v4H2zM4 8h.1M6.5 8h.1M9 8h.1M4 6V3M8 6V3M12 6V3M8 10v3',
            },
            {
                path: '/storage/datastores',
                title: 'nav.datastores',
                kind: 'datastore',
                key: 'd',
                icon: 'M2.5 4c0-1 2.5-1.8 5.5-1.8s5.5.8 5.5 1.8v8c0 1-2.5 1.8-5.5 1.8S2.5 13 2.5 12zM2.5 4c0 1 2.5 1.8 5.5 1.8s5.5-.8 5.5-1.8M2.5 8c0 1 2.5 1.8 5.5 1.8s5.5-.8 5.5-1.8',
            },
            {
                path: '/storage/disks',
                title: 'nav.disks',
                kind: 'disk_image',
                icon: 'M3.5 1.5h6l3 3v10h-9zM9.5 1.5v3h3M5.5 8.5h5M5.5 11.5h5',
            },
            {
                path: '/providers',
                title: 'nav.providers',
                kind: 'provider',
                key: 'p',
                icon: 'M5 2v4M11 2v4M3.5 6h9v2.5a4.5 4.5 0 0 1-9 0zM8 13v2',
            },
        ],
    },
    {
        title: 'nav.activity',
        sections: [
            {
                path: '/tasks',
                title: 'nav.tasks',
                kind: 'task',
                key: 't',
                icon: 'M6 3.5h8M6 8h8M6 12.5h8M2 3.5l1 1 1.5-2M2 8l1 1 1.5-2M2 12.5l1 1 1.5-2',
            },
            {
                path: '/events',
                title: 'nav.events',
                kind: 'event',
                key: 'e',
                icon: 'M1.5 8h3l2-5 3 10 2-5h3',
            },
            {
                path: '/alerts',
                title: 'nav.alerts',
                kind: 'event',
                key: 'a',
                icon: 'M8 2a4 4 0 0 1 4 4v3l1.5 2.5h-11L4 9V6a4 4 0 0 1 4-4zM6.5 13.5a1.5 1.5 0 0 0 3 0',
            },
            {
                path: '/audit',
                title: 'nav.audit',
                kind: 'audit',
                key: 'u',
                icon: 'M4 1.5h6l3 3v10H4zM6 7h5M6 9.5h5M6 12h3',
            },
        ],
    },
    {
        title: 'nav.administration',
        sections: [
            {
                path: '/access/users',
                root: '/access',
                title: 'nav.access',
                permission: 'access.manage',
                icon: 'M5.5 7.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM1 14c0-2.5 2-4.5 4.5-4.5S10 11.5 10 14M10.5 2.8a2.5 2.5 0 0 1 0 4.4M12 10c1.8.7 3 2.2 3 4',
            },
            {
                path: '/settings',
                title: 'nav.settings',
                permission: 'system.manage',
                icon: 'M8 10.2a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4zM8 1.5v2M8 12.5v2M1.5 8h2M12.5 8h2M3.4 3.4l1.4 1.4M11.2 11.2l1.4 1.4M3.4 12.6l1.4-1.4M11.2 4.8l1.4-1.4',
            },
            { path: '/explorer', title: 'nav.explorer', icon: 'm5 4-4 4 4 4M11 4l4 4-4 4M9.5 2.5l-3 11' },
        ],
    },
];

export const SECTIONS: Section[] = GROUPS.flatMap((g) => g.sections);

export function permissionOf(section: Section): string | undefined {
    return section.permission ?? (section.kind ? kindOf(section.kind).permission : undefined);
}
