// SPDX-License-Identifier: Apache-2.0
// Every page, object and tab: it comes up without an error, an axe violation, a broken word or sideways scrolling, in light, dark and
// high contrast, wide and narrow.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stage } from './harness.mjs';
import { everyObject, everyPage, PAGES, REFUSED, unlisted } from './places.mjs';

const { server, browser } = stage();

test('every route of the page is in the list of places', () => assert.deepEqual(unlisted(), []));

test('every page in every look: no violation, no broken word, nothing sideways', async () => {
    const view = await browser.open(server);
    view.expected.push(REFUSED);
    await view.until('/alerts?limit=1', ({ items }) => items.length > 0);
    const leads = new Set();
    const wrong = await everyPage(view, async (name) => {
        for (const href of await view.page.$$eval('.pv-nav a, .pv-tabs a', (all) =>
            all.map((a) => a.getAttribute('href')),
        ))
            leads.add(href.split('?')[0]);
        await view.everyLook(name, { picture: `page-${name}`, middle: true });
    });
    assert.deepEqual(wrong, []);
    const listed = new Set(PAGES.map(([, path]) => path.split('?')[0]));
    assert.deepEqual(
        [...leads].filter((path) => !listed.has(path)),
        [],
        'the navigation leads to pages that are not in the list',
    );
    await view.close();
});

test('every kind of object with all its tabs in every look, the same', async () => {
    const view = await browser.open(server);
    // Series that this server does not keep are told by 404.
    view.expected.push(/metrics\/series/);
    const wrong = await everyObject(view, (name) => view.everyLook(name, { picture: `object-${name}` }));
    assert.deepEqual(wrong, []);
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

test('files of a datastore are walked through, made and deleted; its disks say what they stand on', async () => {
    const view = await browser.open(server);
    const { page } = view;
    const [store] = (await view.api('GET', '/datastores?filter=provider.family:vmware&limit=1')).items;
    await view.go(`/storage/datastores/${store.id}/files`, '.pv-files .pv-row');
    await view.axe('files');
    const box = page.getByRole('grid');
    await box.focus();
    await page.keyboard.press('Enter'); // the first folder: they stand before files
    await page.waitForURL(/path=/);
    await page.goBack();
    await page.locator('.pv-row', { hasText: 'iso/' }).getByRole('button').click();
    await page.waitForURL(/path=iso/);
    await page.locator('.pv-row', { hasText: '.iso' }).first().waitFor();
    await view.narrowly(() => view.fits('files'));
    await page.getByRole('button', { name: 'One folder up' }).click();
    await page.getByRole('button', { name: 'New folder' }).click();
    await page.locator('#action-path').fill('attic');
    await page.getByRole('dialog').getByRole('button', { name: 'New folder' }).click();
    await page.locator('.pv-row', { hasText: 'attic/' }).waitFor();
    await page.locator('.pv-row', { hasText: 'attic/' }).click({ button: 'right' });
    await page.getByRole('menuitem', { name: 'Delete file' }).click();
    await page.getByRole('dialog').getByText('The file is gone for good').waitFor();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete file' }).click();
    await page.locator('.pv-row', { hasText: 'attic/' }).waitFor({ state: 'detached' });

    await view.go('/storage/disks', '.pv-row');
    await page.getByRole('link', { name: 'Used by nobody' }).click();
    await page.waitForURL(/used_by/);
    await page.locator('.pv-row', { hasText: 'before-upgrade' }).first().waitFor();
    const [child] = (
        await view.api(
            'GET',
            `/disk-images?limit=1&view=full&filter=${encodeURIComponent('chain_depth:1 -used_by:null')}`,
        )
    ).items;
    await view.go(`/storage/disks/${child.id}/chain`, '.pv-chain');
    await page.locator('.pv-chain').getByRole('link', { name: child.parent.name }).waitFor();
    await view.axe('the chain');
    await view.close();
});

test('a service of a host is stopped from its list, and what the host needs only by force', async () => {
    const view = await browser.open(server);
    const { page } = view;
    const [host] = (await view.api('GET', '/hosts?filter=provider.family:hyperv&limit=1&sort=name')).items;
    await view.go(`/hosts/${host.id}/services`, '.pv-row');
    const service = (name) => page.locator('.pv-row', { hasText: name });
    const stop = async (name) => {
        await service(name).click({ button: 'right' });
        await page.getByRole('menuitem', { name: 'Stop service' }).click();
        await page.getByRole('dialog').waitFor();
    };
    await stop('W32Time');
    await page.getByRole('dialog').getByText('What will happen').waitFor();
    await view.axe('stopping a service');
    await page.getByRole('dialog').getByRole('button', { name: 'Stop service' }).click();
    await service('W32Time').getByText('Stopped').waitFor();
    view.expected.push(/status of 409/);
    await stop('vmms');
    await page.getByRole('dialog').getByText('needs force').first().waitFor();
    await view.screenshot('service-needed');
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
    await page.locator('#ex-who option', { hasText: 'olga' }).waitFor({ state: 'attached' });
    await page.locator('#ex-who').selectOption({ label: 'olga' });
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
