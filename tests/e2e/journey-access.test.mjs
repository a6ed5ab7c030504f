// SPDX-License-Identifier: Apache-2.0
// Journey J9 in the browser: a group may work on what carries a tag; its member sees that and nothing else; everything is explained,
// and recorded. Both families: one vCenter and one Hyper-V host.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { journey, stage } from './harness.mjs';
import { Hyperv, together, Vcenter } from './peers.mjs';

const SECRET = 'long-enough-password-7';
const PATIENCE = { timeout: 60_000 };
const test = journey();
let vcenter;
let hyperv;
let view;
let member;
/** One machine of each family that carries the tag, and one that does not. */
let mine;
let theirs;

const { server, browser } = stage({ demo: false });
before(async () => {
    [vcenter, hyperv] = await together(
        Vcenter.start({
            dc: 1,
            cluster: 1,
            host: 1,
            'standalone-host': 0,
            vm: 3,
        }),
        Hyperv.start({ hosts: 1, vms: 5 }),
    );
    view = await browser.open(server);
    await view.addProviders({ vcenter, hyperv });
    const vms = (await view.api('GET', '/vms?filter=power:running&view=full')).items;
    const of = (family) => vms.filter((vm) => vm.provider.family === family);
    mine = [of('vmware')[0], of('hyperv')[0]];
    theirs = of('hyperv')[1];
    for (const vm of mine) await view.api('PATCH', `/vms/${vm.id}`, { tags: ['app=erp'] });
});
after(() => Promise.all([vcenter?.stop(), hyperv?.stop()]));

/** Fills the dialog that a "New …" button opens, and saves. */
async function make(where, button, values, look) {
    const { page } = view;
    await view.go(`/access/${where}`, '.pv-page');
    await view.settle();
    await page.getByRole('button', { name: button, exact: true }).first().click();
    const dialog = page.getByRole('dialog');
    for (const [id, value] of Object.entries(values)) {
        const field = dialog.locator(`#new-${id}`);
        await field.waitFor();
        const tag = await field.evaluate((e) => e.tagName);
        if (tag === 'SELECT') await field.selectOption(value);
        else if (tag === 'DIV') for (const one of value) await field.getByLabel(one, { exact: true }).check();
        else await field.fill(value);
    }
    await view.axe(button);
    await view.screenshot(`journey-${look}`);
    await dialog.getByRole('button', { name: 'Save' }).click();
}

const closed = () => view.page.getByRole('dialog').waitFor({ state: 'detached' });

test('a user, a group, a role and a grant with a scope are made in their dialogs', async () => {
    const { page } = view;
    await make(
        'users',
        'New user',
        { name: 'mueller', full_name: 'Erika Mueller', password: SECRET },
        'new-user',
    );
    await closed();
    await page.locator('.pv-row', { hasText: 'mueller' }).waitFor();
    await make('groups', 'New group', { name: 'ERP team', members: ['mueller'] }, 'new-group');
    await closed();
    await page.locator('.pv-row', { hasText: 'ERP team' }).waitFor();
    const permissions = [
        'see virtual machines',
        'switch virtual machines',
        'take and revert snapshots',
        'see tasks',
    ];
    await make('roles', 'New role', { name: 'erp-operator', permissions }, 'new-role');
    await closed();
    await page.locator('.pv-row', { hasText: 'erp-operator' }).waitFor();
    await make(
        'grants',
        'New grant',
        {
            group: 'ERP team',
            role: 'erp-operator',
            'scope-type': 'selector',
            'scope-selector': 'tag:app=erp',
        },
        'new-grant',
    );
    await closed();
    await page.locator('.pv-row', { hasText: 'tag:app=erp' }).waitFor();
    await view.axe('the grants');
    await view.screenshot('journey-grants');
    await view.darkly('journey-grants');
});

test('a wrong value is said at its field', async () => {
    const { page } = view;
    view.expected.push(/status of (409|422)/);
    await make('users', 'New user', { name: 'mueller', password: SECRET }, 'user-taken');
    await page.getByRole('dialog').getByText(/name/i).first().waitFor();
    await page.getByRole('dialog').locator('.pf-m-error, .pv-notice--danger').first().waitFor();
    await view.axe('a name that is taken');
    await page.keyboard.press('Escape');
    await closed();
});

test('a token is shown once and then only by its name', async () => {
    const { page } = view;
    await make('tokens', 'New token', { name: 'nightly' }, 'new-token');
    const token = (await page.getByRole('dialog').locator('.pv-code').innerText()).trim();
    assert.match(token, /^pv_/);
    const answer = await fetchWith(token, '/me');
    assert.equal(answer.status(), 200);
    await page.getByRole('button', { name: 'Done' }).click();
    await closed();
    await page.locator('.pv-row', { hasText: 'nightly' }).waitFor();
    assert.ok(!(await page.content()).includes(token));
});

/** A request of somebody without a browser. */
async function fetchWith(token, path) {
    const context = await browser.chromium.newContext({
        ignoreHTTPSErrors: true,
    });
    const answer = await context.request.get(`${server.url}/api/v1${path}`, {
        headers: { Authorization: `Bearer ${token}` },
    });
    await answer.body();
    return answer;
}

test('the member sees what carries the tag, with right counts, and no name of anything else', async () => {
    member = await browser.open(server, {
        user: 'mueller',
        password: SECRET,
        width: 1024,
    });
    const { page } = member;
    await member.go('/vms', '.pv-row');
    await member.settle();
    assert.equal(await page.locator('.pv-count').first().innerText(), '2');
    const text = await page.locator('[role=grid]').innerText();
    for (const vm of mine) assert.ok(text.includes(vm.name), vm.name);
    await member.axe('the list of a member');
    await member.screenshot('journey-member-list');
    await member.darkly('journey-member-list');
    await page.keyboard.press('Control+k');
    const [found] = await Promise.all([
        page.waitForResponse((r) => r.url().includes('/search?') && r.url().includes(theirs.name)),
        page.locator('.pv-palette__input').fill(theirs.name),
    ]);
    assert.ok(!(await found.text()).includes(theirs.id), 'not by search');
    await page.keyboard.press('Escape');
    assert.equal(await page.locator('nav a[href^="/access"], nav a[href="/audit"]').count(), 0);
    // Hosts are not in the role: their page says so.
    member.expected.push(/status of 403 .*\/hosts\?/);
    for (const place of ['/', '/hosts', '/events', '/tasks']) {
        await member.go(place, 'main');
        await member.settle();
        assert.ok(!(await page.locator('main').innerText()).includes(theirs.name), place);
        await member.axe(`${place} of a member`);
    }
});

test('what the member may not do is disabled with the permission it needs, and refused by its address', async () => {
    const { page } = member;
    member.expected.push(/status of (403|404)/);
    await member.go(`/vms/${mine[0].id}`, '.pv-object__actions button');
    await page.getByRole('button', { name: 'More' }).first().click();
    const remove = page.getByRole('menuitem', { name: /^Delete(?! all)/ });
    assert.equal(await remove.getAttribute('aria-disabled'), 'true');
    assert.match(await remove.locator('.pv-menu__reason').innerText(), /vm\.delete.*Who can grant it: admin/);
    await member.axe('the menu of a member');
    await member.screenshot('journey-member-menu');
    await page.keyboard.press('Escape');
    await member.go('/access/users', '.pv-empty');
    assert.match(await page.locator('.pv-empty').innerText(), /access\.manage/);
    await page.locator('.pv-empty', { hasText: 'Who can grant it: admin' }).waitFor();
    assert.equal(await page.getByRole('button', { name: 'New user' }).count(), 0, 'nothing to try in vain');
    await member.axe('a page that may not be seen');
    await member.screenshot('journey-denied');
    await member.darkly('journey-denied');
    await member.spoken('/access/users', '.pv-empty', 'journey-denied');
    // A form that could only be refused at its end is not begun.
    await member.go('/providers/new', '.pv-empty');
    await member.page.getByText('provider.manage').waitFor();
    await member.go(`/vms/${theirs.id}`, '.pv-empty');
    assert.ok(!(await page.locator('main').innerText()).includes(theirs.name), 'as if it were not there');
    await member.screenshot('journey-not-there');
    await member.darkly('journey-not-there');
});

test('what the member may do works on both families', async () => {
    const { page } = member;
    for (const vm of mine) {
        await member.go(`/vms/${vm.id}`, '.pv-object__actions button');
        await page.getByRole('button', { name: 'More' }).first().click();
        await page.getByRole('menuitem', { name: 'Turn off', exact: true }).click();
        await page.getByRole('dialog').getByRole('button', { name: 'Turn off', exact: true }).click();
        await page.getByRole('dialog').waitFor({ state: 'detached' });
        await page.locator('.pv-object__facts', { hasText: 'Off' }).waitFor(PATIENCE);
    }
});

test('why somebody may is answered in one sentence', async () => {
    const { page } = view;
    await view.go('/access/explain', '#ex-who');
    const ask = async (what) => {
        await page.locator('#ex-who option', { hasText: 'mueller' }).waitFor({ state: 'attached' });
        await page.locator('#ex-who').selectOption({ label: 'mueller' });
        await page.locator('#ex-what').selectOption(what);
        // The object is chosen by its name, not typed by its id; a short list needs no search.
        await page.locator('#ex-on option').nth(1).waitFor({ state: 'attached' });
        const search = page.locator('#ex-on-search');
        if (await search.count()) await search.fill(mine[1].name);
        await page.locator(`#ex-on option[value="${mine[1].id}"]`).waitFor({ state: 'attached' });
        await page.locator('#ex-on').selectOption(mine[1].id);
        await page.getByRole('button', { name: 'Ask', exact: true }).click();
        await page.waitForFunction(
            (w) => document.querySelector('.pv-answer')?.textContent.includes(w),
            what === 'vm.stop' ? 'erp-operator' : 'vm.delete',
        );
        return page.locator('.pv-answer').innerText();
    };
    const yes = await ask('vm.stop');
    assert.match(yes, /ERP team/);
    await view.axe('the answer');
    await view.screenshot('journey-explain');
    await view.darkly('journey-explain');
    assert.match(await ask('vm.delete'), /^\s*no\b/i);
});

test('the auditor finds who did it, exports that, and proves that the chain is whole', async () => {
    const { page } = view;
    await view.go(`/audit?filter=${encodeURIComponent('actor:mueller action:vm.stop')}`, '.pv-row');
    await view.settle();
    // Previews are asked for by the same operation.
    assert.ok((await page.locator('.pv-row').count()) >= 2);
    await page.getByRole('button', { name: 'List' }).click();
    const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('menuitem', { name: 'Export as CSV' }).click(),
    ]);
    assert.equal(download.suggestedFilename(), 'audit.csv');
    await page.getByRole('button', { name: 'Verify chain' }).click();
    await page.getByText('The chain is whole').waitFor();
    await view.axe('the audit');
    await view.screenshot('journey-audit');
    await view.darkly('journey-audit');
});

test('a grant that is deleted ends what it allowed, on the open page too', async () => {
    const { page } = view;
    await member.go('/vms', '.pv-row');
    await view.go(`/access/grants?filter=${encodeURIComponent('scope.type:selector')}`, '.pv-row');
    await page.locator('.pv-row').getByRole('link', { name: 'erp-operator' }).click();
    await page.locator('#edit-role').waitFor();
    await view.axe('the dialog of a grant');
    await view.screenshot('journey-edit-grant');
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Delete' }).click();
    await view.axe('before a grant is deleted');
    await dialog.getByRole('button', { name: 'Delete' }).click();
    await closed();
    await member.page.reload();
    await member.page.locator('.pv-empty').waitFor(PATIENCE);
    assert.equal(await member.page.locator('.pv-row').count(), 0);
    await member.screenshot('journey-member-without');
    await member.darkly('journey-member-without');
});

test('nothing went wrong in these windows', async () => {
    await member.close();
    await view.close();
});
