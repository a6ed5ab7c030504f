// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import type { Plan } from '../api/types';
import { isIdle, sumsOf } from './PlanView';

const plan = (more: Partial<Plan>) =>
    ({ ok: true, changed: true, findings: [], plan: [], ...more }) as unknown as Plan;
const entry = { ref: { kind: 'controller', id: 'ctl_1' }, before: {}, after: null };

test('one that is refused changes nothing, though its plan tells what would', () => {
    const refused = plan({
        ok: false,
        findings: [{ level: 'block', detail: 'something hangs on it' }],
        plan: [entry] as unknown as Plan['plan'],
    });
    expect(sumsOf(refused, 1, true)).toMatchObject({ change: 0, already: 0, skipped: 1 });
});

test('one that is allowed is counted as a change, or as what is wanted already', () => {
    expect(sumsOf(plan({ plan: [entry] as unknown as Plan['plan'] }), 1, true)).toMatchObject({ change: 1 });
    expect(sumsOf(plan({}), 1, true)).toMatchObject({ change: 0, already: 1, skipped: 0 });
});

test('of many that stay as they are there is nothing to ask for, unless nobody knows', () => {
    const idle = (p: Plan | undefined, count: number, one = false) => isIdle(p, sumsOf(p, count, one), one);
    expect(idle(plan({}), 3)).toBe(true);
    expect(idle(plan({ plan: [entry] as unknown as Plan['plan'] }), 3)).toBe(false);
    expect(idle(undefined, 3)).toBe(false);
    expect(idle(plan({}), 1, true)).toBe(false);
});
