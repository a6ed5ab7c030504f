// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import type { LiveEvent } from '../../api/types';
import { lastId, rowsOf } from './AuditPage';

const USER = 'usr_01m81e85hte3xayfj382vftxzb';

test('the object is the last id of an address', () => {
    expect(lastId(`/api/v1/vms/vm_01m81e85hte3xayfj382vftxza/nics/${USER}`)).toBe(USER);
    expect(lastId('/api/v1/providers')).toBeUndefined();
});

test('before and after stand side by side, with what only one has', () => {
    expect(rowsOf('user', { before: { role: 'viewer' }, after: { role: 'admin', notes: 'x' } }, [])).toEqual([
        { kind: 'user', field: 'role', from: 'viewer', to: 'admin' },
        { kind: 'user', field: 'notes', from: undefined, to: 'x' },
    ]);
});

test('settings say their changes themselves, objects by their events', () => {
    const change = { field: 'notes', from: null, to: 'x' };
    expect(rowsOf('', { changes: [change] }, [])).toEqual([{ kind: '', ...change }]);
    const event = { ref: { kind: 'vm', id: 'vm_1' }, changes: [change] } as unknown as LiveEvent;
    expect(rowsOf('', { status: 200 }, [event])).toEqual([{ kind: 'vm', ...change }]);
});
