// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { hasTerm, quote, setValues, toggleTerm, tokenize, unfinished, without } from './tokens';

const texts = (text: string) => tokenize(text).map((t) => t.text);

describe('terms of a filter', () => {
    test('are cut at spaces, but not inside quotes and sets', () => {
        expect(texts('power:running name:"a b" tag:{x, y} memory>=8GiB web')).toEqual([
            'power:running',
            'name:"a b"',
            'tag:{x, y}',
            'memory>=8GiB',
            'web',
        ]);
    });

    test('know their field, operator, value and whether they are negated', () => {
        const [term, word, group] = tokenize('-cluster:lab not web (a or b)');
        expect(term).toMatchObject({
            kind: 'term',
            field: 'cluster',
            op: ':',
            value: 'lab',
            negated: true,
            start: 0,
        });
        expect(word).toMatchObject({ kind: 'word', negated: true });
        expect(group).toMatchObject({ kind: 'open' });
    });

    test('survive a half-written text', () => {
        for (const text of ['', '"', 'a:"', 'x:{', '(', '-', ')', 'a:{b,"c'])
            expect(tokenize(text).every((t) => t.start <= t.end && t.end <= text.length)).toBe(true);
    });

    test('are taken out without leaving an "or" behind', () => {
        const text = 'a:1 or b:2';
        expect(without(text, tokenize(text)[2]!)).toBe('a:1');
        expect(without(text, tokenize(text)[0]!)).toBe('b:2');
    });

    test('are put in and out by facets, several values as a set', () => {
        expect(toggleTerm('', 'power_state', 'off')).toBe('power_state:off');
        expect(toggleTerm('power_state:off', 'power_state', 'running')).toBe('power_state:{off,running}');
        expect(toggleTerm('power_state:{off,running}', 'power_state', 'off')).toBe('power_state:running');
        expect(toggleTerm('power_state:off', 'power_state', 'off')).toBe('');
        expect(toggleTerm('a:1 or b:2', 'c', 'd')).toBe('(a:1 or b:2) c:d');
        expect(hasTerm('x:{a,"b c"}', 'x', 'b c')).toBe(true);
        expect(hasTerm('-x:a', 'x', 'a')).toBe(false);
    });

    test('quote what needs it', () => {
        expect(quote('vCenter Frankfurt')).toBe('"vCenter Frankfurt"');
        expect(quote('or')).toBe('"or"');
        expect(quote('a"b')).toBe('"a\\"b"');
        expect(setValues('{a,"b,c"}')).toEqual(['a', '"b,c"']);
    });

    test('that wait for something are told from those that are done', () => {
        for (const text of ['power:', 'a:{b', 'name:"x', 'a or', 'memory>='])
            expect(unfinished(text)).toBe(true);
        for (const text of ['power:on', 'a:{b}', 'web', '']) expect(unfinished(text)).toBe(false);
    });
});
