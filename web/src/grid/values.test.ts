// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { plain } from './columns';

test('states of a guest and drivers are told in words', () => {
    const text = { type: 'text' } as const;
    expect(plain('notRunning', text, 'vm', 'guest.state')).toBe('Not running');
    expect(plain('shuttingDown', text, 'vm', 'guest.state')).toBe('Shutting down');
    expect(plain('wmi', text, 'provider', 'driver')).toBe('Microsoft Hyper-V');
    expect(plain('of-others', text, 'provider', 'driver')).toBe('of-others');
});
