// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import type { Column } from './columns';
import { narrowLayout, shapeOf, widthOf } from './layout';

const column = (id: string, width?: number) => ({ id, width, fields: [id] }) as unknown as Column;
const tracks = (columns: Column[], ids: string[]) =>
    shapeOf(columns, narrowLayout(columns, ids), true).template;

test('on a phone the first column takes what is left', () => {
    const columns = [column('name', 220), column('state', 110), column('health')];
    expect(tracks(columns, ['name', 'state', 'health'])).toBe('minmax(130px, 1fr) 104px 104px');
});

test('on a phone a column of sentences takes what is left, and a time keeps its room', () => {
    const columns = [column('time', 190), column('message', 420)];
    expect(tracks(columns, ['time', 'message'])).toBe('168px minmax(130px, 1fr)');
    const records = [column('time', 190), column('action', 150), column('outcome', 110)];
    const layout = narrowLayout(records, ['time', 'action', 'outcome'], (id) => id === 'time');
    expect(shapeOf(records, layout, true).template).toBe('186px minmax(130px, 1fr) 110px');
});

test('a column is as wide as its name and its words are in the language', () => {
    const named = (label: string, words?: string[]) =>
        ({ id: 'c', width: 88, label: () => label, words: words && (() => words) }) as unknown as Column;
    const layout = { columns: ['c'], widths: {}, pinned: [] };
    expect(widthOf(named('On'), layout)).toBe(88);
    expect(widthOf(named('Высокая доступность'), layout)).toBeGreaterThan(19 * 7 + 20);
    expect(widthOf(named('空间回收能力检测'), layout)).toBeGreaterThan(8 * 13 + 20);
    expect(widthOf(named('Вид', ['Стандартная', 'Распределённая группа портов']), layout)).toBeGreaterThan(
        200,
    );
    expect(widthOf(named('x'.repeat(400)), layout)).toBeLessThan(280);
    expect(widthOf(named('Высокая доступность'), { ...layout, widths: { c: 60 } })).toBe(60);
});

test('on a phone the second of two columns is as wide as its values', () => {
    const columns = [column('vm', 220), column('mac', 150)];
    expect(tracks(columns, ['vm', 'mac'])).toBe('minmax(130px, 1fr) 150px');
});

test('a column is as wide as its heading, unless a person made it narrower', () => {
    const column = { id: 'a', width: 64, label: () => 'Full copy by the array' };
    const layout = { columns: ['b', 'a'], widths: {}, pinned: [] };
    expect(widthOf(column, layout)).toBeGreaterThan(150);
    expect(widthOf(column, { ...layout, widths: { a: 50 } })).toBe(50);
});

test('on a small phone no column is cut: they are narrower, or the last is left out', () => {
    const states = (words: string[]) => [
        column('name', 220),
        { ...column('power_state', 110), words: () => words } as Column,
        column('provider', 210),
    ];
    const ids = ['name', 'power_state', 'provider'];
    const at = (room: number, words: string[]) => {
        const columns = states(words);
        return shapeOf(columns, narrowLayout(columns, ids, undefined, room), false);
    };
    expect(at(320, ['Running', 'Suspended']).shown).toHaveLength(3);
    expect(at(320, ['Running', 'Suspended']).width).toBeLessThanOrEqual(320);
    expect(at(320, ['Приостановлена']).shown.map((c) => c.id)).toEqual(['name', 'power_state']);
    // Where there is room, states are read to their end.
    expect(at(412, ['Приостановлена']).template).toBe('40px minmax(130px, 1fr) 138px 104px');
    expect(at(412, ['Приостановлена']).width).toBeLessThanOrEqual(412);
});
