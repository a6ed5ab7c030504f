// SPDX-License-Identifier: Apache-2.0
import { ListPage } from '../../list/ListPage';
import { vmList } from './list';

export function Component() {
    return <ListPage list={vmList} />;
}
