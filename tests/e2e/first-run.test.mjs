// SPDX-License-Identifier: Apache-2.0
// Journey J1: from an empty server to a simulated estate, and signing in.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Browser, PASSWORD, Server } from './harness.mjs';

let browser;
before(async () => (browser = await Browser.start()));
after(() => browser?.stop());

test('setup code, administrator, simulated data, tour', async () => {
    const server = await Server.start({ demo: false, admin: false });
    try {
        const view = await browser.open(server, { signIn: false });
        const { page } = view;
        view.expected.push(/status of 401/);
        await view.go('/', '#setup-code');
        await view.axe('setup');
        await view.screenshot('setup');
        await page.locator('#setup-code').fill('0000-0000-0000');
        await page.locator('#setup-password').fill(PASSWORD);
        await page.locator('#setup-again').fill(PASSWORD);
        view.expected.push(/auth\/setup/);
        await page.getByRole('button', { name: 'Make the administrator' }).click();
        await page.locator('.pv-notice--danger').waitFor();
        await page.locator('#setup-code').fill(server.setupCode);
        await page.getByRole('button', { name: 'Make the administrator' }).click();
        await page.locator('.pv-choice').waitFor();
        await view.axe('the choice');
        await view.screenshot('setup-choice');
        await page.locator('.pv-choice__card').first().click();
        await page.getByRole('dialog').waitFor();
        await view.axe('the tour');
        await view.screenshot('tour');
        for (let i = 0; i < 4; i++) await page.getByRole('button', { name: 'Next' }).click();
        await page.getByRole('button', { name: 'Begin' }).click();
        await page.waitForURL((url) => !url.search.includes('tour'));
        await page.locator('.pv-overview').waitFor();
        await view.settle();
        await view.screenshot('first-overview');
        await view.darkly('first-overview');
        await view.go('/vms', '.pv-row');
        await page.waitForFunction(() => document.querySelector('.pv-count')?.textContent === '500');
        await view.close();
    } finally {
        await server.stop();
    }
});

test('an empty server says what belongs on the page', async () => {
    const server = await Server.start({ demo: false });
    try {
        const view = await browser.open(server);
        await view.go('/vms', '.pv-empty');
        assert.match(await view.page.locator('.pv-empty').innerText(), /No virtual machines yet/);
        await view.axe('an empty list');
        await view.screenshot('vms-empty');
        await view.darkly('vms-empty');
        await view.close();
    } finally {
        await server.stop();
    }
});

test('signing in, a wrong password, and a session that ends under the page', async () => {
    const server = await Server.start();
    try {
        const view = await browser.open(server, { signIn: false });
        const { page } = view;
        view.expected.push(/status of 401/);
        await view.go('/vms?filter=power%3Aoff', '#username');
        await view.axe('signing in');
        await view.screenshot('signin');
        await page.locator('#username').fill('admin');
        await page.locator('#password').fill('wrong-password-1');
        await page.keyboard.press('Enter');
        await page.locator('[role=alert]').waitFor();
        await page.locator('#password').fill(PASSWORD);
        await page.keyboard.press('Enter');
        await page.waitForURL(/\/vms\?filter=power%3Aoff/);
        await page.locator('.pv-row').first().waitFor();
        await view.context.clearCookies();
        await page.getByRole('button', { name: 'List' }).click();
        await page.getByRole('menuitem', { name: 'Refresh' }).click();
        await page.getByRole('dialog').locator('#password').fill(PASSWORD);
        await view.axe('a session that is over');
        await view.screenshot('session-over');
        await page.keyboard.press('Enter');
        await page.getByRole('dialog').waitFor({ state: 'detached' });
        assert.match(page.url(), /filter=power%3Aoff/);
        await view.close();
    } finally {
        await server.stop();
    }
});
