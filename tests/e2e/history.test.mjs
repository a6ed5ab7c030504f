// SPDX-License-Identifier: Apache-2.0
// A month of a machine's numbers that is really stored: every range, one's own range in the address, zooming by dragging and by
// keys, events as marks, the table and the file.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, test } from 'node:test';
import { stage } from './harness.mjs';

const DAY_MS = 86_400_000;
const { server, browser } = stage();
let vm;

before(async () => {
    const view = await browser.open(server);
    await view.until('/vms?limit=1&count=exact', ({ count }) => count >= 500);
    [vm] = (await view.api('GET', '/vms?limit=1&filter=power%3Arunning&sort=name')).items;
    await view.api('PATCH', `/vms/${vm.id}`, { notes: 'noted for the chart' });
    await view.close();
    await server.seed([
        {
            id: vm.id,
            values: {
                'cpu.usage_pct': [10, 70, 8],
                'mem.usage_bytes': [2 ** 31, 2 ** 32, 2 ** 28],
                'disk.latency_ms': [2, 9, 1],
            },
        },
    ]);
    const again = await browser.open(server);
    await again.until('/vms?limit=1&count=exact', ({ count }) => count >= 500);
    await again.close();
});

/** The next answer of the chart's numbers, of a time that began at least so many days ago: the page asks for the last hour, too. */
const asked = (page, days = 0) =>
    page.waitForResponse((r) => {
        const url = new URL(r.url());
        if (!url.pathname.endsWith('/metrics/series') || !r.url().includes('disk.latency')) return false;
        return Date.now() - Date.parse(url.searchParams.get('from')) >= days * DAY_MS * 0.99;
    });
const values = (answer, name) => answer.series.find((s) => s.name === name).values.filter((v) => v !== null);

test('seven days and thirty are drawn from what is stored', async () => {
    const view = await browser.open(server);
    const { page } = view;
    for (const [range, days] of [
        ['7 d', 7],
        ['30 d', 30],
    ]) {
        await view.go(`/vms/${vm.id}/metrics?range=1h`, '.pv-metrics__bar');
        const answering = asked(page, days);
        await page.getByRole('button', { name: range, exact: true }).click();
        const answer = await (await answering).json();
        const cpu = values(answer, 'cpu.usage_pct');
        const steps = (days * DAY_MS) / 1000 / answer.step_s;
        assert.ok(cpu.length >= steps * 0.95, `${cpu.length} of ${steps} values in ${range}`);
        assert.ok(cpu[0] < cpu[cpu.length - 30], 'it has grown');
        await page.locator('.pv-chart canvas').first().waitFor();
        await view.settle();
        await view.looks(`metrics-${days}d`, `metrics of ${range}`);
    }
    await view.close();
});

test("one's own range is chosen by fields, stands in the address, and is loaded in more detail by zooming", async () => {
    const view = await browser.open(server);
    const { page } = view;
    await view.go(`/vms/${vm.id}/metrics?range=30d`, '.pv-chart canvas');
    await page.getByRole('button', { name: 'Other time' }).click();
    const local = (ms) => {
        const at = new Date(ms);
        const parts = new Intl.DateTimeFormat('sv-SE', {
            timeZone: 'Europe/Berlin',
            dateStyle: 'short',
            timeStyle: 'short',
        });
        return parts.format(at).replace(' ', 'T');
    };
    const now = Date.now();
    await page.getByLabel('From', { exact: true }).fill(local(now - 5 * DAY_MS));
    await page.getByLabel('To', { exact: true }).fill(local(now - 6 * DAY_MS));
    await page.getByText('The beginning must be before the end.').waitFor();
    await view.axe('choosing a range');
    await view.screenshot('metrics-custom');
    await page.getByLabel('From', { exact: true }).fill(local(now - 12 * DAY_MS));
    let answering = asked(page);
    await page.getByRole('button', { name: 'Show', exact: true }).click();
    let answer = await (await answering).json();
    assert.ok(Math.abs(Date.parse(answer.to) - (now - 6 * DAY_MS)) < 3 * 3600_000, answer.to);
    assert.ok(values(answer, 'cpu.usage_pct').length > 100);
    assert.match(page.url(), /range=custom&from=.*&to=|range=custom/);

    const address = page.url();
    await page.reload();
    await page.locator('.pv-chart canvas').first().waitFor();
    assert.equal(page.url(), address, 'a range can be passed on');

    // By dragging.
    const chart = page.locator('.pv-chart').first();
    const box = await chart.locator('.u-over').boundingBox();
    await page.mouse.move(box.x + box.width * 0.3, box.y + 40);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.6, box.y + 60, { steps: 5 });
    await page.mouse.up();
    const zoomOut = page.getByRole('button', { name: 'Show all' });
    await zoomOut.waitFor();
    const before = answer.step_s;
    answering = asked(page);
    await page.getByRole('button', { name: 'Load in detail' }).click();
    answer = await (await answering).json();
    assert.ok(answer.step_s < before, `${answer.step_s} s after ${before} s`);

    // By keys.
    await page.locator('.pv-chart canvas').first().waitFor();
    await chart.focus();
    await page.keyboard.press('+');
    await zoomOut.waitFor();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('0');
    await zoomOut.waitFor({ state: 'detached' });
    await view.close();
});

test('events are marks and lines below, the table holds the numbers, the file too', async () => {
    const view = await browser.open(server);
    const { page } = view;
    await view.go(`/vms/${vm.id}/metrics?range=24h`, '.pv-chart canvas');
    await page.getByText(/\d+ events? in this time/).waitFor();
    await page.getByRole('button', { name: 'As a table' }).click();
    const rows = page.locator('.pv-table').first().locator('tbody tr');
    await rows.first().waitFor();
    assert.ok((await rows.count()) >= 20, `${await rows.count()} hours`);
    await view.axe('metrics as tables');
    const downloading = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Download CSV' }).click();
    const text = readFileSync(await (await downloading).path(), 'utf8');
    const lines = text.trim().split('\r\n');
    assert.match(lines[0], /time,.*cpu\.usage_pct \(percent\)/);
    assert.ok(
        lines.filter((l) => /^\d{4}-.*,\d+(\.\d+)?,/.test(l)).length >= 20,
        lines.slice(0, 5).join('\n'),
    );
    await view.close();
});
