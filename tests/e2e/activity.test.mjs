// SPDX-License-Identifier: Apache-2.0
// Alerts and their rules: found, taken note of, silenced, resolved, one by one and many at once; rules are tried before they are
// saved. Every dialog has an address and stands up to axe.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Browser, Server } from './harness.mjs';

let server;
let browser;
before(async () => {
    server = await Server.start();
    browser = await Browser.start();
});
after(async () => {
    await browser?.stop();
    await server?.stop();
});

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
