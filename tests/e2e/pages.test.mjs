// SPDX-License-Identifier: Apache-2.0
// Every page beside those of machines: it comes up without an error, an axe violation or sideways scrolling, in light and dark,
// wide and narrow.
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

const PAGES = [
    ['overview', '/', '.pv-overview'],
    ['overview-table', '/?hosts=table', '.pv-overview'],
    ['hosts', '/hosts', '.pv-row'],
    ['clusters', '/clusters', '.pv-row'],
    ['datastores', '/storage/datastores', '.pv-row'],
    ['networks', '/networks', '.pv-row'],
    ['switches', '/switches', '.pv-row'],
    ['providers', '/providers', '.pv-row'],
    ['provider-new', '/providers/new?driver=vapi', '[data-account=vapi]'],
    ['tasks', '/tasks', '.pv-page'],
    ['events', '/events', '.pv-row'],
    ['alerts', '/alerts', '.pv-page'],
    ['alert-rules', '/alerts/rules', '.pv-row'],
    ['audit', '/audit', '.pv-row'],
    ['users', '/access/users', '.pv-row'],
    ['groups', '/access/groups', '.pv-page'],
    ['roles', '/access/roles', '.pv-row'],
    ['grants', '/access/grants', '.pv-page'],
    ['tokens', '/access/tokens', '.pv-page'],
    ['explain', '/access/explain', '#ex-what'],
    ['settings', '/settings', '#sign_in-idle_minutes'],
    ['explorer', '/explorer?route=GET+%2Fapi%2Fv1%2Fvms', '.pv-explorer'],
    ['me', '/me', '.pv-rights'],
    ['nothing', '/there/is/nothing', '.pv-page, main'],
];

for (const [theme, width] of [
    ['light', 1600],
    ['dark', 1024],
    ['light', 420],
])
    test(`all pages, ${theme}, ${width} px`, async () => {
        const view = await browser.open(server, {
            look: { theme },
            width,
            height: 900,
        });
        const wrong = [];
        for (const [name, path, ready] of PAGES) {
            try {
                await view.go(path, ready);
                await view.settle();
                await view.screenshot(`page-${name}-${theme}-${width}`);
                await view.fits(name);
                await view.axe(name);
            } catch (error) {
                wrong.push(`${name}: ${error.message}`);
            }
        }
        assert.deepEqual(wrong, []);
        await view.close();
    });

for (const [kind, path, tabs] of [
    ['host', '/hosts', ['', 'vms', 'datastores', 'networks', 'switches', 'events', 'tasks']],
    ['cluster', '/clusters', ['', 'hosts', 'vms', 'datastores', 'networks']],
    ['datastore', '/storage/datastores', ['', 'vms', 'hosts', 'disks']],
    ['network', '/networks', ['', 'adapters', 'vms', 'hosts']],
    ['switch', '/switches', ['', 'networks', 'adapters', 'vms', 'hosts', 'events']],
    ['datacenter', '/datacenters', ['', 'clusters', 'hosts', 'vms', 'datastores', 'networks']],
    ['resource pool', '/resource-pools', ['', 'vms']],
    ['provider', '/providers', ['', 'capabilities', 'doctor', 'events']],
])
    test(`a ${kind} and its tabs`, async () => {
        const view = await browser.open(server);
        await view.go(path, '.pv-row');
        const name = await view.page.locator('.pv-row [role=rowheader]').first().innerText();
        await view.page.locator('[role=grid]').focus();
        await view.page.keyboard.press('Control+Home');
        await view.page.keyboard.press('Enter');
        await view.page.waitForURL(/_[0-9a-z]{26}/);
        const base = new URL(view.page.url()).pathname;
        for (const tab of tabs) {
            await view.go(tab ? `${base}/${tab}` : base, 'h1');
            await view.settle();
            assert.ok(name.includes(await view.page.locator('h1').innerText()), name);
            await view.axe(`${kind} ${tab}`);
            await view.fits(`${kind} ${tab}`);
        }
        await view.screenshot(`object-${kind}`);
        await view.close();
    });

test('what is promised on a host and a cluster is what its machines have together', async () => {
    const view = await browser.open(server);
    const { page } = view;
    for (const [kind, path] of [
        ['host', 'hosts'],
        ['cluster', 'clusters'],
    ]) {
        const { items } = await view.api('GET', `/${path}?limit=1&sort=name`);
        const filter = encodeURIComponent(`${kind}:${items[0].id} power:running`);
        const vms = await view.api('GET', `/vms?limit=1000&view=full&filter=${filter}`);
        assert.ok(vms.items.length > 0);
        const vcpus = vms.items.reduce((sum, vm) => sum + vm.cpu.count, 0);
        await view.go(`/${path}/${items[0].id}`, '.pv-tile');
        await view.settle();
        await page
            .locator('.pv-tile', { hasText: 'Virtual processors' })
            .getByText(vcpus.toLocaleString('en'), { exact: true })
            .waitFor();
        await page
            .locator('.pv-tile', { hasText: 'Machines' })
            .getByText(`${vms.items.length.toLocaleString('en')} running`)
            .waitFor();
    }
    await view.close();
});

test('every reference on the page of a machine leads to a page', async () => {
    const view = await browser.open(server);
    const { page } = view;
    const { items } = await view.api(
        'GET',
        '/vms?limit=1&filter=-datacenter:null%20-resource_pool:null&sort=name',
    );
    await view.go(`/vms/${items[0].id}`, '.pv-fields a');
    await view.settle();
    const links = await page.$$eval('.pv-columns a.pv-link', (all) => all.map((a) => a.getAttribute('href')));
    assert.ok(
        links.some((l) => l.startsWith('/datacenters/')) &&
            links.some((l) => l.startsWith('/resource-pools/')),
    );
    for (const link of new Set(links)) {
        await view.go(link, '.pv-object__title h1');
    }
    await view.close();
});

test('a user is made, seen, and explained', async () => {
    const view = await browser.open(server);
    const { page } = view;
    await view.go('/access/users', '.pv-row');
    await page.getByRole('button', { name: 'New user' }).click();
    await page.locator('#new-name').fill('olga');
    await page.locator('#new-password').fill('long-enough-password-7');
    await view.axe('the dialog');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await view.go('/access/users', '.pv-row');
    await page.locator('.pv-row', { hasText: 'olga' }).waitFor();
    await view.go('/access/explain', '#ex-who');
    await page.locator('#ex-who').fill('olga');
    await page.getByRole('button', { name: 'Ask', exact: true }).click();
    await page.locator('.pv-answer').waitFor();
    await view.close();
});

test('a provider is tested before it is added', async () => {
    const view = await browser.open(server);
    const { page } = view;
    await view.go('/providers/new?driver=vapi', '#np-endpoint');
    await page.locator('#np-name').fill('nowhere');
    await page.locator('#np-endpoint').fill('https://127.0.0.1:1');
    await page.locator('#np-user').fill('u');
    await page.locator('#np-password').fill('p');
    await page.getByRole('button', { name: 'Test connection' }).click();
    await page.locator('.pv-findings__bad').first().waitFor();
    await view.axe('findings');
    await view.screenshot('provider-doctor');
    await view.close();
});
