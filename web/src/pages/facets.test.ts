// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { fieldOf } from '../api/model';
import type { ListDeclaration } from '../list/types';
import * as activity from './activity/lists';
import * as alerts from './activity/alerts';
import * as inventory from './inventory/declarations';
import * as providers from './providers/list';
import * as vms from './vms/list';

const lists = [activity, alerts, inventory, providers, vms]
    .flatMap((module) => Object.values(module) as unknown[])
    .filter((value): value is ListDeclaration => !!value && typeof value === 'object' && 'columns' in value);

test('what a list counts beside its rows are fields that the server counts', () => {
    expect(lists.length).toBeGreaterThan(12);
    const refused = lists.flatMap((list) =>
        (list.facets ?? [])
            .filter((path) => !fieldOf(list.kind, path)?.facet)
            .map((path) => `${list.name}: ${path}`),
    );
    expect(refused).toEqual([]);
});
