// SPDX-License-Identifier: Apache-2.0
// Journeys J4 and J5 in the browser over both families at once: one vCenter, two Hyper-V hosts. Finding, acting on many, watching,
// snapshots, other hardware; changes that somebody makes outside; and all of J5 by keyboard alone.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { journey, PASSWORD, stage } from './harness.mjs';
import { Hyperv, together, Vcenter } from './peers.mjs';

/** The families, as a filter. */
const OF = {
    vmware: 'provider:"vCenter Lab"',
    hyperv: '-provider:"vCenter Lab"',
};
const listed = (filter) => `/vms?limit=200&count=exact&filter=${encodeURIComponent(filter)}`;
const PATIENCE = { timeout: 60_000 };
const test = journey();
let vcenter;
let hyperv;
let view;

const { server, browser } = stage({ demo: false });
before(async () => {
    [vcenter, hyperv] = await together(
        Vcenter.start({
            dc: 1,
            cluster: 1,
            host: 2,
            'standalone-host': 0,
            vm: 30,
        }),
        Hyperv.start({ hosts: 2, vms: 40, speed: 5 }),
    );
    view = await browser.open(server);
    assert.equal(await view.addProviders({ vcenter, hyperv }), 70);
    for (const i of [3, 4]) await vcenter.outside('power_off', `DC0_C0_RP0_VM${i}`);
    await view.until(listed(`power:off ${OF.vmware}`), (a) => a.count === 2);
});
after(() => Promise.all([vcenter?.stop(), hyperv?.stop()]));

const count = (filter) =>
    view.api('GET', `/vms?limit=1&count=exact&filter=${encodeURIComponent(filter)}`).then((a) => a.count);
const one = (filter) =>
    view.api('GET', `/vms?limit=1&sort=name&filter=${encodeURIComponent(filter)}`).then((a) => a.items[0]);
const row = (name) => view.page.locator('.pv-row', { hasText: name }).first();
const dialog = () => view.page.getByRole('dialog');
const dialogEnds = () => dialog().waitFor({ state: 'detached' });
const list = async (filter = '') => {
    await view.go(`/vms${filter && `?filter=${encodeURIComponent(filter)}`}`, '.pv-row');
    await view.settle();
};

test('J4: both families stand in one list and are found by the same words', async () => {
    const { page } = view;
    await list();
    assert.equal(await page.locator('.pv-count').first().innerText(), '70');
    await page.keyboard.press('/');
    // At once: half a filter, sent because the keys came slowly, would be answered 400.
    await page.keyboard.insertText('power:off memory>=32MiB');
    await page.keyboard.press('Enter');
    await page.waitForURL(/filter=/);
    const off = await count('power:off');
    assert.ok((await count(`power:off ${OF.vmware}`)) && (await count(`power:off ${OF.hyperv}`)));
    await page.waitForFunction((n) => document.querySelector('.pv-count')?.textContent === String(n), off);
    await view.settle();
    const shown = await page.locator('.pv-row').allInnerTexts();
    assert.ok(shown.some((x) => x.includes('VMware')) && shown.some((x) => x.includes('Hyper-V')));
    assert.equal(await page.locator('.pv-chip').count(), 2);
    await view.axe('the list of both families');
    await view.screenshot('journey-both-found');
    await view.darkly('journey-both-found');
});

test('J5: a bulk start over both families tells before what is skipped and why, and is watched in the tray', async () => {
    const { page } = view;
    await vcenter.delay({ PowerOn: 600 });
    const filter = 'power:{off,paused,suspended}';
    const [total, paused, off] = [
        await count(filter),
        await count('power:paused'),
        await count('power:{off,suspended}'),
    ];
    assert.ok(paused > 0 && off > 2);
    await list(filter);
    await page.locator('[role=grid]').focus();
    await page.keyboard.press('Control+a');
    await page.locator('.pv-bulk').getByRole('button', { name: 'Start', exact: true }).click();
    const sums = page.locator('.pv-plan__sums');
    await sums.waitFor();
    assert.match(await sums.innerText(), new RegExp(`${off} will change`));
    assert.match(await sums.innerText(), new RegExp(`${paused} (is|are) skipped`));
    assert.match(await page.locator('.pv-plan__refused').first().innerText(), /paused/);
    await view.looks('bulk-preview', 'the preview over both families');
    await dialog()
        .getByRole('button', { name: /^Start/ })
        .click();
    await dialogEnds();
    await page.keyboard.press('t');
    const line = page.locator('.pv-tray__list tbody tr', { hasText: 'Start' }).first();
    await line.waitFor();
    await view.axe('the tray while it runs');
    await view.screenshot('journey-tray-running');
    // What was left out is told with its number and its reason, and not as if all had gone wrong.
    await line.getByText('Partly done').waitFor(PATIENCE);
    assert.match(await line.innerText(), new RegExp(`${off} of ${total} done, ${paused} skipped`));
    assert.match(await line.innerText(), /paused/);
    assert.doesNotMatch(await line.innerText(), /failed/i);
    await view.screenshot('journey-tray-ended');
    await view.until('/vms?filter=power:off&limit=1&count=exact', (a) => a.count === 0);
    assert.equal(await count('power:running'), 70 - paused);
    await line.getByRole('link', { name: 'Start', exact: true }).click();
    const outcome = page.locator('article .pv-notice');
    await outcome.waitFor();
    assert.match(
        await outcome.innerText(),
        new RegExp(`${off} of ${total} done, ${paused} skipped[^]*paused`),
    );
    assert.match(await page.locator('article header').innerText(), /Partly done/);
    await view.axe('a bulk task that was partly done');
    await view.screenshot('journey-bulk-partly');
    await view.darkly('journey-bulk-partly');
    assert.ok(total >= paused + off);
});

for (const family of ['vmware', 'hyperv'])
    test(`J5: a snapshot is taken, gone back to and deleted on ${family}`, async () => {
        const { page } = view;
        // The dialog asks about its snapshot until it is closed, and by then that may be deleted.
        view.expected.push(/status of 404 .*\/snapshots\/snp_/);
        const vm = await one(`${OF[family]} power:running snapshots.count:0`);
        await view.go(`/vms/${vm.id}/snapshots`, '.pv-empty');
        await view.settle();
        await page.locator('.pv-empty').getByRole('button', { name: 'Take snapshot' }).click();
        await page.locator('#action-name').fill('before the update');
        await page.locator('.pv-plan__sums').waitFor();
        await view.axe(`the dialog of a snapshot, ${family}`);
        await view.screenshot(`journey-snapshot-${family}`);
        await dialog().getByRole('button', { name: 'Take snapshot' }).click();
        await dialogEnds();
        const branch = page.locator('tr', {
            has: page.locator('.pv-branch', { hasText: 'before the update' }),
        });
        await branch.waitFor(PATIENCE);
        await view.axe(`the snapshots, ${family}`);
        await view.screenshot(`journey-snapshots-${family}`);
        await view.darkly(`journey-snapshots-${family}`);
        await branch.getByRole('button', { name: 'More' }).click();
        await page.getByRole('menuitem', { name: /^Revert/ }).click();
        await view.settle();
        await view.axe(`before going back, ${family}`);
        await view.screenshot(`journey-revert-${family}`);
        await dialog()
            .getByRole('button', { name: /^Revert/ })
            .click();
        await dialogEnds();
        await view.until(
            `/tasks?filter=${encodeURIComponent(`action:vm.snapshot.revert provider:"${vm.provider.name}"`)}&limit=1`,
            (a) => a.items[0]?.state === 'succeeded',
        );
        await branch.getByRole('button', { name: 'More' }).click();
        await page.getByRole('menuitem', { name: /^Delete(?! all)/ }).click();
        await dialog()
            .getByRole('button', { name: /^Delete/ })
            .click();
        await dialogEnds();
        await page.locator('.pv-empty').waitFor(PATIENCE);
    });

for (const family of ['vmware', 'hyperv'])
    test(`J5: processors and memory are changed, and taken back, on ${family}`, async () => {
        const { page } = view;
        const vm = await one(`power:running ${OF[family]}`);
        const done = (task) => view.until(`/tasks/${task.id}`, ({ state }) => state === 'succeeded');
        await done(await view.api('POST', `/vms/${vm.id}/actions/stop`, {}));
        const before = await view.api('GET', `/vms/${vm.id}?view=full`);
        const cpus = before.cpu.count + 1;
        const gib = before.memory.bytes === 2 ** 30 ? 2 : 1;
        await view.go(`/vms/${vm.id}/hardware?edit=1`, '#hw-cpu-count');
        await view.settle();
        await page.locator('#hw-cpu-count').fill(String(cpus));
        await page.locator('#hw-memory-bytes').fill(String(gib));
        await page.getByRole('button', { name: 'Review and save' }).click();
        for (const said of [String(cpus), `${gib} GiB`])
            await dialog().locator('ins', { hasText: said }).first().waitFor();
        await view.settle();
        await view.axe(`the review of other hardware, ${family}`);
        await view.screenshot(`journey-hardware-${family}`);
        await dialog().getByRole('button', { name: /^Save/ }).click();
        await dialogEnds();
        await view.until(
            `/vms/${vm.id}?view=full`,
            (now) => now.cpu.count === cpus && now.memory.bytes === gib * 2 ** 30,
        );
        // One task, which its row takes back.
        await view.go(`/vms/${vm.id}/tasks`, '.pv-row');
        const task = page.locator('.pv-row', { hasText: 'Change hardware' }).first();
        await task.getByRole('button', { name: 'Undo' }).click();
        await view.until(
            `/vms/${vm.id}?view=full`,
            (now) => now.cpu.count === before.cpu.count && now.memory.bytes === before.memory.bytes,
        );
        await done(await view.api('POST', `/vms/${vm.id}/actions/start`, {}));
    });

test('J5: what somebody does outside shows in the row, without a reload and without a jump', async () => {
    const { page } = view;
    await list();
    const grid = page.locator('[role=grid]');
    await grid.evaluate((g) => g.scrollTo({ top: 300 }));
    await page.waitForFunction(() => document.querySelector('.pv-row .pv-link'));
    const native = 'DC0_C0_RP0_VM12';
    const [host] = hyperv.hosts;
    const [guest] = (await hyperv.ask('GET', host.name, '/vms')).filter((v) => v.state === 'running');
    await vcenter.outside('power_off', native);
    await row(native).getByText('Off').waitFor(PATIENCE);
    await hyperv.ask('PUT', host.name, `/vms/${guest.id}`, { state: 'off' });
    await view.until(
        `/vms?filter=${encodeURIComponent(`name="${guest.name}" power:off`)}&limit=1&count=exact`,
        (a) => a.count === 1,
    );
    assert.equal(await grid.evaluate((g) => g.scrollTop), 300);
    // One goes, one comes: the order under the eyes stays until it is asked for.
    await vcenter.outside('destroy', native);
    await vcenter.outside('create', 'from-outside');
    await page.locator('.pv-row--gone', { hasText: native }).waitFor(PATIENCE);
    await view.until('/vms?filter=name:from-outside&limit=1&count=exact', (a) => a.count === 1);
    const fresh = page.locator('.pv-fresh');
    await fresh.waitFor(PATIENCE);
    assert.equal(await grid.evaluate((g) => g.scrollTop), 300);
    await view.axe('a list that has changed outside');
    await view.screenshot('journey-outside');
    await fresh.click();
    await page.waitForFunction(() => !document.querySelector('.pv-row--gone'), undefined, PATIENCE);
    await list('name:from-outside');
    await row('from-outside').waitFor();
    const events = (
        await view.api('GET', `/events?filter=${encodeURIComponent('type:vm.created')}&limit=20&sort=-time`)
    ).items;
    assert.ok(events.some((e) => e.ref?.name === 'from-outside'));
});

test('J5 by keyboard alone, at 200 %: sign in, find, select, start, watch, read the result', async () => {
    // A window of 1600 px at 200 %, by somebody who wants nothing to move.
    const other = await browser.open(server, { width: 800, height: 500, scale: 2, signIn: false });
    other.expected.push(/status of 401 .*\/(me|auth)\b/);
    const { page } = other;
    const keys = async (...names) => {
        for (const name of names) await page.keyboard.press(name);
    };
    const names = ['DC0_C0_RP0_VM20', (await one(`${OF.hyperv} power:running`)).name];
    await vcenter.outside('power_off', names[0]);
    const second = await one(`name="${names[1]}"`);
    await view.api('POST', `/vms/${second.id}/actions/stop`, {});
    await view.until('/vms?filter=power:off&limit=200', (a) =>
        names.every((n) => a.items.some((v) => v.name === n)),
    );
    await other.go('/', 'input[type=password]');
    const focused = (selector) => page.evaluate((s) => !!document.activeElement?.matches(s), selector);
    for (let i = 0; i < 12 && !(await focused('input[autocomplete=username]')); i++) await keys('Tab');
    await page.keyboard.type('admin');
    await keys('Tab');
    assert.ok(await focused('input[type=password]'), 'the password comes after the name');
    await page.keyboard.type(PASSWORD);
    await keys('Enter');
    await page.locator('main#content h1').waitFor();
    await other.settle();
    assert.equal(await page.evaluate(() => matchMedia('(prefers-reduced-motion: reduce)').matches), true);
    await keys('g', 'v');
    await page.locator('.pv-row').first().waitFor();
    await keys('/');
    await page.keyboard.type(`name:{${names.join(',')}}`);
    await keys('Enter');
    await page.waitForFunction(() => document.querySelector('.pv-count')?.textContent === '2');
    await other.settle();
    // From the filter into the grid by Tab alone.
    const within = (selector) =>
        page.evaluate(
            (s) => !!document.activeElement?.matches(s) || !!document.activeElement?.closest(s),
            selector,
        );
    for (
        let i = 0;
        i < 25 && !(await page.evaluate(() => document.activeElement?.getAttribute('role') === 'grid'));
        i++
    )
        await keys('Tab');
    await keys('Home', 'x', 'ArrowDown', 'x');
    await page.locator('.pv-bulk__count', { hasText: '2' }).waitFor();
    for (let i = 0; i < 10 && !(await within('.pv-bulk button')); i++) await keys('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Start');
    await keys('Enter');
    await page.locator('.pv-plan__sums').waitFor();
    await other.fits('the dialog at 200 %');
    await other.axe('the dialog at 200 %');
    await other.screenshot('journey-keyboard-preview');
    assert.ok(await within('[role=dialog]'), 'the focus is in the dialog');
    const start = () => page.evaluate(() => /^Start/.test(document.activeElement?.textContent ?? ''));
    for (let i = 0; i < 12 && !(await start()); i++) await keys('Tab');
    await keys('Enter');
    await dialogEnds();
    await view.until(
        '/vms?filter=power:off&limit=200',
        (a) => !names.some((n) => a.items.some((v) => v.name === n)),
    );
    await keys('t');
    await page.locator('.pv-tray__list tbody tr', { hasText: 'Start' }).first().waitFor();
    // The result: by Tab to the parent's line in the tray, and into its page.
    for (let i = 0; i < 60 && !(await within('.pv-tray__list a[href^="/tasks/"]')); i++) await keys('Tab');
    await keys('Enter');
    await page.waitForURL(/\/tasks\/tsk_/);
    await page.locator('main .pv-table tbody tr').nth(1).waitFor();
    await other.settle();
    assert.equal(await page.locator('main .pv-table tbody tr', { hasText: 'Done' }).count(), 2);
    const moving = await page.evaluate(
        () =>
            document
                .getAnimations()
                .filter((x) => x.playState === 'running' && Number(x.effect?.getTiming().duration) > 100)
                .length,
    );
    assert.equal(moving, 0, 'nothing moves');
    await other.fits('the result at 200 %');
    await other.axe('the result at 200 %');
    await other.screenshot('journey-keyboard-result');
    await other.close();
});

for (const [language, theme] of [
    ['ru', 'dark'],
    ['zh-CN', 'light'],
])
    test(`the same pages in ${language}, ${theme}`, async () => {
        const other = await browser.open(server, { look: { language, theme } });
        const vm = await one(`${OF.hyperv} power:running`);
        const provider = (await view.api('GET', '/providers?limit=1&filter=driver:vapi')).items[0];
        for (const [name, path, ready] of [
            ['overview', '/', '.pv-overview'],
            ['list', '/vms', '.pv-row'],
            ['vm', `/vms/${vm.id}`, '.pv-object__actions'],
            ['hardware', `/vms/${vm.id}/hardware`, '.pv-table'],
            ['provider', `/providers/${provider.id}`, '.pv-fields'],
            ['new-provider', '/providers/new?driver=wmi', '#np-endpoint'],
            ['grants', '/access/grants', '.pv-row'],
            ['tasks', '/tasks', '.pv-page'],
        ])
            for (const width of [1600, 420]) {
                await other.page.setViewportSize({ width, height: 1000 });
                await other.go(path, ready);
                await other.settle();
                await other.fits(`${name} ${language} ${width}`);
                await other.axe(`${name} ${language} ${width}`);
                await other.screenshot(`journey-${language}-${name}-${width}`);
            }
        await other.close();
    });

test('nothing went wrong in that window', async () => {
    await view.close();
});
