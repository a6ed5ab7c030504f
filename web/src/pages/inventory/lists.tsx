// SPDX-License-Identifier: Apache-2.0
import { ListPage } from '../../list/ListPage';
import '../../i18n/estate';
import {
    clusterList,
    datacenterList,
    datastoreList,
    hostList,
    networkList,
    poolList,
    switchList,
} from './declarations';

export const Hosts = () => <ListPage list={hostList} />;
export const Clusters = () => <ListPage list={clusterList} />;
export const Datastores = () => <ListPage list={datastoreList} />;
export const Networks = () => <ListPage list={networkList} />;
export const Switches = () => <ListPage list={switchList} />;
export const Datacenters = () => <ListPage list={datacenterList} />;
export const Pools = () => <ListPage list={poolList} />;
