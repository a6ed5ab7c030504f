// SPDX-License-Identifier: Apache-2.0
// What the page offers to copy is run: the same list by curl and by the command line, the same bulk action by both; the playbook
// is YAML that says the same request.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { programs, stage } from './harness.mjs';
import { python } from './peers.mjs';

const { server, browser } = stage();
let view;
let home;
let env;
before(async () => {
    view = await browser.open(server);
    const made = await view.api('POST', '/tokens', { name: 'copied' });
    home = mkdtempSync(join(tmpdir(), 'polyvisor-home-'));
    // The certificate is the server's own.
    writeFileSync(join(home, '.curlrc'), 'insecure\nsilent\nshow-error\nfail\n');
    env = {
        ...process.env,
        HOME: home,
        PATH: `${programs()}:${process.env.PATH}`,
        NO_PROXY: '127.0.0.1',
        TOKEN: made.token,
        POLYVISOR_URL: server.url,
        POLYVISOR_TOKEN: made.token,
        POLYVISOR_FINGERPRINT: server.fingerprint,
    };
});
after(async () => {
    if (home) rmSync(home, { recursive: true, force: true });
});

const run = (text) => execFileSync('sh', ['-c', text], { env, encoding: 'utf8' });
const copied = async (scope, id) => scope.locator(`[data-command=${id}] pre`).innerText();
const yaml = (text) =>
    JSON.parse(
        execFileSync(
            python(),
            ['-c', 'import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin.read())))'],
            { input: text, encoding: 'utf8' },
        ),
    );
const ended = (id) =>
    view.until(`/tasks/${id}`, (t) => ['succeeded', 'failed', 'canceled'].includes(t.state));

test('a list that was copied answers the same by curl and on the command line', async () => {
    const { page } = view;
    const filter = 'power:off name~*-fra-*';
    await view.go(`/vms?filter=${encodeURIComponent(filter)}&sort=-name`, '.pv-row');
    await view.settle();
    const count = (await view.api('GET', `/vms?limit=1&count=exact&filter=${encodeURIComponent(filter)}`))
        .count;
    await page.getByRole('button', { name: 'List' }).click();
    await page.getByRole('menuitem', { name: /Copy as a command/ }).click();
    const dialog = page.getByRole('dialog');
    await dialog.waitFor();
    const items = JSON.parse(run(await copied(dialog, 'curl'))).items;
    assert.equal(items.length, Math.min(100, count));
    const cli = run(`${await copied(dialog, 'cli')} -o json`);
    const shown = JSON.parse(cli);
    assert.deepEqual(
        (shown.items ?? shown).slice(0, 20).map((v) => v.id),
        items.slice(0, 20).map((v) => v.id),
    );
    const [task] = yaml(await copied(dialog, 'ansible'));
    assert.equal(new URL(task['ansible.builtin.uri'].url).searchParams.get('filter'), filter);
});

for (const way of ['curl', 'cli'])
    test(`a bulk action of a selection by filter, and one with parameters, does the same by ${way}`, async () => {
        const { page } = view;
        const filter = `provider:hv-ams-01 power:${way === 'curl' ? 'off' : 'running'}`;
        await view.go(`/vms?filter=${encodeURIComponent(filter)}`, '.pv-row');
        await view.settle();
        await page.locator('[role=grid]').focus();
        await page.keyboard.press('Control+a');
        const total = (await view.api('GET', `/vms?limit=1&count=exact&filter=${encodeURIComponent(filter)}`))
            .count;
        const verb = way === 'curl' ? 'Start' : 'Shut down';
        await page.locator('.pv-bulk').getByRole('button', { name: verb, exact: true }).click();
        const dialog = page.getByRole('dialog');
        await dialog.locator('.pv-plan__sums').waitFor();
        await dialog.getByText('Copy as a command').click();
        const [asked] = yaml(await copied(dialog, 'ansible'));
        const body = asked['ansible.builtin.uri'].body;
        assert.match(body.action, /^vm\.(start|shutdown)$/);
        const text = await copied(dialog, way);
        if (way === 'curl') {
            const task = JSON.parse(run(text));
            const done = await ended(task.id);
            assert.equal(done.children.total, total);
        } else {
            try {
                assert.match(run(text), new RegExp(`Shut down: ${total} objects: succeeded`));
            } catch (error) {
                // Guests that do not hear are skipped: not all was done.
                assert.equal(error.status, 7, `${text}\n${error.message}${error.stdout}${error.stderr}`);
                assert.match(
                    String(error.stderr),
                    new RegExp(`Shut down: \\d+ of ${total} done; \\d+ skipped:`),
                );
            }
        }
        await page.keyboard.press('Escape');
        await dialog.waitFor({ state: 'detached' });

        // By ids, with a text that a shell would take apart.
        await view.go('/vms?filter=provider%3Ahv-osl-01&sort=name', '.pv-row');
        await view.settle();
        await page.locator('[role=grid]').focus();
        for (const key of ['Home', 'x', 'ArrowDown', 'x']) await page.keyboard.press(key);
        await page.locator('.pv-bulk').getByRole('button', { name: 'Take snapshot' }).click();
        const name = `it's "before" $HOME ${way}`;
        await dialog.locator('#action-name').fill(name);
        await dialog.locator('.pv-plan__sums', { hasText: '2 will change' }).waitFor();
        await dialog.getByText('Copy as a command').click();
        await page.waitForFunction(
            (n) => document.querySelector('[data-command=ansible] pre')?.textContent.includes(n),
            `$HOME ${way}`,
        );
        const [snap] = yaml(await copied(dialog, 'ansible'));
        assert.equal(snap['ansible.builtin.uri'].body.params.name, name);
        if (way === 'cli') {
            await view.axe('the commands of a bulk action');
            await view.looks('bulk-commands', 'the commands of a bulk action');
        }
        run(await copied(dialog, way));
        const { targets } = snap['ansible.builtin.uri'].body;
        for (const id of targets)
            await view.until(`/vms/${id}/snapshots?limit=100`, (a) => a.items.some((s) => s.name === name));
        await page.keyboard.press('Escape');
    });

test('nothing went wrong in that window', async () => {
    await view.close();
});
