// SPDX-License-Identifier: Apache-2.0
import { ListPage } from '../../list/ListPage';
import '../../i18n/estate';
import { ofEverything } from '../../lib/AddProvider';
import {
    clusterList,
    datacenterList,
    datastoreList,
    hostList,
    networkList,
    poolList,
    switchList,
} from './declarations';

const hosts = ofEverything(hostList);
const clusters = ofEverything(clusterList);
const datastores = ofEverything(datastoreList);
const networks = ofEverything(networkList);
const switches = ofEverything(switchList);
const datacenters = ofEverything(datacenterList);
const pools = ofEverything(poolList);

export const Hosts = () => <ListPage list={hosts} />;
export const Clusters = () => <ListPage list={clusters} />;
export const Datastores = () => <ListPage list={datastores} />;
export const Networks = () => <ListPage list={networks} />;
export const Switches = () => <ListPage list={switches} />;
export const Datacenters = () => <ListPage list={datacenters} />;
export const Pools = () => <ListPage list={pools} />;
