// SPDX-License-Identifier: Apache-2.0
// Journeys J4 (both families side by side) and J5 (power and snapshots), in the browser.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stage } from './harness.mjs';
import { VM_TABS } from './places.mjs';

const { server, browser } = stage();

/** Text of a column's visible cells. */
const cells = (page, column) =>
    page.evaluate((title) => {
        const heads = [...document.querySelectorAll('.pv-head [role=columnheader]')];
        const at = heads.findIndex((h) => h.textContent.trim() === title);
        return [...document.querySelectorAll('.pv-row')].map((r) => r.children[at]?.textContent.trim() ?? '');
    }, column);

const count = (page) => page.locator('.pv-count').first().innerText();

test('the list shows both families in one grid with the same words', async () => {
    const view = await browser.open(server);
    await view.go('/vms', '.pv-row');
    await view.settle();
    assert.equal(await count(view.page), '500');
    const states = new Set(await cells(view.page, 'State'));
    for (const state of states)
        assert.match(state, /^(Running|Off|Paused|Suspended|Starting|Shutting down|Stopping|Restarting|)$/);
    await view.page.locator('[role=grid]').focus();
    await view.page.keyboard.press('Control+End');
    await view.page.waitForFunction(
        () => document.querySelector('.pv-row--active')?.getAttribute('aria-rowindex') === '501',
    );
    await view.page.keyboard.press('Control+Home');
    const families = async (filter) => {
        await view.go(`/vms?filter=${encodeURIComponent(filter)}`, '.pv-row');
        await view.settle();
        return new Set(
            (await cells(view.page, 'Provider')).map((p) => p.replace(/(VMware|Hyper-V).*/, '$1')),
        );
    };
    assert.deepEqual(await families('provider:hv-ams-01'), new Set(['Hyper-V']));
    assert.deepEqual(await families('provider:"vCenter Frankfurt"'), new Set(['VMware']));
    await view.close();
});

test('a filter is typed with suggestions, shown as chips, kept in the address', async () => {
    const view = await browser.open(server);
    const { page } = view;
    await view.go('/vms', '.pv-row');
    await page.keyboard.press('/');
    await page.keyboard.type('power:');
    await page.locator('.pv-suggest__item', { hasText: 'running' }).first().click();
    await page.keyboard.type('memory>=8GiB');
    await page.waitForURL(/filter=power%3Arunning\+memory%3E%3D8GiB/);
    await view.settle();
    assert.equal(await page.locator('.pv-chip').count(), 2);
    const matching = (
        await view.api(
            'GET',
            `/vms?filter=${encodeURIComponent('power:running memory>=8GiB')}&limit=1&count=exact`,
        )
    ).count;
    await page.waitForFunction(
        (n) => document.querySelector('.pv-count')?.textContent === String(n),
        matching,
    );
    await view.screenshot('vms-filter-en-light-1600');
    await view.axe('the filtered list');
    await page.reload();
    await page.locator('.pv-row').first().waitFor();
    assert.equal(await page.locator('.pv-chip').count(), 2);
    await page.locator('.pv-chip button').first().click();
    await page.waitForURL((url) => url.searchParams.get('filter') === 'memory>=8GiB');
    await view.close();
});

test('an error in a filter is shown at its column', async () => {
    const view = await browser.open(server);
    view.expected.push(/status of 400/);
    await view.go(`/vms?filter=${encodeURIComponent('power:running memori>=8GiB')}`, '.pv-filter__error');
    assert.match(await view.page.locator('.pv-filter__error').innerText(), /memori/);
    assert.equal(await view.page.locator('.pv-filter__where mark').innerText(), 'm');
    await view.axe('a wrong filter');
    await view.screenshot('vms-filter-error');
    await view.page.locator('.pv-empty').getByRole('button', { name: 'Clear the filter' }).click();
    await view.page.locator('.pv-row').first().waitFor();
    // What was found before stays below the error, as something of before.
    await view.page.locator('.pv-filter input').fill('memory>=much');
    await view.page.locator('.pv-listbody[data-old] .pv-row').first().waitFor();
    await view.axe('rows of before a wrong filter');
    await view.close();
});

test('no match names the filter and offers to clear it', async () => {
    const view = await browser.open(server);
    await view.go('/vms?filter=name%3Anothing-has-this-name', '.pv-empty');
    await view.axe('no match');
    await view.screenshot('vms-no-match');
    await view.page.locator('.pv-empty button').click();
    await view.page.locator('.pv-row').first().waitFor();
    await view.close();
});

test('a view is saved and opened again', async () => {
    const view = await browser.open(server);
    const { page } = view;
    await view.go('/vms?filter=power%3Aoff&sort=-memory.bytes', '.pv-row');
    await page.getByRole('button', { name: 'Views' }).click();
    await page.getByRole('menuitem', { name: 'Save as a view' }).click();
    await page.locator('#view-name').fill('Switched off');
    await view.axe('the dialog of a view');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.waitForURL(/view=/);
    await view.go('/vms', '.pv-row');
    await page.getByRole('button', { name: 'Views' }).click();
    await page.getByRole('menuitem', { name: 'Switched off' }).click();
    await page.waitForURL(
        (url) =>
            url.searchParams.get('filter') === 'power:off' &&
            url.searchParams.get('sort') === '-memory.bytes',
    );
    await view.close();
});

test('the list is copied as commands and exported', async () => {
    const view = await browser.open(server);
    const { page } = view;
    await view.go('/vms?filter=power%3Arunning', '.pv-row');
    await page.getByRole('button', { name: 'List' }).click();
    await page.getByRole('menuitem', { name: 'Copy as a command' }).click();
    await page.locator('.pv-pre').first().waitFor();
    const text = await page.locator('.pv-pre').allInnerTexts();
    assert.match(text.join('\n'), /curl .*filter=power%3Arunning/);
    assert.match(text.join('\n'), /polyvisor vm list --filter/);
    await view.axe('commands');
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'List' }).click();
    const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('menuitem', { name: 'Export as CSV' }).click(),
    ]);
    assert.equal(download.suggestedFilename(), 'vms.csv');
    await view.close();
});

test('columns are chosen, and the address keeps them', async () => {
    const view = await browser.open(server);
    const { page } = view;
    await view.go('/vms', '.pv-row');
    await page.getByRole('button', { name: 'List' }).click();
    await page.getByRole('menuitem', { name: 'Columns' }).click();
    await page.getByRole('dialog').getByRole('textbox').fill('firmware');
    await page.getByRole('button', { name: 'Show Firmware' }).click();
    await view.axe('the chooser of columns');
    await page.getByRole('button', { name: 'Done' }).click();
    assert.ok((await page.locator('.pv-head').innerText()).includes('Firmware'));
    assert.match(page.url(), /cols=.*firmware/);
    await view.close();
});

test('two machines are compared side by side', async () => {
    const view = await browser.open(server);
    const one = (await view.api('GET', '/vms?filter=provider:hv-ams-01&limit=1')).items[0];
    const two = (
        await view.api('GET', `/vms?filter=${encodeURIComponent('provider:"vCenter Frankfurt"')}&limit=1`)
    ).items[0];
    await view.go(`/vms/compare?a=${one.id}&b=${two.id}`, '.pv-compare');
    const heads = await view.page.locator('.pv-compare thead th').allInnerTexts();
    assert.ok(heads[0].includes(one.name) && heads[1].includes(two.name));
    assert.ok((await view.page.locator('.pv-compare__row--different').count()) > 3);
    await view.axe('the comparison');
    await view.screenshot('compare');
    await view.close();
});

test('actions that cannot be done say why and can be reached by keyboard', async () => {
    const view = await browser.open(server);
    const off = (await view.api('GET', '/vms?filter=power:off&limit=1')).items[0];
    await view.go(`/vms/${off.id}`, '.pv-object__actions button');
    await view.page.getByRole('button', { name: 'More' }).first().click();
    const pause = view.page.getByRole('menuitem', { name: 'Pause' });
    assert.equal(await pause.getAttribute('aria-disabled'), 'true');
    assert.ok((await pause.locator('.pv-menu__reason').innerText()).length > 5);
    await view.axe('the menu of actions');
    await view.screenshot('vm-actions');
    await view.close();
});

test('a bulk start says what will change and what will not, then runs as one task', async () => {
    const view = await browser.open(server);
    const { page } = view;
    const filter = 'name~web-* power:{running,off} provider:hv-osl-01';
    // Where nothing is to be started, there is nothing to ask for.
    const one = (await view.api('GET', `/vms?filter=${encodeURIComponent(filter)}&limit=1`)).items[0];
    await view.api('POST', `/vms/${one.id}/actions/stop`, {});
    await view.until(`/vms/${one.id}`, (vm) => vm.power_state === 'off' && vm.activity === 'none');
    await view.go(`/vms?filter=${encodeURIComponent(filter)}`, '.pv-row');
    await view.settle();
    const total = Number(await count(page));
    const off = (
        await view.api('GET', `/vms?filter=${encodeURIComponent(`${filter} power:off`)}&limit=1&count=exact`)
    ).count;
    await page.locator('[role=grid]').focus();
    await page.keyboard.press('Control+a');
    await page.locator('.pv-bulk').getByRole('button', { name: 'Start', exact: true }).click();
    const sums = page.locator('.pv-plan__sums');
    await sums.waitFor();
    const text = await sums.innerText();
    assert.match(text, new RegExp(`${off} will change`));
    if (total > off) assert.match(text, new RegExp(`${total - off} (is|are) in the wanted state already`));
    assert.match(page.url(), /do=vm\.start/);
    await view.axe('the preview of a bulk action');
    await view.screenshot('bulk-preview');
    await page
        .getByRole('dialog')
        .getByRole('button', { name: /^Start/ })
        .click();
    await page.keyboard.press('t');
    await page.locator('.pv-tray__list tbody tr').first().waitFor();
    await view.axe('the task tray');
    await view.screenshot('task-tray');
    await page
        .locator('.pv-tray__list tbody tr', { hasText: 'Start' })
        .getByText(/Done/)
        .waitFor({ timeout: 60_000 });
    await view.close();
});

test('turning many off asks for the number', async () => {
    const view = await browser.open(server);
    const { page } = view;
    const ids = (await view.api('GET', '/vms?filter=power:running&limit=3')).items.map((v) => v.id);
    await view.go(`/vms?do=vm.stop&on=${ids.join(',')}`, '.pv-plan__sums');
    const button = page.getByRole('dialog').getByRole('button', { name: /^Turn off/ });
    assert.ok(await button.isDisabled());
    await page.locator('#action-count').fill('3');
    await button.waitFor();
    assert.ok(await button.isEnabled());
    await view.axe('a dangerous action');
    await view.screenshot('dialog-dangerous');
    await page.keyboard.press('Escape');
    await page.waitForURL((url) => !url.searchParams.has('do'));
    await view.close();
});

test('a snapshot is taken with the keyboard alone, and seen without a reload', async () => {
    const view = await browser.open(server);
    const { page } = view;
    const vm = (await view.api('GET', '/vms?filter=power:running%20provider:hv-ams-02&limit=1')).items[0];
    await view.go(`/vms?filter=${encodeURIComponent(`name="${vm.name}" provider:hv-ams-02`)}`, '.pv-row');
    await view.settle();
    await page.locator('[role=grid]').focus();
    await page.keyboard.press('Enter');
    await page.waitForURL(new RegExp(vm.id));
    await page.getByRole('button', { name: 'Take snapshot' }).focus();
    await page.keyboard.press('Enter');
    const name = page.locator('#action-name');
    await name.waitFor();
    assert.match(await name.inputValue(), /^\d{4}-\d\d-\d\d \d\d:\d\d$/);
    await page.locator('.pv-plan__sums').waitFor();
    await view.axe('the dialog of a snapshot');
    await view.screenshot('dialog-snapshot');
    await name.focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.locator('[data-tab=snapshots]').focus();
    await page.keyboard.press('Enter');
    await page.locator('.pv-branch', { hasText: /\d{4}-\d\d-\d\d \d\d:\d\d/ }).waitFor({ timeout: 60_000 });
    await view.axe('the snapshots');
    await view.screenshot('vm-snapshots');
    await view.close();
});

test('a change made elsewhere appears in the row, and the scroll position stays', async () => {
    const view = await browser.open(server);
    const { page } = view;
    await view.go('/vms', '.pv-row');
    await view.settle();
    await page.locator('[role=grid]').evaluate((g) => g.scrollTo({ top: 4000 }));
    await page.waitForFunction(() =>
        [...document.querySelectorAll('.pv-row')].some(
            (r) => Number(r.ariaRowIndex) > 100 && r.querySelector('.pv-link'),
        ),
    );
    const index = await page.evaluate(() => {
        const rows = [...document.querySelectorAll('.pv-row')];
        const box = document.querySelector('[role=grid]').getBoundingClientRect();
        const found = rows.find(
            (r) => r.getBoundingClientRect().top > box.top + 60 && r.textContent.includes('Running'),
        );
        return Number(found.getAttribute('aria-rowindex'));
    });
    const vm = (await view.api('GET', `/vms?sort=name&limit=1000&fields=name`)).items[index - 2];
    await view.api('POST', `/vms/${vm.id}/actions/stop`, {});
    await page.waitForFunction(
        (i) => document.querySelector(`.pv-row[aria-rowindex="${i}"]`)?.textContent.includes('Off'),
        index,
        { timeout: 60_000 },
    );
    assert.equal(await page.locator('[role=grid]').evaluate((g) => g.scrollTop), 4000);
    await view.close();
});

for (const tab of ['', ...VM_TABS])
    test(`the machine's page, ${tab || 'summary'}: no fault, no violation, fits 320 px`, async () => {
        const view = await browser.open(server);
        // Series and histories that this server does not keep are told by 404.
        view.expected.push(/metrics\/series/);
        const vm = (await view.api('GET', '/vms?filter=snapshots.count>0&limit=1')).items[0];
        await view.go(`/vms/${vm.id}/${tab}`, '.pv-tabs');
        await view.settle();
        await view.axe(`tab ${tab}`);
        await view.screenshot(`vm-${tab || 'summary'}`);
        await view.page.setViewportSize({ width: 320, height: 800 });
        await view.settle();
        await view.fits(`tab ${tab}`);
        await view.axe(`tab ${tab} at 320 px`);
        await view.close();
    });

test('a machine is made from the list: where it goes is chosen once, and the dialog knows it', async () => {
    const view = await browser.open(server);
    const { page } = view;
    const { items } = await view.api('GET', '/hosts?limit=1&sort=name&filter=provider.family%3Avmware');
    await view.go('/vms', '.pv-row');
    await page.getByRole('link', { name: 'Create VM', exact: true }).click();
    await page.waitForURL('**/vms/new');
    const place = page.locator('#nv-where');
    await place.locator(`option[value="${items[0].id}"]`).waitFor({ state: 'attached' });
    await place.selectOption(items[0].id);
    await page.locator('button[aria-disabled=false]', { hasText: 'Next' }).click();
    const dialog = page.locator('[data-surface=action][data-of="vm.create"]');
    await dialog.locator('#action-name').fill('made-from-the-list');
    assert.equal(await dialog.locator('#action-host').inputValue(), items[0].id);
    await dialog.getByRole('button', { name: 'Create VM', exact: true }).click();
    await dialog.waitFor({ state: 'detached' });
    const made = await view.until(
        '/vms?filter=name%3Amade-from-the-list&view=full',
        (a) => a.items.length === 1,
    );
    assert.equal(made.items[0].host.id, items[0].id);
    await view.close();
});

test('what is counted beside a list is what the server counts, on every list', async () => {
    const view = await browser.open(server);
    for (const path of ['/tasks', '/events', '/audit', '/providers', '/alerts']) {
        await view.go(`${path}?facets=1`, '.pv-row, .pv-empty');
        await view.settle();
        assert.equal(await view.page.locator('[role=alert]').count(), 0, path);
    }
    await view.close();
});
