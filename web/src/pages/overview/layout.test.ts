// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';
import { CARDS, isDefault, layoutOf, moved } from './layout';
import { span, untilFull } from './forecast';
import { stepTo, tileSide } from './tiles';

describe('the layout of the overview', () => {
    test('nothing kept is the default', () => {
        for (const kept of [undefined, null, {}, [], 'x', { order: 'x', hidden: 7 }])
            expect(layoutOf(kept)).toEqual({ order: [...CARDS], hidden: [] });
        expect(isDefault(layoutOf(null))).toBe(true);
    });

    test('what was kept counts; what it never heard of is added where it belongs', () => {
        const layout = layoutOf({
            order: ['changes', 'map', 'changes', 'nonsense'],
            hidden: ['providers', 'x'],
        });
        expect(layout.order.slice(0, 2)).toEqual(['changes', 'map']);
        expect([...layout.order].sort()).toEqual([...CARDS].sort());
        expect(layout.order.indexOf('capacity')).toBe(layout.order.indexOf('map') + 1);
        expect(layout.hidden).toEqual(['providers']);
        expect(isDefault(layout)).toBe(false);
    });

    test('cards move by one and stop at the ends', () => {
        const order = layoutOf(null).order;
        expect(moved(order, 'map', -1)).toEqual(order);
        expect(moved(order, 'map', 1).slice(0, 2)).toEqual(['capacity', 'map']);
        expect(moved(order, 'changes', 1)).toEqual(order);
    });
});

describe('the estimate', () => {
    const trend = (days: number | null) => ({ history_days: 30, per_day: 1, days_until_full: days });

    test('the first that is full counts; what is not known or does not grow has no say', () => {
        expect(untilFull({ cpu: null, memory: trend(40), storage: trend(12) })).toEqual({
            what: 'storage',
            days: 12,
        });
        expect(untilFull({ cpu: trend(null), memory: null, storage: null })).toBeNull();
        expect(untilFull(undefined)).toBeNull();
    });

    test('the farther, the coarser', () => {
        expect(span(0)).toEqual({ unit: 'now', n: 0 });
        expect(span(1)).toEqual({ unit: 'days', n: 1 });
        expect(span(89)).toEqual({ unit: 'days', n: 89 });
        expect(span(90)).toEqual({ unit: 'months', n: 3 });
        expect(span(700)).toEqual({ unit: 'months', n: 23 });
        expect(span(800)).toEqual({ unit: 'years', n: 2 });
    });
});

describe('tiles', () => {
    test('their area goes with the memory, and none is too small to hit', () => {
        const most = 2 ** 40;
        expect(tileSide(most, most)).toBe(44);
        expect(tileSide(most / 2, most)).toBe(31);
        expect(tileSide(1, most)).toBe(24);
        expect(tileSide(0, 0)).toBe(24);
    });

    test('arrows go to the neighbour on the screen', () => {
        // 0 1 2
        // 3 4
        const boxes = [
            { x: 0, y: 0 },
            { x: 30, y: 0 },
            { x: 60, y: 0 },
            { x: 0, y: 30 },
            { x: 30, y: 30 },
        ];
        expect(stepTo(boxes, 0, 'ArrowRight')).toBe(1);
        expect(stepTo(boxes, 2, 'ArrowRight')).toBe(3);
        expect(stepTo(boxes, 4, 'ArrowRight')).toBe(4);
        expect(stepTo(boxes, 1, 'ArrowDown')).toBe(4);
        expect(stepTo(boxes, 2, 'ArrowDown')).toBe(4);
        expect(stepTo(boxes, 4, 'ArrowUp')).toBe(1);
        expect(stepTo(boxes, 0, 'ArrowUp')).toBe(0);
        expect(stepTo(boxes, 3, 'Home')).toBe(0);
        expect(stepTo(boxes, 1, 'End')).toBe(4);
        expect(stepTo(boxes, 1, 'x')).toBeNull();
    });
});
