// SPDX-License-Identifier: Apache-2.0
// What a first visit downloads, in brotli bytes, route by route; more than the budget fails the build.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const JS = 180_000;
const CSS = 50_000;
const CHUNK = 130_000;

const dist = fileURLToPath(new URL('../dist/', import.meta.url));
const manifest = JSON.parse(readFileSync(`${dist}.vite/manifest.json`, 'utf8'));

function size(file) {
    const path = `${dist}${file}`;
    return statSync(existsSync(`${path}.br`) ? `${path}.br` : path).size;
}

function collect(key, found = { js: new Set(), css: new Set(), seen: new Set() }) {
    const entry = manifest[key];
    if (!entry || found.seen.has(key)) return found;
    found.seen.add(key);
    found.js.add(entry.file);
    for (const css of entry.css ?? []) found.css.add(css);
    for (const next of entry.imports ?? []) collect(next, found);
    return found;
}

const sum = (files) => [...files].reduce((total, file) => total + size(file), 0);
let over = false;
const line = (name, js, css) =>
    console.log(
        `${name.padEnd(34)} JS ${(js / 1000).toFixed(1).padStart(6)} KB  CSS ${(css / 1000).toFixed(1).padStart(5)} KB`,
    );

for (const key of Object.keys(manifest)) {
    const entry = manifest[key];
    if (entry.isDynamicEntry && key.startsWith('src/pages/')) {
        const found = collect('index.html');
        collect(key, found);
        const js = sum(found.js);
        const css = sum(found.css);
        line(key.replace('src/pages/', ''), js, css);
        if (js > JS || css > CSS) {
            console.error(`  over the budget of ${JS / 1000} KB JS, ${CSS / 1000} KB CSS for a first route`);
            over = true;
        }
    }
    if (entry.file?.endsWith('.js') && size(entry.file) > CHUNK) {
        console.error(`${entry.file}: ${size(entry.file)} bytes, over the budget of ${CHUNK} for a chunk`);
        over = true;
    }
}
process.exit(over ? 1 : 0);
