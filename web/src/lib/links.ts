// SPDX-License-Identifier: Apache-2.0
// Where each kind's objects live in the address bar.
const PLACES: Record<string, string> = {
    vm: '/vms',
    host: '/hosts',
    cluster: '/clusters',
    datastore: '/storage/datastores',
    disk_image: '/storage/disks',
    network: '/networks',
    switch: '/switches',
    datacenter: '/datacenters',
    resource_pool: '/resource-pools',
    folder: '/folders',
    provider: '/providers',
    task: '/tasks',
    event: '/events',
    alert: '/alerts',
};

/** These open in a dialog of their list. */
const DIALOGS: Record<string, string> = {
    user: '/access/users',
    group: '/access/groups',
    role: '/access/roles',
    grant: '/access/grants',
    token: '/access/tokens',
    alert_rule: '/alerts/rules',
    notification_target: '/alerts/channels',
    webhook: '/settings/webhooks',
    alert_silence: '/alerts/silences',
};

/** The first part of an id tells its kind. */
const PREFIX: Record<string, string> = {
    vm: 'vm',
    hst: 'host',
    cl: 'cluster',
    ds: 'datastore',
    net: 'network',
    sw: 'switch',
    dc: 'datacenter',
    rpl: 'resource_pool',
    prv: 'provider',
    tsk: 'task',
    img: 'disk_image',
    fld: 'folder',
    usr: 'user',
    rol: 'role',
    arl: 'alert_rule',
    ntf: 'notification_target',
    hk: 'webhook',
    sil: 'alert_silence',
    evt: 'event',
    alr: 'alert',
};

export function kindOfId(id: string): string | undefined {
    return PREFIX[id.slice(0, id.indexOf('_'))];
}

/** What belongs to a machine has no page of its own, but dialogs with an address. */
const OWNED: Record<string, string> = {
    ctl: 'controller',
    dsk: 'disk',
    nic: 'nic',
    cdr: 'cdrom',
    snp: 'snapshot',
};

export function ownedKindOf(id: string): string | undefined {
    return OWNED[id.slice(0, id.indexOf('_'))];
}

export function placeOf(kind: string): string | undefined {
    return PLACES[kind];
}

export function linkTo(id: string, kind = kindOfId(id), tab?: string): string | null {
    const dialog = kind && DIALOGS[kind];
    if (dialog) return `${dialog}?edit=${id}`;
    const place = kind && PLACES[kind];
    return place ? `${place}/${id}${tab ? `/${tab}` : ''}` : null;
}
