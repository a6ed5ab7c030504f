// SPDX-License-Identifier: Apache-2.0
import { render } from '@testing-library/react';
import { expect, test } from 'vitest';
import type { Item } from '../../api/types';
import { ruleList } from './alerts';
import { StateOf } from './alertText';

const mark = (alert: object) =>
    render(<StateOf alert={alert as Item} />).container.querySelector('.pv-mark')!.className;

test('an alert that lasts is as red as it is bad', () => {
    expect(mark({ state: 'firing', severity: 'info' })).toContain('pv-mark--info');
    expect(mark({ state: 'firing', severity: 'warning' })).toContain('pv-mark--warn');
    expect(mark({ state: 'firing', severity: 'error' })).toContain('pv-mark--bad');
    expect(mark({ state: 'acknowledged', severity: 'error' })).toContain('pv-mark--warn');
    expect(mark({ state: 'resolved', severity: 'error' })).toContain('pv-mark--on');
});

test('what a rule compares has its words and its unit', () => {
    const shown = (id: string, rule: object) =>
        String(ruleList.columns.find((c) => c.id === id)!.cell!({ kind: 'alert_rule', ...rule } as Item));
    expect(shown('below', { metric: 'free_pct', below: 10 })).toBe('10%');
    expect(shown('above', { metric: 'mem.usage_bytes', above: 2 ** 30 })).toBe('1\u00a0GiB');
    expect(shown('above', { metric: 'net.rx_bps', above: 2 ** 20 })).toBe('1\u00a0MiB/s');
    expect(shown('above', { metric: 'net.rx_bps', above: null })).toBe('');
});
