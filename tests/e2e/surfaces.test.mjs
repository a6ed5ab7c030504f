// SPDX-License-Identifier: Apache-2.0
// Everything that opens over or inside a page, in light, dark and high contrast, wide and narrow: dialogs, menus, drawers, forms, what
// is shown only once, and errors inside of dialogs. What the source declares and no test here has opened is an error.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { PASSWORD, stage } from './harness.mjs';
import { declared, Looked, unnamed } from './surfaces.mjs';

const { server, browser } = stage();
const looked = new Looked();
const { operations } = JSON.parse(
    readFileSync(fileURLToPath(new URL('../../web/src/api/model.gen.json', import.meta.url)), 'utf8'),
);

const button = (view, name) =>
    view.page.getByRole('button', { name, exact: typeof name === 'string' }).first();
const entry = (view, name) => view.page.getByRole('menuitem', { name }).first();
const gone = (view, name) => view.page.locator(`[data-surface="${name}"]`).waitFor({ state: 'detached' });
const escape = async (view, name) => {
    await view.page.keyboard.press('Escape');
    await gone(view, name);
};
const first = async (view, path, filter = '') => {
    const query = filter && `&filter=${encodeURIComponent(filter)}`;
    const { items } = await view.api('GET', `${path}?limit=1${query}`);
    assert.ok(items[0], `${path} ${filter}`);
    return items[0];
};

/** Every request that changes something is refused so, until `again`. */
async function refuse(view, problem = {}) {
    const { status = 500, code = 'internal', ...more } = problem;
    const body = {
        status,
        code,
        title: 'Internal error',
        detail: 'The disk is full.',
        remedy: 'Make room on it.',
        ...more,
    };
    view.expected.push(new RegExp(`status of ${status} `));
    await view.page.route('**/api/v1/**', (route) =>
        route.request().method() === 'GET' || route.request().url().includes('dry_run')
            ? route.fallback()
            : route.fulfill({
                  status,
                  contentType: 'application/problem+json',
                  body: JSON.stringify({ ...body, request_id: 'req_00000000000000000000000000' }),
              }),
    );
    return () => view.page.unroute('**/api/v1/**');
}

test('every dialog and menu of the source has a name', () => assert.deepEqual(unnamed(), []));

test('what the frame opens', async () => {
    const view = await browser.open(server);
    const { page } = view;
    await view.go('/hosts', '.pv-row');
    await page.keyboard.press('Control+k');
    await page.locator('.pv-palette__input').fill('web');
    await page.locator('.pv-palette__item', { hasText: 'web' }).first().waitFor();
    await looked.at(view, 'palette');
    await page.locator('.pv-palette__input').fill('web nothing of this name');
    await page.locator('.pv-palette__item').last().waitFor();
    await looked.at(view, 'palette', { what: 'none' });
    await escape(view, 'palette');
    await page.keyboard.press('?');
    await looked.at(view, 'help');
    await escape(view, 'help');
    await button(view, /^Notifications/).click();
    await looked.at(view, 'notifications', { what: 'none' });
    await escape(view, 'notifications');
    for (const [label, name] of [
        ['Theme', 'menu-theme'],
        ['English', 'menu-language'],
        ['admin', 'menu-me'],
    ]) {
        await looked.at(view, name, {
            open: () => button(view, label).click(),
            narrow: name === 'menu-me',
        });
    }
    await view.go('/hosts?calls=1', '.pv-call');
    await page.locator('.pv-call summary').first().click();
    await looked.at(view, 'calls');
    await view.go('/?tour=1', '.pv-overview');
    for (let step = 1; step <= 5; step++) {
        await looked.at(view, 'tour', { what: String(step) });
        if (step < 5) await button(view, 'Next').click();
    }
    await view.go('/?arrange=1', '.pv-overview');
    await looked.at(view, 'arrange');
    const again = await refuse(view);
    await page.getByRole('dialog').getByRole('checkbox').first().uncheck();
    await button(view, 'Save').click();
    await page.getByRole('dialog').getByRole('alert').waitFor();
    await looked.at(view, 'arrange', { what: 'refused' });
    await again();
    await view.close();
});

test('signing in, and a session that is over', async () => {
    const out = await browser.open(server, { signIn: false });
    out.expected.push(/status of 401/);
    await out.go('/login', '#username');
    await looked.at(out, 'menu-languages', { open: () => button(out, 'English').click() });
    await out.close();
    const view = await browser.open(server);
    view.expected.push(/status of 401/);
    await view.go('/hosts', '.pv-row');
    await view.context.clearCookies();
    await button(view, 'List').click();
    await entry(view, 'Refresh').click();
    await looked.at(view, 'session');
    await view.page.locator('[data-surface=session] #password').fill('not the password');
    await view.page.keyboard.press('Enter');
    await view.page.getByRole('dialog').getByRole('alert').waitFor();
    await looked.at(view, 'session', { what: 'refused' });
    await view.close();
});

test('the warning before a session ends for nobody being there', async () => {
    const view = await browser.open(server);
    await view.page.clock.install();
    await view.go('/hosts', '.pv-row');
    await view.settle();
    await view.page.clock.fastForward(29 * 60_000 + 5_000);
    await looked.at(view, 'idle');
    await view.close();
});

test('what a list opens', async () => {
    const view = await browser.open(server);
    const { page } = view;
    await view.go('/vms?filter=power%3Arunning', '.pv-row');
    await view.settle();
    await page.locator('[data-filter]').click();
    await page.keyboard.press('End');
    await page.keyboard.type(' guest');
    await looked.at(view, 'suggestions');
    await view.go('/vms?filter=power%3Arunning', '.pv-row');
    for (const [label, name] of [
        ['Views', 'menu-views'],
        ['Group', 'menu-group'],
        ['List', 'menu-list'],
    ]) {
        await looked.at(view, name, { open: () => button(view, label).click() });
    }
    await button(view, 'List').click();
    await entry(view, 'Columns').click();
    // A phone shows the columns that fit.
    await looked.at(view, 'columns', { narrow: false });
    await escape(view, 'columns');
    await button(view, 'List').click();
    await entry(view, 'Copy as a command').click();
    await looked.at(view, 'commands');
    await escape(view, 'commands');
    await button(view, 'Views').click();
    await entry(view, 'Save as a view').click();
    await looked.at(view, 'save-view');
    const again = await refuse(view);
    await page.locator('#view-name').fill('Running ones');
    await page.locator('#view-default').check();
    await button(view, 'Save').click();
    await page.getByRole('dialog').getByRole('alert').waitFor();
    await looked.at(view, 'save-view', { what: 'refused' });
    await again();
    await escape(view, 'save-view');
    await page.locator('[role=grid]').focus();
    await page.keyboard.press('Control+a');
    const bulk = page.getByRole('toolbar', { name: 'Actions on the selection' });
    await looked.at(view, 'menu-bulk', { open: () => bulk.getByRole('button', { name: 'More' }).click() });
    await looked.at(view, 'menu-object', {
        of: 'vm',
        open: async () => {
            await page.locator('.pv-row').nth(2).click({ button: 'right' });
            await page.getByRole('menuitem').nth(4).waitFor();
        },
    });
    await view.go('/events', '.pv-row');
    const times = () => button(view, /Time range$/).click();
    await looked.at(view, 'menu-times', { open: times });
    await times();
    await entry(view, 'From').click();
    await page.getByLabel('From', { exact: true }).fill('2031-01-01T00:00');
    await page.getByLabel('To', { exact: true }).fill('2030-01-01T00:00');
    await looked.at(view, 'times', { what: 'wrong' });
    await view.close();
});

test('the menu of a line of the tree', async () => {
    const view = await browser.open(server, { look: { navigationMode: 'tree' } });
    await view.go('/hosts', '.pv-tree__line');
    await view.page.locator('.pv-tree__line').first().click({ button: 'right' });
    await view.page.getByRole('menuitem').nth(1).waitFor();
    // On a phone the tree is behind a button.
    await looked.at(view, 'menu-object', { what: 'tree', narrow: false });
    await view.close();
});

test('every action of every kind has a dialog that stands up to it', async () => {
    const view = await browser.open(server);
    view.expected.push(/status of (409|422) .*dry_run=true/);
    const hyperv = await first(view, '/vms', 'power:running provider.family:hyperv');
    const { items } = await view.api(
        'GET',
        `/vms?limit=200&view=full&filter=${encodeURIComponent('power:off provider.family:vmware snapshots.count>0')}`,
    );
    const vm = items.find((one) => one.disks.length && one.nics.length && one.cdroms.length);
    const snapshot = await first(view, `/vms/${vm.id}/snapshots`);
    const subjects = {
        '/vms/{id}': vm.id,
        '/vms/{owner}/disks': `${vm.id}/${vm.disks[0].id}`,
        '/vms/{owner}/nics': `${vm.id}/${vm.nics[0].id}`,
        '/vms/{owner}/cdroms': `${vm.id}/${vm.cdroms[0].id}`,
        '/vms/{owner}/controllers': `${vm.id}/${vm.controllers[0].id}`,
        '/vms/{owner}/snapshots': `${vm.id}/${snapshot.id}`,
        '/switches/{id}': (await first(view, '/switches', 'provider.family:hyperv')).id,
        '/providers/{id}': (await first(view, '/providers')).id,
    };
    let dialogs = 0;
    for (const [name, [operation]] of Object.entries(operations)) {
        const place = Object.keys(subjects).find((p) => operation.path.startsWith(p));
        // Keys, pictures and tickets are in the console's tab.
        if (!place || /^vm\.(console|screenshot|keystrokes)$/.test(name)) continue;
        const id = name.startsWith('vm.shutdown') ? hyperv.id : subjects[place];
        await view.go(`/vms?do=${name}&on=${id}`, '[data-surface=action] .pf-v6-c-modal-box__footer button');
        await looked.at(view, 'action', {
            of: name,
            colours: /clone|reconfigure|delete|update/.test(name),
        });
        dialogs++;
    }
    assert.ok(dialogs > 30, `only ${dialogs} actions were opened`);
    const two = (await view.api('GET', '/vms?filter=power:running&limit=3')).items
        .map((vm) => vm.id)
        .join(',');
    for (const name of ['vm.stop', 'vm.snapshot.create', 'vm.delete']) {
        await view.go(`/vms?do=${name}&on=${two}`, '.pv-plan__sums, #action-name');
        await looked.at(view, 'action', { of: name, what: 'many' });
    }
    await view.go(`/vms?do=vm.rename&on=${vm.id}`, '#action-name');
    await refuse(view, {
        status: 422,
        code: 'invalid',
        title: 'Not possible',
        errors: [{ pointer: '/name', detail: 'The name is taken.' }],
    });
    await view.page.locator('#action-name').fill('taken');
    await view.page.locator('.pv-plan__sums').waitFor();
    await view.page
        .locator('[data-surface=action]')
        .getByRole('button', { name: 'Rename', exact: true })
        .click();
    await view.page.getByText('The name is taken.').waitFor();
    await looked.at(view, 'action', { of: 'vm.rename', what: 'refused' });
    await view.close();
});

test('the hardware of a machine: each kind of device changed, added, taken out; the review; somebody was faster', async () => {
    const view = await browser.open(server, { height: 1400 });
    const { page } = view;
    view.expected.push(/status of 412/);
    for (const family of ['vmware', 'hyperv']) {
        const { id } = await first(view, '/vms', `power:off provider.family:${family} cpu:2`);
        await view.go(`/vms/${id}/hardware?edit=1`, '.pv-hwform input');
        await looked.at(view, 'hardware', { what: family });
        for (const kind of ['disk', 'nic', 'cdrom', 'controller']) {
            const section = page
                .locator('.pv-card', { has: page.locator('.pv-devices') })
                .nth(['disk', 'nic', 'cdrom', 'controller'].indexOf(kind));
            const add = section.locator('.pv-card__more button');
            if ((await add.count()) && (await add.getAttribute('aria-disabled')) !== 'true') {
                await add.click();
                await looked.at(view, 'device-new', { of: kind, what: family });
                await section.getByRole('button', { name: 'Not after all' }).click();
            }
            const change = section.getByRole('button', { name: /^Change: / }).first();
            if ((await change.count()) && (await change.getAttribute('aria-disabled')) !== 'true') {
                await change.click();
                await looked.at(view, 'device', { of: kind, what: family });
                await change.click();
            }
        }
    }
    await page
        .getByRole('button', { name: /^Remove: / })
        .first()
        .click();
    await looked.at(view, 'device-file');
    await page.locator('#hw-cpu-count').fill('4');
    await button(view, 'Review and save').click();
    await looked.at(view, 'review');
    const again = await refuse(view, {
        status: 409,
        code: 'conflict',
        title: 'Not now',
        detail: 'Another task works on it.',
    });
    await page
        .getByRole('dialog')
        .getByRole('button', { name: /^Save 2/ })
        .click();
    await page.getByRole('dialog').getByRole('alert').waitFor();
    await looked.at(view, 'review', { what: 'refused' });
    await again();
    await page.getByRole('button', { name: 'Back to the form' }).click();
    await button(view, 'Keep it').click();
    const id = /vm_[0-9a-z]{26}/.exec(page.url())[0];
    await view.api('PATCH', `/vms/${id}`, { cpu: { count: 8 } });
    await view.until(`/vms/${id}`, (vm) => vm.cpu.count === 8);
    await button(view, 'Review and save').click();
    await page
        .getByRole('dialog')
        .getByRole('button', { name: /^Save 1/ })
        .click();
    await looked.at(view, 'three-way');
    await view.close();
});

test('what the page of a machine opens beside its hardware', async () => {
    const view = await browser.open(server);
    const { page } = view;
    const { id } = await first(view, '/vms', 'power:running provider.family:hyperv');
    await view.go(`/vms/${id}`, '.pv-tiles');
    await looked.at(view, 'menu-more', { open: () => button(view, 'More').click() });
    await button(view, 'Edit').click();
    await looked.at(view, 'notes');
    await view.go(`/vms/${id}/hardware`, '.pv-card table');
    await looked.at(view, 'menu-owned', { open: () => button(view, /^More: /).click() });
    await view.go(`/vms/${id}/console`, '#console-text');
    await looked.at(view, 'menu-console', { open: () => button(view, 'Press keys').click() });
    await view.close();
});

test('alerts and what is made, changed and deleted of ours', async () => {
    const view = await browser.open(server);
    const { page } = view;
    const { items } = await view.until('/alerts?limit=1', (a) => a.items.length > 0);
    for (const action of ['acknowledge', 'silence', 'unsilence', 'resolve']) {
        await view.go(`/alerts?act=${action}&on=${items[0].id}`, '[role=dialog] button');
        await looked.at(view, 'alert', { of: action });
    }
    let again = await refuse(view);
    await page.getByRole('dialog').getByRole('button', { name: 'Resolve' }).click();
    await page.getByRole('dialog').getByRole('alert').waitFor();
    await looked.at(view, 'alert', { of: 'resolve', what: 'refused' });
    await again();

    await view.api('POST', '/users', { name: 'vera', password: PASSWORD });
    await view.api('POST', '/groups', { name: 'night shift' });
    await view.api('POST', '/roles', { name: 'watcher', permissions: ['vm.read'] });
    await view.api('POST', '/tokens', { name: 'backup script' });
    await view.api('POST', '/grants', { role: 'watcher', user: 'vera', scope: { type: 'everything' } });
    for (const kind of ['user', 'group', 'role', 'grant', 'token']) {
        await view.go(`/access/${kind}s?new=%2F${kind}s`, '#new-form input, #new-form select');
        await looked.at(view, 'new', { of: `/${kind}s` });
        const sort = encodeURIComponent('-created_at');
        const one = (await view.api('GET', `/${kind}s?limit=1&sort=${sort}`)).items[0];
        // What can only be deleted is shown.
        const ready =
            kind === 'token' ? '[role=dialog] .pv-fields' : '#edit-form :is(input, select, textarea)';
        await view.go(`/access/${kind}s?edit=${one.id}`, ready);
        await looked.at(view, 'edit', { of: kind });
        const remove = page.getByRole('dialog').getByRole('button', { name: 'Delete' });
        await remove.click();
        await looked.at(view, 'edit', { of: kind, what: 'delete' });
        again = await refuse(view);
        await remove.click();
        await page.getByRole('dialog').getByRole('alert').waitFor();
        await looked.at(view, 'edit', { of: kind, what: 'refused' });
        await again();
    }
    await view.go('/alerts/rules?new=%2Falert-rules', '#new-name');
    await looked.at(view, 'new', { of: '/alert-rules' });
    const rule = await first(view, '/alert-rules');
    await view.go(`/alerts/rules?edit=${rule.id}`, '#edit-form :is(input, select, textarea)');
    await looked.at(view, 'edit', { of: 'alert_rule' });
    // What is wrong in a field, and what is wrong with the whole.
    view.expected.push(/status of (409|422) /);
    await view.go('/access/users?new=%2Fusers', '#new-name');
    await page.locator('#new-name').fill('olga');
    await page.locator('#new-password').fill('short');
    await button(view, 'Save').click();
    await page.getByRole('dialog').locator('.pf-m-error').first().waitFor();
    await looked.at(view, 'new', { of: '/users', what: 'wrong' });
    view.expected.push(/status of 404 /);
    await view.go('/access/users?edit=usr_00000000000000000000000000', '[data-surface=gone]');
    await looked.at(view, 'gone');
    await view.go('/access/tokens?new=%2Ftokens', '#new-name');
    await page.locator('#new-name').fill('shown once');
    await button(view, 'Save').click();
    await looked.at(view, 'token');
    await view.close();
});

test('channels of alerts, and webhooks: tested, logged, sent again, chosen in a rule', async () => {
    const view = await browser.open(server);
    const { page } = view;
    const came = [];
    const receiver = createServer((request, response) => {
        const parts = [];
        request.on('data', (part) => parts.push(part));
        request.on('end', () => {
            came.push({
                ...JSON.parse(Buffer.concat(parts)),
                signed: request.headers['polyvisor-signature'],
            });
            response.end();
        });
    });
    await new Promise((done) => receiver.listen(0, '127.0.0.1', done));
    const url = `http://127.0.0.1:${receiver.address().port}/`;
    await view.go('/alerts/channels?new=%2Fnotification-targets', '#new-server');
    await looked.at(view, 'new', { of: '/notification-targets' });
    await page.locator('#new-name').fill('duty');
    await page.locator('#new-type').selectOption('webhook');
    await page.locator('#new-url').fill(url);
    await button(view, 'Save').click();
    await gone(view, 'new');
    const target = await first(view, '/notification-targets');
    await view.go(`/alerts/channels?edit=${target.id}`, '#edit-url');
    await button(view, 'Send a test').click();
    await page.getByText('The test arrived').waitFor();
    assert.equal(came[0].type, 'test');
    await looked.at(view, 'edit', { of: 'notification_target' });
    await button(view, 'Delivery log').click();
    await page.locator('[data-surface=deliveries] tbody tr').first().waitFor();
    await looked.at(view, 'deliveries', { of: 'notification_target' });
    await button(view, 'Send again').click();
    await page.locator('[data-surface=deliveries] tbody td', { hasText: /^2$/ }).waitFor();
    assert.equal(came[1].id, came[0].id);
    await escape(view, 'deliveries');
    const rule = await first(view, '/alert-rules', 'builtin=vm-missing');
    await view.go(`/alerts/rules?edit=${rule.id}`, '#edit-notify');
    await page.locator('#edit-notify').selectOption('chosen');
    await page.getByLabel('duty (Webhook)').check();
    await button(view, 'Save').click();
    await gone(view, 'edit');
    const told = await view.api('GET', `/alert-rules/${rule.id}`);
    assert.deepEqual([told.notify, told.targets.map((one) => one.name)], ['chosen', ['duty']]);
    await view.go('/settings/webhooks?new=%2Fwebhooks', '#new-url');
    await button(view, 'Make a secret').click();
    await looked.at(view, 'new', { of: '/webhooks' });
    await page.locator('#new-name').fill('inventory');
    await page.locator('#new-url').fill(url);
    await page.locator('#new-event_types').fill('alert_rule.*');
    await button(view, 'Make a secret').click();
    await button(view, 'Save').click();
    await gone(view, 'new');
    await view.api('PATCH', `/alert-rules/${rule.id}`, { notify: 'all', targets: [] });
    const hook = await first(view, '/webhooks');
    await view.go(`/settings/webhooks?log=${hook.id}`, '[data-surface=deliveries] tbody tr');
    await page.locator('[data-surface=deliveries] .pv-state', { hasText: 'Arrived' }).first().waitFor();
    assert.match(came.find((one) => one.type === 'alert_rule.updated').signed, /^t=\d+,v1=[0-9a-f]{64}$/);
    receiver.closeAllConnections();
    receiver.close();
    await view.close();
});

test('taking a provider out, and giving other credentials', async () => {
    const view = await browser.open(server);
    const { page } = view;
    const { id } = await first(view, '/providers');
    await view.go(`/providers?remove=${id}`, '#remove-sure');
    await looked.at(view, 'remove');
    await page.locator('#remove-sure').check();
    const again = await refuse(view, {
        status: 409,
        code: 'object-busy',
        title: 'Busy',
        detail: 'A task works on it.',
    });
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
    await page.locator('#remove-force').waitFor();
    await looked.at(view, 'remove', { what: 'refused' });
    await again();
    await view.go('/providers?remove=simulated', '#remove-count');
    await looked.at(view, 'remove', { what: 'many' });
    await view.close();
});

/** The code of RFC 6238 that a key gives now. */
function codeOf(secret) {
    const bits = [...secret.replace(/=+$/, '')]
        .map((c) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0'))
        .join('');
    const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((b) => parseInt(b, 2)));
    const counter = Buffer.alloc(8);
    counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
    const mac = createHmac('sha1', key).update(counter).digest();
    return String((mac.readUInt32BE(mac[19] & 15) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

test('a second factor is enrolled, refused, shown its codes, and taken away', async () => {
    const admin = await browser.open(server);
    await admin.api('POST', '/users', { name: 'factor', password: PASSWORD });
    await admin.close();
    const view = await browser.open(server, { user: 'factor' });
    const { page } = view;
    view.expected.push(/status of (401|403|409|422) /);
    // A wrong password or code is told in the form; the session goes on.
    const refused = async () => {
        await page.getByRole('alert').waitFor();
        assert.equal(await page.locator('[data-surface=session]').count(), 0, 'the session was told as over');
    };
    await view.go('/me', '#look-theme');
    await button(view, 'Set up a second factor').click();
    await page.locator('#totp-password').fill('not the password');
    await looked.at(view, 'factor-on');
    await page.keyboard.press('Enter');
    await refused();
    await looked.at(view, 'factor-on', { what: 'refused' });
    await page.locator('#totp-password').fill(PASSWORD);
    const begin = page.waitForResponse((r) => r.url().endsWith('/me/totp'));
    await page.keyboard.press('Enter');
    const { secret } = await (await begin).json();
    await looked.at(view, 'factor-code');
    await page.locator('#totp-code').fill('000000');
    await page.keyboard.press('Enter');
    await refused();
    await looked.at(view, 'factor-code', { what: 'refused' });
    await page.locator('#totp-code').fill(codeOf(secret));
    await page.keyboard.press('Enter');
    await looked.at(view, 'recovery');
    await view.go('/me', '#look-theme');
    await button(view, 'Switch off').click();
    await looked.at(view, 'factor-off');
    await page.locator('#totp-password').fill(PASSWORD);
    await page.locator('#totp-code').fill('000000');
    await page.keyboard.press('Enter');
    await refused();
    await looked.at(view, 'factor-off', { what: 'refused' });
    await view.close();
});

test('work that goes on and notes of what failed', async () => {
    const view = await browser.open(server);
    const { page } = view;
    const vm = await first(view, '/vms', 'power:off template:false');
    await view.go(`/vms/${vm.id}`, '.pv-object__actions button');
    const again = await refuse(view, {
        status: 409,
        code: 'conflict',
        title: 'Not now',
        detail: 'Another task works on it.',
    });
    await page.locator('.pv-object__actions').getByRole('button', { name: 'Start', exact: true }).click();
    await page.locator('.pv-toasts .pv-notice--danger').waitFor();
    await view.everyLook('toast', { inside: '.pv-toasts', picture: 'surface-toast' });
    await again();
    await button(view, /^Notifications/).click();
    await looked.at(view, 'notifications');
    await escape(view, 'notifications');
    await page.locator('.pv-object__actions').getByRole('button', { name: 'Start', exact: true }).click();
    await page.keyboard.press('t');
    await page.locator('.pv-tray__list tbody tr').first().waitFor();
    await looked.at(view, 'tray');
    await view.close();
});

/** Looked at where the journeys lead to them, with view.looks. */
const JOURNEYS = { credentials: 'journey-connect.test.mjs' };

test('nothing that the source declares was left out', () => {
    for (const file of Object.values(JOURNEYS))
        assert.match(readFileSync(fileURLToPath(new URL(file, import.meta.url)), 'utf8'), /looks\(/);
    assert.deepEqual(
        declared().filter((name) => !looked.seen.has(name) && !(name in JOURNEYS)),
        [],
    );
});
