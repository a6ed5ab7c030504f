// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { timeFilter, timesOf } from './range';

const filter = (query: string, prefix = '') =>
    timeFilter('time', timesOf(new URLSearchParams(query), prefix));

test('a range is counted back from now by the server', () => {
    expect(filter('range=24h')).toBe('time>now-24h');
});

test('both ends are times of their own, each may be missing', () => {
    expect(filter('from=2026-01-02T03:04:05Z&to=2026-01-03T00:00:00Z')).toBe(
        'time>=2026-01-02T03:04:05.000Z time<=2026-01-03T00:00:00.000Z',
    );
    expect(filter('to=2026-01-03T00:00:00Z')).toBe('time<=2026-01-03T00:00:00.000Z');
});

test('what is no time or no range is left out', () => {
    expect(filter('range=9y&from=soon')).toBe('');
    expect(timeFilter(undefined, timesOf(new URLSearchParams('range=1h'), ''))).toBe('');
});

test('several lists on one page have times of their own', () => {
    expect(filter('e-range=1h')).toBe('');
    expect(filter('e-range=1h', 'e-')).toBe('time>now-1h');
});
