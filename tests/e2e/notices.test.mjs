// SPDX-License-Identifier: Apache-2.0
// What is told when something fails never lies over what can be pressed; the audit tells a preview from what was done.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stage } from './harness.mjs';

const { server, browser } = stage();

/** Names of what can be pressed within, and is not what a click there would meet. */
const covered = (page, within) =>
    page.evaluate((selector) => {
        const found = [];
        // What is scrolled out of the page is below its edge, not below the notification.
        const edge =
            selector === '.pv-main'
                ? document.querySelector(selector).getBoundingClientRect().bottom
                : innerHeight;
        for (const one of document.querySelectorAll(`${selector} :is(button, a[href], input, select)`)) {
            const { left, top, width, height } = one.getBoundingClientRect();
            const [x, y] = [left + width / 2, top + height / 2];
            if (!width || !height || x < 0 || y < 0 || x > innerWidth || y > edge) continue;
            const hit = document.elementFromPoint(x, y);
            if (hit?.closest('.pv-toasts')) found.push(one.textContent || one.getAttribute('aria-label'));
        }
        return found;
    }, within);

test('a failure is told without covering buttons of the page or of a dialog', async () => {
    const view = await browser.open(server);
    const { page } = view;
    view.expected.push(/status of 409/);
    await view.until('/vms?limit=1&count=exact', ({ count }) => count >= 500);
    const [vm] = (await view.api('GET', '/vms?limit=1&filter=power%3Aoff%20template%3Afalse')).items;
    await page.route(/\/vms\/[^/]+\/actions\/start/, (route) =>
        route.fulfill({
            status: 409,
            contentType: 'application/problem+json',
            body: JSON.stringify({
                status: 409,
                code: 'vm-invalid-state',
                title: 'Not in this state',
                detail: 'A long sentence that says what is wrong, so that it needs more than a line on a phone.',
                remedy: 'Wait until it is off.',
            }),
        }),
    );
    for (const [width, height] of [
        [1600, 1000],
        [1024, 768],
        [420, 900],
        [320, 640],
    ]) {
        await page.setViewportSize({ width, height });
        await view.go(`/vms/${vm.id}`, '.pv-object__head');
        await view.settle();
        const start = page.getByRole('button', { name: 'Start', exact: true }).first();
        for (let i = 0; i < 3; i++) await start.click();
        await page.locator('.pv-toasts .pv-notice').first().waitFor();
        assert.equal(await page.locator('.pv-toasts .pv-notice').count(), 1, 'the same is told once');
        const strip = await page.locator('.pv-toasts').boundingBox();
        assert.ok(strip.y + strip.height <= height + 1, 'it is within the window');
        assert.deepEqual(await covered(page, '.pv-masthead'), []);
        assert.deepEqual(await covered(page, '.pv-main'), []);
        await view.fits(`a failure at ${width} px`);
        await view.screenshot(`failure-${width}`);
        // A dialog beside it.
        await page.locator('.pv-object__head').getByRole('button', { name: 'More' }).click();
        await page
            .getByRole('menuitem', { name: /^Delete(?! all)/ })
            .first()
            .click();
        await page.getByRole('dialog').waitFor();
        await view.settle();
        assert.deepEqual(await covered(page, '[role=dialog]'), []);
        const [dialog, toasts] = [
            await page.getByRole('dialog').boundingBox(),
            await page.locator('.pv-toasts').boundingBox(),
        ];
        assert.ok(
            dialog.y + dialog.height <= toasts.y + 1,
            `at ${width} px the dialog ends at ${dialog.y + dialog.height}, the notification begins at ${toasts.y}`,
        );
        await view.screenshot(`failure-dialog-${width}`);
        await page.keyboard.press('Escape');
    }
    await view.close();
});

test('the audit says of a preview that it was one', async () => {
    const view = await browser.open(server);
    const { page } = view;
    await view.until('/vms?limit=1&count=exact', ({ count }) => count >= 500);
    const [vm] = (await view.api('GET', '/vms?limit=1&filter=power%3Arunning')).items;
    await view.api('POST', `/vms/${vm.id}/actions/stop?dry_run=true`, {});
    await view.until('/audit?filter=dry_run%3Atrue%20action%3Avm.stop', ({ items }) => items.length === 1);
    await view.go('/audit', '.pv-row .pv-audit__preview');
    const row = page.locator('.pv-row', { has: page.locator('.pv-audit__preview') });
    assert.match(await row.first().innerText(), /preview/);
    await view.go('/audit?filter=dry_run%3Afalse', '.pv-row');
    await view.settle();
    assert.equal(await page.locator('.pv-audit__preview').count(), 0);
    await view.go('/audit?filter=dry_run%3Atrue', '.pv-row');
    await view.axe('previews in the audit');
    await view.screenshot('audit-preview');
    await view.close();
});
