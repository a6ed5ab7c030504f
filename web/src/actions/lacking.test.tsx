// SPDX-License-Identifier: Apache-2.0
import { QueryClientProvider } from '@tanstack/react-query';
import { render, screen } from '@testing-library/react';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { actionsQuery, queryClient } from '../api/query';
import { ApiError } from '../api/problem';
import type { ActionState } from '../api/types';
import { Denied } from '../states/states';
import { actionsOf } from './registry';

const VM = 'vm_01jd0000000000000000000000';
const DATASTORE = 'dst_01jd0000000000000000000000';
const lacking = (name: string): ActionState => ({
    name,
    state: 'yes',
    allowed_now: false,
    reason: `this needs the permission ${name}`,
    reason_text: { code: 'state.permission', params: { permission: name } },
    needs: [name],
});
let asked: string[];
let grantors: unknown;
const answers = (items: ActionState[]) =>
    vi.stubGlobal(
        'fetch',
        vi.fn(async (url: string) => {
            asked.push(String(url));
            const body = String(url).includes('/explain') ? { allowed: false, grantors } : { items };
            return new Response(JSON.stringify(body), { headers: { 'Content-Type': 'application/json' } });
        }),
    );
beforeEach(() => {
    asked = [];
    grantors = { names: ['Erika Mueller', 'admin'], more: 3 };
    queryClient.clear();
});
afterEach(() => vi.unstubAllGlobals());

test('the reason of an action that lacks a right says whom to ask, and one question is enough for all', async () => {
    answers([
        lacking('vm.delete'),
        lacking('vm.move'),
        { name: 'vm.start', state: 'yes', allowed_now: true },
    ]);
    const { items } = await queryClient.fetchQuery(actionsQuery('vm', VM));
    const actions = actionsOf(items);
    for (const name of ['vm.delete', 'vm.move'])
        expect(actions.find((a) => a.name === name)?.reason).toMatch(
            /vm\.[a-z]+\. Who can grant it: Erika Mueller, admin and 3 more\.$/,
        );
    expect(actions.find((a) => a.name === 'vm.start')?.reason).toBeNull();
    expect(asked.filter((url) => url.includes('/access/explain'))).toHaveLength(1);
    expect(asked.find((url) => url.includes('/access/explain'))).toContain(`target=${VM}`);
});

test('where no right is lacking nobody is asked for', async () => {
    answers([{ name: 'vm.start', state: 'no', reason: 'it is running', allowed_now: false }]);
    await queryClient.fetchQuery(actionsQuery('vm', VM));
    expect(asked).toHaveLength(1);
});

const denied = (path: string) =>
    new ApiError(
        {
            type: '',
            code: 'forbidden',
            status: 403,
            title: 'no',
            detail: 'this needs the permission datastore.read',
        },
        'GET',
        path,
    );
const show = (error: ApiError) =>
    render(
        <QueryClientProvider client={queryClient}>
            <Denied error={error} />
        </QueryClientProvider>,
    );

test('a page that may not be seen names who can grant it, asked for the object in its address', async () => {
    answers([]);
    show(denied(`/datastores/${DATASTORE}/files`));
    await screen.findByText('Who can grant it: Erika Mueller, admin and 3 more.');
    expect(asked[0]).toContain('action=datastore.read');
    expect(asked[0]).toContain(`target=${DATASTORE}`);
});

test('where the server does not tell, somebody who manages access is named', async () => {
    grantors = null;
    answers([]);
    show(denied('/datastores'));
    await vi.waitFor(() => expect(asked).toHaveLength(1));
    await screen.findByText('Somebody who manages access can grant it.');
    expect(asked[0]).not.toContain('target');
});
