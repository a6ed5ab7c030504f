// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { hitsOf } from './ruleHistory';

const hits = (values: (number | null)[], bound: object) => hitsOf('vm_1', values, 1000, 300, bound);

test('a number beyond the bound is found with its time, length and worst value', () => {
    expect(hits([10, 91, 99, 95, 20], { above: 90 })).toEqual([
        { ref: 'vm_1', from: 1000 + 300_000, seconds: 900, most: 99 },
    ]);
    expect(hits([50, 9, 3, 50], { below: 10 })).toEqual([
        { ref: 'vm_1', from: 1000 + 300_000, seconds: 600, most: 3 },
    ]);
});

test('the bound itself is not beyond it', () => {
    expect(hits([90, 90], { above: 90 })).toEqual([]);
    expect(hits([10], { below: 10 })).toEqual([]);
});

test('what does not last long enough is none', () => {
    expect(hits([95, 20, 95, 95], { above: 90, for_s: 600 })).toHaveLength(1);
    expect(hits([95, 20, 95], { above: 90, for_s: 600 })).toEqual([]);
});

test('a gap ends it, and what holds until now counts', () => {
    expect(hits([95, null, 95], { above: 90 })).toHaveLength(2);
});

test('both bounds must hold', () => {
    expect(hits([5, 50, 500], { above: 10, below: 100 })).toMatchObject([{ most: 50 }]);
});
