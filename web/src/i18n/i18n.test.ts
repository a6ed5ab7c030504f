// SPDX-License-Identifier: Apache-2.0
// Every word in every language, and no word outside of them.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';

const root = join(__dirname, '..');
const LANGUAGES = ['en', 'ru', 'zh-CN'];
const FORMS: Record<string, string[]> = {
    en: ['one', 'other'],
    ru: ['one', 'few', 'many', 'other'],
    'zh-CN': ['other'],
};
const PLURAL = /_(zero|one|two|few|many|other)$/;

function flatten(value: object, prefix = ''): Map<string, string> {
    const found = new Map<string, string>();
    for (const [key, v] of Object.entries(value))
        if (typeof v === 'string') found.set(prefix + key, v);
        else for (const [k, x] of flatten(v as object, `${prefix}${key}.`)) found.set(k, x);
    return found;
}

function words(language: string): Map<string, string> {
    const folder = join(__dirname, language);
    const found = new Map<string, string>();
    for (const file of readdirSync(folder).filter((f) => f.endsWith('.json')))
        for (const [key, text] of flatten(JSON.parse(readFileSync(join(folder, file), 'utf8')) as object)) {
            expect(found.has(key), `${language}: ${key} stands in two files`).toBe(false);
            found.set(key, text);
        }
    return found;
}

/** Keys with the plural forms taken together; a key is plural when English has its `_one` or Chinese its `_other` with a count. */
function bases(all: Map<string, string>, plurals: Set<string>): Set<string> {
    return new Set(
        [...all.keys()].map((k) =>
            PLURAL.test(k) && plurals.has(k.replace(PLURAL, '')) ? k.replace(PLURAL, '') : k,
        ),
    );
}

const all = new Map(LANGUAGES.map((l) => [l, words(l)]));
const english = all.get('en')!;
const plurals = new Set(
    [...english.keys()]
        .map((k) => k.replace(/_one$/, ''))
        .filter((k) => english.has(`${k}_one`) && english.has(`${k}_other`)),
);

function* sources(folder: string): Generator<string> {
    for (const name of readdirSync(folder)) {
        const path = join(folder, name);
        if (statSync(path).isDirectory()) yield* sources(path);
        else if (/\.tsx?$/.test(name) && !/\.(test|gen)\./.test(name) && name !== 'test-setup.ts') yield path;
    }
}

describe('languages', () => {
    test.each(LANGUAGES.slice(1))('%s has the keys that English has, and no other', (language) => {
        const there = bases(all.get(language)!, plurals);
        const wanted = bases(english, plurals);
        expect([...wanted].filter((k) => !there.has(k))).toEqual([]);
        expect([...there].filter((k) => !wanted.has(k))).toEqual([]);
    });

    test.each(LANGUAGES)('%s has every plural form that it needs', (language) => {
        const there = all.get(language)!;
        const missing = [...plurals].flatMap((base) =>
            FORMS[language]!.filter((form) => !there.has(`${base}_${form}`)).map((form) => `${base}_${form}`),
        );
        expect(missing).toEqual([]);
    });

    test.each(LANGUAGES.slice(1))('%s uses the same places for values', (language) => {
        const places = (text: string) => [...text.matchAll(/\{\{\s*(\w+)/g)].map((m) => m[1]).sort();
        const wrong = [...all.get(language)!].filter(([key, text]) => {
            const original =
                english.get(key.replace(PLURAL, '_other')) ??
                english.get(key) ??
                english.get(key.replace(PLURAL, '_other'));
            return original !== undefined && places(original).join() !== places(text).join();
        });
        expect(wrong.map(([key]) => key)).toEqual([]);
    });

    test('every key that the page names exists', () => {
        const missing: string[] = [];
        for (const path of sources(root))
            for (const m of readFileSync(path, 'utf8').matchAll(/\bt\(\s*'([\w.-]+)'/g))
                if (!english.has(m[1]!) && !plurals.has(m[1]!))
                    missing.push(`${path.slice(root.length)}: ${m[1]}`);
        expect(missing).toEqual([]);
    });

    test('every empty list says what it is and what it is for', () => {
        const missing: string[] = [];
        for (const path of sources(root))
            for (const m of readFileSync(path, 'utf8').matchAll(
                /\bempty: '([\w.-]+)',\n\s*(?:time|columns):/g,
            ))
                for (const key of [`${m[1]}.title`, `${m[1]}.body`])
                    if (!english.has(key)) missing.push(`${path.slice(root.length)}: ${key}`);
        expect(missing).toEqual([]);
    });

    test('no text stands in JSX', () => {
        const found: string[] = [];
        const NAMED = new Set([
            'aria-label',
            'title',
            'label',
            'alt',
            'placeholder',
            'description',
            'helperText',
        ]);
        for (const path of sources(root)) {
            if (!path.endsWith('.tsx')) continue;
            const file = ts.createSourceFile(
                path,
                readFileSync(path, 'utf8'),
                ts.ScriptTarget.Latest,
                true,
                ts.ScriptKind.TSX,
            );
            const visit = (node: ts.Node) => {
                const wordy = (text: string) =>
                    /\p{L}{2,}/u.test(text) && !/^(Polyvisor|GET|POST)\b/.test(text.trim());
                if (ts.isJsxText(node) && wordy(node.text))
                    found.push(`${path.slice(root.length)}: ${node.text.trim()}`);
                if (
                    ts.isJsxAttribute(node) &&
                    NAMED.has(node.name.getText()) &&
                    node.initializer &&
                    ts.isStringLiteral(node.initializer) &&
                    wordy(node.initializer.text) &&
                    !/[=_-]|^https?:|^\w+(\.\w+)+$/.test(node.initializer.text)
                )
                    found.push(
                        `${path.slice(root.length)}: ${node.name.getText()}="${node.initializer.text}"`,
                    );
                ts.forEachChild(node, visit);
            };
            visit(file);
        }
        expect(found).toEqual([]);
        // Reads every source: a machine that is busy takes its time.
    }, 60_000);
});
