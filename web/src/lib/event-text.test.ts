// SPDX-License-Identifier: Apache-2.0
import i18next from 'i18next';
import { beforeAll, expect, test } from 'vitest';
import server from '../i18n/server/en.json';
import { eventText, eventTypeText } from './eventText';

beforeAll(() => {
    i18next.addResourceBundle('en', 'translation', server, true, true);
});

test('the type of an event is told in words, not as a code', () => {
    expect(eventTypeText('external.vm_guest_reboot')).toBe('Guest restarted');
    expect(eventTypeText('vm.updated')).toBe('Virtual machine: updated');
    expect(eventTypeText('alert.firing')).toBe('Alert: firing');
});

test('a type that nobody has words for is read as words all the same', () => {
    expect(eventTypeText('external.vm_dvs_port_blocked')).toBe('VM DVS port blocked');
    expect(eventTypeText('vm.turned_green')).toBe('Virtual machine: turned green');
    expect(eventTypeText('strange')).toBe('Strange');
});

test('an update says what was changed', () => {
    const event = {
        type: 'vm.updated',
        message: 'web-1: updated',
        ref: { kind: 'vm', id: 'vm_1', name: 'web-1' },
        changes: [{ field: 'power_state' }, { field: 'activity' }],
    };
    expect(eventText(event)).toBe('web-1: updated · State, Activity');
    const many = ['power_state', 'activity', 'name', 'health'].map((field) => ({ field }));
    expect(eventText({ ...event, changes: many })).toBe('web-1: updated · State, Activity, Name …');
    expect(eventText({ ...event, changes: many }, true)).toBe(
        'web-1: updated · State, Activity, Name, Health',
    );
    expect(eventText({ ...event, changes: null })).toBe('web-1: updated');
});
