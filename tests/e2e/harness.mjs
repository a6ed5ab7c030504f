// SPDX-License-Identifier: Apache-2.0
// Starts a server with a simulated estate and a browser, and fails what must never happen on any page: an error on the console, a
// refused script or style, a request to another origin, an axe violation.
//
//   POLYVISOR_BIN   folder of polyvisord (build/release/bin, else build/dev/bin)
//   CHROMIUM        the browser (/usr/bin/chromium)
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const require = createRequire(new URL('../../web/package.json', import.meta.url));
const { chromium } = require('playwright-core');
const axeSource = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const top = fileURLToPath(new URL('../../', import.meta.url));
export const PASSWORD = 'correct-horse-battery-9';
const PATIENCE = 60_000;
const AXE_TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];
/** What can differ from one theme to another. */
const COLOURS = ['color-contrast', 'link-in-text-block'];
/** What an open dialog does to the page behind it. */
const AROUND = ['aria-hidden-focus', 'aria-hidden-body', 'duplicate-id-aria', 'nested-interactive'];
const NARROW = 420;
const MIDDLE = 1024;

/** Folder of the programs under test. */
export function programs() {
    const places = process.env.POLYVISOR_BIN
        ? [process.env.POLYVISOR_BIN]
        : ['build/release/bin', 'build/dev/bin'].map((p) => join(top, p));
    const found = places.find((p) => existsSync(join(p, 'polyvisord')));
    assert.ok(
        found,
        `no polyvisord in ${places.join(' or ')}: build it, or name its folder in POLYVISOR_BIN`,
    );
    return found;
}

/** Tests that go on where the one before ended: after the first that fails the others fail at once instead of waiting. */
export function journey() {
    let broken = null;
    return (name, walk) =>
        test(name, async () => {
            assert.ok(!broken, `it begins where "${broken}" ended`);
            try {
                await walk();
            } catch (error) {
                broken = name;
                throw error;
            }
        });
}

/** The server and the browser of a file's (or a describe's) tests: started before the first of them, ended after the last. */
export function stage(options) {
    const server = new Server(options);
    const browser = new Browser();
    // Hooks of a file begin at once, all of them: who opens a window in one of his own waits for this one.
    let started;
    let failed;
    browser.ready = new Promise((resolve, reject) => {
        started = resolve;
        failed = reject;
    });
    // The hook tells it.
    browser.ready.catch(() => undefined);
    before(async () => {
        try {
            await server.start();
            await browser.start();
            started();
        } catch (error) {
            failed(error);
            throw error;
        }
    });
    after(async () => {
        await browser.stop();
        await server.stop();
    });
    return { server, browser };
}

/** A server of its own, with its data in a folder that goes away. */
export class Server {
    static async start(options) {
        const server = new Server(options);
        await server.start();
        return server;
    }

    constructor(options = {}) {
        this.options = options;
    }

    async start() {
        const { demo = true, admin = true, settings = {} } = this.options;
        this.folder = mkdtempSync(join(tmpdir(), 'polyvisor-e2e-'));
        const args = [
            '--data',
            join(this.folder, 'data'),
            '--listen',
            '127.0.0.1:0',
            '--set',
            `web=${join(top, 'web/dist')}`,
            '--set',
            'rate_per_s=0',
        ];
        if (demo) args.push('--demo');
        for (const [key, value] of Object.entries(settings)) args.push('--set', `${key}=${value}`);
        const env = { ...process.env };
        if (admin) {
            writeFileSync(join(this.folder, 'password'), PASSWORD);
            env.POLYVISOR_ADMIN_PASSWORD_FILE = join(this.folder, 'password');
        }
        Object.assign(this, { args, env, admin });
        await this.run();
    }

    async run() {
        this.process = spawn(join(programs(), 'polyvisord'), this.args, {
            env: this.env,
            stdio: ['ignore', 'pipe', 'pipe'],
        });
        this.log = '';
        this.process.stderr.on('data', (piece) => (this.log += piece));
        await new Promise((resolve, reject) => {
            let text = '';
            const timer = setTimeout(
                () => reject(new Error(`polyvisord did not get ready: ${this.log}`)),
                PATIENCE,
            );
            this.process.stdout.on('data', (piece) => {
                text += piece;
                this.url = /^ready (\S+)$/m.exec(text)?.[1];
                this.setupCode = /^setup-code (\S+)$/m.exec(text)?.[1];
                this.fingerprint = /^certificate-sha256 (\S+)/m.exec(text)?.[1];
                if (
                    /^certificate-sha256 /m.test(text) ||
                    (this.url?.startsWith('http:') && (this.admin || this.setupCode))
                ) {
                    clearTimeout(timer);
                    resolve();
                }
            });
            this.process.once('exit', (code) =>
                reject(new Error(`polyvisord ended with ${code}: ${this.log}`)),
            );
        });
    }

    async end() {
        if (this.process.exitCode !== null) return;
        const ended = new Promise((resolve) => this.process.once('exit', resolve));
        this.process.kill('SIGTERM');
        const timer = setTimeout(() => this.process.kill('SIGKILL'), PATIENCE);
        await ended;
        clearTimeout(timer);
    }

    /** A past for objects, as tests/support/seed_series.py writes it; the server is away meanwhile. */
    async seed(objects) {
        await this.end();
        const { status, stderr } = spawnSync(
            'python3',
            [join(top, 'tests/support/seed_series.py'), join(this.folder, 'data')],
            { input: JSON.stringify(objects), encoding: 'utf8' },
        );
        assert.equal(status, 0, stderr);
        await this.again();
    }

    /** Again with the data and at the place it had. */
    async again() {
        this.args[this.args.indexOf('--listen') + 1] = new URL(this.url).host;
        await this.run();
    }

    async stop() {
        if (this.process) await this.end();
        if (this.folder) rmSync(this.folder, { recursive: true, force: true });
    }
}

export class Browser {
    static async start() {
        const browser = new Browser();
        await browser.start();
        return browser;
    }

    async start() {
        this.chromium = await chromium.launch({
            executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
            args: [
                '--no-sandbox',
                '--disable-dev-shm-usage',
                '--disable-gpu',
                '--force-color-profile=srgb',
                '--ignore-certificate-errors',
            ],
        });
    }

    /** A window with nothing stored; `look` is what the person chose before. */
    async open(
        server,
        {
            width = 1600,
            height = 1000,
            look = {},
            user = 'admin',
            password = PASSWORD,
            signIn = true,
            reducedMotion = 'reduce',
            scale = 1,
            forcedColors = 'none',
        } = {},
    ) {
        await this.ready;
        const context = await this.chromium.newContext({
            viewport: { width, height },
            deviceScaleFactor: scale,
            forcedColors,
            ignoreHTTPSErrors: true,
            reducedMotion,
            locale: 'en-GB',
            timezoneId: 'Europe/Berlin',
            acceptDownloads: true,
            permissions: ['clipboard-read', 'clipboard-write'],
        });
        await context.addInitScript(
            (text) => {
                if (!localStorage.getItem('polyvisor.look')) localStorage.setItem('polyvisor.look', text);
            },
            JSON.stringify({ language: 'en', ...look }),
        );
        const page = await context.newPage();
        page.setDefaultTimeout(PATIENCE);
        const view = new View(page, context, server);
        if (signIn) await view.signIn(user, password);
        return view;
    }

    async stop() {
        await this.chromium?.close();
    }
}

/** One window, and everything that went wrong in it. */
export class View {
    constructor(page, context, server) {
        this.page = page;
        this.context = context;
        this.server = server;
        this.faults = [];
        /** Problems that a test provokes: their requests may fail. */
        this.expected = [];
        page.on('console', (message) => {
            if (message.type() !== 'error' && message.type() !== 'warning') return;
            const text = `${message.text()} ${message.location().url ?? ''}`;
            if (!this.expected.some((e) => e.test(text)))
                this.faults.push(`console ${message.type()}: ${text}`);
        });
        page.on('pageerror', (error) => this.faults.push(`page: ${error.stack ?? error}`));
        page.on('request', (request) => {
            const url = request.url();
            if (!url.startsWith(server.url) && !/^(data|blob|about):/.test(url))
                this.faults.push(`foreign request: ${url}`);
        });
    }

    /** Signs in by the API, as fast as can be; a test of its own covers the form. */
    async signIn(user, password) {
        const answer = await this.context.request.post(`${this.server.url}/api/v1/auth/login`, {
            data: { username: user, password },
            ignoreHTTPSErrors: true,
        });
        assert.equal(answer.status(), 200, await answer.text());
        this.csrf = (await answer.json()).csrf_token;
    }

    async api(method, path, body) {
        const answer = await this.context.request.fetch(`${this.server.url}/api/v1${path}`, {
            method,
            data: body,
            headers: {
                'X-CSRF-Token': this.csrf ?? '',
                'Content-Type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
            },
            ignoreHTTPSErrors: true,
        });
        const text = await answer.text();
        assert.ok(answer.ok(), `${method} ${path}: ${answer.status()} ${text}`);
        return text ? JSON.parse(text) : null;
    }

    /** The peers of a journey, connected and listed; answers how many machines there are. */
    async addProviders({ vcenter, hyperv }) {
        const connect = (name, driver, endpoint, username, password, sha256) =>
            this.api('POST', '/providers', {
                name,
                driver,
                endpoint,
                username,
                password,
                tls: { mode: 'pin', pins: [sha256] },
            });
        const { url, user, password, sha256 } = vcenter;
        await connect('vCenter Lab', 'vapi', url, user, password, sha256);
        for (const h of hyperv.hosts)
            await connect(`Hyper-V ${h.name}`, 'wmi', h.url, h.user, h.password, h.cert_sha256);
        await this.until('/providers?view=full', ({ items }) =>
            items.every((p) => p.state === 'connected' && p.sync?.last_full_at),
        );
        return (await this.api('GET', '/vms?limit=1&count=exact')).count;
    }

    /** Until the API answers so. */
    async until(path, good, ms = 60_000) {
        const end = Date.now() + ms;
        for (;;) {
            const answer = await this.api('GET', path);
            if (good(answer)) return answer;
            assert.ok(Date.now() < end, `${path}: ${JSON.stringify(answer).slice(0, 2000)}`);
            await new Promise((done) => setTimeout(done, 150));
        }
    }

    /** What is shown now in both themes and three widths: pictures, axe, nothing that scrolls sideways. */
    async looks(name, what = name) {
        const before = this.page.viewportSize();
        for (const [theme, width] of [
            ['light', 1600],
            ['dark', 1024],
            ['light', 420],
        ]) {
            await this.page.setViewportSize({ width, height: 1000 });
            await this.dress(theme);
            await this.screenshot(`journey-${name}-${theme}-${width}`);
            await this.fits(`${what} at ${width} px`);
            await this.axe(`${what}, ${theme}, ${width} px`);
        }
        await this.page.setViewportSize(before);
    }

    /** Theme and contrast of what is shown now. */
    async dress(theme, contrast = 'normal') {
        await this.page.evaluate(
            ([dark, high]) => {
                const { classList } = document.documentElement;
                classList.toggle('pf-v6-theme-dark', dark);
                classList.toggle('pf-v6-theme-high-contrast', high);
            },
            [theme === 'dark', contrast === 'high'],
        );
        await this.settle();
    }

    /**
     * What is shown now in every look: all rules in the light theme, wide and narrow; what depends on colours in the others. Leaves
     * a picture of the light and the dark theme and of the narrow window. `inside` is the part that this is about.
     */
    async everyLook(name, options = {}) {
        await this.wideLooks(name, options);
        await this.narrowly(() => this.narrowLook(name, options));
    }

    async wideLooks(name, { inside, picture = name, colours = true, middle = false } = {}) {
        const { width } = this.page.viewportSize();
        await this.screenshot(`${picture}-light-${width}`);
        await this.fits(name);
        await this.axe(name, { inside });
        if (middle) await this.between(name, picture);
        if (inside) await this.axe(name, { rules: AROUND });
        if (!colours) return;
        await this.dress('dark');
        await this.screenshot(`${picture}-dark-${width}`);
        await this.axe(`${name}, dark`, { rules: COLOURS, inside });
        await this.dress('dark', 'high');
        await this.axe(`${name}, dark, high contrast`, { rules: COLOURS, inside });
        await this.dress('light', 'high');
        await this.axe(`${name}, high contrast`, { rules: COLOURS, inside });
        await this.dress('light');
    }

    /** A window between a phone and a screen. */
    async between(name, picture) {
        const before = this.page.viewportSize();
        await this.page.setViewportSize({ width: MIDDLE, height: 768 });
        await this.settle();
        await this.screenshot(`${picture}-light-${MIDDLE}`);
        await this.fits(`${name} at ${MIDDLE} px`);
        await this.page.setViewportSize(before);
        await this.settle();
    }

    async narrowLook(name, { inside, picture = name } = {}) {
        await this.screenshot(`${picture}-light-${NARROW}`);
        await this.fits(`${name} at ${NARROW} px`);
        await this.wholeWords(`${name} at ${NARROW} px`);
        await this.axe(`${name} at ${NARROW} px`, { inside });
    }

    /** Something done while the window is as narrow as a phone. */
    async narrowly(work) {
        const before = this.page.viewportSize();
        await this.page.setViewportSize({ width: NARROW, height: 1000 });
        await this.settle();
        await work();
        await this.page.setViewportSize(before);
        await this.settle();
    }

    async go(path, ready) {
        await this.page.goto(this.server.url + path);
        if (ready) await this.page.locator(ready).first().waitFor();
    }

    /** Until nothing is on its way and nothing moves. */
    async settle() {
        await this.page.waitForFunction(
            () => !document.querySelector('[aria-busy="true"], .pv-skeleton'),
            undefined,
            { timeout: PATIENCE },
        );
        await this.page.evaluate(
            () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))),
        );
    }

    async screenshot(name) {
        const folder = join(top, 'build/screenshots');
        mkdirSync(folder, { recursive: true });
        await this.page.screenshot({ path: join(folder, `${name}.png`) });
    }

    /** No violation of WCAG 2.2 A and AA, or of the rules named, on what is shown now or a part of it. */
    async axe(what, { rules, inside } = {}) {
        if (!(await this.page.evaluate(() => 'axe' in window))) await this.page.evaluate(axeSource);
        const found = await this.page.evaluate(
            async ([runOnly, part]) =>
                (
                    await window.axe.run(part ?? document, { runOnly, resultTypes: ['violations'] })
                ).violations.map((v) => ({
                    id: v.id,
                    help: v.help,
                    nodes: v.nodes
                        .slice(0, 5)
                        .map(
                            (n) =>
                                `${n.target.join(' ')}: ${n.html.slice(0, 160)} ${n.any[0]?.message ?? ''}`,
                        ),
                })),
            [rules ? { type: 'rule', values: rules } : { type: 'tag', values: AXE_TAGS }, inside],
        );
        assert.deepEqual(found, [], `axe on ${what}`);
    }

    /** No word of a text stands on two lines; what is code may be broken anywhere. */
    async wholeWords(what) {
        const broken = await this.page.evaluate(() => {
            const found = new Set();
            const range = document.createRange();
            const lines = () =>
                new Set([...range.getClientRects()].filter((r) => r.width > 0).map((r) => Math.round(r.top)))
                    .size;
            const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
            for (let node = walker.nextNode(); node; node = walker.nextNode()) {
                const e = node.parentElement;
                if (!e || e.closest('code, pre, kbd, script, style, .pv-mono, .pv-sr, .pv-code')) continue;
                if (!e.checkVisibility({ visibilityProperty: true })) continue;
                range.selectNodeContents(node);
                if (lines() < 2) continue;
                // Names of things, with digits or capitals in them, may be broken anywhere.
                const text = node.data.replace(/\S*(?:[\d_]|\p{Ll}\p{Lu})\S*/gu, (name) =>
                    '.'.repeat(name.length),
                );
                for (const word of text.matchAll(/[\p{Script=Latin}\p{Script=Cyrillic}]{2,}/gu)) {
                    range.setStart(node, word.index);
                    range.setEnd(node, word.index + word[0].length);
                    if (lines() > 1) found.add(`"${word[0]}" in ${e.tagName.toLowerCase()}.${e.className}`);
                }
            }
            return [...found];
        });
        assert.deepEqual(broken, [], `broken words on ${what}`);
    }

    /** No name of a column is cut off. */
    async wholeHeads(what) {
        const cut = await this.page.$$eval('.pv-cell__label', (all) =>
            all.filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.textContent),
        );
        assert.deepEqual(cut, [], `cut names of columns on ${what}`);
    }

    /** Pictures of the page in the other languages; nothing of it scrolls sideways. */
    async spoken(path, ready, name) {
        for (const language of ['ru', 'zh-CN']) {
            const at = `${path}${path.includes('?') ? '&' : '?'}lang=${language}`;
            await this.go(at, ready);
            await this.settle();
            await this.fits(`${name} in ${language}`);
            await this.screenshot(`${name}-${language}`);
        }
        await this.go(path, ready);
        await this.settle();
    }

    /** Pictures of what is shown now in the dark theme, half as wide and narrow; nothing of it scrolls sideways. */
    async darkly(name) {
        const before = this.page.viewportSize();
        const dark = await this.page.evaluate(() => document.documentElement.matches('.pf-v6-theme-dark'));
        for (const width of [1024, 420]) {
            await this.page.setViewportSize({ width, height: 1000 });
            await this.dress('dark');
            await this.screenshot(`${name}-dark-${width}`);
            await this.fits(`${name} at ${width} px`);
        }
        await this.page.setViewportSize(before);
        await this.dress(dark ? 'dark' : 'light');
    }

    /** The page does not scroll sideways. */
    async fits(what) {
        const [wide, view] = await this.page.evaluate(() => [
            document.documentElement.scrollWidth,
            innerWidth,
        ]);
        assert.ok(wide <= view, `${what} is ${wide} px wide in a window of ${view}`);
    }

    async close() {
        await this.context.close();
        assert.deepEqual(this.faults, []);
    }
}
