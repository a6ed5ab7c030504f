// SPDX-License-Identifier: Apache-2.0
// Journeys J1 to J3 in the browser, against a vCenter and Hyper-V hosts: first run, the wizard with the connection doctor, a wrong
// password and a wrong certificate mended where they are shown, a provider that is away and back, a certificate that changed.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { journey, PASSWORD, stage } from './harness.mjs';
import { Hyperv, together, Vcenter } from './peers.mjs';

let vcenter;
let hyperv;
let view;
/** Names of the providers, as the tests give them. */
const VC = 'vCenter Lab';
const HV = ['Hyper-V one', 'Hyper-V two'];
const PATIENCE = { timeout: 60_000 };
const test = journey();

const { server, browser } = stage({ demo: false, admin: false });
before(async () => {
    [vcenter, hyperv] = await together(
        Vcenter.start({
            dc: 1,
            cluster: 1,
            host: 2,
            'standalone-host': 0,
            vm: 6,
        }),
        Hyperv.start({ hosts: 2, vms: 12 }),
    );
    view = await browser.open(server, { signIn: false });
    view.expected.push(/status of 401 .*\/(me|auth)\b/);
});
after(() => Promise.all([vcenter?.stop(), hyperv?.stop()]));

const button = (name) => view.page.getByRole('button', { name, exact: true });

const looks = (name, what) => view.looks(name, what);

const providerId = async (name) =>
    (await view.api('GET', `/providers?filter=${encodeURIComponent(`name="${name}"`)}&fields=name`)).items[0]
        .id;

/** Until the page says that the provider is so. */
const state = (text) => view.page.locator('.pv-object__facts', { hasText: text }).waitFor(PATIENCE);

test('J1: the code that the server printed makes the administrator, who goes on to a real server', async () => {
    const { page } = view;
    await view.go('/', '#setup-code');
    await page.locator('#setup-code').fill(server.setupCode);
    await page.locator('#setup-password').fill(PASSWORD);
    await page.locator('#setup-again').fill(PASSWORD);
    await button('Make the administrator').click();
    await page.locator('.pv-choice__card', { hasText: 'real server' }).click();
    await page.waitForURL(/\/providers\/new/);
    view.csrf = (await view.api('GET', '/me')).csrf_token;
    await page.locator('#np-driver').waitFor();
    await view.axe('what to add');
});

test('J2: the wizard names each step, and a wrong certificate and a wrong password are mended in it', async () => {
    const { page } = view;
    await page.locator('#np-driver').selectOption('vapi');
    await page.locator('#np-name').fill(VC);
    await page.locator('#np-endpoint').fill(vcenter.url);
    await page.locator('#np-user').fill(vcenter.user);
    await page.locator('#np-password').fill('not the password');
    await button('Test connection').click();
    const trust = button('Trust this fingerprint, test again');
    await trust.waitFor(PATIENCE);
    const shown = (await page.locator('.pv-fingerprint').innerText()).replaceAll(':', '').toLowerCase();
    assert.equal(shown, vcenter.sha256, 'the fingerprint that the vCenter shows itself');
    await looks('certificate', 'a certificate that nobody knows');
    await trust.click();
    await page.locator('.pv-findings__bad', { hasText: /password/i }).waitFor(PATIENCE);
    assert.equal(await page.locator('#np-pin').inputValue(), vcenter.sha256);
    assert.equal(await page.locator('.pv-findings__bad').count(), 1, 'the certificate is no fault any more');
    await looks('wrong-password', 'a refused sign-in');
    await page.locator('#np-password').fill(vcenter.password);
    await button('Test connection').click();
    await page.getByText('Everything works').waitFor(PATIENCE);
    assert.ok((await page.locator('.pv-findings li').count()) >= 6, 'every step is told');
    await view.axe('a connection that works');
    await button('Add').click();
    await page.waitForURL(/\/providers\/prv_/);
    await state('Connected');
    await page.locator('.pv-fields', { hasText: vcenter.sha256 }).first().waitFor();
    await looks('provider', 'the page of a vCenter');
});

test('J3: two Hyper-V hosts are added the same way', async () => {
    const { page } = view;
    for (const [i, host] of hyperv.hosts.entries()) {
        await view.go('/providers/new?driver=wmi', '#np-endpoint');
        await page.locator('#np-name').fill(HV[i]);
        await page.locator('#np-endpoint').fill(host.url);
        await page.locator('#np-user').fill(host.user);
        await page.locator('#np-password').fill(host.password);
        await button('Test connection').click();
        await button('Trust this fingerprint, test again').click(PATIENCE);
        await page.getByText('Everything works').waitFor(PATIENCE);
        if (i === 0) await looks('hyperv-doctor', 'the doctor at a Hyper-V host');
        await button('Add').click();
        await page.waitForURL(/\/providers\/prv_/);
        await state('Connected');
    }
    await view.go('/providers', '.pv-row');
    await page.waitForFunction(() => document.querySelectorAll('.pv-row').length === 3);
    await looks('providers', 'the providers');
    await view.go('/', '.pv-overview');
    await page.getByText('18', { exact: true }).first().waitFor(PATIENCE);
    await looks('overview', 'the overview of both');
});

test('J3: a host that is away keeps its rows with their age, refuses writes with the reason, and comes back', async () => {
    const { page } = view;
    const [host] = hyperv.hosts;
    const vm = (
        await view.api(
            'GET',
            `/vms?filter=${encodeURIComponent(`provider:"${HV[0]}" power:running`)}&limit=1`,
        )
    ).items[0];
    view.expected.push(/status of (409|502|503|504)/);
    await hyperv.ask('POST', host.name, '/down');
    await view.go(`/vms/${vm.id}`, 'h1');
    await page.locator('.pv-notice--warning', { hasText: HV[0] }).waitFor(PATIENCE);
    await page.getByRole('button', { name: 'More' }).first().click();
    const stop = page.getByRole('menuitem', { name: 'Turn off' });
    await stop.locator('.pv-menu__reason').waitFor(PATIENCE);
    assert.equal(await stop.getAttribute('aria-disabled'), 'true');
    await view.axe('the menu while the host is away');
    await view.screenshot('journey-away-menu');
    await page.keyboard.press('Escape');
    await looks('away-vm', 'a machine of a host that is away');
    await view.go('/vms', '.pv-row');
    await page.waitForFunction(
        () => document.querySelectorAll('.pv-row--stale').length === 6,
        undefined,
        PATIENCE,
    );
    assert.equal(await page.locator('.pv-row').count(), 18, 'no row is lost');
    const away = page.locator('.pv-notice', { hasText: 'Not all of 3' });
    assert.match(await away.innerText(), new RegExp(`${HV[0]}[^]*(ago|now)`));
    await looks('away-list', 'the list while a host is away');
    await hyperv.ask('POST', host.name, '/up');
    await page.waitForFunction(() => !document.querySelector('.pv-row--stale'), undefined, {
        timeout: 120_000,
    });
});

test('J3: a certificate that changed stops everything until it is compared and trusted', async () => {
    const { page } = view;
    const [, host] = hyperv.hosts;
    const id = await providerId(HV[1]);
    const before = host.cert_sha256;
    await view.go(`/providers/${id}`, 'h1');
    await state('Connected');
    const now = (await hyperv.ask('POST', host.name, '/certificate', {})).cert_sha256;
    await hyperv.ask('POST', host.name, '/drop');
    await state('Certificate changed');
    const prints = page.locator('.pv-fingerprint');
    await prints.nth(1).waitFor(PATIENCE);
    assert.deepEqual(
        (await prints.allInnerTexts()).map((x) => x.replaceAll(':', '').toLowerCase()),
        [before, now],
    );
    assert.ok(await button('Trust the new certificate').isDisabled(), 'only after comparing');
    await looks('certificate-changed', 'a changed certificate');
    await page.locator('#mend-compared').check();
    await button('Trust the new certificate').click();
    await state('Connected');
    await page.locator('.pv-fields', { hasText: now }).first().waitFor(PATIENCE);
});

test('J2: a password that was changed at the vCenter is mended on the page of the provider', async () => {
    const { page } = view;
    await view.api('PATCH', `/providers/${await providerId(VC)}`, {
        password: 'the old one',
    });
    await view.go(`/providers/${await providerId(VC)}`, 'h1');
    await state('Sign-in refused');
    await page.locator('#mend-password').waitFor(PATIENCE);
    await looks('signin-refused', 'a refused sign-in on the page of the provider');
    await page.locator('#mend-password').fill(vcenter.password);
    await button('Sign in with these').click();
    await state('Connected');
    await page.locator('#mend-password').waitFor({ state: 'detached', ...PATIENCE });
});

test('J3: the other nodes of a failover cluster are offered, and added with it in one go', async () => {
    const { page } = view;
    const cluster = await Hyperv.start({
        hosts: 2,
        vms: 8,
        cluster: 2,
        domain: 'corp.example',
        prefix: 'NODE',
    });
    try {
        const [first, second] = cluster.hosts;
        await view.go('/providers/new?driver=wmi', '#np-endpoint');
        await page.locator('#np-name').fill('NODE01');
        await page.locator('#np-endpoint').fill(first.url);
        await page.locator('#np-user').fill(first.user);
        await page.locator('#np-password').fill(first.password);
        await button('Test connection').click();
        await button('Trust this fingerprint, test again').click(PATIENCE);
        const node = page.getByRole('checkbox', { name: /^NODE02/ });
        await node.waitFor(PATIENCE);
        assert.ok(await node.isChecked(), 'it is wanted unless somebody says no');
        const address = page.getByLabel('Address of NODE02');
        assert.match(await address.inputValue(), /node02\.corp\.example/);
        await looks('cluster-nodes', 'the other nodes of a cluster');
        await node.uncheck();
        await button('Add').waitFor();
        await node.check();
        // The name of a made-up domain is known to nobody here.
        await address.fill(second.url);
        await page.getByLabel('SHA-256 of the certificate of NODE02').fill(second.cert_sha256);
        await button('Add 2 providers').click();
        await page.waitForURL(/\/providers\/prv_/);
        await view.until(
            '/providers?filter=name~NODE*&fields=name,state',
            (a) => a.items.length === 2 && a.items.every((p) => p.state === 'connected'),
        );
        await view.until('/hosts?filter=name~NODE*&limit=5', (a) => a.items.length === 2);

        // Taking one out names what leaves, and asks. Its page may ask for it once more before the list is there.
        view.expected.push(/status of 404 .*\/providers\/prv_/);
        const id = await providerId('NODE02');
        const machines = (await view.api('GET', `/vms?filter=provider:${id}&limit=1&count=exact`)).count;
        assert.ok(machines > 0);
        await view.go(`/providers/${id}`, 'h1');
        await button('Remove…').click();
        const dialog = page.getByRole('dialog');
        await dialog.getByText('Nothing is touched on the hypervisor').waitFor();
        const said = await dialog.innerText();
        assert.match(said, new RegExp(`${machines} virtual machines?`));
        assert.match(said, /1 host/);
        assert.ok(await dialog.getByRole('button', { name: 'Remove', exact: true }).isDisabled());
        await looks('provider-remove', 'before a provider is removed');
        await page.keyboard.press('Escape');
        await dialog.waitFor({ state: 'detached' });
        await button('Remove…').click();
        await dialog.getByRole('checkbox').check();
        await dialog.getByRole('button', { name: 'Remove', exact: true }).click();
        await page.waitForURL(/\/providers$/);
        await view.until(`/vms?filter=provider:${id}&limit=1&count=exact`, (a) => a.count === 0);
        const left = await view.api('GET', '/providers?filter=name~NODE*&fields=name');
        assert.deepEqual(
            left.items.map((p) => p.name),
            ['NODE01'],
        );
        await view.api('DELETE', `/providers/${await providerId('NODE01')}?force=true`);
    } finally {
        await cluster.stop();
    }
});

test('nothing went wrong in that window', async () => {
    await view.close();
});
