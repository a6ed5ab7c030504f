// SPDX-License-Identifier: Apache-2.0
// Files go to a datastore and come back: whole, through cuts, reloads and pauses.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { stage } from './harness.mjs';

const { server, browser } = stage();
const MIB = 1 << 20;
const file = (name, size) => ({ name, mimeType: 'application/octet-stream', buffer: randomBytes(size) });

/** The files of a simulated vCenter's datastore. */
async function open(look) {
    const view = await browser.open(server, { look });
    const [store] = (await view.api('GET', '/datastores?filter=provider.family:vmware&limit=1&sort=name'))
        .items;
    await view.go(`/storage/datastores/${store.id}/files?path=iso`, '.pv-files .pv-row');
    return { view, page: view.page, store };
}

const chooser = (page) => page.locator('.pv-files__tools input[type=file]');
const row = (page, name) => page.locator('.pv-row', { hasText: name });
const line = (page, name) => page.locator('.pv-uploads__line', { hasText: name });

/** Pieces wait until `let_go` is called; answers how many have come. */
async function hold(page) {
    const state = { pieces: 0, go: null };
    const gate = new Promise((go) => (state.go = go));
    await page.route('**/uploads/*/content', async (route) => {
        state.pieces++;
        if (state.pieces > 1) await gate;
        await route.continue().catch(() => undefined);
    });
    return state;
}

/** The bytes that the row's menu saves. */
async function saved(page, name) {
    await row(page, name).click({ button: 'right' });
    const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('menuitem', { name: 'Download file' }).click(),
    ]);
    assert.equal(download.suggestedFilename(), name);
    return readFileSync(await download.path());
}

test('two files arrive and are saved again as they were', async () => {
    const { view, page } = await open();
    const files = [file('one.iso', 5 * MIB + 3), file('empty.txt', 0)];
    await chooser(page).setInputFiles(files);
    for (const { name, buffer } of files) {
        await row(page, name).waitFor();
        if (buffer.length) assert.ok(buffer.equals(await saved(page, name)), name);
    }
    await page.locator('.pv-uploads').waitFor({ state: 'detached' });
    await view.close();
});

test('a paused upload shows where it is in every look, and goes on', async () => {
    const { view, page } = await open();
    const held = await hold(page);
    const sent = file('paused.iso', 4 * MIB);
    await chooser(page).setInputFiles(sent);
    await line(page, 'paused.iso').getByText('25 %').waitFor();
    await line(page, 'paused.iso').getByRole('button', { name: 'Pause: iso/paused.iso' }).click();
    await line(page, 'paused.iso').getByText('paused', { exact: true }).waitFor();
    await view.everyLook('an upload', { picture: 'upload' });
    held.go();
    await line(page, 'paused.iso').getByRole('button', { name: 'Go on: iso/paused.iso' }).click();
    await row(page, 'paused.iso').waitFor();
    assert.ok(sent.buffer.equals(await saved(page, 'paused.iso')));
    await view.close();
});

test('a cut of the network is waited out', async () => {
    const { view, page } = await open();
    view.expected.push(/ERR_INTERNET_DISCONNECTED|Failed to load resource/);
    const held = await hold(page);
    const sent = file('cut.iso', 4 * MIB);
    await chooser(page).setInputFiles(sent);
    await line(page, 'cut.iso').getByText('25 %').waitFor();
    await view.context.setOffline(true);
    held.go();
    await line(page, 'cut.iso').getByText('no answer').waitFor();
    await view.context.setOffline(false);
    await row(page, 'cut.iso').waitFor();
    assert.ok(sent.buffer.equals(await saved(page, 'cut.iso')));
    await view.close();
});

test('what a closed page left behind goes on when the same file is chosen, and with no other', async () => {
    const { view, page } = await open();
    await hold(page);
    const sent = file('left.iso', 4 * MIB);
    await chooser(page).setInputFiles(sent);
    await line(page, 'left.iso').getByText('25 %').waitFor();
    let asked = 0;
    page.on('dialog', (dialog) => {
        asked++;
        return dialog.accept();
    });
    await page.reload();
    await page.unroute('**/uploads/*/content');
    await line(page, 'left.iso').getByText('Not complete').waitFor();
    assert.equal(asked, 1, 'the browser asks before an upload is left');
    await view.axe('an upload that was left');
    await view.screenshot('upload-left');
    const again = line(page, 'left.iso').locator('input[type=file]');
    await again.setInputFiles(file('left.iso', 3 * MIB));
    await line(page, 'left.iso').getByText('That is another file').waitFor();
    await view.axe('another file');
    await again.setInputFiles(sent);
    await row(page, 'left.iso').waitFor();
    assert.ok(sent.buffer.equals(await saved(page, 'left.iso')));
    await view.close();
});

test('a name that is taken is replaced only when that is said, and what is given up is gone', async () => {
    const { view, page, store } = await open();
    view.expected.push(/status of 409/);
    await chooser(page).setInputFiles(file('taken.iso', 1000));
    await row(page, 'taken.iso').waitFor();
    const other = file('taken.iso', 2000);
    await chooser(page).setInputFiles(other);
    await line(page, 'taken.iso').getByRole('button', { name: 'Replace' }).waitFor();
    await view.axe('a taken name');
    await view.screenshot('upload-taken');
    await line(page, 'taken.iso').getByRole('button', { name: 'Replace' }).click();
    await line(page, 'taken.iso').waitFor({ state: 'detached' });
    await view.until(`/datastores/${store.id}/files?path=iso`, ({ items }) =>
        items.some((f) => f.name === 'taken.iso' && f.size_bytes === 2000),
    );
    await hold(page);
    await chooser(page).setInputFiles(file('given-up.iso', 4 * MIB));
    await line(page, 'given-up.iso').getByText('25 %').waitFor();
    await line(page, 'given-up.iso').getByRole('button', { name: 'Cancel' }).click();
    await line(page, 'given-up.iso').waitFor({ state: 'detached' });
    await view.until('/uploads?filter=state:receiving', ({ items }) => items.length === 0);
    await view.close();
});

test('uploads speak the other languages', async () => {
    for (const [language, words] of [
        ['ru', 'приостановлено'],
        ['zh-CN', '已暂停'],
    ]) {
        const { view, page } = await open({ language });
        await hold(page);
        await chooser(page).setInputFiles(file(`${language}.iso`, 4 * MIB));
        await line(page, `${language}.iso`).getByText('25 %').waitFor();
        await line(page, `${language}.iso`).getByRole('button').first().click();
        await line(page, `${language}.iso`).getByText(words).waitFor();
        await view.screenshot(`upload-${language}`);
        await view.fits(`an upload in ${language}`);
        await line(page, `${language}.iso`).getByRole('button').last().click();
        await line(page, `${language}.iso`).waitFor({ state: 'detached' });
        await view.close();
    }
});
