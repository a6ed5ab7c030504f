// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import type { LiveEvent } from '../../api/types';
import '../../i18n/estate';
import { rowsOf } from './AuditPage';
import { auditAction, detailText, lastId, subjectOf } from './auditText';
import { factsOf } from './Facts';

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

test('what was asked for is told in words, by operation, by kind or by route', () => {
    expect(auditAction('auth.login')).toBe('Sign-in');
    expect(auditAction('vm.stop')).toBe('Turn off');
    expect(auditAction('user.create')).toBe('Create: user');
    expect(auditAction('PATCH /api/v1/alert-rules/{id}')).toBe('Change: alert rule');
    expect(auditAction('POST /api/v1/alerts/{id}/actions/acknowledge')).toBe('Acknowledge an alert');
    // What is new in the server is told as it tells it.
    expect(auditAction('POST /api/v1/unheard-of')).toBe('POST /api/v1/unheard-of');
});

test('the details of a list hold what changed and what went wrong, no JSON', () => {
    const record = { id: 'a', kind: 'audit', name: '', subject: USER };
    expect(detailText({ ...record, detail: { session: 'x', status: 200 } })).toBe('');
    expect(detailText({ ...record, detail: { status: 403, changes: [{ field: 'notes' }] } })).toBe(
        'Notes · HTTP 403',
    );
});

test('the object of a record is what was made, and never the address of a collection', () => {
    const record = { id: 'a', kind: 'audit', name: '' };
    expect(
        subjectOf({ ...record, subject: '/api/v1/users', detail: { made: `/api/v1/users/${USER}` } }),
    ).toBe(USER);
    expect(subjectOf({ ...record, subject: '/api/v1/users' })).toBe('');
    expect(subjectOf({ ...record, subject: `/api/v1/users/${USER}` })).toBe(USER);
});

test('members of members are facts by their path; what is empty is none', () => {
    expect(factsOf({ a: { b: 1, c: null }, d: '', e: [2] })).toEqual([
        ['a.b', 1],
        ['e', [2]],
    ]);
    expect(factsOf({})).toEqual([]);
});
