// SPDX-License-Identifier: Apache-2.0
// Settings in every form, and what the server says in the person's language: reasons, problems, labels, long texts.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFileSync } from 'node:fs';
import { stage } from './harness.mjs';

const { server, browser } = stage();

const TABS = [
    ['/settings', '#sign_in-idle_minutes'],
    ['/settings/retention', '#retention-events_days'],
    ['/settings/certificate', '.pv-fields'],
    ['/settings/plugins', '.pv-fields'],
    ['/settings/backup', '.pv-card'],
    ['/settings/about', '.pv-fields'],
];

for (const [theme, language] of [
    ['light', 'en'],
    ['dark', 'ru'],
    ['light', 'zh-CN'],
])
    test(`settings, ${theme}, ${language}`, async () => {
        const view = await browser.open(server, { look: { theme, language } });
        for (const width of [1600, 420]) {
            await view.page.setViewportSize({ width, height: 900 });
            for (const [path, ready] of TABS) {
                await view.go(path, ready);
                await view.settle();
                await view.fits(`${path} at ${width} px`);
                await view.axe(`${path} ${theme} ${language} ${width} px`);
                const name = path.slice(1).replace('/', '-');
                await view.screenshot(`${name}-${language}-${theme}-${width}`);
            }
        }
        await view.close();
    });

test('a setting is changed, and a wrong one says why where it stands', async () => {
    const view = await browser.open(server, { look: { language: 'ru' } });
    const { page } = view;
    view.expected.push(/settings.*|422/);
    await view.go('/settings/retention', '#retention-events_days');
    const field = page.locator('#retention-events_days');
    const save = page.getByRole('button', { name: 'Сохранить' });
    assert.equal(await save.isDisabled(), true);
    await field.fill('0');
    await save.click();
    await page.getByText('нужно от 1 до 3650').waitFor();
    await field.fill('21');
    await save.click();
    await page.getByText('Настройки действуют').first().waitFor();
    assert.equal((await view.api('GET', '/settings')).retention.events_days, 21);
    await page.reload();
    await field.waitFor();
    assert.equal(await field.inputValue(), '21');
    await view.close();
});

test('a backup is made, fetched and deleted', async () => {
    const view = await browser.open(server);
    const { page } = view;
    await view.go('/settings/backup', '.pv-card');
    await page.getByRole('button', { name: 'Back up now' }).click();
    const link = page.locator('a[download$=".db"]');
    await link.waitFor();
    await view.screenshot('settings-backup-made');
    const [download] = await Promise.all([page.waitForEvent('download'), link.click()]);
    assert.equal(
        readFileSync(await download.path())
            .subarray(0, 15)
            .toString(),
        'SQLite format 3',
    );
    await page.getByRole('button', { name: 'Delete', exact: true }).click();
    await page.getByRole('button', { name: 'Delete for good?' }).click();
    await link.waitFor({ state: 'detached' });
    await view.close();
});

test('reasons of the server are in the language of the person', async () => {
    const view = await browser.open(server, { look: { language: 'ru' } });
    const { page } = view;
    const off = (await view.api('GET', '/vms?limit=1&filter=power:off template:false provider.family:vmware'))
        .items[0];
    await view.go(`/vms/${off.id}/capabilities`, '.pv-table');
    await view.settle();
    const reasons = await page.locator('.pv-table tbody tr td:last-child').allTextContents();
    const said = reasons.filter(Boolean);
    assert.ok(said.length > 3, 'there are reasons');
    const english = said.filter((text) => /^[a-z ,;:'A-Z]+$/.test(text.split(' · ')[0]));
    assert.deepEqual(english, []);
    await view.screenshot('capabilities-ru');
    await view.close();
});

const LONG = [
    '/',
    '/vms',
    '/hosts',
    '/clusters',
    '/storage/datastores',
    '/networks',
    '/providers',
    '/tasks',
    '/events',
    '/alerts',
    '/alerts/rules',
    '/audit',
    '/access/users',
    '/access/grants',
    '/me',
    ...TABS.map(([path]) => path),
];

for (const width of [1600, 420])
    test(`texts that are 40 % longer clip nothing at ${width} px`, async () => {
        const view = await browser.open(server, { width, height: 900 });
        for (const path of LONG) {
            await view.go(`${path}?lang=pseudo`, '.pv-h1');
            await view.settle();
            await view.fits(`${path} at ${width} px`);
            await view.screenshot(`pseudo-${path.slice(1).replaceAll('/', '-') || 'overview'}-${width}`);
            const cut = await view.page.evaluate(() =>
                [...document.querySelectorAll('button, .pv-button, .pv-h1, .pv-h2, .pv-card__title, label')]
                    .filter((e) => {
                        const style = getComputedStyle(e);
                        return (
                            e.offsetParent &&
                            style.overflowX !== 'visible' &&
                            style.textOverflow !== 'ellipsis' &&
                            e.scrollWidth > e.clientWidth + 1
                        );
                    })
                    .map((e) => `${e.className}: ${e.textContent.trim().slice(0, 60)}`),
            );
            assert.deepEqual(cut, [], `${path} at ${width} px`);
        }
        await view.close();
    });
