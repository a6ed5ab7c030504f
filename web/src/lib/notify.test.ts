// SPDX-License-Identifier: Apache-2.0
import { beforeEach, expect, test } from 'vitest';
import { notifications, notify } from './notify';

beforeEach(() => notifications.clear());

test('the same failure again takes the place of the one that is shown', () => {
    notify({ variant: 'danger', title: 'Start was refused', body: 'It is off.' });
    notify({ variant: 'danger', title: 'Start was refused', body: 'It is off.' });
    notify({ variant: 'danger', title: 'Start was refused', body: 'It is away.' });
    expect(notifications.get().map((n) => n.body)).toEqual(['It is away.', 'It is off.']);
});

test('what was put away is kept beside a new one', () => {
    notify({ variant: 'danger', title: 'Start was refused' });
    notifications.hide(notifications.get()[0]!.id);
    notify({ variant: 'danger', title: 'Start was refused' });
    expect(notifications.get()).toHaveLength(2);
});
