// SPDX-License-Identifier: Apache-2.0
// The overview: counters that lead to what they count, the health map by keys and as a table, capacity with its estimate from a
// month that is stored, cards that each person arranges, and what somebody sees who sees nothing.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { PASSWORD, Server, stage } from './harness.mjs';

const SOON = 60_000;
const { server, browser } = stage();
let growing;

before(async () => {
    const view = await browser.open(server);
    await view.until('/vms?limit=1&count=exact', ({ count }) => count >= 500);
    const { cluster_items: places } = await view.api('GET', '/summary');
    growing = places.find((p) => p.kind === 'cluster');
    const filter = encodeURIComponent(`cluster="${growing.name}"`);
    const { items: hosts } = await view.api('GET', `/hosts?view=full&filter=${filter}`);
    await view.close();
    await server.seed(
        hosts.map((h) => ({
            id: h.id,
            values: {
                'cpu.usage_pct': [35, 35, 20],
                // One percent a day: eighty today.
                'mem.usage_bytes': [h.hardware.memory_bytes * 0.5, h.hardware.memory_bytes * 0.79, 0],
            },
        })),
    );
    const again = await browser.open(server);
    await again.until('/vms?limit=1&count=exact', ({ count }) => count >= 500);
    await again.until('/summary', ({ cluster_items: items, top }) => {
        const now = items.find((p) => p.id === growing.id);
        return now?.trends.memory && now.storage_bytes && top.disk_latency.length === 10;
    });
    await again.close();
});

test('counters lead to exactly what they count', async () => {
    const view = await browser.open(server);
    const { page } = view;
    await view.go('/', '.pv-counter');
    const links = await page
        .locator('.pv-counter li a')
        .evaluateAll((all) =>
            all.map((a) => [a.getAttribute('href'), a.querySelector('.pv-num').textContent]),
        );
    assert.ok(links.length >= 4, JSON.stringify(links));
    for (const [href, shown] of links) {
        const { pathname, searchParams } = new URL(href, server.url);
        const filter = encodeURIComponent(searchParams.get('filter'));
        const { count } = await view.api('GET', `${pathname}?limit=1&count=exact&filter=${filter}`);
        // The estate lives: a machine may have changed since.
        assert.ok(Math.abs(count - Number(shown.replace(/\D/g, ''))) <= 5, `${href}: ${shown} and ${count}`);
    }
    for (const name of ['Failed tasks in 24 h', 'Open alerts'])
        await page.getByRole('link', { name }).waitFor();
    await page.getByRole('link', { name: 'Open alerts' }).click();
    await page.waitForURL(/\/alerts\?filter=state%3Afiring/);
    await view.close();
});

test('the page asks once, whatever it shows', async () => {
    const view = await browser.open(server);
    const { page } = view;
    const asked = [];
    page.on('request', (r) => r.url().includes('/api/v1/') && asked.push(new URL(r.url()).pathname));
    await view.go('/', '.pv-hmap__tile');
    await view.settle();
    // The frame asks who it is for, what runs, and whether something is simulated.
    const about = asked.filter((p) => !/\/(me|events\/stream|tasks|providers)$/.test(p));
    assert.deepEqual(about, ['/api/v1/summary'], asked.join(' '));
    await view.close();
});

test('the map has a tile for each host, arrows walk it, and a table says the same', async () => {
    const view = await browser.open(server);
    const { page } = view;
    await view.go('/', '.pv-hmap__tile');
    const hosts = (await view.api('GET', '/hosts?limit=1&count=exact')).count;
    const tiles = page.locator('.pv-hmap a.pv-hmap__tile');
    assert.equal(await tiles.count(), hosts);
    assert.equal(await page.locator('.pv-hmap a[tabindex="0"]').count(), 1, 'one stop of the Tab key');
    const first = page.locator('.pv-hmap a[tabindex="0"]');
    await first.focus();
    const name = () => page.evaluate(() => document.activeElement.getAttribute('aria-label'));
    const names = [await name()];
    for (const key of ['ArrowRight', 'ArrowDown', 'End', 'Home']) {
        await page.keyboard.press(key);
        names.push(await name());
    }
    assert.equal(new Set(names.slice(0, 4)).size, 4, names.join(' / '));
    assert.equal(names[4], names[0]);
    assert.match(
        names[0],
        /: (Healthy|Warning|Critical|Not known|Not reachable|In maintenance), .*memory|Memory/i,
    );
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/hosts\/hst_/);
    await page.goBack();
    await page.getByRole('button', { name: 'As a table' }).click();
    await page.waitForURL(/hosts=table/);
    await page.getByRole('region', { name: 'Health of the hosts' }).locator('tbody tr').first().waitFor();
    assert.equal(
        await page.getByRole('region', { name: 'Health of the hosts' }).locator('tbody tr').count(),
        hosts,
    );
    await view.axe('the map as a table');
    await view.close();
});

test('capacity says when it is full where a month is known, and nothing where it is not', async () => {
    const view = await browser.open(server);
    const { page } = view;
    await view.go('/', '.pv-cap');
    const rows = page.getByRole('region', { name: 'Capacity of clusters' }).locator('tbody tr');
    const row = rows.filter({ has: page.getByRole('link', { name: growing.name, exact: true }) });
    await row.getByText(/about (19|20|21) days/).waitFor({ timeout: SOON });
    assert.match(await row.innerText(), /memory/i);
    assert.match(await row.innerText(), /committed/);
    const others = await rows.filter({ hasNotText: growing.name }).allInnerTexts();
    assert.ok(others.length && others.every((text) => !/about|not growing/.test(text)), others.join('\n'));
    await view.close();
});

test('cards are hidden and moved by keys, kept on the server, and come back by default', async () => {
    const view = await browser.open(server);
    const { page } = view;
    const titles = () =>
        page
            .locator('.pv-overview__cards > section > .pv-card__title')
            .evaluateAll((all) => all.map((h) => h.firstChild.textContent));
    await view.go('/', '.pv-hmap__tile');
    const usual = await titles();
    await page.getByRole('button', { name: 'Arrange cards' }).focus();
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog');
    await dialog.waitFor();
    assert.match(page.url(), /arrange=1/);
    await view.axe('arranging cards');
    await view.screenshot('overview-arrange');
    await dialog.getByRole('checkbox', { name: 'Providers' }).focus();
    await page.keyboard.press('Space');
    await dialog.getByRole('button', { name: /Recent changes.* up|up.*Recent changes/i }).focus();
    await page.keyboard.press('Enter');
    await page.keyboard.press('Enter');
    await dialog.getByRole('button', { name: 'Save' }).click();
    await dialog.waitFor({ state: 'detached' });
    const mine = await titles();
    assert.ok(usual.includes('Providers') && !mine.includes('Providers'));
    assert.ok(mine.indexOf('Recent changes') < mine.indexOf('Oldest snapshots'), mine.join());
    await view.close();

    const elsewhere = await browser.open(server);
    await elsewhere.go('/', '.pv-hmap__tile');
    const there = await elsewhere.page
        .locator('.pv-overview__cards > section > .pv-card__title')
        .evaluateAll((all) => all.map((h) => h.firstChild.textContent));
    assert.deepEqual(there, mine, 'the same in another browser');
    await elsewhere.page.goto(`${server.url}/?arrange=1`);
    const again = elsewhere.page.getByRole('dialog');
    await again.getByRole('button', { name: 'Back to default' }).click();
    await again.getByRole('button', { name: 'Save' }).click();
    await again.waitFor({ state: 'detached' });
    assert.equal((await elsewhere.api('GET', '/me')).preferences?.overview, undefined);
    await elsewhere.close();
});

test('its looks: both themes, three widths, three languages', async () => {
    for (const language of ['en', 'ru', 'zh-CN']) {
        const view = await browser.open(server, { look: { language } });
        await view.go('/', '.pv-hmap__tile');
        await view.looks(`overview-${language}`, `the overview in ${language}`);
        await view.close();
    }
});

test('somebody without rights is told what to do instead of being offered what he may not', async () => {
    const admin = await browser.open(server);
    const user = await admin.api('POST', '/users', { name: 'newcomer', password: PASSWORD, role: 'none' });
    assert.ok(user.id);
    const view = await browser.open(server, { user: 'newcomer' });
    view.expected.push(/status of 403/);
    await view.go('/', '.pv-empty');
    const text = await view.page.locator('.pv-empty').innerText();
    assert.match(text, /administrator/);
    assert.equal(await view.page.getByRole('link', { name: 'Add provider' }).count(), 0);
    await view.axe('an overview without rights');
    await view.screenshot('overview-no-rights');
    await view.page.getByRole('link', { name: 'What I may do' }).click();
    await view.page.waitForURL(/\/me/);
    await view.close();
    await admin.close();
});

test('who may see some machines alone gets an overview of these', async () => {
    const admin = await browser.open(server);
    await admin.api('POST', '/users', { name: 'partial', password: PASSWORD, role: 'none' });
    const { items } = await admin.api('GET', '/vms?limit=1&filter=power%3Arunning');
    await admin.api('POST', '/grants', {
        user: 'partial',
        role: 'operator',
        scope: { type: 'object', object: items[0].id },
    });
    const view = await browser.open(server, { user: 'partial' });
    await view.go('/', '.pv-counter');
    assert.match(await view.page.locator('.pv-counter').first().innerText(), /^1\b/);
    await view.settle();
    await view.axe('an overview of one machine');
    await view.screenshot('overview-one-machine');
    await view.close();
    await admin.close();
});

test('an empty server offers the administrator the first step', async () => {
    const empty = await Server.start({ demo: false });
    try {
        const view = await browser.open(empty);
        await view.go('/', '.pv-empty');
        await view.axe('an empty overview');
        await view.screenshot('overview-empty');
        await view.page.getByRole('link', { name: 'Add provider' }).click();
        await view.page.waitForURL(/\/providers\/new/);
        await view.go('/', '.pv-empty');
        await view.page.getByRole('button', { name: 'Try with simulated data' }).click();
        await view.page.locator('.pv-counter').first().waitFor({ timeout: SOON });
        await view.close();
    } finally {
        await empty.stop();
    }
});
