// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { distinct, routeOf } from './ApiCalls';

const VM = 'vm_01m81e85hte3xayfj382vftxza';
const NIC = 'nic_01m81e85hte3xayfj382vftxzb';

test('an address becomes the route of the description', () => {
    expect(routeOf({ method: 'GET', url: `/api/v1/vms/${VM}?view=full` })).toBe('GET /api/v1/vms/{id}');
    expect(routeOf({ method: 'PATCH', url: `/api/v1/vms/${VM}/nics/${NIC}` })).toBe(
        'PATCH /api/v1/vms/{owner}/nics/{id}',
    );
    expect(routeOf({ method: 'POST', url: `/api/v1/vms/${VM}/actions/start` })).toBe(
        'POST /api/v1/vms/{id}/actions/start',
    );
});

test('what was asked again is one line with its number', () => {
    const call = { method: 'GET', url: '/api/v1/me', status: 200, ms: 3 };
    expect(distinct([call, { ...call, ms: 9 }, { ...call, url: '/api/v1/vms' }])).toMatchObject([
        { url: '/api/v1/me', ms: 9, times: 2 },
        { url: '/api/v1/vms', times: 1 },
    ]);
});
