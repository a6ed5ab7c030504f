// SPDX-License-Identifier: Apache-2.0
// Half an hour of changes: the list stays open, scrolls now and then, and takes no more memory at the end than at the beginning.
//
//   POLYVISOR_SOAK_MINUTES   30 unless given
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { stage } from './harness.mjs';

const MINUTES = Number(process.env.POLYVISOR_SOAK_MINUTES ?? 30);
const CHANGES_PER_S = 50;
const VMS = 5000;
const GROWN_MAX = 4e6;

const { server, browser } = stage({ demo: false });
before(async () => {
    const view = await browser.open(server);
    // Nobody touches the page: its session would end before the test.
    await view.api('PATCH', '/settings', { sign_in: { idle_minutes: MINUTES + 60 } });
    await view.api('POST', '/providers', {
        name: 'busy',
        driver: 'sim',
        endpoint: 'sim://busy',
        settings: { family: 'vmware', seed: 11, vms: VMS, hosts: 80, change_rate: CHANGES_PER_S },
    });
    for (let tries = 0; (await view.api('GET', '/vms?limit=1&count=exact')).count < VMS; tries++) {
        assert.ok(tries < 300, 'the machines did not come');
        await new Promise((done) => setTimeout(done, 1000));
    }
    await view.close();
});

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

test(`memory is flat over ${MINUTES} minutes of ${CHANGES_PER_S} changes a second`, async () => {
    const view = await browser.open(server);
    const { page } = view;
    await view.go('/vms', '.pv-row .pv-state');
    await view.settle();
    const session = await view.context.newCDPSession(page);
    await session.send('Performance.enable');
    const seen = await page.evaluateHandle(() => {
        const counts = { changed: 0 };
        new MutationObserver((list) => (counts.changed += list.length)).observe(
            document.querySelector('[role=grid]'),
            { subtree: true, characterData: true, childList: true },
        );
        return counts;
    });
    const samples = [];
    const end = Date.now() + MINUTES * 60_000;
    // Each sample sees the same rows, after the same way through the list.
    while (Date.now() < end) {
        for (const top of [30_000, 90_000, 0]) {
            await page.locator('[role=grid]').evaluate((grid, y) => grid.scrollTo({ top: y }), top);
            await page.waitForTimeout(2000);
        }
        await page.waitForTimeout(Math.min(54_000, Math.max(1000, end - Date.now())));
        await session.send('HeapProfiler.collectGarbage');
        const { metrics } = await session.send('Performance.getMetrics');
        const now = Object.fromEntries(metrics.map((m) => [m.name, m.value]));
        samples.push({ heap: now.JSHeapUsedSize, nodes: now.Nodes, listeners: now.JSEventListeners });
        console.log(
            `${samples.length}: heap ${(now.JSHeapUsedSize / 1e6).toFixed(2)} MB, ${now.Nodes} nodes, ${now.JSEventListeners} listeners`,
        );
    }
    // The first minute fills caches.
    const kept = samples.slice(1);
    const part = Math.max(1, Math.floor(kept.length / 3));
    for (const [what, most] of [
        ['heap', GROWN_MAX],
        ['nodes', 2000],
        ['listeners', 200],
    ]) {
        const first = median(kept.slice(0, part).map((s) => s[what]));
        const last = median(kept.slice(-part).map((s) => s[what]));
        console.log(`${what}: ${first} at first, ${last} at last`);
        assert.ok(last - first < most, `${what}: ${first} at first, ${last} at last`);
    }
    const { changed } = await seen.jsonValue();
    assert.ok(changed > MINUTES * 10, `the rows changed ${changed} times only`);
    await view.close();
});
