// SPDX-License-Identifier: Apache-2.0
// The page in Debian's Firefox, over WebDriver BiDi: what people do most, from signing in to a task that is seen to end, with no
// error, nothing refused by the security policy, and no request to another origin.
//
//   FIREFOX         the browser (/usr/bin/firefox-esr)
import assert from 'node:assert/strict';
import { existsSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';
import { journey, PASSWORD, Server } from './harness.mjs';

const require = createRequire(new URL('../../web/package.json', import.meta.url));
const puppeteer = require('puppeteer-core').default;
const axeSource = require('axe-core').source;

const program = process.env.FIREFOX ?? '/usr/bin/firefox-esr';
const pictures = fileURLToPath(new URL('../../build/screenshots', import.meta.url));
const step = journey();

let server;
let browser;
let page;
const faults = [];

before(async () => {
    assert.ok(existsSync(program), `no Firefox at ${program}: install firefox-esr, or name it in FIREFOX`);
    mkdirSync(pictures, { recursive: true });
    server = await Server.start();
    browser = await puppeteer.launch({
        browser: 'firefox',
        executablePath: program,
        acceptInsecureCerts: true,
    });
    page = await browser.newPage();
    page.setDefaultTimeout(60_000);
    await page.setViewport({ width: 1600, height: 1000 });
    page.on('console', (m) => /^(error|warn)$/.test(m.type()) && faults.push(`${m.type()}: ${m.text()}`));
    page.on('pageerror', (error) => faults.push(String(error.stack ?? error)));
    page.on('request', (request) => {
        if (!request.url().startsWith(server.url) && !/^(data|blob|about):/.test(request.url()))
            faults.push(`foreign request: ${request.url()}`);
    });
    await page.evaluateOnNewDocument(() => {
        addEventListener('securitypolicyviolation', (e) =>
            console.error(`refused by ${e.violatedDirective}: ${e.blockedURI}`),
        );
    });
});
after(async () => {
    await browser?.close();
    await server?.stop();
});

const picture = (name) => page.screenshot({ path: join(pictures, `firefox-${name}.png`) });
const shown = (selector) => page.waitForSelector(selector, { visible: true });
const text = (selector) => page.$eval(selector, (e) => e.innerText);

async function go(path, ready) {
    await page.goto(server.url + path);
    await shown(ready);
    await settle();
}

async function settle() {
    await page.waitForFunction(() => !document.querySelector('[aria-busy="true"], .pv-skeleton'));
}

/** No fault so far, nothing that scrolls sideways, no violation of WCAG. */
async function sound(what) {
    assert.deepEqual(faults, [], what);
    const [wide, view] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(wide <= view, `${what} is ${wide} px wide in a window of ${view}`);
    if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(axeSource);
    const violations = await page.evaluate(async () => {
        const runOnly = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
        const found = await window.axe.run(document, { runOnly, resultTypes: ['violations'] });
        return found.violations.map((v) => `${v.id}: ${v.nodes[0].html.slice(0, 200)}`);
    });
    assert.deepEqual(violations, [], `axe on ${what}`);
}

step('somebody signs in and sees the overview', async () => {
    await page.goto(`${server.url}/vms`);
    await shown('#username');
    await page.type('#username', 'admin');
    await page.type('#password', PASSWORD);
    await page.keyboard.press('Enter');
    await shown('.pv-row');
    // Before signing in the page asks who it is.
    faults.splice(0, faults.length, ...faults.filter((f) => !/401/.test(f)));
    await go('/', '.pv-overview');
    await picture('overview');
    await sound('the overview');
});

step('the grid scrolls to its end by keyboard, and a filter narrows it', async () => {
    await go('/vms', '.pv-row');
    assert.equal(await text('.pv-count'), '500');
    await page.focus('[role=grid]');
    await page.keyboard.down('Control');
    await page.keyboard.press('End');
    await page.keyboard.up('Control');
    await page.waitForFunction(
        () => document.querySelector('.pv-row--active')?.getAttribute('aria-rowindex') === '501',
    );
    await picture('vms-end');
    await page.keyboard.press('/');
    await page.keyboard.type('power:off ');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.querySelector('.pv-count')?.textContent !== '500');
    await settle();
    assert.ok((await page.$$('.pv-chip')).length >= 1);
    await sound('a filtered list');
});

step('a machine is started from its page, and the state comes by the stream of events', async () => {
    await page.focus('[role=grid]');
    await page.keyboard.press('Home');
    await page.keyboard.press('Enter');
    await shown('.pv-object h1');
    await settle();
    assert.match(await text('.pv-object__facts'), /Off/);
    await picture('vm');
    await sound('the page of a machine');
    const start = await page.waitForSelector('::-p-xpath(//header//button[normalize-space()="Start"])');
    await start.click();
    await page.waitForFunction(() =>
        /Running/.test(document.querySelector('.pv-object__facts')?.innerText ?? ''),
    );
    await page.keyboard.press('t');
    await shown('.pv-tray table, .pv-tray [role=table], .pv-tray tr');
    await picture('tray');
    await sound('the task tray');
});

step('a dialog opens by keyboard, keeps the focus, and closes', async () => {
    await page.keyboard.down('Control');
    await page.keyboard.press('k');
    await page.keyboard.up('Control');
    await shown('.pv-palette__input');
    await page.keyboard.type('datastores');
    await page.waitForSelector('.pv-palette__item');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => location.pathname === '/storage/datastores');
    await shown('.pv-row');
    await sound('the datastores');
});

step('charts, chain of snapshots, explorer and wizard show', async () => {
    const vm = await page.evaluate(async () => {
        const found = await fetch('/api/v1/vms?filter=snapshots.count>0&limit=1');
        return (await found.json()).items[0].id;
    });
    for (const [path, name] of [
        [`/vms/${vm}/snapshots`, 'snapshots'],
        [`/vms/${vm}/metrics`, 'metrics'],
        [`/vms/${vm}/hardware`, 'hardware'],
        ['/providers/new', 'wizard'],
        ['/explorer', 'explorer'],
        ['/settings', 'settings'],
    ]) {
        await go(path, 'h1');
        await picture(name);
        await sound(name);
    }
});

step('it is dark, Russian and as narrow as a phone', async () => {
    await page.evaluate(() =>
        localStorage.setItem(
            'polyvisor.look',
            JSON.stringify({
                ...JSON.parse(localStorage.getItem('polyvisor.look') ?? '{}'),
                language: 'ru',
                theme: 'dark',
            }),
        ),
    );
    await page.setViewport({ width: 420, height: 1000 });
    for (const [path, ready, name] of [
        ['/', '.pv-overview', 'phone-overview'],
        ['/vms', '.pv-row', 'phone-vms'],
    ]) {
        await go(path, ready);
        assert.equal(await page.evaluate(() => document.documentElement.lang), 'ru');
        assert.ok(await page.evaluate(() => document.documentElement.matches('.pf-v6-theme-dark')));
        await picture(name);
        await sound(name);
    }
});
