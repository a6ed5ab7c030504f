// SPDX-License-Identifier: Apache-2.0
// What every list can do: groups, order by several columns, pinned columns, lines of numbers, menus, copying; and what happens to
// it when the estate, the connection or the session changes under it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PASSWORD, Server, stage } from './harness.mjs';

const { server, browser } = stage();

const grid = (page) => page.locator('[role=grid], [role=treegrid]');
const number = (text) => Number(text.replace(/\D/g, ''));
const heads = (page) =>
    page
        .locator('.pv-row--group')
        .evaluateAll((rows) =>
            rows
                .sort((a, b) => a.getAttribute('aria-rowindex') - b.getAttribute('aria-rowindex'))
                .map((r) => [
                    r.querySelector('.pv-cell__label').textContent,
                    r.querySelector('.pv-groupcount').textContent,
                ]),
        );

test('rows stand in groups with the counts that the server tells, opened and closed by keys', async () => {
    const view = await browser.open(server);
    const { page } = view;
    await view.go('/vms', '.pv-row');
    await page.getByRole('button', { name: 'Group' }).click();
    await view.axe('the menu of groups');
    await page.getByRole('menuitem', { name: 'State', exact: true }).click();
    await page.waitForURL(/group=power_state/);
    await page.locator('.pv-row--group').first().waitFor();
    const facets = (await view.api('GET', '/vms?limit=1&facets=power_state')).facets.power_state;
    const counts = Object.fromEntries(facets.map((f) => [f.value, f.count]));
    // The simulated estate lives: a few machines may have changed in between.
    const near = (a, b) => assert.ok(Math.abs(number(String(a)) - b) <= 10, `${a} and ${b}`);
    assert.equal(await grid(page).getAttribute('role'), 'treegrid');
    const [first] = await heads(page);
    assert.equal(first[0], 'State: Off');
    near(first[1], counts.off);
    near(await grid(page).getAttribute('aria-rowcount'), 500 + facets.length + 1);
    await grid(page).focus();
    await page.keyboard.press('ArrowLeft');
    await page.locator('.pv-row--group[aria-expanded=false]').waitFor();
    await page.waitForFunction(() => document.querySelectorAll('.pv-row--group').length >= 2);
    near((await heads(page)).find(([h]) => h === 'State: Running')[1], counts.running);
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowRight');
    await page.waitForFunction(() =>
        document.querySelector('.pv-row--active .pv-state')?.textContent.includes('Running'),
    );
    assert.equal(await page.locator('.pv-row--active').getAttribute('aria-level'), '2');
    await view.axe('groups');
    await view.screenshot('vms-groups');
    // The whole group is chosen, and sent as its filter. What has changed since it was counted is told as such.
    view.expected.push(/status of 409 .*\/bulk/);
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('x');
    const chosen = number(await page.locator('.pv-bulk__count').innerText());
    near(chosen, counts.running);
    const asked = page.waitForRequest((r) => /\/bulk/.test(r.url()) && r.method() === 'POST');
    await page.locator('.pv-bulk').getByRole('button', { name: 'Shut down', exact: true }).click();
    const body = (await asked).postDataJSON();
    assert.equal(body.selector, 'power_state:running');
    assert.equal(body.expected_count, chosen);
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.reload();
    await page.locator('.pv-row--group').first().waitFor();
    await view.close();
});

test('groups by a reference are named, what has none is said, and a view keeps them', async () => {
    const view = await browser.open(server);
    const { page } = view;
    await view.go('/vms?group=cluster', '.pv-row--group');
    const found = await heads(page);
    assert.match(found[0][0], /^Cluster: .*cluster/i);
    const none = (await view.api('GET', '/vms?filter=cluster:null&limit=1&count=exact')).count;
    assert.ok(none > 0);
    await grid(page).focus();
    await page.keyboard.press('Control+End');
    await page.waitForFunction(() => document.querySelector('.pv-row--active .pv-state'));
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowLeft');
    assert.match(
        await page.locator('.pv-row--group.pv-row--active').innerText(),
        new RegExp(`none\\s*${none}`),
    );
    await page.getByRole('button', { name: 'Views' }).click();
    await page.getByRole('menuitem', { name: 'Save as a view' }).click();
    await page.locator('#view-name').fill('By cluster');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.waitForURL(/view=/);
    await view.go('/vms', '.pv-row');
    await page.getByRole('button', { name: 'Views' }).click();
    await page.getByRole('menuitem', { name: 'By cluster' }).click();
    await page.waitForURL(/group=cluster/);
    await page.locator('.pv-row--group').first().waitFor();
    await view.close();
});

test('the default view opens with the list, and an address that asks for something wins', async () => {
    const view = await browser.open(server);
    const { page } = view;
    const made = await view.api('POST', '/views', {
        name: 'Hosts by state',
        list: 'hosts',
        sort: 'name',
        default: true,
        layout: { group: 'connection_state' },
    });
    await view.go('/hosts', '.pv-row--group');
    assert.match(page.url(), /group=connection_state/);
    await view.go('/hosts?sort=-name', '.pv-row');
    await view.settle();
    assert.equal(await page.locator('.pv-row--group').count(), 0);
    await view.api('DELETE', `/views/${made.id}`);
    await view.close();
});

test('several columns order the list, by Shift and by Shift+Enter', async () => {
    const view = await browser.open(server);
    const { page } = view;
    await view.go('/vms', '.pv-row');
    await page.getByRole('columnheader', { name: 'State' }).click();
    await page.waitForURL(/sort=power_state/);
    await page.getByRole('columnheader', { name: 'vCPU' }).click({ modifiers: ['Shift'] });
    await page.waitForURL(/sort=power_state%2Ccpu.count/);
    assert.deepEqual(await page.locator('.pv-order').allInnerTexts(), ['1', '2']);
    // Another order puts the keyboard's place on the first row, when its rows have come.
    await view.settle();
    const memory = await page.locator('.pv-head [role=columnheader]', { hasText: 'Memory' }).first();
    const steps = Number(await memory.getAttribute('aria-colindex'));
    await grid(page).focus();
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('Home');
    for (let i = 1; i < steps; i++) await page.keyboard.press('ArrowRight');
    const place = () => grid(page).getAttribute('aria-activedescendant');
    assert.equal(await place(), await memory.getAttribute('id'), 'the keyboard is on the head of the column');
    await page.keyboard.press('Shift+Enter');
    await page.waitForURL(/sort=power_state%2Ccpu.count%2Cmemory.bytes/);
    await page.locator('.pv-order').nth(2).waitFor();
    await view.settle();
    assert.equal(await place(), await memory.getAttribute('id'), 'ordering leaves the keyboard there');
    await page.keyboard.press('Shift+Enter');
    await page.waitForURL(/sort=power_state%2Ccpu.count%2C-memory.bytes/);
    const wanted = (
        await view.api('GET', '/vms?sort=power_state,cpu.count,-memory.bytes&limit=5&fields=name')
    ).items;
    await page.waitForFunction(
        (name) => document.querySelector('.pv-row[aria-rowindex="2"] [role=rowheader]')?.textContent === name,
        wanted[0].name,
    );
    await view.close();
});

test('pinned columns stay while the others go by, and the keyboard never hides behind them', async () => {
    const view = await browser.open(server, { width: 1024 });
    const { page } = view;
    await view.go('/vms', '.pv-row');
    await page.getByRole('button', { name: 'List' }).click();
    await page.getByRole('menuitem', { name: 'Columns' }).click();
    await page.getByRole('button', { name: 'Pin State to the left' }).click();
    await page.getByRole('button', { name: 'Done' }).click();
    await page.waitForURL(/cols=%21name%2C%21power_state/);
    await grid(page).focus();
    await page.keyboard.press('End');
    await page.waitForFunction(() => document.querySelector('[role=grid]').scrollLeft > 200);
    const left = () =>
        page.evaluate(() => {
            const box = document.querySelector('[role=grid]').getBoundingClientRect();
            const row = document.querySelector('.pv-row--active');
            return [...row.querySelectorAll('.pv-cell--pinned')].map((c) =>
                Math.round(c.getBoundingClientRect().left - box.left),
            );
        });
    await page.waitForFunction(() => document.querySelector('.pv-grid--shifted'));
    const pinned = await left();
    assert.equal(pinned[0], 40);
    assert.ok(pinned[1] > 40 && pinned[1] < 400, String(pinned));
    for (let i = 0; i < 6; i++) {
        await page.keyboard.press('ArrowLeft');
        const hidden = await page.evaluate(() => {
            const cell = document.querySelector('.pv-cell--active').getBoundingClientRect();
            const stuck = [...document.querySelectorAll('.pv-row--active .pv-cell--pinned')].at(-1);
            return cell.left < stuck.getBoundingClientRect().right - 1;
        });
        assert.equal(hidden, false, `after ${i + 1} steps`);
    }
    await view.screenshot('vms-pinned');
    await view.close();
});

test('lines of numbers come with one request for all rows in sight', async () => {
    const view = await browser.open(server);
    const { page } = view;
    const asked = [];
    page.on('request', (r) => r.url().includes('/metrics/series') && asked.push(new URL(r.url())));
    await view.go('/vms?cols=!name%2Cpower_state%2Ctrend.cpu&filter=power%3Arunning', '.pv-row');
    await page.locator('.pv-spark').first().waitFor();
    await view.settle();
    assert.equal(asked.length, 1);
    const refs = asked[0].searchParams.get('refs').split(',').length;
    assert.ok(refs >= (await page.locator('.pv-row').count()) - 1, `${refs} in the request`);
    assert.match(
        await page.locator('.pv-spark').first().getAttribute('aria-label'),
        /Between \d+.*% and .*%, now/,
    );
    await view.axe('lines');
    await view.screenshot('vms-lines');
    await view.close();
});

test('a right click and Shift+F10 open the menu of the row', async () => {
    const view = await browser.open(server);
    const { page } = view;
    await view.go('/vms', '.pv-row .pv-state');
    const row = page.locator('.pv-row[aria-rowindex="5"]');
    const name = await row.locator('[role=rowheader]').innerText();
    await row.locator('[role=gridcell]').nth(3).click({ button: 'right' });
    await page.getByRole('menu', { name: `Actions: ${name}` }).waitFor();
    await view.axe('the menu of a row');
    await page.keyboard.press('Escape');
    await grid(page).focus();
    await page.keyboard.press('Shift+F10');
    await page.getByRole('menu', { name: `Actions: ${name}` }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('menu').waitFor({ state: 'detached' });
    await view.close();
});

test('the selection is copied as a table, and without one all that matches', async () => {
    const view = await browser.open(server);
    const { page } = view;
    await view.go('/vms?filter=power%3Aoff&cols=!name%2Cpower_state%2Ccpu.count', '.pv-row .pv-state');
    await view.settle();
    await grid(page).focus();
    await page.keyboard.press('x');
    await page.keyboard.press('Shift+ArrowDown');
    await page.keyboard.press('Control+c');
    await page.locator('.pv-toasts', { hasText: '2 rows are in the clipboard' }).waitFor();
    const text = await page.evaluate(() => navigator.clipboard.readText());
    const lines = text.trimEnd().split('\n');
    assert.equal(lines[0], 'Name\tState\tvCPU');
    assert.equal(lines.length, 3);
    assert.match(lines[1], /^[^\t]+\tOff\t\d+$/);
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'List' }).click();
    await page.getByRole('menuitem', { name: 'Copy as a table' }).click();
    const off = (await view.api('GET', '/vms?filter=power:off&limit=1&count=exact')).count;
    await page.locator('.pv-toasts', { hasText: `${off} rows are in the clipboard` }).waitFor();
    const html = await page.evaluate(async () => {
        const [item] = await navigator.clipboard.read();
        return (await item.getType('text/html')).text();
    });
    assert.equal(html.split('<tr>').length - 1, off + 1);
    await view.close();
});

test('everything that matches is sent as the filter, whatever is loaded', async () => {
    const view = await browser.open(server);
    const { page } = view;
    // Of a living estate others may match by the time the choice arrives.
    view.expected.push(/status of 409 .*\/bulk/);
    const filter = 'power:running';
    await view.go(`/vms?filter=${encodeURIComponent(filter)}`, '.pv-row .pv-state');
    await view.settle();
    const total = number(await page.locator('.pv-count').first().innerText());
    await page.locator('.pv-row[aria-rowindex="3"] [data-check]').click();
    await page
        .locator('.pv-bulk')
        .getByRole('button', { name: `Select all ${total} that match` })
        .click();
    await page.locator('.pv-bulk__count', { hasText: `${total} selected` }).waitFor();
    await page.locator('.pv-row[aria-rowindex="4"] [data-check]').click();
    await page.locator('.pv-bulk__count', { hasText: `${total - 1} selected` }).waitFor();
    await grid(page).evaluate((g) => g.scrollTo({ top: 5000 }));
    await page.waitForFunction(() =>
        [...document.querySelectorAll('.pv-row:not(.pv-row--active)')].every(
            (r) =>
                r.getAttribute('aria-selected') === 'true' && Number(r.getAttribute('aria-rowindex')) > 100,
        ),
    );
    const asked = page.waitForRequest((r) => /\/bulk/.test(r.url()) && r.method() === 'POST');
    await page.locator('.pv-bulk').getByRole('button', { name: 'Start', exact: true }).click();
    const body = (await asked).postDataJSON();
    assert.match(body.selector, /^\(power:running\) -id:\{vm_\w{26}\}$/);
    assert.equal(body.expected_count, total - 1);
    await page.keyboard.press('Escape');
    await view.close();
});

test('the order waits for the button when rows change under it', async () => {
    const view = await browser.open(server);
    const { page } = view;
    await view.go('/vms?sort=power_state,name', '.pv-row .pv-state');
    await view.settle();
    const name = await page.locator('.pv-row[aria-rowindex="2"] [role=rowheader]').innerText();
    const vm = (await view.api('GET', '/vms?sort=power_state,name&limit=1')).items[0];
    assert.equal(vm.name, name);
    await view.api('POST', `/vms/${vm.id}/actions/start`, {});
    await page.locator('.pv-row[aria-rowindex="2"]', { hasText: 'Running' }).waitFor({ timeout: 60_000 });
    assert.equal(await page.locator('.pv-row[aria-rowindex="2"] [role=rowheader]').innerText(), name);
    const button = page.getByRole('button', { name: /changes?, refresh the order/ });
    await button.waitFor();
    await view.axe('changes that wait');
    await view.screenshot('vms-changes-wait');
    await button.click();
    await button.waitFor({ state: 'detached' });
    await page.waitForFunction(
        (old) => document.querySelector('.pv-row[aria-rowindex="2"] [role=rowheader]').textContent !== old,
        name,
    );
    await view.close();
});

test('the tree tells the same counts as the list', async () => {
    const view = await browser.open(server, { look: { navigationMode: 'tree' } });
    const { page } = view;
    await view.go('/vms', '.pv-tree__line');
    const lines = await page.locator('.pv-tree__line').evaluateAll((all) =>
        all.map((l) => ({
            name: l.querySelector('.pv-tree__name').textContent,
            count: l.querySelector('.pv-tree__count')?.textContent,
        })),
    );
    assert.ok(lines.length > 2);
    for (const { name, count } of lines.slice(0, 3)) {
        await view.go(`/vms?filter=${encodeURIComponent(`provider:"${name}"`)}`, '.pv-row');
        await view.settle();
        assert.equal(await page.locator('.pv-count').first().innerText(), count, name);
    }
    await view.close();
});

test('our own folders are a tree, too, with what is in none of them below, page by page', async () => {
    const view = await browser.open(server, { look: { navigationMode: 'folders' } });
    const { page } = view;
    const made = {};
    for (const [name, parent] of [['Shops'], ['Labs'], ['Old'], ['North', 'Shops']])
        made[name] = await view.api('POST', '/folders', { name, ...(parent && { parent: made[parent].id }) });
    const { items } = await view.api('GET', '/vms?limit=2&sort=name');
    await view.api('PATCH', `/vms/${items[0].id}`, { folder: made.North.id });
    await view.go('/', '.pv-tree__line');
    const line = (name) => page.locator('.pv-tree__line', { hasText: name });
    await page
        .getByRole('button', { name: 'Folders', exact: true })
        .and(page.locator('[aria-pressed=true]'))
        .waitFor();
    await page.waitForFunction(() =>
        [...document.querySelectorAll('.pv-tree__line')].some((l) => /Shops.*1$/.test(l.textContent)),
    );
    await page.locator('.pv-tree').focus();
    await page.keyboard.press('Home');
    while (!/Shops/.test(await page.locator('.pv-tree__line--active').textContent()))
        await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowRight');
    await line('North').waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowRight');
    await page.locator('[aria-level="3"]', { hasText: items[0].name }).waitFor();
    await view.axe('the tree of folders');
    await view.screenshot('tree-folders');
    // More than a page is in no folder.
    await page.locator('.pv-tree').focus();
    await page.keyboard.press('End');
    await page.locator('.pv-tree__line--active', { hasText: 'Show more' }).waitFor();
    await page.keyboard.press('Enter');
    await line('Show more').waitFor({ state: 'detached' });
    await page.keyboard.press('Home');
    await line('North').click();
    await page.waitForURL(new RegExp(`/folders/${made.North.id}`));
    await view.settle();
    await page.locator('main').getByText(items[0].name).first().waitFor();
    await view.api('PATCH', `/vms/${items[0].id}`, { folder: null });
    for (const name of ['North', 'Shops', 'Labs', 'Old'])
        await view.api('DELETE', `/folders/${made[name].id}`);
    await view.close();
});

test('a session that ends under an open form keeps what was typed', async () => {
    const view = await browser.open(server);
    const { page } = view;
    view.expected.push(/status of 401/);
    await view.go('/access/users', '.pv-row');
    await page.getByRole('button', { name: 'New user' }).click();
    await page.locator('#new-name').fill('kept-name');
    await page.locator('#new-password').fill('long-enough-password-8');
    await view.context.clearCookies();
    await page.getByRole('button', { name: 'Save' }).click();
    await page.locator('#password').waitFor();
    await view.axe('the session is over a form');
    await view.screenshot('session-over-form');
    await page.locator('#password').fill(PASSWORD);
    await page.keyboard.press('Enter');
    await page.locator('#password').waitFor({ state: 'detached' });
    assert.equal(await page.locator('#new-name').inputValue(), 'kept-name');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.locator('.pv-row', { hasText: 'kept-name' }).waitFor();
    await view.close();
});

test('a server that goes away is said, rows stay, and what it missed is there when it is back', async () => {
    const own = await Server.start();
    try {
        const view = await browser.open(own);
        const { page } = view;
        view.expected.push(/ERR_CONNECTION|ERR_EMPTY|ERR_INCOMPLETE|net::|Failed to load/);
        await view.go('/vms?sort=name', '.pv-row .pv-state');
        await view.settle();
        const first = await page.locator('.pv-row[aria-rowindex="2"]').innerText();
        await own.end();
        await page.locator('.pv-banner--warning').waitFor({ timeout: 60_000 });
        await view.axe('without a server');
        await view.screenshot('offline');
        assert.equal(await page.locator('.pv-row[aria-rowindex="2"]').innerText(), first);
        await own.again();
        await page.locator('.pv-banner--warning').waitFor({ state: 'detached', timeout: 60_000 });
        const vm = (await view.api('GET', '/vms?filter=power:running&sort=name&limit=1')).items[0];
        const row = page.locator('.pv-row', { hasText: vm.name }).first();
        await row.waitFor();
        await view.api('POST', `/vms/${vm.id}/actions/stop`, {});
        await row.getByText('Off').waitFor({ timeout: 60_000 });
        await view.close();
    } finally {
        await own.stop();
    }
});
