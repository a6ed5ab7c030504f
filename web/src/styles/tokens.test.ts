// SPDX-License-Identifier: Apache-2.0
// A colour that nobody defined is no error to a browser: the mark or the line is just not there.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const SOURCE = join(__dirname, '..');

function all(folder: string): string[] {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
        entry.isDirectory() ? all(join(folder, entry.name)) : [join(folder, entry.name)],
    );
}

test('every token that a style uses is defined', () => {
    const files = all(SOURCE).filter((f) => /\.(css|tsx?)$/.test(f) && !/\.test\./.test(f));
    const text = files.map((f) => readFileSync(f, 'utf8')).join('\n');
    const defined = new Set([...text.matchAll(/(--pv-[\w-]+)['"]?\s*:/g)].map((m) => m[1]));
    // What is drawn without it says so by a second value.
    const used = new Set([...text.matchAll(/var\((--pv-[\w-]+)\s*\)/g)].map((m) => m[1]!));
    expect([...used].filter((name) => !defined.has(name))).toEqual([]);
});
