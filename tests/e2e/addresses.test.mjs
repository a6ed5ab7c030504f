// SPDX-License-Identifier: Apache-2.0
// Every view, panel and dialog has an address: opened by a click it is in the address; the way back closes it and gives the focus
// to who had it; forward and a reload show it again; closing it leads to the address before. One line of a table each.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { before, test } from 'node:test';
import { stage } from './harness.mjs';
import { VM_TABS } from './places.mjs';

const { server, browser } = stage();
let ids;
before(async () => {
    const view = await browser.open(server);
    const first = async (path) => (await view.api('GET', path)).items[0];
    const vms = '/vms?limit=1&sort=name&filter=';
    const vm = await first(
        `${vms}${encodeURIComponent('power:off template:false provider:"vCenter Frankfurt"')}`,
    );
    const on = await first(`${vms}${encodeURIComponent('power:running provider:"vCenter Frankfurt"')}`);
    const alert = await view.until('/alerts?limit=1&filter=state:firing', ({ items }) => items.length > 0);
    const tree = await view.api('GET', '/tree?view=hosts');
    const group = await view.api('POST', '/groups', { name: 'night shift' });
    ids = {
        vm: vm.id,
        vmName: vm.name,
        on: on.id,
        shots: (await first(`${vms}${encodeURIComponent('snapshots.count>1 provider:"vCenter Frankfurt"')}`))
            .id,
        provider: (await first('/providers?limit=1')).id,
        user: (await first('/users?limit=1')).id,
        role: (await first('/roles?limit=1')).id,
        group: group.id,
        alert: alert.items[0].id,
        rule: (await first('/alert-rules?limit=1&sort=name')).id,
        node: tree.items.find((n) => n.expands).id,
    };
    await view.close();
});

const dialog = (name) => (page) => page.getByRole('dialog', { name });
const button = (name) => (page) => page.getByRole('button', { name, exact: typeof name === 'string' });
/** A menu's entry; the menu's button gets the focus back. */
const entry = (menu, item) => async (page) => {
    const opener = page.getByRole('button', { name: menu, exact: true }).first();
    await opener.click();
    await page.getByRole('menuitem', { name: item }).first().click();
    return opener;
};
const click = (find) => async (page) => {
    const opener = find(page).first();
    await opener.click();
    return opener;
};
const key = (keys, focus) => async (page) => {
    const at = page.locator(focus).first();
    await at.focus();
    await page.keyboard.press(keys);
    return at;
};
const escape = (page) => page.keyboard.press('Escape');
const cancel = (page) => page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
const pressed = (name) => (page) => page.locator('[aria-pressed=true]', { hasText: name });
const expanded = (find) => (page) => find(page).and(page.locator('[aria-expanded=true]'));

/**
 * at: where it begins; open: what opens it and answers who is to have the focus again (null: nobody special); address: what is in
 * the address then; shows: what is seen; close: how it is closed but by the way back (null: by the way back alone).
 */
const TABLE = () => [
    // The frame.
    {
        name: 'the palette',
        at: '/hosts',
        open: key('Control+k', '.pv-brand'),
        address: /dialog=palette/,
        shows: dialog('Search or run a command'),
        close: escape,
    },
    {
        name: 'the sheet of keys',
        at: '/hosts',
        open: click((p) => p.locator('.pv-masthead').getByRole('button', { name: 'Keyboard shortcuts' })),
        address: /dialog=help/,
        shows: dialog('Keyboard shortcuts'),
        close: escape,
    },
    {
        name: 'the calls of a page',
        at: '/hosts',
        open: async (page) => {
            await page.locator('.pv-masthead').getByRole('button', { name: 'Keyboard shortcuts' }).click();
            await page.getByRole('button', { name: 'Show API calls of this page' }).click();
            return null;
        },
        address: /^\/hosts\?calls=1$/,
        shows: dialog(/calls/i),
        close: escape,
    },
    {
        name: 'notifications',
        at: '/hosts',
        open: click((p) => p.locator('[data-notes]')),
        address: /dialog=notifications/,
        shows: dialog('Notifications'),
        close: escape,
    },
    {
        name: 'the tray',
        at: '/hosts',
        open: click((p) => p.locator('.pv-tray__bar')),
        address: /tray=1/,
        shows: (p) => p.locator('.pv-tray--open'),
        close: (p) => p.locator('.pv-tray__bar').click(),
    },
    {
        name: 'the tree',
        at: '/hosts',
        open: click(button('Tree')),
        address: /nav=tree/,
        shows: (p) => p.locator('.pv-tree__line'),
        close: null,
    },
    {
        name: 'folders',
        at: '/hosts',
        open: click(button('Folders')),
        address: /nav=folders/,
        shows: (p) => p.locator('.pv-tree'),
        close: null,
    },
    // Lists.
    {
        name: 'the chooser of columns',
        at: '/vms',
        open: entry('List', 'Columns'),
        address: /dialog=columns/,
        shows: dialog('Columns'),
        close: escape,
    },
    {
        name: 'a list as commands',
        at: '/vms',
        open: entry('List', 'Copy as a command'),
        address: /dialog=commands/,
        shows: dialog('Copy as a command'),
        close: escape,
    },
    {
        name: 'saving a view',
        at: '/vms',
        open: entry('Views', 'Save as a view'),
        address: /dialog=save-view/,
        shows: dialog('Save as a view'),
        close: cancel,
    },
    {
        name: 'facets',
        at: '/vms',
        open: click(button('Facets')),
        address: /facets=1/,
        shows: (p) => p.locator('.pv-facets'),
        close: click(button('Facets')),
    },
    {
        name: 'groups',
        at: '/vms',
        open: entry('Group', 'State'),
        address: /group=power_state/,
        shows: (p) => p.locator('.pv-row--group'),
        close: null,
    },
    {
        name: 'an order',
        at: '/vms',
        open: click((p) => p.locator('.pv-head [role=columnheader]', { hasText: 'Memory' })),
        address: /sort=memory.bytes/,
        shows: (p) => p.locator('[aria-sort=ascending]', { hasText: 'Memory' }),
        close: null,
        focus: false,
    },
    {
        name: 'a range of time',
        at: '/events',
        open: entry('Any time: Time range', 'Last 24 hours'),
        address: /range=24h/,
        shows: button(/Last 24 hours/),
        close: null,
        focus: false,
    },
    {
        name: 'a range of one’s own',
        at: '/events',
        open: entry('Any time: Time range', 'From'),
        address: /dialog=times/,
        shows: (p) => p.locator('.pv-times'),
        close: null,
    },
    // What is done to machines.
    {
        name: 'a bulk action',
        at: '/vms',
        open: async (p) => {
            await p.locator('.pv-row[aria-rowindex="2"] [data-check]').click();
            await p.locator('.pv-row[aria-rowindex="3"] [data-check]').click();
            await p.locator('.pv-bulk').getByRole('button', { name: 'Start', exact: true }).click();
            return null;
        },
        address: /do=vm.start&on=vm_\w+%2Cvm_/,
        shows: dialog(/Start/),
        close: cancel,
    },
    {
        name: 'turning off',
        at: `/vms/${ids.on}`,
        open: entry('More', 'Turn off'),
        address: /do=vm.stop&on=vm_/,
        shows: dialog(/Turn off/),
        close: cancel,
    },
    {
        name: 'taking a snapshot',
        at: `/vms/${ids.vm}/snapshots`,
        open: click(button(/snapshot/i)),
        address: /do=vm.snapshot.create/,
        shows: dialog(/snapshot/i),
        close: cancel,
    },
    {
        name: 'renaming',
        at: `/vms/${ids.vm}`,
        open: entry('More', 'Rename'),
        address: /do=vm.rename/,
        shows: dialog(/Rename/),
        close: cancel,
    },
    // A machine's page.
    ...VM_TABS.map((tab) => ({
        name: `the tab ${tab}`,
        at: `/vms/${ids.vm}`,
        open: click((p) => p.locator(`[data-tab=${tab}]`)),
        address: new RegExp(`/${tab}$`),
        shows: (p) => p.locator(`[data-tab=${tab}][aria-current=page]`),
        close: null,
    })),
    {
        name: 'notes',
        at: `/vms/${ids.vm}`,
        open: click((p) => p.locator('.pv-card__title', { hasText: 'Notes' }).getByRole('button')),
        address: /edit=notes/,
        shows: (p) => p.locator('#note-text'),
        close: (p) =>
            p
                .locator('form', { has: p.locator('#note-text') })
                .getByRole('button', { name: 'Cancel' })
                .click(),
        focus: false,
    },
    {
        name: 'the form of the hardware',
        at: `/vms/${ids.vm}/hardware`,
        open: click(button(/Change hardware/)),
        address: /edit=1/,
        shows: (p) => p.locator('.pv-hwform'),
        close: (p) => p.locator('.pv-editbar').getByRole('button', { name: 'Cancel' }).click(),
        focus: false,
    },
    {
        name: 'a device’s form',
        at: `/vms/${ids.vm}/hardware?edit=1`,
        open: click((p) => p.getByRole('button', { name: /^Change: / })),
        address: /device=/,
        shows: (p) => p.locator('.pv-device form, .pv-device .pv-form, .pv-device input'),
        close: click((p) => p.getByRole('button', { name: /^Change: / })),
    },
    {
        name: 'what is to be saved',
        at: `/vms/${ids.vm}/hardware?edit=1`,
        open: async (page) => {
            await page.locator('#hw-cpu-count').fill('3');
            const review = page.getByRole('button', { name: 'Review and save' });
            await review.click();
            return review;
        },
        address: /dialog=review/,
        shows: dialog(/Save changes/),
        close: (page) => page.getByRole('button', { name: 'Back to the form' }).click(),
        // What was changed is in the form and in no address: there is nothing to save then, and it says so.
        after: (page) => page.getByText('Nothing is left to save').waitFor(),
    },
    {
        name: 'a snapshot to compare',
        at: `/vms/${ids.shots}/snapshots`,
        open: async (page) => {
            await page.locator('.pv-pickbox').first().check();
            return null;
        },
        address: /compare=\w+_/,
        shows: (page) => page.locator('.pv-pickbox:checked'),
        close: null,
    },
    {
        name: 'numbers of a day',
        at: `/vms/${ids.on}/metrics`,
        open: click(button('24 h')),
        address: /range=24h/,
        shows: pressed('24 h'),
        close: null,
    },
    {
        name: 'numbers of another time',
        at: `/vms/${ids.on}/metrics`,
        open: click(button('Other time')),
        address: /dialog=range/,
        shows: (p) => p.locator('form[aria-label="Other time"]'),
        close: click(button('Other time')),
    },
    {
        name: 'numbers as a table',
        at: `/vms/${ids.on}/metrics`,
        open: click(button('As a table')),
        address: /as=table/,
        shows: pressed('As a table'),
        close: null,
    },
    {
        name: 'what differs alone',
        at: `/vms/compare?a=${ids.vm}&b=${ids.on}`,
        open: click(button('Only differences')),
        address: /only=differences/,
        shows: pressed('Only differences'),
        close: click(button('Only differences')),
    },
    // The estate.
    {
        name: 'arranging cards',
        at: '/',
        open: click(button('Arrange cards')),
        address: /arrange=1/,
        shows: dialog('Cards of the overview'),
        close: escape,
    },
    {
        name: 'the map as a table',
        at: '/',
        open: click(button('As a table')),
        address: /hosts=table/,
        shows: (p) => p.getByRole('region', { name: 'Health of the hosts' }),
        close: click(button('As a table')),
    },
    {
        name: 'removing a provider',
        at: `/providers/${ids.provider}`,
        open: click(button('Remove…')),
        address: /remove=prv_/,
        shows: dialog(/^Remove|Warning.*Remove/),
        close: cancel,
    },
    {
        name: 'a driver in the form of a provider',
        at: '/providers/new',
        open: async (p) => {
            await p.locator('#np-driver, select').first().selectOption('vapi');
            return null;
        },
        address: /driver=vapi/,
        shows: (p) => p.locator('#np-endpoint'),
        close: null,
    },
    {
        name: 'which certificate is trusted',
        at: '/providers/new?driver=vapi',
        open: async (p) => {
            await p.locator('#np-trust-pin').click();
            return null;
        },
        address: /trust=pin/,
        shows: (p) => p.locator('#np-pin'),
        close: null,
    },
    // Alerts.
    {
        name: 'taking note of an alert',
        at: `/alerts/${ids.alert}`,
        open: click(button('Acknowledge')),
        address: /act=acknowledge&on=alr_/,
        shows: dialog(/Acknowledge/),
        close: cancel,
    },
    {
        name: 'silencing an alert',
        at: `/alerts/${ids.alert}`,
        open: click(button('Silence')),
        address: /act=silence/,
        shows: dialog(/Silence/),
        close: cancel,
    },
    {
        name: 'a new rule',
        at: '/alerts/rules',
        open: click(button('New rule')),
        address: /new=%2Falert-rules/,
        shows: dialog('New rule'),
        close: cancel,
    },
    {
        name: 'a rule',
        at: '/alerts/rules',
        open: async (p) => {
            await p.locator('.pv-row').first().dblclick();
            return null;
        },
        address: /edit=arl_/,
        shows: dialog(/Change: /),
        close: cancel,
    },
    // People.
    ...['user', 'group', 'role', 'grant', 'token'].map((kind) => ({
        name: `a new ${kind}`,
        at: `/access/${kind}s`,
        open: click((p) => p.locator('.pv-tools').getByRole('button', { name: `New ${kind}` })),
        address: new RegExp(`new=%2F${kind}s`),
        shows: dialog(`New ${kind}`),
        close: cancel,
    })),
    ...['user', 'group', 'role'].map((kind) => ({
        name: `a ${kind}`,
        at: `/access/${kind}s`,
        open: async (p) => {
            await p.locator('.pv-row [role=rowheader] a, .pv-row a').first().click();
            return null;
        },
        address: new RegExp(`edit=`),
        shows: dialog(/Change: /),
        close: cancel,
    })),
    {
        name: 'deleting a group',
        at: `/access/groups?edit=${ids.group}`,
        open: click(button('Delete')),
        address: /dialog=delete/,
        shows: dialog(/Delete: /),
        close: cancel,
        focus: false,
    },
    {
        name: 'a question about rights',
        at: '/access/explain',
        open: async (p) => {
            await p.locator('#ex-what').selectOption('vm.stop');
            const ask = p.getByRole('button', { name: 'Ask', exact: true });
            await ask.click();
            return ask;
        },
        address: /what=vm.stop/,
        shows: (p) => p.locator('.pv-answer'),
        close: null,
    },
    {
        name: 'a second factor',
        at: '/me',
        open: click(button('Set up a second factor')),
        address: /factor=1$/,
        shows: (p) => p.locator('#totp-password'),
        close: (p) => p.getByRole('button', { name: 'Cancel' }).click(),
    },
    {
        name: 'a new token of one’s own',
        at: '/me',
        open: click(button('New token')),
        address: /new=%2Ftokens/,
        shows: dialog('New token'),
        close: cancel,
    },
    ...['retention', 'certificate', 'plugins', 'backup', 'about'].map((tab) => ({
        name: `settings: ${tab}`,
        at: '/settings',
        open: click((p) => p.locator(`.pv-tabs a[href$="/${tab}"]`)),
        address: new RegExp(`/settings/${tab}`),
        shows: (p) => p.locator(`.pv-tabs a[href$="/${tab}"][aria-current=page]`),
        close: null,
    })),
    // The explorer.
    {
        name: 'a route',
        at: '/explorer',
        open: click((p) => p.getByRole('button', { name: 'GET /api/v1/vms/{id}', exact: true })),
        address: /route=GET/,
        shows: (p) => p.getByRole('textbox', { name: 'id' }),
        close: null,
    },
    {
        name: 'a parameter',
        at: '/explorer?route=GET+%2Fapi%2Fv1%2Fvms%2F%7Bid%7D',
        open: async (p) => {
            const field = p.getByRole('textbox', { name: 'id', exact: true });
            await field.fill(ids.vm);
            await p.waitForURL(/p\.id=/);
            return field;
        },
        address: /p\.id=vm_/,
        shows: (p) => p.locator('.pv-explorer input[value^=vm_]'),
        close: null,
    },
    {
        name: 'finding a route',
        at: '/explorer',
        open: async (p) => {
            const field = p.getByRole('textbox', { name: 'Find a route' });
            await field.fill('snapshots');
            await p.waitForURL(/q=/);
            return field;
        },
        address: /q=snapshots/,
        shows: (p) => p.locator('.pv-explorer input[value=snapshots]'),
        close: null,
    },
    {
        name: 'a step of the tour',
        at: '/?tour=1',
        open: click(button('Next')),
        address: /tour=2/,
        shows: (p) => p.getByText('2 of 5'),
        close: null,
        focus: false,
    },
];

const here = (page) => page.url().slice(server.url.length);
const gone = (shows) => shows.first().waitFor({ state: 'detached' });

async function walk(view, row) {
    const { page } = view;
    // Where it is already is not gone to again: the way back has just led there.
    if (here(page) !== row.at) {
        await page.goto(server.url + row.at);
        await page.locator('.pv-page, #page-title').first().waitFor();
    }
    await view.settle();
    const before = here(page);
    const shows = row.shows(page);
    const opener = await row.open(page);
    await shows.first().waitFor();
    const opened = here(page);
    assert.match(opened, row.address);
    assert.notEqual(opened, before);

    await page.goBack();
    await gone(shows);
    assert.equal(here(page), before, 'the way back');
    if (opener && row.focus !== false)
        await page.waitForFunction((e) => document.activeElement === e, await opener.elementHandle(), {
            timeout: 20_000,
        });
    await page.goForward();
    await shows.first().waitFor();
    assert.equal(here(page), opened, 'forward');
    await page.reload();
    await shows.first().waitFor();
    assert.equal(here(page), opened, 'a reload');
    await row.after?.(page);
    if (row.close) await row.close(page);
    else await page.goBack();
    await gone(shows);
    await page.waitForURL(server.url + before);
}

test('each has an address that opens it, and the way back', async (t) => {
    const view = await browser.open(server);
    await view.page.goto(`${server.url}/hosts`);
    const failed = [];
    for (const row of TABLE()) {
        await t.test(row.name, async () => {
            try {
                await walk(view, row);
            } catch (error) {
                failed.push(row.name);
                await view.page.goto(`${server.url}/me`);
                throw error;
            }
        });
    }
    assert.deepEqual(failed, []);
    await view.close();
});

test('a filter that was meant is a step of the way back, and one that is being typed is not', async () => {
    const view = await browser.open(server);
    const { page } = view;
    const filter = () => new URL(page.url()).searchParams.get('filter') ?? '';
    const reaches = (wanted) => page.waitForURL((url) => (url.searchParams.get('filter') ?? '') === wanted);
    const box = page.locator('[data-filter]');
    await view.go('/vms', '.pv-row');
    await box.pressSequentially('web', { delay: 200 });
    await reaches('web');
    await page.keyboard.press('Enter');
    await box.pressSequentially(' power:', { delay: 30 });
    await page.locator('.pv-suggest__item', { hasText: 'running' }).first().click();
    await reaches('web power:running');
    // More suggestions would cover what is below.
    await page.locator('#page-title').click();
    await page.getByRole('button', { name: 'Remove web', exact: true }).click();
    await reaches('power:running');
    await page.locator('.pv-head [role=columnheader]', { hasText: 'Name' }).click();
    await page.waitForURL(/sort=-name/);
    await page.goBack();
    assert.equal(filter(), 'power:running');
    assert.ok(!page.url().includes('sort='));
    await page.goBack();
    await reaches('web power:running');
    assert.equal(await box.inputValue(), 'web power:running');
    await page.goBack();
    await reaches('web');
    await page.goBack();
    await reaches('');
    assert.equal(new URL(page.url()).pathname, '/vms');
    await page.goForward();
    await reaches('web');
    await view.settle();
    assert.equal(await page.locator('.pv-chip').count(), 1);
    await view.close();
});

test('what an address names and what is gone is said, with a way on', async () => {
    const view = await browser.open(server);
    const { page } = view;
    view.expected.push(/status of 40[04]/);
    const left = await view.api('POST', '/groups', { name: 'left' });
    await view.api('DELETE', `/groups/${left.id}`);
    const nobody = (id) => id.slice(0, -4) + (id.endsWith('zzzz') ? 'aaaa' : 'zzzz');
    for (const [address, title, after] of [
        [`/access/groups?edit=${left.id}`, /No longer there: group/, '/access/groups'],
        [`/vms?do=vm.stop&on=${nobody(ids.on)}`, /No longer there: virtual machine/, '/vms'],
        [`/vms?do=vm.fly&on=${ids.on}`, /There is no such action/, '/vms'],
        ['/vms?do=vm.stop&on=held-12345', /The selection is not known here/, '/vms'],
        [`/providers?remove=${nobody(ids.provider)}`, /No longer there: provider/, '/providers'],
        [`/alerts?act=silence&on=${nobody(ids.alert)}`, /No longer there: alert/, '/alerts'],
        [`/alerts/rules?edit=${nobody(ids.rule)}`, /No longer there/, '/alerts/rules'],
    ]) {
        await page.goto(server.url + address);
        await page.getByRole('dialog', { name: title }).waitFor();
        if (address.includes('vm.fly')) {
            await view.axe('an action that is not known');
            await view.screenshot('gone-action');
        }
        await page.getByRole('dialog').getByRole('button', { name: 'Close' }).last().click();
        await page.getByRole('dialog').waitFor({ state: 'detached' });
        assert.equal(here(page), after);
    }
    await page.goto(`${server.url}/vms/${nobody(ids.on)}`);
    await page.getByText('It is not there (any more)').waitFor();
    await view.axe('a machine that is gone');
    await view.screenshot('gone-machine');
    await page.locator('.pv-empty').getByRole('link').click();
    await page.locator('.pv-row').first().waitFor();
    // What nobody knows is no obstacle.
    await page.goto(`${server.url}/vms?dialog=nothing&sort=name&later=1&nav=moon&tray=2`);
    await page.locator('.pv-row').first().waitFor();
    assert.equal(await page.getByRole('dialog').count(), 0);
    await view.close();
});

test('what is open in the frame goes along from page to page', async () => {
    const view = await browser.open(server);
    const { page } = view;
    await view.go('/hosts', '.pv-row');
    await page.locator('.pv-tray__bar').click();
    await page.getByRole('button', { name: 'Tree' }).click();
    await page.locator('.pv-tree__line').first().waitFor();
    await page.locator('.pv-tree').focus();
    await page.keyboard.press('ArrowRight');
    await page.waitForURL(/tree=prv_/);
    await page.locator('.pv-tree__line[aria-level="2"]').first().waitFor();
    const lines = await page.locator('.pv-tree__line').count();
    await page.locator('.pv-tree__line[aria-level="2"]').first().click();
    await page.waitForURL((url) => url.pathname !== '/hosts');
    assert.match(page.url(), /tray=1/);
    assert.match(page.url(), /nav=tree/);
    await page.reload();
    await page.locator('.pv-tree__line[aria-level="2"]').first().waitFor();
    assert.equal(await page.locator('.pv-tree__line').count(), lines);
    await page.locator('.pv-tray--open').waitFor();
    await view.close();
});

test('a long selection is known again after a reload', async () => {
    const view = await browser.open(server);
    const { page } = view;
    await view.go('/vms?filter=power%3Aoff', '.pv-row .pv-state');
    await view.settle();
    await page.locator('.pv-row[aria-rowindex="2"] [data-check]').click();
    for (let i = 0; i < 60; i++) await page.keyboard.press('Shift+ArrowDown');
    await page.locator('.pv-bulk__count').waitFor();
    const n = Number(/\d+/.exec(await page.locator('.pv-bulk__count').innerText())[0]);
    assert.ok(n > 50, `${n} are selected`);
    await page.locator('.pv-bulk').getByRole('button', { name: 'Start', exact: true }).click();
    await page.getByRole('dialog', { name: new RegExp(`${n} virtual machines`) }).waitFor();
    assert.match(page.url(), /on=held-1$/);
    await page.reload();
    await page.getByRole('dialog', { name: new RegExp(`${n} virtual machines`) }).waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await view.close();
});

test('the navigation of a phone is left by the way back', async () => {
    const view = await browser.open(server, { width: 420, height: 800 });
    const { page } = view;
    await view.go('/hosts', '.pv-row');
    await page.getByRole('button', { name: 'Navigation', exact: true }).click();
    await page.locator('.pv-scrim').waitFor();
    assert.match(page.url(), /menu=1/);
    await page.goBack();
    await page.locator('.pv-scrim').waitFor({ state: 'detached' });
    await page.goForward();
    await page.locator('.pv-nav').getByRole('link', { name: 'Tasks' }).click();
    await page.waitForURL(/\/tasks$/);
    await page.locator('.pv-scrim').waitFor({ state: 'detached' });
    await view.close();
});

/** The code of an authenticator (RFC 6238). */
function codeOf(secret, step = 0) {
    const bits = [...secret.replace(/=+$/, '')]
        .map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0'))
        .join('');
    const bytes = Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)));
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + step));
    const mac = createHmac('sha1', bytes).update(counter).digest();
    const at = mac[19] & 15;
    return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

test('a second factor is set up and switched off, and no secret comes into an address', async () => {
    const owner = await browser.open(server);
    const password = 'a-night-watch-88-long';
    await owner.api('POST', '/users', { name: 'watch', password });
    await owner.close();
    const view = await browser.open(server, { user: 'watch', password });
    const { page } = view;
    view.expected.push(/status of 4(01|22|03)/);
    const seen = [];
    page.on('framenavigated', (frame) => seen.push(frame.url()));
    await view.go('/me', '#page-title');
    await page.getByRole('button', { name: 'Set up a second factor' }).click();
    await page.locator('#totp-password').fill(password);
    await page.keyboard.press('Enter');
    await page.locator('#totp-code').waitFor();
    const secret = await page.locator('form .pv-code').innerText();
    const code = codeOf(secret, -1);
    await view.axe('a second factor');
    await view.screenshot('second-factor');
    // The way back forgets the key.
    await page.goBack();
    await page.locator('form .pv-code').waitFor({ state: 'detached' });
    await page.goForward();
    await page.locator('#totp-password').fill(password);
    await page.keyboard.press('Enter');
    await page.locator('#totp-code').waitFor();
    const again = await page.locator('form .pv-code').innerText();
    await page.locator('#totp-code').fill(codeOf(again, -1));
    await page.keyboard.press('Enter');
    await page.getByText('Recovery codes').waitFor();
    const codes = (await page.locator('.pv-notice .pv-code').innerText()).split('\n');
    await page.waitForURL((url) => !url.search);
    // Signing in asks for it, at an address that leads back to the password.
    const fresh = await browser.open(server, { signIn: false });
    fresh.expected.push(/status of 40[134]/);
    await fresh.go('/login', '#username');
    await fresh.page.locator('#username').fill('watch');
    await fresh.page.locator('#password').fill(password);
    await fresh.page.keyboard.press('Enter');
    await fresh.page.locator('#code').waitFor();
    assert.match(fresh.page.url(), /\/login\?step=code$/);
    await fresh.page.goBack();
    await fresh.page.locator('#password').waitFor();
    await fresh.page.goForward();
    await fresh.page.locator('#code').waitFor();
    await fresh.page.reload();
    await fresh.page.locator('#password').waitFor();
    await fresh.page.locator('#username').fill('watch');
    await fresh.page.locator('#password').fill(password);
    await fresh.page.keyboard.press('Enter');
    await fresh.page.locator('#code').fill(codes[1]);
    await fresh.page.keyboard.press('Enter');
    await fresh.page.locator('.pv-masthead').waitFor();
    await fresh.close();
    await page.getByRole('button', { name: 'Switch off' }).click();
    await page.locator('#totp-password').fill(password);
    await page.locator('#totp-code').fill(codes[0]);
    await page.locator('form').getByRole('button', { name: 'Switch off' }).click();
    await page.getByRole('button', { name: 'Set up a second factor' }).waitFor();
    for (const hidden of [password, secret, again, code, ...codes])
        assert.ok(!seen.some((url) => url.includes(encodeURIComponent(hidden))), hidden);
    await view.close();
});
