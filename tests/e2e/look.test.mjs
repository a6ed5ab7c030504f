// SPDX-License-Identifier: Apache-2.0
// The list in both themes, three widths, three languages and the pseudo language: no violation, nothing that scrolls sideways.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stage } from './harness.mjs';

const { server, browser } = stage();

const SIZES = [
    [1600, 1000],
    [1024, 768],
    [420, 900],
    [320, 700],
];

for (const theme of ['light', 'dark'])
    for (const language of ['en', 'ru', 'zh-CN'])
        test(`the list of machines, ${theme}, ${language}`, async () => {
            const view = await browser.open(server, { look: { theme, language } });
            for (const [width, height] of SIZES) {
                await view.page.setViewportSize({ width, height });
                await view.go('/vms', '.pv-row');
                await view.settle();
                await view.fits(`${width} px`);
                await view.axe(`${theme} ${language} ${width} px`);
                await view.screenshot(`vms-${language}-${theme}-${width}`);
            }
            await view.close();
        });

test('high contrast, and texts that are 40 % longer', async () => {
    const view = await browser.open(server, { look: { theme: 'light', contrast: 'high' } });
    await view.go('/vms?lang=pseudo&facets=1', '.pv-row');
    await view.settle();
    await view.fits('pseudo');
    await view.axe('high contrast');
    await view.screenshot('vms-pseudo-contrast');
    await view.close();
});

test('the tree, the palette, the shortcuts and the notifications', async () => {
    const view = await browser.open(server, { look: { navigationMode: 'tree' } });
    const { page } = view;
    await view.go('/vms', '.pv-tree__line');
    await page.locator('.pv-tree').focus();
    await page.keyboard.press('ArrowRight');
    await page.locator('[aria-level="2"]').first().waitFor();
    await view.axe('the tree');
    await view.screenshot('tree');
    await page.keyboard.press('Control+k');
    await page.locator('.pv-palette__input').waitFor();
    await page.keyboard.type('web-fra');
    await page.locator('.pv-palette__item', { hasText: 'web-fra' }).first().waitFor();
    await view.axe('the palette');
    await view.screenshot('palette');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/vms\/vm_/);
    await page.locator('.pv-palette__input').waitFor({ state: 'detached' });
    await page.keyboard.press('?');
    await page.getByRole('dialog').waitFor();
    await view.axe('the shortcuts');
    await view.screenshot('shortcuts');
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    await page.getByRole('button', { name: /^Notifications/ }).click();
    await view.axe('notifications');
    await view.close();
});

test('on a phone theme, language and single keys are chosen among the preferences, and kept', async () => {
    const view = await browser.open(server, { width: 420, height: 900 });
    const { page } = view;
    await view.go('/', '.pv-overview');
    await page.getByRole('button', { name: 'admin' }).click();
    await page.getByRole('menuitem', { name: 'Preferences' }).click();
    await page.locator('#look-theme:focus, #look-language:focus').waitFor();
    await page.locator('#look-theme').selectOption('dark');
    await page.locator('html.pf-v6-theme-dark').waitFor();
    await page.locator('#look-contrast').check();
    await page.locator('html.pf-v6-theme-high-contrast').waitFor();
    await view.axe('the preferences, dark, high contrast');
    await page.locator('#look-keys').uncheck();
    await page.locator('#look-language').selectOption('ru');
    await page.locator('html[lang=ru]').waitFor();
    await page.reload();
    await page.locator('html[lang=ru].pf-v6-theme-dark.pf-v6-theme-high-contrast').waitFor();
    await page.locator('h1').waitFor();
    await page.locator('h1').click();
    await page.keyboard.press('?');
    await page.keyboard.press('Control+k');
    await page.locator('.pv-palette').waitFor();
    assert.equal(await page.locator('[data-surface=help]').count(), 0, 'a single key was taken');
    await view.close();
});
