// SPDX-License-Identifier: Apache-2.0
// The page of one machine: its hardware as a form, changes met by others' changes, console, snapshots, numbers, and ways back.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { stage } from './harness.mjs';

const SOON = 60_000;
const { server, browser } = stage();

const one = async (view, filter) => {
    const found = await view.api('GET', `/vms?filter=${encodeURIComponent(filter)}&limit=1&sort=name`);
    assert.ok(found.items[0], `no machine for ${filter}`);
    return view.api('GET', `/vms/${found.items[0].id}?view=full`);
};

/** Until the API answers what the check wants; asked again after each event that the page gets would be no faster. */
async function until(view, path, check) {
    const end = Date.now() + SOON;
    for (;;) {
        const answer = await view.api('GET', path);
        if (check(answer)) return answer;
        assert.ok(Date.now() < end, `${path} did not become so: ${JSON.stringify(answer).slice(0, 400)}`);
        await view.page.waitForTimeout(200);
    }
}

/** Bodies of writes that the page sends. */
function writes(view) {
    const found = [];
    view.page.on('request', (r) => {
        if (r.method() !== 'GET' && r.url().includes('/api/v1/') && !r.url().includes('dry_run'))
            found.push({
                method: r.method(),
                path: new URL(r.url()).pathname,
                body: r.postDataJSON(),
                match: r.headers()['if-match'],
                key: r.headers()['idempotency-key'],
            });
    });
    return found;
}

const form = (view, id) => view.go(`/vms/${id}/hardware?edit=1`, '.pv-hwform input');

test('hardware is changed in one form that sends what differs, with its version', async () => {
    const view = await browser.open(server, { height: 1400 });
    const { page } = view;
    const vm = await one(view, 'power:off provider:"vCenter Frankfurt" cpu:2');
    const sent = writes(view);
    await form(view, vm.id);
    await view.settle();
    assert.equal(await page.locator('#hw-cpu-count').inputValue(), '2');
    assert.equal(
        await page.locator('#hw-memory-bytes').inputValue(),
        String(vm.memory.bytes / 1024 ** 3),
        'memory is filled with what is',
    );
    assert.match(await page.locator('label[for=hw-cpu-count] [title]').getAttribute('title'), /numCPU/);
    await page.locator('#hw-cpu-count').fill('4');
    await page.getByRole('button', { name: 'Add a disk' }).click();
    await page.locator('.pv-device--new input[type=number]').first().fill('12');
    await page.getByRole('button', { name: 'Review and save' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.locator('[data-step="vm.reconfigure"] ins', { hasText: '4' }).waitFor();
    await dialog.locator('[data-step="vm.disk.attach"] ins', { hasText: '12 GiB' }).waitFor();
    await view.settle();
    await view.axe('what is to be saved');
    await view.screenshot('hardware-review');
    await dialog.getByRole('button', { name: 'Save 2 changes' }).click();
    await page.waitForURL((url) => !url.searchParams.has('edit'));
    assert.equal(sent.length, 1, 'one request, one task');
    assert.equal(sent[0].path, `/api/v1/vms/${vm.id}/steps`);
    assert.deepEqual(sent[0].body.steps, [
        {
            action: 'vm.reconfigure',
            target: vm.id,
            params: { cpu: { count: 4 } },
            if_version: vm.version,
        },
        {
            action: 'vm.disk.attach',
            target: vm.id,
            params: { capacity_bytes: 12 * 1024 ** 3 },
        },
    ]);
    assert.ok(sent[0].key);
    await until(
        view,
        `/vms/${vm.id}?view=full`,
        (now) => now.cpu.count === 4 && now.disks.length === vm.disks.length + 1,
    );
    const { items } = await view.api(
        'GET',
        `/tasks?filter=${encodeURIComponent(`subject_id=${vm.id} action=vm.reconfigure`)}&sort=created_at&limit=5`,
    );
    const whole = items.find((task) => task.children?.total === 2);
    await until(view, `/tasks/${whole.id}`, (task) => task.state === 'succeeded');
    await view.go(`/tasks/${whole.id}`, '#page-title');
    await page.locator('.pv-table tbody tr').nth(1).getByText('Done').waitFor();
    assert.match(await page.locator('.pv-table tbody tr').nth(0).innerText(), /Change hardware/);
    await view.looks('steps-done', 'a task of two steps');
    await view.close();
});

test('a save of which a step fails says what was done and what was not', async () => {
    const view = await browser.open(server, { height: 1400 });
    const { page } = view;
    await view.api('POST', '/providers', {
        name: 'breaks',
        driver: 'sim',
        settings: { family: 'hyperv', hosts: 1, clusters: 0, datacenters: 0, vms: 40, failure_rate: 1 },
    });
    await until(view, '/vms?filter=provider:breaks&limit=1&count=exact', (a) => a.count === 40);
    const vm = await one(view, 'provider:breaks power:off');
    await form(view, vm.id);
    await view.settle();
    await page.locator('#hw-cpu-count').fill(String(vm.cpu.count + 1));
    await page.getByRole('button', { name: 'Add a disk' }).click();
    await page.locator('.pv-device--new input[type=number]').first().fill('3');
    await page.getByRole('button', { name: 'Review and save' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Save 2 changes' }).click();
    await page.waitForURL((url) => !url.searchParams.has('edit'));
    const { items } = await until(
        view,
        `/tasks?filter=${encodeURIComponent(`subject_id=${vm.id} state:failed`)}&limit=5`,
        (a) => a.items.some((task) => task.children?.total === 2),
    );
    const whole = items.find((task) => task.children?.total === 2);
    await view.go(`/tasks/${whole.id}`, '#page-title');
    await page.getByText(/Step 1 of 2 failed|step 1 of 2 failed/).waitFor();
    const parts = page.locator('.pv-table tbody tr');
    assert.match(await parts.nth(0).innerText(), /Failed/);
    assert.match(await parts.nth(1).innerText(), /Canceled/);
    assert.equal(await page.getByRole('button', { name: /^Retry/ }).count(), 0);
    await view.looks('steps-failed', 'a task of which a step failed');
    await view.close();
});

test('what somebody else changed meanwhile is compared, and the choice is saved', async () => {
    const view = await browser.open(server, { height: 1400 });
    const { page } = view;
    view.expected.push(/status of 412/);
    const vm = await one(view, 'power:off provider:"vCenter Singapore" cpu:2');
    await form(view, vm.id);
    await view.settle();
    await view.api('PATCH', `/vms/${vm.id}`, { cpu: { count: 8 }, annotation: 'from elsewhere' });
    await until(view, `/vms/${vm.id}`, (now) => now.cpu.count === 8);
    await page.getByText('Somebody changed this machine since you began').waitFor({ timeout: SOON });
    await page.locator('#hw-cpu-count').fill('4');
    await page.getByRole('button', { name: 'Review and save' }).click();
    await page
        .getByRole('dialog')
        .getByRole('button', { name: /^Save 1 change/ })
        .click();
    await page.locator('.pv-threeway__row--conflict').waitFor();
    assert.ok((await page.locator('.pv-threeway__row--theirs').count()) >= 1);
    await view.axe('the comparison of three');
    await view.screenshot('hardware-three-way');
    const go = page.getByRole('button', { name: 'Go on with these' });
    assert.ok(await go.isDisabled());
    await page.locator('.pv-threeway__row--conflict input[type=radio]').nth(1).check();
    await go.click();
    await page
        .getByRole('dialog')
        .getByRole('button', { name: /^Save 1 change/ })
        .click();
    await page.waitForURL((url) => !url.searchParams.has('edit'));
    const now = await until(view, `/vms/${vm.id}?view=full`, (v) => v.cpu.count === 4);
    assert.equal(now.annotation, 'from elsewhere');
    await view.close();
});

test('what cannot be changed while it runs is locked with its reason, in every look', async () => {
    const looks = [
        [{ theme: 'light', language: 'en' }, 1600],
        [{ theme: 'dark', language: 'ru' }, 1600],
        [{ theme: 'dark', language: 'zh-CN' }, 420],
        [{ theme: 'light', language: 'ru' }, 320],
    ];
    for (const [look, width] of looks) {
        const view = await browser.open(server, { look, width, height: 1200 });
        const vm = await one(view, 'power:running provider:hv-ams-01');
        await form(view, vm.id);
        await view.settle();
        const count = view.page.locator('#hw-cpu-count');
        assert.ok(await count.isDisabled());
        const field = view.page.locator('.pv-field', { has: count });
        assert.ok((await field.locator('.pf-v6-c-helper-text').innerText()).length > 10);
        assert.ok(await view.page.locator('#hw-cpu-weight').isEnabled());
        assert.match(
            await view.page.locator('label[for=hw-cpu-weight] [title]').getAttribute('title'),
            /Msvm_ProcessorSettingData\.Weight/,
        );
        await view.fits(`the form at ${width} px`);
        await view.axe(`the form, ${look.language}, ${look.theme}, ${width} px`);
        await view.screenshot(`hardware-${look.language}-${look.theme}-${width}`);
        await view.close();
    }
});

test('a form that was left unsaved is found again', async () => {
    const view = await browser.open(server);
    const { page } = view;
    const vm = await one(view, 'power:off provider:"vCenter Frankfurt" cpu:4');
    await form(view, vm.id);
    await page.locator('#hw-cpu-count').fill('6');
    await page.locator('[data-tab=summary]').click();
    await page.locator('.pv-tiles').waitFor();
    await page.goBack();
    await page.locator('#hw-cpu-count').waitFor();
    assert.equal(await page.locator('#hw-cpu-count').inputValue(), '6');
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.waitForURL((url) => !url.searchParams.has('edit'));
    await view.close();
});

test('a new name starts from the old one, and only a change can be sent', async () => {
    const view = await browser.open(server);
    const { page } = view;
    const vm = await one(view, 'power:off provider:hv-ams-02');
    await view.go(`/vms/${vm.id}?do=vm.rename&on=${vm.id}`, '#action-name');
    const name = page.locator('#action-name');
    assert.equal(await name.inputValue(), vm.name);
    const button = page.getByRole('dialog').getByRole('button', { name: 'Rename', exact: true });
    assert.ok(await button.isDisabled());
    await name.fill(`${vm.name}-new`);
    await page.locator('.pv-difftable ins', { hasText: `${vm.name}-new` }).waitFor();
    await page.locator('.pv-plan__sums').waitFor();
    await view.axe('renaming');
    await button.click();
    await until(view, `/vms/${vm.id}`, (now) => now.name === `${vm.name}-new`);
    // What was done is offered to be taken back.
    await page.locator('.pv-toasts').getByRole('button', { name: /^Undo/ }).click({ timeout: SOON });
    await until(view, `/vms/${vm.id}`, (now) => now.name === vm.name);
    await view.close();
});

test('deleting names the machine, its provider and what is lost', async () => {
    const view = await browser.open(server);
    const { page } = view;
    const vm = await one(view, 'power:off provider:"vCenter Frankfurt" snapshots.count>0');
    await view.go(`/vms/${vm.id}?do=vm.delete&on=${vm.id}`, '.pv-consequence__losses');
    const dialog = page.getByRole('dialog');
    await dialog.getByText('Its disk files stay where they are.').waitFor();
    assert.match(await dialog.innerText(), new RegExp(vm.name));
    assert.match(await dialog.locator('.pv-consequence').innerText(), /vCenter Frankfurt/);
    await page.locator('#action-disks').selectOption('delete');
    await dialog.getByText(/deleted for good/).waitFor();
    await dialog.getByText(/Its \d+ snapshots? go/).waitFor();
    await view.axe('deleting');
    await view.screenshot('dialog-delete');
    await view.close();
});

test('a clone says whether it has room', async () => {
    const view = await browser.open(server);
    const { page } = view;
    const vm = await one(view, 'power:off provider:"vCenter Frankfurt"');
    await view.go(`/vms/${vm.id}?do=vm.clone&on=${vm.id}`, '.pv-fit');
    await page.locator('.pv-fit', { hasText: /free/ }).first().waitFor();
    await page.locator('.pv-fit__word', { hasText: /needs/ }).first().waitFor();
    const options = await page.locator('#action-datastore option').allInnerTexts();
    assert.ok(
        options.some((o) => /free\)/.test(o)),
        options.join(),
    );
    await view.axe('cloning');
    await view.screenshot('dialog-clone');
    await view.close();
});

test('the console types what a US keyboard has, and hands over to a program', async () => {
    const view = await browser.open(server);
    const { page } = view;
    const vm = await one(view, 'power:running provider:hv-ams-01');
    const sent = writes(view);
    await view.go(`/vms/${vm.id}/console`, '#console-text');
    await page.waitForFunction(() => document.querySelector('.pv-screen img')?.naturalWidth > 100);
    await page.locator('#console-text').fill('пароль');
    await page.getByText(/cannot be typed/).waitFor();
    const type = page.getByRole('button', { name: 'Type it' });
    assert.equal(await type.getAttribute('aria-disabled'), 'true');
    await type.click({ force: true });
    assert.equal(sent.length, 0);
    await view.axe('text that cannot be typed');
    await page.locator('#console-text').fill('echo "a|b"');
    await type.click();
    await page.getByText('10 characters were typed.').waitFor();
    assert.deepEqual(sent.at(-1).body, { text: 'echo "a|b"' });
    await page.getByRole('button', { name: 'Ctrl+Alt+Del' }).click();
    await page.getByText('Ctrl+Alt+Del was pressed.').waitFor();
    assert.deepEqual(sent.at(-1).body, { ctrl_alt_del: true });
    await page.getByRole('button', { name: 'Open the console' }).click();
    const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('link', { name: 'Download the connection file' }).click(),
    ]);
    assert.match(download.suggestedFilename(), /\.rdp$/);
    const file = readFileSync(await download.path(), 'utf8');
    assert.match(file, /^full address:s:hv-ams-01/m);
    assert.match(file, new RegExp(`^pcb:s:${vm.native.id}`, 'mi'));
    await view.screenshot('vm-console-open');
    await view.close();
});

test('snapshots warn of their age, and two are compared', async () => {
    const view = await browser.open(server);
    const { page } = view;
    const vm = await one(view, 'snapshots.count>1 provider:"vCenter Frankfurt"');
    await view.go(`/vms/${vm.id}/snapshots`, '.pv-branch');
    await page.getByText(/older than 7 days;/).waitFor();
    const boxes = page.locator('.pv-pickbox');
    await boxes.nth(0).check();
    await boxes.nth(1).check();
    await page.waitForURL(/compare=/);
    await page.locator('.pv-compare__row--different').first().waitFor();
    await page.getByText(/is known here since/).waitFor();
    await view.axe('two snapshots');
    await view.screenshot('snapshots-compare');
    await page.setViewportSize({ width: 420, height: 900 });
    await view.fits('two snapshots');
    await view.close();
});

test('numbers are zoomed by keys, read as a table and saved as a file', async () => {
    const view = await browser.open(server);
    const { page } = view;
    const vm = await one(view, 'power:running provider:"vCenter Frankfurt"');
    await view.api('POST', `/vms/${vm.id}/snapshots`, { name: 'a mark in the charts' });
    // Two values make a line: the page's own interest lets the driver measure.
    await view.go(`/vms/${vm.id}/metrics?range=15m`, '.pv-tabs');
    await until(view, `/metrics/series?refs=${vm.id}&names=cpu.usage_pct`, (a) =>
        a.series.some((s) => s.values.some((v) => v !== null)),
    );
    await page.reload();
    const chart = page.locator('.pv-chart').first();
    await chart.waitFor();
    await page.locator('.pv-feed li').first().waitFor({ timeout: SOON });
    await view.axe('the charts');
    await chart.focus();
    await page.keyboard.press('+');
    const all = page.getByRole('button', { name: 'Show all' });
    await all.waitFor();
    await page.keyboard.press('ArrowLeft');
    await view.screenshot('metrics-zoomed');
    await page.keyboard.press('0');
    await all.waitFor({ state: 'detached' });
    const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('button', { name: 'Download CSV' }).click(),
    ]);
    const lines = readFileSync(await download.path(), 'utf8').split('\r\n');
    assert.match(lines[0], new RegExp(`time,${vm.name} cpu.usage_pct`));
    assert.ok(lines.length > 10);
    await page.getByRole('button', { name: 'As a table' }).click();
    await page.locator('.pv-scroll--short td').first().waitFor();
    await view.axe('the numbers as a table');
    await page.setViewportSize({ width: 420, height: 900 });
    await view.fits('the numbers');
    await view.close();
});

test('what failed of a bulk task is tried again, what was done is taken back', async () => {
    const view = await browser.open(server);
    const { page } = view;
    const made = await view.api('POST', '/providers', {
        name: 'flaky',
        driver: 'sim',
        settings: { family: 'hyperv', hosts: 1, clusters: 0, datacenters: 0, vms: 12, failure_rate: 1 },
    });
    await until(view, '/vms?filter=provider:flaky&limit=1&count=exact', (a) => a.count === 12);
    const bulk = async (action, filter) => {
        const found = await view.api('GET', `/vms?filter=${encodeURIComponent(filter)}&limit=2&sort=name`);
        const targets = found.items.map((v) => v.id);
        assert.equal(targets.length, 2);
        const task = await view.api('POST', '/bulk', { action, targets });
        const { children } = await until(
            view,
            `/tasks/${task.id}`,
            (t) => t.children.succeeded + t.children.failed === 2,
        );
        await view.go(`/tasks/${task.id}`, '#page-title');
        return children;
    };
    assert.equal((await bulk('vm.stop', 'provider:flaky power:running')).failed, 2);
    await page.getByRole('button', { name: 'Retry 2 failed' }).click();
    await page.locator('.pv-plan__sums', { hasText: '2 will change' }).waitFor();
    await view.axe('trying again');
    await view.screenshot('bulk-retry');
    await page.keyboard.press('Escape');
    assert.equal((await bulk('vm.stop', 'provider:hv-osl-01 power:running')).succeeded, 2);
    await page.getByRole('button', { name: 'Undo: Start (2)' }).click();
    await page.locator('.pv-plan__sums', { hasText: '2 will change' }).waitFor();
    await page.keyboard.press('Escape');
    await view.api('DELETE', `/providers/${made.id ?? made.result?.ref?.id}`);
    await view.close();
});

test('two machines are compared on a narrow window, by keyboard', async () => {
    const view = await browser.open(server, { width: 420, height: 900, look: { theme: 'dark' } });
    const { page } = view;
    const a = await one(view, 'provider:hv-ams-01');
    const b = await one(view, 'provider:"vCenter Frankfurt"');
    await view.go(`/vms/compare?a=${a.id}&b=${b.id}`, '.pv-compare');
    await view.fits('the comparison');
    const rows = await page.locator('.pv-compare__row').count();
    await page.getByRole('button', { name: 'Only differences' }).focus();
    await page.keyboard.press('Enter');
    await page.waitForURL(/only=differences/);
    await page.waitForFunction((n) => document.querySelectorAll('.pv-compare__row').length < n, rows);
    await view.axe('the comparison at 420 px');
    await view.screenshot('compare-420');
    await view.close();
});
