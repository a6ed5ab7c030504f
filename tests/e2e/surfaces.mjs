// SPDX-License-Identifier: Apache-2.0
// What opens over or inside a page: dialogs, menus, drawers, forms. Each carries data-surface="name" (of a kind: data-of) in its
// source; a test that looks at one says so here, and what was never looked at is found by comparing with the source.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const web = fileURLToPath(new URL('../../web/src/', import.meta.url));

const sources = () =>
    readdirSync(web, { recursive: true })
        .filter((f) => f.endsWith('.tsx') && !f.endsWith('.test.tsx'))
        .map((f) => [relative('.', f), readFileSync(join(web, f), 'utf8')]);

/** The opening tag that holds a place of the source: braces and texts in it may hold anything. */
function tagAround(text, at) {
    const start = text.lastIndexOf('<', at);
    let depth = 0;
    for (let i = start; i < text.length; i++) {
        if (text[i] === '{') depth++;
        else if (text[i] === '}') depth--;
        else if (text[i] === '>' && !depth && text[i - 1] !== '=') return text.slice(start, i + 1);
    }
    return text.slice(start);
}

/** Dialogs and menus in the source that have no name. */
export function unnamed() {
    const wrong = [];
    for (const [file, text] of sources())
        for (const found of text.matchAll(
            /<(?:Modal|dialog)\b|\brole="(?:alert)?dialog"|\brole="(?:menu|listbox)"/g,
        )) {
            const tag = tagAround(text, found.index);
            // The list inside of a named dialog is part of it.
            if (/\bid="palette-list"/.test(tag)) continue;
            if (!/\bdata-surface=/.test(tag)) wrong.push(`${file}: ${tag.slice(0, 80)}`);
        }
    return wrong;
}

/** All names that the source gives. */
export function declared() {
    const names = new Set();
    for (const [, text] of sources())
        for (const [, plain, computed] of text.matchAll(/\b(?:data-)?surface=(?:"([^"]+)"|\{([^}]*)\})/g))
            if (plain) names.add(plain);
            else for (const [, name] of computed.matchAll(/'([^']+)'/g)) names.add(name);
    return [...names].sort();
}

/** Those that were looked at. */
export class Looked {
    seen = new Set();

    /**
     * Waits for it, looks at it in every look, and remembers that. What closes when the window changes its width, or would be out of
     * it, is opened once more: `open` opens it, `narrow` is false where a phone does not have it,
     * `colours` where another one has the same parts.
     */
    async at(view, name, { of, what = '', open, narrow = true, colours } = {}) {
        const inside = `[data-surface="${name}"]${of ? `[data-of="${of}"]` : ''}`;
        const full = [name, of, what].filter(Boolean).join('-').replace(/\W+/g, '-');
        const options = { inside, picture: `surface-${full}`, colours };
        const there = async () => {
            await open?.();
            await view.page.locator(inside).first().waitFor();
            await view.settle();
        };
        const away = async () => {
            if (!open) return;
            await view.page.keyboard.press('Escape');
            await view.page.locator(inside).waitFor({ state: 'detached' });
        };
        await there();
        await view.wideLooks(full, options);
        await away();
        if (narrow)
            await view.narrowly(async () => {
                await there();
                await view.narrowLook(full, options);
                await away();
            });
        this.seen.add(name);
    }
}
