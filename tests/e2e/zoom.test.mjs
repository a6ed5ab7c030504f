// SPDX-License-Identifier: Apache-2.0
// Large letters, still pictures, strong contrast: a window of 1280 by 1024 at 200 % and 400 %, with reduced motion, high contrast
// and the system's own colours, on every list and in dialogs. Nothing scrolls sideways, nothing is out of reach, and what has the
// focus is never hidden behind something that stays.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stage } from './harness.mjs';
import { LISTS } from './places.mjs';

const { server, browser } = stage();

const WIDE = 1280;
const HIGH = 1024;

async function everyList(view, what, check) {
    const wrong = [];
    for (const [name, path, ready] of LISTS) {
        try {
            await view.go(path, ready);
            await view.settle();
            await check(name);
        } catch (error) {
            wrong.push(`${name} ${what}: ${error.message}`);
        }
    }
    assert.deepEqual(wrong, []);
}

/** What is covered by something else in the middle of itself, of all that the Tab key reaches. */
async function walk(page, steps) {
    const hidden = [];
    for (let i = 0; i < steps; i++) {
        await page.keyboard.press('Tab');
        const found = await page.evaluate(() => {
            const e = document.activeElement;
            if (!e || e === document.body) return null;
            const row = e.matches('[role=grid], [role=treegrid], [role=tree]');
            const at = row ? document.getElementById(e.getAttribute('aria-activedescendant') ?? '') : e;
            const box = (at ?? e).getBoundingClientRect();
            const name = `${e.tagName}.${e.className} ${(e.ariaLabel ?? e.textContent ?? '').slice(0, 30)}`;
            if (!box.width || !box.height) return { name, why: 'has no size' };
            if (box.bottom <= 0 || box.top >= innerHeight || box.right <= 0 || box.left >= innerWidth)
                return {
                    name,
                    why: `is out of the window at ${Math.round(box.left)},${Math.round(box.top)}`,
                };
            // Hidden entirely: no point of it is on top.
            for (const x of [0.1, 0.5, 0.9])
                for (const y of [0.2, 0.5, 0.8]) {
                    const top = document.elementFromPoint(box.left + box.width * x, box.top + box.height * y);
                    if (top && (top === e || e.contains(top) || top.contains(e))) return { name };
                }
            return { name, why: 'is covered' };
        });
        if (found?.why) hidden.push(`${found.name} ${found.why}`);
    }
    return hidden;
}

for (const percent of [200, 400])
    test(`every list at ${percent} %: no sideways scrolling, no violation, nothing out of reach`, async () => {
        const scale = percent / 100;
        const view = await browser.open(server, { width: WIDE / scale, height: HIGH / scale, scale });
        await everyList(view, `at ${percent} %`, async (name) => {
            await view.fits(name);
            if (percent === 400) await view.axe(name);
            assert.deepEqual(await walk(view.page, 14), [], 'what has the focus');
            const rows = await view.page.evaluate(() => {
                const grid = document.querySelector('.pv-grid');
                if (!grid) return null;
                grid.scrollIntoView({ block: 'nearest' });
                return grid.getBoundingClientRect().height;
            });
            assert.ok(rows === null || rows >= 150, `${rows} px are left for the rows`);
            await view.screenshot(`zoom-${percent}-${name}`);
        });
        await view.close();
    });

test('dialogs at 400 %: no sideways scrolling, every field and button can be reached', async () => {
    const view = await browser.open(server, { width: WIDE / 4, height: HIGH / 4, scale: 4 });
    const { page } = view;
    const vms = (await view.api('GET', '/vms?filter=power:running&limit=2')).items.map((v) => v.id);
    const dialogs = [
        ['stop', `/vms?do=vm.stop&on=${vms.join(',')}`, '.pv-plan__sums'],
        ['snapshot', `/vms?do=vm.snapshot.create&on=${vms[0]}`, '#action-name'],
        ['user', '/access/users?new=%2Fusers', '#new-name'],
        ['provider', '/providers/new?driver=vapi', '#np-endpoint'],
    ];
    const wrong = [];
    for (const [name, path, ready] of dialogs)
        try {
            await view.go(path, ready);
            await view.settle();
            await view.fits(name);
            await view.axe(name);
            wrong.push(...(await walk(page, 12)).map((h) => `${name}: ${h}`));
            await view.screenshot(`zoom-400-dialog-${name}`);
        } catch (error) {
            wrong.push(`${name}: ${error.message}`);
        }
    await view.go('/vms', '.pv-row');
    await page.keyboard.press('?');
    await page.getByRole('dialog').waitFor();
    await view.fits('the shortcuts');
    await view.axe('the shortcuts');
    await view.screenshot('zoom-400-dialog-shortcuts');
    assert.deepEqual(wrong, []);
    await view.close();
});

test('reduced motion: nothing moves by itself', async () => {
    const view = await browser.open(server, { reducedMotion: 'reduce' });
    const vm = (await view.api('GET', '/vms?filter=power:off&limit=1')).items[0];
    await view.api('POST', `/vms/${vm.id}/actions/start`, {});
    await everyList(view, 'with reduced motion', async () => {
        const moving = await view.page.evaluate(() =>
            document
                .getAnimations()
                .filter((a) => a.playState === 'running' && a.effect.getComputedTiming().duration > 10)
                .map((a) => a.effect.target?.className),
        );
        assert.deepEqual(moving, []);
    });
    await view.go('/vms', '.pv-row');
    await view.page.keyboard.press('t');
    const slow = await view.page.evaluate(() =>
        [...document.querySelectorAll('*')]
            .filter((e) => parseFloat(getComputedStyle(e).transitionDuration) > 0)
            .map((e) => e.className),
    );
    assert.deepEqual(slow, []);
    await view.close();
});

test('high contrast: no violation on any list, nor in the dark', async () => {
    const look = (theme) => ({ look: { theme, contrast: 'high' }, width: WIDE, height: HIGH });
    const view = await browser.open(server, look('light'));
    await everyList(view, 'in high contrast', async (name) => {
        await view.axe(name);
        await view.screenshot(`contrast-light-${name}`);
    });
    await view.close();
    const dark = await browser.open(server, look('dark'));
    await dark.go('/vms?group=power_state&facets=1', '.pv-row');
    await dark.settle();
    await dark.axe('dark, high contrast');
    await dark.screenshot('contrast-dark-vms');
    await dark.close();
});

test("the system's own colours: states, selection and focus can be told", async () => {
    const view = await browser.open(server, { forcedColors: 'active', width: WIDE, height: HIGH });
    const { page } = view;
    await view.go('/vms', '.pv-row .pv-state');
    await view.settle();
    await page.locator('[role=grid]').focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('x');
    const seen = await page.evaluate(() => {
        const cell = getComputedStyle(document.querySelector('.pv-cell--active'));
        const check = (on) =>
            getComputedStyle(
                document.querySelector(on ? '.pv-check[data-on]' : '.pv-row .pv-check:not([data-on])'),
            );
        const mark = getComputedStyle(document.querySelector('.pv-mark--on'));
        return {
            focus: cell.outlineStyle,
            check: check(true).backgroundColor !== check(false).backgroundColor,
            mark: mark.borderTopStyle,
        };
    });
    assert.deepEqual(seen, { focus: 'solid', check: true, mark: 'solid' });
    await view.screenshot('vms-forced-colours');
    await view.close();
});

test('what the keyboard is on is not hidden behind the head, the pinned columns, the bulk bar or the task tray', async () => {
    const view = await browser.open(server, { width: 900, height: 700 });
    const { page } = view;
    await view.go('/vms', '.pv-row .pv-state');
    await view.settle();
    await page.keyboard.press('t');
    await page.locator('.pv-tray--open').waitFor();
    await page.locator('[role=grid]').focus();
    await page.keyboard.press('x');
    await page.locator('.pv-bulk').waitFor();
    const visible = () =>
        page.evaluate(() => {
            const cell = document.querySelector('.pv-cell--active');
            const box = cell.getBoundingClientRect();
            const top = document.elementFromPoint(
                box.left + Math.min(12, box.width / 2),
                box.top + box.height / 2,
            );
            return cell.contains(top) ? '' : `${cell.textContent} is behind ${top?.className}`;
        });
    for (const keys of [
        Array(20).fill('ArrowDown'),
        ['PageDown', 'PageDown', 'Control+End'],
        Array(20).fill('ArrowUp'),
        ['PageUp', 'Control+Home', 'End'],
        Array(8).fill('ArrowLeft'),
    ])
        for (const key of keys) {
            await page.keyboard.press(key);
            await page.evaluate(
                () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))),
            );
            assert.equal(await visible(), '', key);
        }
    await view.screenshot('vms-focus-in-sight');
    await view.close();
});
