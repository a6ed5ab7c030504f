// SPDX-License-Identifier: Apache-2.0
// What the grid needs of a list, whether it stands in groups or not.
import type { Item } from '../api/types';
import type { ListQuery, ListState } from './store';
import type { Selection } from './selection';

/** How numbers of an object went: values by metric's name, null where nothing is known. */
export type Series = Record<string, (number | null)[]>;

export interface GroupHead {
    /** The value that its rows have in common; empty: they have none. */
    key: string;
    name: string | null;
    count: number;
    open: boolean;
}

export interface RowSource {
    watch: (watcher: () => void) => () => void;
    get: () => ListState;
    load: (query: ListQuery) => void;
    reload: () => void;
    look: (first: number, last: number) => void;
    stop: () => void;
    id: (index: number) => string | undefined;
    row: (index: number) => Item | undefined;
    /** Ids of a range of rows, for selecting with Shift. */
    range: (from: number, to: number) => string[];
    series: (id: string) => Series | undefined;
    /** The head of a group, if one is at this place. */
    head?: (index: number) => GroupHead | undefined;
    /** The group that a place belongs to. */
    groupAt?: (index: number) => string | undefined;
    /** Where its head is. */
    headOf?: (index: number) => number;
    open?: (index: number, open: boolean) => void;
    /** Everything in the group whose head is at this place. */
    all?: (index: number) => Selection | undefined;
}
