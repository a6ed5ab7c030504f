// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import type { Column } from './columns';
import { narrowLayout, shapeOf } from './layout';

const column = (id: string, width?: number) => ({ id, width, fields: [id] }) as unknown as Column;
const tracks = (columns: Column[], ids: string[]) =>
    shapeOf(columns, narrowLayout(columns, ids), true).template;

test('on a phone the first column takes what is left', () => {
    const columns = [column('name', 220), column('state', 110), column('health')];
    expect(tracks(columns, ['name', 'state', 'health'])).toBe('minmax(130px, 1fr) 104px 104px');
});

test('on a phone a column of sentences takes what is left, and a time keeps its room', () => {
    const columns = [column('time', 190), column('message', 420)];
    expect(tracks(columns, ['time', 'message'])).toBe('168px minmax(130px, 1fr)');
    const records = [column('time', 190), column('action', 150), column('outcome', 110)];
    const layout = narrowLayout(records, ['time', 'action', 'outcome'], (id) => id === 'time');
    expect(shapeOf(records, layout, true).template).toBe('168px minmax(130px, 1fr) 110px');
});
