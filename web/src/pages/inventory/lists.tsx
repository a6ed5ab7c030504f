// SPDX-License-Identifier: Apache-2.0
import { Link } from 'react-router';
import { useTranslation } from 'react-i18next';
import { ListPage } from '../../list/ListPage';
import '../../i18n/estate';
import { ofEverything } from '../../lib/AddProvider';
import {
    clusterList,
    datacenterList,
    datastoreList,
    hostList,
    imageList,
    networkList,
    poolList,
    switchList,
} from './declarations';

const hosts = ofEverything(hostList);
const clusters = ofEverything(clusterList);
const datastores = ofEverything(datastoreList);
/** Nobody uses them, neither as a disk nor as what another one differs from. */
function Unused() {
    const { t } = useTranslation();
    return (
        <Link className="pv-button" to={`/storage/disks?filter=${encodeURIComponent('used_by:null')}`}>
            {t('estate.unused')}
        </Link>
    );
}

const disks = { ...ofEverything(imageList), Tools: Unused };
const networks = ofEverything(networkList);
const switches = ofEverything(switchList);
const datacenters = ofEverything(datacenterList);
const pools = ofEverything(poolList);

export const Hosts = () => <ListPage list={hosts} />;
export const Clusters = () => <ListPage list={clusters} />;
export const Datastores = () => <ListPage list={datastores} />;
export const Disks = () => <ListPage list={disks} />;
export const Networks = () => <ListPage list={networks} />;
export const Switches = () => <ListPage list={switches} />;
export const Datacenters = () => <ListPage list={datacenters} />;
export const Pools = () => <ListPage list={pools} />;
