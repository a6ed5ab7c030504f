// SPDX-License-Identifier: Apache-2.0
// Alerts and their rules: found, taken note of, silenced, resolved, one by one and many at once; rules are tried before they are
// saved. Every dialog has an address and stands up to axe.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stage } from './harness.mjs';

const { server, browser } = stage();

const dialog = (view) => view.page.getByRole('dialog');
const ends = (view) => dialog(view).waitFor({ state: 'detached' });
/** Snapshots of the estate are months old: their rule has found them a few seconds after the start. */
const openAlerts = (view) =>
    view.until('/alerts?filter=state:firing&limit=200&view=full', (a) => a.items.length > 20);

test('an alert is taken note of, silenced and resolved on its page', async () => {
    const view = await browser.open(server);
    const { page } = view;
    const { items } = await openAlerts(view);
    const one = items.find((a) => a.ref.kind === 'snapshot');
    assert.ok(one.ref.owner?.name, 'a snapshot is told with its machine');
    await view.go(`/alerts/${one.id}`, 'h1');
    await page.locator('.pv-fields', { hasText: one.ref.owner.name }).first().waitFor();
    await view.looks('alert', 'an alert');

    await page.getByRole('button', { name: 'Acknowledge' }).click();
    await dialog(view).waitFor();
    assert.match(page.url(), /act=acknowledge&on=alr_/);
    await view.axe('the dialog that takes note');
    await view.fits('the dialog that takes note');
    await page.locator('#alert-note').fill('looking at it');
    await dialog(view).getByRole('button', { name: 'Acknowledge' }).click();
    await ends(view);
    await view.until(
        `/alerts/${one.id}`,
        (a) => a.state === 'acknowledged' && a.owner === 'admin' && a.note === 'looking at it',
    );
    await page.locator('.pv-object__facts', { hasText: 'Acknowledged' }).waitFor();

    // The address alone opens the dialog, and the way back closes it.
    await page.getByRole('button', { name: 'Silence' }).click();
    const address = page.url();
    await page.goBack();
    await ends(view);
    await page.goto(address);
    await dialog(view).waitFor();
    await page.locator('#alert-span').selectOption('own');
    await view.axe('the dialog that silences');
    await page.locator('#alert-until').fill('2099-01-31T12:00');
    await dialog(view).getByRole('button', { name: 'Silence' }).click();
    await ends(view);
    await page.locator('.pv-object__facts', { hasText: 'silenced until' }).waitFor();

    await page.getByRole('button', { name: 'Resolve' }).click();
    await dialog(view).getByRole('button', { name: 'Resolve' }).click();
    await ends(view);
    await page.locator('.pv-object__facts', { hasText: 'Over' }).waitFor();
    assert.equal(await page.getByRole('button', { name: 'Acknowledge' }).count(), 0);
    await view.close();
});

test('many alerts are taken note of at once, and stand among the acknowledged', async () => {
    const view = await browser.open(server);
    const { page } = view;
    await openAlerts(view);
    await view.go('/alerts', '.pv-row');
    await view.settle();
    await page.locator('.pv-row').first().locator('.pv-check').click();
    await page.locator('.pv-row').nth(2).locator('.pv-check').click();
    await page
        .getByRole('toolbar', { name: 'Actions on the selection' })
        .getByRole('button', { name: 'Acknowledge' })
        .click();
    await dialog(view).waitFor();
    await view.axe('the dialog of many alerts');
    await dialog(view).getByRole('button', { name: 'Acknowledge' }).click();
    await ends(view);
    await page.getByRole('link', { name: 'Acknowledged', exact: true }).click();
    await page.waitForURL(/state=acknowledged/);
    await view.settle();
    assert.equal(await page.locator('.pv-row').count(), 2);
    await page.goBack();
    await page.waitForURL(/\/alerts$/);
    await page.locator('.pv-row').nth(3).click({ button: 'right' });
    await page.getByRole('menuitem', { name: 'Silence' }).waitFor();
    await view.axe('the menu of an alert');
    await view.close();
});

test('a rule is tried before it is saved, switched off, and those of the product stay', async () => {
    const view = await browser.open(server);
    const { page } = view;
    await view.go('/alerts/rules', '.pv-row');
    await page.getByRole('button', { name: 'New rule' }).click();
    await page.locator('#new-name').fill('busy machines');
    await page.locator('#new-of').selectOption('vm');
    await page.locator('#new-filter').fill('power:running');
    await page.locator('#new-metric').selectOption('cpu.usage_pct');
    await page.locator('#new-above').fill('1');
    await page.getByRole('button', { name: 'Test the rule' }).click();
    await page.locator('.pv-ruletest', { hasText: /It finds \d+ objects? now/ }).waitFor();
    await page.locator('.pv-ruletest', { hasText: 'In the past 24 hours' }).waitFor();
    await view.looks('alert-rule', 'the dialog of a rule');
    // What cannot be looked for is said where it stands.
    await page.locator('#new-filter').fill('nothing:such');
    view.expected.push(/400/);
    await page.getByRole('button', { name: 'Test the rule' }).click();
    await page.locator('.pv-notice--danger').waitFor();
    await page.locator('#new-filter').fill('power:running');
    await page.getByRole('button', { name: 'Save' }).click();
    await ends(view);
    const row = page.locator('.pv-row', { hasText: 'busy machines' });
    await row.waitFor();
    await row.dblclick();
    await dialog(view).waitFor();
    assert.match(page.url(), /edit=arl_/);
    await page.locator('#edit-enabled').uncheck();
    await page.getByRole('button', { name: 'Save' }).click();
    await ends(view);
    await row.getByText('Off').waitFor();
    const { items } = await view.api('GET', '/alert-rules?filter=builtin=snapshot-old');
    await view.go(`/alerts/rules?edit=${items[0].id}`, '#edit-name');
    assert.equal(await dialog(view).getByRole('button', { name: 'Delete' }).count(), 0);
    await view.axe('the dialog of a rule of the product');
    await view.close();
});

test('alerts of some objects are kept quiet for a time, and told again when that is over', async () => {
    const view = await browser.open(server);
    const { page } = view;
    const { items } = await openAlerts(view);
    const one = items.find((a) => a.ref.kind === 'snapshot' && !a.silenced_until);
    await view.go('/alerts', '.pv-row');
    await page.locator('.pv-tabs').getByRole('link', { name: 'Silences' }).click();
    await page.waitForURL('**/alerts/silences');
    await page.getByRole('button', { name: 'New silence' }).click();
    await page.locator('#new-name').fill('Moving disks');
    await page.locator('#new-of').selectOption('vm');
    await page.locator('#new-filter').fill(`id:${one.ref.owner.id}`);
    await page.locator('#new-ends_at').fill('2999-01-01T10:00');
    await dialog(view).locator('[data-meant="1"]', { hasText: one.ref.owner.name }).waitFor();
    await view.looks('silence', 'the form of a silence');
    // Too long: the server's own words stand at the field.
    view.expected.push(/status of 422/);
    await dialog(view).getByRole('button', { name: 'Save' }).click();
    await dialog(view).getByText('within a year').last().waitFor();
    const tomorrow = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
    await page.locator('#new-ends_at').fill(`${tomorrow}T10:00`);
    await dialog(view).getByRole('button', { name: 'Save' }).click();
    await ends(view);
    const row = page.locator('.pv-row', { hasText: 'Moving disks' });
    await row.getByText('Now').waitFor();
    const quiet = await view.until(
        `/alerts/${one.id}?view=full`,
        (a) => a.silenced_by?.name === 'Moving disks',
    );
    assert.equal(quiet.silenced_until, (await view.api('GET', '/alert-silences')).items[0].ends_at);
    await view.go(`/alerts/${one.id}`, 'h1');
    await page.locator('.pv-fields').getByRole('link', { name: 'Moving disks' }).click();
    await dialog(view).waitFor();
    assert.equal(await page.locator('#edit-ends_at').inputValue(), `${tomorrow}T10:00`);
    await dialog(view).getByRole('button', { name: 'Delete' }).click();
    await dialog(view).getByRole('button', { name: 'Delete' }).click();
    await ends(view);
    await view.until(`/alerts/${one.id}`, (a) => a.silenced_until === null);
    await view.close();
});

test('tasks, events and audit have a time range and follow what happens, all in the address', async () => {
    const view = await browser.open(server);
    const { page } = view;
    const { items } = await view.api('GET', '/vms?limit=1&filter=power:off%20template:false');
    for (const [path, name] of [
        ['/events', 'events'],
        ['/audit', 'audit'],
        ['/tasks', 'tasks'],
    ]) {
        await view.go(`${path}?range=24h`, '.pv-listtimes .pv-button');
        await view.settle();
        await page.getByRole('button', { name: /Time range$/ }).click();
        await page.getByRole('menuitem', { name: 'From' }).click();
        await page.getByLabel('From', { exact: true }).fill('2031-01-01T00:00');
        await page.getByLabel('To', { exact: true }).fill('2030-01-01T00:00');
        await page.getByText('The end is before the beginning.').waitFor();
        await view.looks(`${name}-times`, `${name} with a range of their own`);
        await page.getByLabel('To', { exact: true }).fill('2032-01-01T00:00');
        await page.getByRole('button', { name: 'Apply' }).click();
        await page.waitForURL(/from=2030-12-31T23/);
        await page.getByText('Nothing in this time').waitFor();
        await page.goBack();
        await page.waitForURL(/range=24h/);
    }
    await view.go('/events?follow=1', '.pv-row');
    await view.settle();
    await view.api('PATCH', `/vms/${items[0].id}`, { notes: 'followed' });
    await page.locator('.pv-row', { hasText: items[0].name }).first().waitFor({ timeout: 60_000 });
    await view.close();
});

test('a record of the audit says who, from where, by which session, and what changed', async () => {
    const view = await browser.open(server);
    const { page } = view;
    const { items } = await view.api('GET', '/vms?limit=1&sort=-name&filter=template:false');
    await view.api('PATCH', `/vms/${items[0].id}`, { notes: 'seen by the auditor' });
    const logins = await view.api('GET', '/me/logins');
    const mine = logins.items.find((l) => l.current) ?? logins.items[0];
    const found = await view.until('/audit?sort=-seq&limit=50&view=full', (a) =>
        a.items.some((r) => r.subject?.includes(items[0].id) && r.action === 'vm.reconfigure'),
    );
    const record = found.items.find((r) => r.subject?.includes(items[0].id) && r.action === 'vm.reconfigure');
    assert.ok(mine.id.startsWith(record.detail.session), 'the session that it came by');
    await view.go(`/audit/${record.id}`, 'h1');
    await page.locator('ins', { hasText: 'seen by the auditor' }).waitFor();
    await page.getByText(record.detail.session).first().waitFor();
    await view.looks('audit-record', 'a record of the audit');
    // Of access, before and after are in the record itself.
    const made = await view.api('POST', '/roles', { name: 'seen', permissions: ['vm.read'] });
    await view.api('PATCH', `/roles/${made.id}`, { permissions: ['vm.read', 'host.read'] });
    const roles = await view.until('/audit?sort=-seq&limit=50&view=full', (a) =>
        a.items.some((r) => r.action === 'role.update'),
    );
    await view.go(`/audit/${roles.items.find((r) => r.action === 'role.update').id}`, 'h1');
    await page.locator('ins', { hasText: 'host.read' }).waitFor();
    await view.close();
});

test('a task tells its course, and its link works for others', async () => {
    const view = await browser.open(server);
    const { page } = view;
    const { items } = await view.api(
        'GET',
        '/vms?limit=1&filter=power:off%20template:false%20provider.driver:sim&sort=-name',
    );
    const task = await view.api('POST', `/vms/${items[0].id}/actions/start`, {});
    await view.go(`/tasks/${task.id}`, 'h1');
    await page.locator('.pv-object__facts', { hasText: 'Done' }).waitFor({ timeout: 60_000 });
    await page.locator('.pv-log li', { hasText: 'Running' }).first().waitFor();
    await page.locator('.pv-log li', { hasText: items[0].name }).first().waitFor();
    await page.getByRole('button', { name: 'Copy the link' }).click();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), `${server.url}/tasks/${task.id}`);
    await view.looks('task', 'a task');
    await view.close();
});

test('what a page asks of the API is shown, and repeated in the explorer', async () => {
    const view = await browser.open(server);
    const { page } = view;
    await view.go('/hosts', '.pv-row');
    await page.keyboard.press('?');
    await page.getByRole('button', { name: 'Show API calls of this page' }).click();
    await dialog(view).waitFor();
    assert.match(page.url(), /calls=1/);
    const call = page.locator('.pv-call', { hasText: '/api/v1/hosts?' }).first();
    await call.locator('summary').click();
    await call.getByRole('button', { name: 'Python' }).click();
    await call.locator('pre', { hasText: 'import os, requests' }).waitFor();
    await view.looks('api-calls', 'the calls of a page');
    await call.getByRole('link', { name: 'Open in the explorer' }).click();
    await page.waitForURL(/explorer\?route=GET/);
    await page.getByRole('button', { name: 'Send', exact: true }).click();
    await page.locator('.pv-explorer__answer', { hasText: '"items"' }).waitFor();
    await page.getByRole('button', { name: 'Ansible' }).click();
    await page.locator('pre', { hasText: 'ansible.builtin.uri' }).waitFor();
    // What changes something asks first, and what is not complete cannot be sent.
    await view.go('/explorer?route=POST%20%2Fapi%2Fv1%2Ffolders', '.pv-explorer textarea');
    await page.getByLabel('Body').fill('{"name": "from the explorer"');
    await page.getByText('The body is not JSON').waitFor();
    await page.getByLabel('Body').fill('{"name": "from the explorer"}');
    await page.getByRole('button', { name: 'Send', exact: true }).click();
    await page.getByText('It changes something. Send it?').waitFor();
    await page.getByRole('button', { name: 'Send', exact: true }).click();
    await page.locator('.pv-explorer__answer', { hasText: '201' }).waitFor();
    await view.close();
});
