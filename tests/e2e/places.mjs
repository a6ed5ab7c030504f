// SPDX-License-Identifier: Apache-2.0
// Where one can go: every page by its address with what shows that it is there, and one object of each kind. The tests that look at
// all pages go by this list; `unlisted` finds a page that is not in it.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Name, address, what is there when the page is. */
export const LISTS = [
    ['vms', '/vms', '.pv-row'],
    ['vms-facets', '/vms?facets=1&filter=power%3Arunning', '.pv-row'],
    ['vms-groups', '/vms?group=power_state', '.pv-row'],
    ['hosts', '/hosts', '.pv-row'],
    ['clusters', '/clusters', '.pv-row'],
    ['datastores', '/storage/datastores', '.pv-row'],
    ['disks', '/storage/disks', '.pv-row'],
    ['networks', '/networks', '.pv-row'],
    ['switches', '/switches', '.pv-row'],
    ['datacenters', '/datacenters', '.pv-row'],
    ['resource-pools', '/resource-pools', '.pv-row'],
    ['providers', '/providers', '.pv-row'],
    ['tasks', '/tasks', '.pv-row, .pv-empty'],
    ['events', '/events', '.pv-row'],
    ['alerts', '/alerts', '.pv-row, .pv-empty'],
    ['alert-rules', '/alerts/rules', '.pv-row'],
    ['channels', '/alerts/channels', '.pv-row, .pv-empty'],
    ['alert-silences', '/alerts/silences', '.pv-row, .pv-empty'],
    ['audit', '/audit', '.pv-row'],
    ['users', '/access/users', '.pv-row'],
    ['groups', '/access/groups', '.pv-row, .pv-empty'],
    ['roles', '/access/roles', '.pv-row'],
    ['grants', '/access/grants', '.pv-row, .pv-empty'],
    ['tokens', '/access/tokens', '.pv-row, .pv-empty'],
];

export const PAGES = [
    ['overview', '/', '.pv-overview'],
    ['overview-table', '/?hosts=table', '.pv-overview .pv-scroll table'],
    ...LISTS,
    ['vms-none', '/vms?filter=name%3Anothing-has-this-name', '.pv-empty'],
    ['vms-filter-error', '/vms?filter=memory%3E%3Dmuch', '.pv-filter__error'],
    ['vm-new', '/vms/new', '#nv-where'],
    ['tasks-facets', '/tasks?facets=1', '.pv-row, .pv-empty'],
    ['provider-new', '/providers/new', '.pv-page'],
    ['provider-new-vapi', '/providers/new?driver=vapi', '[data-account=vapi]'],
    ['provider-new-wmi', '/providers/new?driver=wmi', '[data-account=wmi]'],
    ['provider-new-sim', '/providers/new?driver=sim', '.pv-details'],
    ['explain', '/access/explain', '#ex-what'],
    ['settings', '/settings', '#sign_in-idle_minutes'],
    ['settings-retention', '/settings/retention', '.pv-settings, form'],
    ['settings-certificate', '/settings/certificate', '.pv-card'],
    ['settings-webhooks', '/settings/webhooks', '.pv-row, .pv-empty'],
    ['settings-plugins', '/settings/plugins', '.pv-card'],
    ['settings-backup', '/settings/backup', '.pv-card'],
    ['settings-about', '/settings/about', '.pv-card'],
    ['explorer', '/explorer?route=GET+%2Fapi%2Fv1%2Fvms', '.pv-explorer'],
    ['me', '/me', '.pv-rights'],
    ['nothing', '/there/is/nothing', 'main'],
];

/** What a page says about itself in the test's log and needs the API to refuse. */
export const REFUSED = /status of 400 .*filter=memory/;

/** Kind, address of its pages, what of the API lists it, and with which filter one is found that has much to show. */
export const OBJECTS = [
    ['vm-vmware', '/vms', '/vms', 'power:running provider.family:vmware snapshots.count>0'],
    ['vm-hyperv', '/vms', '/vms', 'power:running provider.family:hyperv snapshots.count>0'],
    ['host', '/hosts', '/hosts'],
    ['cluster', '/clusters', '/clusters'],
    ['datastore', '/storage/datastores', '/datastores'],
    ['disk', '/storage/disks', '/disk-images'],
    ['network', '/networks', '/networks'],
    ['switch', '/switches', '/switches'],
    ['datacenter', '/datacenters', '/datacenters'],
    ['resource-pool', '/resource-pools', '/resource-pools'],
    ['provider', '/providers', '/providers'],
    ['task', '/tasks', '/tasks'],
    ['event', '/events', '/events'],
    ['alert', '/alerts', '/alerts'],
    ['audit-record', '/audit', '/audit'],
];

/** Tabs of a machine behind the first. */
export const VM_TABS = [
    'hardware',
    'snapshots',
    'console',
    'metrics',
    'events',
    'tasks',
    'history',
    'capabilities',
    'raw',
];

/** The address of one object of the kind. */
export async function objectOf(view, [kind, path, list, filter]) {
    const query = filter ? `&filter=${encodeURIComponent(filter)}` : '';
    const { items } = await view.api('GET', `${list}?limit=1${query}`);
    if (!items[0]) throw new Error(`there is no ${kind}`);
    return `${path}/${items[0].id}`;
}

/** The tabs of the object that is shown, as addresses; none where a page has no tabs. */
export const tabsOf = (page) =>
    page.$$eval('[data-tab]', (all) => all.map((a) => [a.dataset.tab, a.getAttribute('href')]));

/** Goes to one place after the other; what a visitor throws is told at the end. */
class Walk {
    wrong = [];

    constructor(view, visit) {
        Object.assign(this, { view, visit });
    }

    async to(name, path, ready) {
        try {
            await this.view.go(path, ready);
            await this.view.settle();
            await this.visit(name);
        } catch (error) {
            this.wrong.push(`${name}: ${error.message}`);
        }
    }
}

/** Every page that is no object's; answers what went wrong. */
export async function everyPage(view, visit) {
    const walk = new Walk(view, visit);
    for (const [name, path, ready] of PAGES) await walk.to(name, path, ready);
    return walk.wrong;
}

/** One object of every kind, with all its tabs. */
export async function everyObject(view, visit) {
    const walk = new Walk(view, visit);
    // Somebody did something, and the rule that looks for old snapshots has looked.
    const { items } = await view.api('GET', '/vms?limit=1&filter=power:off%20template:false');
    await view.api('POST', `/vms/${items[0].id}/actions/start`, {});
    await view.until('/alerts?limit=1', (a) => a.items.length > 0);
    for (const kind of OBJECTS) {
        await walk.to(kind[0], await objectOf(view, kind), 'h1');
        // The first tab is the page itself.
        for (const [tab, href] of (await tabsOf(view.page)).slice(1))
            await walk.to(`${kind[0]}-${tab}`, href, 'h1');
    }
    return walk.wrong;
}

/** Opened by tests of their own: they need nobody signed in, or two machines. */
const ELSEWHERE = ['/login', '/setup', '/vms/compare', '/folders'];

/** Routes of the page to which no entry above leads. */
export function unlisted() {
    const source = readFileSync(fileURLToPath(new URL('../../web/src/routes.tsx', import.meta.url)), 'utf8');
    const routes = [...source.matchAll(/\bpath: '([^']+)'/g)].map((m) => `/${m[1].replace(/^\//, '')}`);
    const known = [...PAGES.map(([, path]) => path.split('?')[0]), ...ELSEWHERE];
    const objects = OBJECTS.map(([, path]) => path);
    return routes.filter((route) => {
        if (route === '/' || route === '/*') return false;
        const [place, id] = route.split('/:');
        return !(id?.startsWith('id') ? [...objects, ...ELSEWHERE].includes(place) : known.includes(place));
    });
}
