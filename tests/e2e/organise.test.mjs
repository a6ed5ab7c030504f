// SPDX-License-Identifier: Apache-2.0
// What people put in order themselves: folders made, filled, renamed, moved and deleted in the page, tags for many at once, views for
// a role; and hosts that are taken out of use and back.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Browser, Server } from './harness.mjs';

let server;
let browser;
before(async () => {
    server = await Server.start();
    browser = await Browser.start();
    const view = await browser.open(server);
    await view.until('/vms?limit=1&count=exact', ({ count }) => count >= 500);
    await view.close();
});
after(async () => {
    await browser?.stop();
    await server?.stop();
});

const dialog = (page) => page.locator('.pf-v6-c-modal-box');
const line = (page, name) => page.locator('.pv-tree__line', { hasText: name });

/** The line counts so many machines. */
const counts = (page, name, n) =>
    page.waitForFunction(
        ([text, count]) =>
            [...document.querySelectorAll('.pv-tree__line')].some(
                (l) =>
                    l.querySelector('.pv-tree__name').textContent === text &&
                    l.querySelector('.pv-tree__count')?.textContent === count,
            ),
        [name, String(n)],
    );

test('folders are made, filled, renamed, moved and deleted in the page', async () => {
    const view = await browser.open(server, { look: { navigationMode: 'folders' } });
    const { page } = view;
    await view.go('/', '.pv-tree__line');
    await page.getByRole('button', { name: 'New folder', exact: true }).click();
    await page.waitForURL(/[?&]folder=new/);
    await dialog(page).getByLabel('Name').fill('Shops');
    await view.axe('the dialog of a new folder');
    await dialog(page).getByRole('button', { name: 'Save' }).click();
    await line(page, 'Shops').waitFor();
    await page.waitForURL((url) => !url.searchParams.has('folder'));
    // One in it, from its menu; its parent is filled in.
    await line(page, 'Shops').click({ button: 'right' });
    await page.getByRole('menuitem', { name: 'New folder in it' }).click();
    await dialog(page).getByLabel('Name').fill('North');
    await dialog(page).getByRole('button', { name: 'Save' }).click();
    await dialog(page).waitFor({ state: 'detached' });
    const folders = await view.api('GET', '/folders?fields=name,parent');
    const id = Object.fromEntries(folders.items.map((f) => [f.name, f.id]));
    assert.equal(folders.items.find((f) => f.name === 'North').parent.id, id.Shops);

    // Three machines go into the inner one, at once.
    await view.go('/vms?sort=name', '.pv-row');
    await view.settle();
    for (let i = 0; i < 3; i++) await page.locator('.pv-row .pv-check').nth(i).click();
    await page.locator('.pv-bulk').getByRole('button', { name: 'More' }).click();
    await page.getByRole('menuitem', { name: 'Move to folder' }).click();
    const choice = dialog(page).locator('select');
    await choice.locator('option', { hasText: 'Shops / North' }).waitFor({ state: 'attached' });
    await choice.selectOption({ label: 'Shops / North' });
    await dialog(page).getByText('Folder: North').first().waitFor();
    await view.settle();
    await view.axe('the dialog that fills a folder');
    await view.screenshot('folder-fill');
    await dialog(page)
        .getByRole('button', { name: /^Move to folder/ })
        .click();
    await dialog(page).waitFor({ state: 'detached' });
    await view.until(`/vms?limit=1&count=exact&filter=folder%3A${id.Shops}`, ({ count }) => count === 3);
    // The tree counts what the link of the outer folder lists.
    await counts(page, 'Shops', 3);
    await line(page, 'Shops').click();
    await page.waitForURL(`**/folders/${id.Shops}`);
    await view.settle();
    assert.equal(await page.locator('[data-tab=vms] .pv-tabs__count').innerText(), '3');
    // What lies in it is not machines alone.
    const { items: stores } = await view.api('GET', '/datastores?limit=1');
    await view.api('PATCH', `/datastores/${stores[0].id}`, { folder: id.North });
    await page.getByRole('link', { name: 'North', exact: true }).click();
    await page.waitForURL(`**/folders/${id.North}`);
    await page.locator('[data-tab=datastores]').click();
    await page.locator('.pv-row', { hasText: stores[0].name }).waitFor();
    await page.locator('.pv-crumbs').getByRole('link', { name: 'Shops' }).waitFor();
    await view.axe('the page of a folder');
    await view.api('PATCH', `/datastores/${stores[0].id}`, { folder: null });

    // Renamed; it cannot be deleted while it holds something, and says so.
    await line(page, 'Shops').click({ button: 'right' });
    await page.getByRole('menuitem', { name: /Rename/ }).click();
    await dialog(page).getByText('3 machines lie in it and below it.').waitFor();
    await view.axe('the dialog of a folder');
    // It is offered neither itself nor what is below it as the place to go to.
    await dialog(page).locator('select option').nth(0).waitFor({ state: 'attached' });
    assert.deepEqual(
        (await dialog(page).locator('select option').allInnerTexts()).filter((o) => /Shops|North/.test(o)),
        [],
    );
    await dialog(page).getByLabel('Name').fill('Stores');
    await dialog(page).getByRole('button', { name: 'Save' }).click();
    await line(page, 'Stores').waitFor();
    view.expected.push(/status of 409/);
    await line(page, 'Stores').click({ button: 'right' });
    await page.getByRole('menuitem', { name: /Rename/ }).click();
    await dialog(page).getByRole('button', { name: 'Delete' }).click();
    await dialog(page).getByText('Only an empty folder can be deleted').waitFor();
    await dialog(page).getByRole('button', { name: 'Delete' }).click();
    await dialog(page).getByText('not empty').first().waitFor();
    await page.keyboard.press('Escape');

    // The inner one moves to the top, is emptied by a filter, and both go.
    await view.go(`/vms?folder=${id.North}`, '.pf-v6-c-modal-box');
    const parent = dialog(page).locator('select');
    await parent.locator('option', { hasText: 'Stores' }).first().waitFor({ state: 'attached' });
    assert.equal(await parent.inputValue(), id.Shops);
    await parent.selectOption('');
    await dialog(page).getByRole('button', { name: 'Save' }).click();
    await dialog(page).waitFor({ state: 'detached' });
    assert.equal((await view.api('GET', `/folders/${id.North}`)).parent, null);
    await view.api('POST', '/bulk', {
        action: 'vm.set_folder',
        params: { folder: null },
        selector: 'folder:North',
        expected_count: 3,
    });
    await view.until('/vms?limit=1&count=exact&filter=folder%3ANorth', ({ count }) => count === 0);
    for (const one of [id.North, id.Shops]) {
        await view.go(`/vms?folder=${one}`, '.pf-v6-c-modal-box');
        await dialog(page).getByRole('button', { name: 'Delete' }).click();
        await dialog(page).getByRole('button', { name: 'Delete' }).click();
        await dialog(page).waitFor({ state: 'detached' });
    }
    assert.equal((await view.api('GET', '/folders')).items.length, 0);
    await view.close();
});

test('many machines are tagged at once, after a look at what will change', async () => {
    const view = await browser.open(server);
    const { page } = view;
    const { count } = await view.api('GET', '/vms?limit=1&count=exact&filter=memory.bytes%3E%3D32GiB');
    assert.ok(count > 1);
    await view.go('/vms?filter=memory.bytes%3E%3D32GiB', '.pv-row');
    await view.settle();
    await page.locator('.pv-row .pv-check').first().click();
    await page.getByRole('button', { name: /^Select all/ }).click();
    await page.locator('.pv-bulk').getByRole('button', { name: 'More' }).click();
    await page.getByRole('menuitem', { name: 'Tag', exact: true }).click();
    await dialog(page).getByLabel('Tags it gets').fill('env=test\nwave=1');
    await dialog(page).getByText('env=test, wave=1').first().waitFor();
    await view.settle();
    await view.axe('the dialog of tags');
    await dialog(page).getByRole('button', { name: /^Tag/ }).click();
    await dialog(page).waitFor({ state: 'detached' });
    await view.until('/vms?limit=1&count=exact&filter=tag%3Awave%3D1', (found) => found.count === count);
    await view.close();
});

test('a host goes into maintenance, its machines go where the preview says, and it comes back', async () => {
    const view = await browser.open(server);
    const { page } = view;
    const hosts = await view.api(
        'GET',
        '/hosts?view=full&limit=200&filter=provider.family%3Avmware%20maintenance_mode%3Afalse',
    );
    const host = hosts.items.find((h) => h.cluster);
    const there = await view.api(
        'GET',
        `/vms?limit=1&count=exact&filter=host%3A${host.id}%20power%3Arunning`,
    );
    assert.ok(there.count > 0);
    await view.go(`/hosts/${host.id}`, '.pv-object__head');
    await view.settle();
    await page.locator('.pv-object__head').getByRole('button', { name: 'Enter maintenance mode' }).click();
    await page.waitForURL(/do=host\.enter_maintenance/);
    await dialog(page).getByRole('columnheader', { name: 'Goes to' }).waitFor();
    await view.settle();
    await view.axe('the dialog of maintenance');
    await view.screenshot('maintenance');
    await dialog(page).getByRole('button', { name: 'Enter maintenance mode' }).click();
    await dialog(page).waitFor({ state: 'detached' });
    await view.until(`/hosts/${host.id}`, (h) => h.maintenance_mode === true);
    await view.until(
        `/vms?limit=1&count=exact&filter=host%3A${host.id}%20power%3Arunning`,
        ({ count }) => count === 0,
    );
    await page.locator('.pv-object__head').getByRole('button', { name: 'Leave maintenance mode' }).click();
    await view.until(`/hosts/${host.id}`, (h) => h.maintenance_mode === false);
    // Where the family has none, it is there with the reason.
    const [hyperv] = (await view.api('GET', '/hosts?limit=1&filter=provider.family%3Ahyperv')).items;
    await view.go(`/hosts/${hyperv.id}`, '.pv-object__head');
    await view.settle();
    await page.locator('.pv-object__head').getByRole('button', { name: 'More' }).click();
    const entry = page.getByRole('menuitem', { name: /Enter maintenance mode/ });
    assert.equal(await entry.getAttribute('aria-disabled'), 'true');
    assert.match(await entry.innerText(), /Hyper-V/);
    await view.close();
});

test('a view is saved for the people of a role', async () => {
    const view = await browser.open(server);
    const { page } = view;
    for (const [name, role] of [
        ['olga', 'operator'],
        ['vera', 'viewer'],
    ])
        await view.api('POST', '/users', { name, password: `${name}s long password 7`, role });
    await view.go('/vms?filter=power%3Arunning', '.pv-row');
    await page.getByRole('button', { name: 'Views', exact: true }).click();
    await page.getByRole('menuitem', { name: /Save as a view/ }).click();
    await dialog(page).getByLabel('Name').fill('What runs');
    await dialog(page).getByLabel('People who have a role').check();
    await dialog(page).getByLabel('Operator').check();
    await view.axe('the dialog of a view');
    await view.screenshot('view-roles');
    await dialog(page).getByRole('button', { name: 'Save' }).click();
    await dialog(page).waitFor({ state: 'detached' });
    await view.close();
    for (const [name, sees] of [
        ['olga', true],
        ['vera', false],
    ]) {
        const theirs = await browser.open(server, { user: name, password: `${name}s long password 7` });
        await theirs.go('/vms', '.pv-row');
        await theirs.page.getByRole('button', { name: 'Views', exact: true }).click();
        await theirs.page.getByRole('menuitem', { name: /Save as a view/ }).waitFor();
        assert.equal(
            await theirs.page.getByRole('menuitem', { name: /What runs/ }).count(),
            sees ? 1 : 0,
            name,
        );
        await theirs.close();
    }
});

test('who may read hosts alone sees the overview of the hosts', async () => {
    const view = await browser.open(server);
    await view.api('POST', '/roles', { name: 'host reader', permissions: ['host.read'] });
    await view.api('POST', '/users', { name: 'hanna', password: 'hannas long password 7' });
    await view.api('POST', '/grants', { user: 'hanna', role: 'host reader', scope: { type: 'everything' } });
    await view.close();
    const hers = await browser.open(server, { user: 'hanna', password: 'hannas long password 7' });
    await hers.go('/', '.pv-hmap__tile');
    await hers.settle();
    const total = (await hers.api('GET', '/hosts?limit=1&count=exact')).count;
    assert.equal(
        await hers.page
            .locator('.pv-counter__total', { hasText: 'Hosts' })
            .locator('.pv-counter__n')
            .innerText(),
        String(total),
    );
    assert.equal(await hers.page.locator('.pv-counter__total', { hasText: 'Virtual machines' }).count(), 0);
    await hers.screenshot('overview-hosts-only');
    await hers.close();
});
