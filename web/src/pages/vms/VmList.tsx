// SPDX-License-Identifier: Apache-2.0
import { ListPage } from '../../list/ListPage';
import { ofEverything } from '../../lib/AddProvider';
import { vmList } from './list';

const list = ofEverything(vmList);

export function Component() {
    return <ListPage list={list} />;
}
