// SPDX-License-Identifier: Apache-2.0
// An estate to look around in, made by the driver that simulates.
import { api } from '../api/client';
import { isApiError } from '../api/problem';

/** What the simulated estate is made of; the driver's schema tells the settings. */
const ESTATE = [
    {
        name: 'vCenter Frankfurt',
        endpoint: 'sim://vcenter-fra',
        settings: { family: 'vmware', seed: 1, vms: 200, hosts: 12, clusters: 2, change_rate: 0.1 },
    },
    {
        name: 'vCenter Singapore',
        endpoint: 'sim://vcenter-sin',
        settings: {
            family: 'vmware',
            seed: 2,
            vms: 150,
            hosts: 8,
            clusters: 2,
            datacenters: 2,
            change_rate: 0.1,
        },
    },
    ...['hv-ams-01', 'hv-ams-02', 'hv-ams-03', 'hv-osl-01', 'hv-osl-02', 'hv-osl-03'].map((name, i) => ({
        name,
        endpoint: `sim://${name}`,
        settings: { family: 'hyperv', seed: 3 + i, vms: 25, hosts: 1, change_rate: 0.1 },
    })),
];

/** Makes what is not there yet, so that it can be tried again. */
export async function simulate(): Promise<void> {
    for (const provider of ESTATE)
        await api.post('/providers', { driver: 'sim', ...provider }).catch((error: unknown) => {
            if (!isApiError(error) || error.status !== 409) throw error;
        });
}
