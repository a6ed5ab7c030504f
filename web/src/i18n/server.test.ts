// SPDX-License-Identifier: Apache-2.0
// What the server declares and says has words in every language: sentences and problems by their codes, fields, parameters,
// choices, operations and permissions by their names. English is the server's own where it has it.
import i18next from 'i18next';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import metrics from '../api/metrics.gen.json';
import model from '../api/model.gen.json';
import params from '../api/params.gen.json';
import server from '../api/texts.gen.json';
import { FREE } from './metric';
import { said, sentence } from './words';

const LANGUAGES = ['en', 'ru', 'zh-CN'] as const;
const FOREIGN = ['ru', 'zh-CN'] as const;

function flatten(value: object, prefix = ''): [string, string][] {
    return Object.entries(value).flatMap(([key, v]): [string, string][] =>
        typeof v === 'string' ? [[prefix + key, v]] : flatten(v as object, `${prefix}${key}.`),
    );
}

function read(path: string): [string, string][] {
    return flatten(JSON.parse(readFileSync(join(__dirname, path), 'utf8')) as object);
}

const own = Object.fromEntries(LANGUAGES.map((l) => [l, new Map(read(`server/${l}.json`))]));
const words = Object.fromEntries(
    LANGUAGES.map((l) => [
        l,
        new Map([
            ...readdirSync(join(__dirname, l))
                .filter((f) => f.endsWith('.json'))
                .flatMap((f) => read(`${l}/${f}`)),
            ...own[l]!,
        ]),
    ]),
);

interface Schema {
    properties?: Record<string, Schema>;
    items?: Schema;
    enum?: (string | null)[];
}

/** Names of the members of a body, and what may be chosen for them. */
function members(schema: Schema | undefined, found: Map<string, Set<string>>): void {
    for (const [name, s] of Object.entries(schema?.properties ?? {})) {
        const choices = found.get(name) ?? new Set();
        for (const v of s.enum ?? []) if (v !== null) choices.add(v);
        found.set(name, choices);
        members(s, found);
        members(s.items, found);
    }
}

/** Bodies that no form shows: the page makes them itself. */
const NOT_SHOWN = /\/(bulk|steps)$|^POST \/auth\/|\/me\b|\/views/;

const fields = Object.entries(model.kinds).flatMap(([kind, k]) =>
    Object.entries(k.fields as Record<string, { values?: string[] }>).map(([path, f]) => ({
        kind,
        path,
        ...f,
    })),
);
const asked = new Map<string, Set<string>>();
for (const [route, schema] of Object.entries(params))
    if (!NOT_SHOWN.test(route)) members(schema as Schema, asked);

const hasChoice = (language: string, name: string, value: string) =>
    words[language]!.has(`enum.${name}.${value}`) || words[language]!.has(`enum.any.${value}`);

describe('words for the server', () => {
    test.each(LANGUAGES)('no key of %s has a dot in itself, where it would not be found', (language) => {
        const dotted = (value: object): string[] =>
            Object.entries(value).flatMap(([key, v]) => [
                ...(key.includes('.') ? [key] : []),
                ...(v && typeof v === 'object' ? dotted(v as object) : []),
            ]);
        const file = readFileSync(join(__dirname, `server/${language}.json`), 'utf8');
        expect(dotted(JSON.parse(file) as object)).toEqual([]);
    });

    test.each(FOREIGN)('every sentence of the server has its %s, with the same places', (language) => {
        const places = (text: string, mark: RegExp) => [...text.matchAll(mark)].map((m) => m[1]).sort();
        const wrong = Object.entries(server.texts as Record<string, string>).filter(([code, english]) => {
            const there = own[language]!.get(`text.${code}`);
            return !there || places(there, /\{\{(\w+)\}\}/g).join() !== places(english, /\{(\w+)\}/g).join();
        });
        expect(wrong.map(([code]) => code)).toEqual([]);
    });

    test.each(FOREIGN)('%s has no sentence that the server does not say', (language) => {
        const left = [...own[language]!.keys()]
            .filter((key) => key.startsWith('text.'))
            .filter((key) => !(key.slice(5) in server.texts));
        expect(left).toEqual([]);
    });

    test.each(FOREIGN)('every problem has its title in %s', (language) => {
        const missing = Object.keys(server.problems).filter(
            (code) => !words[language]!.has(`problem.${code}`),
        );
        expect(missing).toEqual([]);
    });

    test.each(FOREIGN)('every operation has its name in %s', (language) => {
        const missing = Object.keys(model.operations).filter(
            (name) => !words[language]!.has(`op.${name.replaceAll('.', '_')}`),
        );
        expect(missing).toEqual([]);
    });

    test.each(LANGUAGES)('every field of every kind has a label in %s', (language) => {
        const missing = fields.filter(({ kind, path }) => {
            const key = path.replaceAll('.', '_');
            return !words[language]!.has(`field.${kind}.${key}`) && !words[language]!.has(`field.any.${key}`);
        });
        expect(missing.map((f) => `${f.kind} ${f.path}`)).toEqual([]);
    });

    test.each(LANGUAGES)('every value of every enum has a word in %s', (language) => {
        const missing = fields.flatMap(({ kind, path, values }) =>
            (values ?? [])
                .filter((v) => !hasChoice(language, path.slice(path.lastIndexOf('.') + 1), v))
                .map((v) => `${kind} ${path} ${v}`),
        );
        expect(missing).toEqual([]);
    });

    test.each(LANGUAGES)('every metric has a word in %s', (language) => {
        const missing = [...Object.keys(metrics), FREE].filter(
            (name) => !words[language]!.has(`metric.${name.replaceAll('.', '_')}`),
        );
        expect(missing).toEqual([]);
    });

    test.each(LANGUAGES)('everything that forms ask for has a label in %s', (language) => {
        const missing = [...asked.keys()].filter((name) => !words[language]!.has(`param.any.${name}`));
        expect(missing).toEqual([]);
    });

    test.each(LANGUAGES)('every choice of forms has a word in %s', (language) => {
        const missing = [...asked].flatMap(([name, choices]) =>
            [...choices].filter((v) => !hasChoice(language, name, v)).map((v) => `${name} ${v}`),
        );
        expect(missing).toEqual([]);
    });

    test.each(FOREIGN)('%s labels what English labels, and what English leaves to the server', (language) => {
        const labels = (l: string) =>
            [...own[l]!.keys()].filter((key) => !/^(text|problem|op|help)\./.test(key)).sort();
        expect(labels(language)).toEqual(labels('en'));
    });
});

describe('a sentence of the server', () => {
    beforeAll(async () => {
        await i18next.init({ lng: 'ru', resources: {}, interpolation: { escapeValue: false } });
        for (const [key, text] of words.ru!) i18next.addResource('ru', 'translation', key, text);
    });

    test('is shown in the language of the person, with its values in their words', () => {
        const reason = {
            reason: 'it is running: this needs force',
            reason_text: { code: 'state.needs-force', params: { state: 'running' } },
        };
        expect(said(reason, 'reason')).toBe('Сейчас «работает»: нужно принудительное выполнение');
    });

    test('holds another sentence', () => {
        expect(
            sentence('port 443: Connection refused', {
                code: 'probe.port',
                params: { port: '443', why: { code: 'os.refused', params: {}, text: 'Connection refused' } },
            }),
        ).toBe('Порт 443: в соединении отказано');
    });

    test('begins with a capital, unless a name stands there or a hypervisor wrote it', () => {
        const text = { code: 'nobody.knows', params: { name: 'web' } };
        expect(said({ detail: 'the code is wrong', detail_text: text }, 'detail')).toBe('The code is wrong');
        expect(said({ detail: 'web is off', detail_text: text }, 'detail')).toBe('web is off');
        expect(said({ detail: 'the call failed' }, 'detail')).toBe('the call failed');
    });

    test('stays as it is where nobody knows it', () => {
        expect(sentence('the moon is full', undefined)).toBe('the moon is full');
        expect(sentence('the moon is full', { code: 'moon.full', params: {} })).toBe('the moon is full');
        expect(sentence(null, null)).toBe('');
    });
});
