// SPDX-License-Identifier: Apache-2.0
// 25,000 machines: rows at once, scrolling within its budget of main-thread time, a storm of changes that leaves the page alone.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Browser, Server } from './harness.mjs';

const VMS = 25_000;
const SCROLL_CPU_MS = 25;

let server;
let browser;
before(async () => {
    server = await Server.start({ demo: false });
    browser = await Browser.start();
    const view = await browser.open(server);
    await view.api('POST', '/providers', {
        name: 'large',
        driver: 'sim',
        endpoint: 'sim://large',
        settings: { family: 'vmware', seed: 7, vms: VMS, hosts: 400, clusters: 20, change_rate: 0.1 },
    });
    for (let tries = 0; ; tries++) {
        const { count } = await view.api('GET', '/vms?limit=1&count=exact');
        if (count === VMS) break;
        assert.ok(tries < 600, `${count} of ${VMS} machines after ten minutes`);
        await new Promise((done) => setTimeout(done, 1000));
    }
    await view.close();
});
after(async () => {
    await browser?.stop();
    await server?.stop();
});

async function cpu(view) {
    const session = await view.context.newCDPSession(view.page);
    await session.send('Performance.enable', { timeDomain: 'threadTicks' });
    const read = async () => {
        const { metrics } = await session.send('Performance.getMetrics');
        return Object.fromEntries(metrics.map((m) => [m.name, m.value]));
    };
    return { read, session };
}

test('rows are there at once and every one of them can be reached', async () => {
    const view = await browser.open(server);
    await view.go('/vms', '.pv-row .pv-state');
    const index = view.page.waitForFunction((n) => document.querySelector('[role=grid]').getAttribute('aria-rowcount') === String(n + 1), VMS);
    await index;
    await view.page.locator('[role=grid]').focus();
    await view.page.waitForTimeout(500);
    await view.page.keyboard.press('Control+End');
    await view.page.waitForFunction((n) => document.querySelector(`.pv-row[aria-rowindex="${n + 1}"] .pv-state`), VMS);
    await view.screenshot('vms-25000');
    await view.axe('25,000 rows');
    await view.close();
});

test(`a step of scrolling costs at most ${SCROLL_CPU_MS} ms of main-thread time`, async () => {
    const view = await browser.open(server);
    await view.go('/vms', '.pv-row .pv-state');
    await view.settle();
    const meter = await cpu(view);
    const steps = 60;
    const costs = [];
    for (let round = 0; round < 7; round++) {
        const before = (await meter.read()).TaskDuration;
        await view.page.evaluate(
            (n) =>
                new Promise((done) => {
                    const grid = document.querySelector('[role=grid]');
                    let left = n;
                    const step = () => {
                        grid.scrollTop += 400;
                        if (--left > 0) requestAnimationFrame(() => requestAnimationFrame(step));
                        else requestAnimationFrame(() => requestAnimationFrame(done));
                    };
                    step();
                }),
            steps,
        );
        costs.push((((await meter.read()).TaskDuration - before) * 1000) / steps);
    }
    costs.sort((a, b) => a - b);
    console.log(`scroll step: ${costs.map((c) => c.toFixed(1)).join(', ')} ms of main-thread time`);
    // Others on the machine can only add to it: the best of seven rounds counts.
    assert.ok(costs[0] <= SCROLL_CPU_MS, `${costs[0].toFixed(1)} ms`);
    await view.close();
});

test('a storm of 500 changes a second leaves the page responsive and its memory flat', async () => {
    const view = await browser.open(server);
    const provider = (await view.api('GET', '/providers?limit=1')).items[0];
    const settings = { family: 'vmware', seed: 7, vms: VMS, hosts: 400, clusters: 20 };
    await view.api('PATCH', `/providers/${provider.id}`, { settings: { ...settings, change_rate: 500 } });
    await view.go('/vms', '.pv-row .pv-state');
    await view.settle();
    const meter = await cpu(view);
    const heap = async () => {
        await meter.session.send('HeapProfiler.collectGarbage');
        return (await meter.read()).JSHeapUsedSize;
    };
    await view.page.waitForTimeout(5000);
    const first = await heap();
    const before = (await meter.read()).TaskDuration;
    const seconds = 20;
    await view.page.waitForTimeout(seconds * 1000);
    const share = ((await meter.read()).TaskDuration - before) / seconds;
    const grown = (await heap()) - first;
    console.log(`storm: ${(share * 100).toFixed(0)} % of the main thread, heap ${(grown / 1e6).toFixed(1)} MB more after ${seconds} s`);
    assert.ok(share < 0.5, `${(share * 100).toFixed(0)} % of the main thread`);
    assert.ok(grown < 8e6, `${(grown / 1e6).toFixed(1)} MB more`);
    assert.equal(await view.page.locator('[role=grid]').evaluate((g) => g.scrollTop), 0);
    await view.screenshot('vms-storm');
    await view.api('PATCH', `/providers/${provider.id}`, { settings: { ...settings, change_rate: 0.1 } });
    await view.close();
});
