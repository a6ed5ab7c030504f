// SPDX-License-Identifier: Apache-2.0
import { Link } from 'react-router';
import { operationOf } from '../../api/model';
import { useCan } from '../../api/query';
import { operationText } from '../../i18n/words';
import { ofEverything } from '../../lib/AddProvider';
import { ListPage } from '../../list/ListPage';
import { vmList } from './list';

const create = operationOf('vm.create', 'host');

function Create() {
    return (
        useCan(create?.permission ?? '') && (
            <Link className="pv-button pv-button--primary" to="/vms/new">
                {operationText('vm.create', create?.title)}
            </Link>
        )
    );
}

const list = { ...ofEverything(vmList), Tools: Create };

export function Component() {
    return <ListPage list={list} />;
}
