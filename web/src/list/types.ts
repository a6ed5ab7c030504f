// SPDX-License-Identifier: Apache-2.0
import type { ComponentType } from 'react';
import type { Query } from '../api/client';
import type { MenuPlace } from '../actions/ActionMenu';
import type { Item } from '../api/types';
import type { Column } from '../grid/columns';
import type { Selection } from '../grid/selection';

export interface BulkProps {
    selection: Selection;
}

export interface MenuProps {
    place: MenuPlace;
    item: Item;
    onClose: () => void;
}

/** A list page is one of these and nothing else. */
export interface ListDeclaration {
    kind: string;
    /** Collection's path; the kind's own unless given. */
    path?: string;
    /** Name of the list for saved views and preferences. */
    name: string;
    /** Key of the page's title and of what its empty state says. */
    title: string;
    empty: string;
    /** Columns in the order of the chooser; every other field of the kind follows by itself. */
    columns: Column[];
    /** Shown at first. */
    shown: string[];
    /** Takes the width that is left; the first unless said. */
    grows?: string;
    /** Shown on a phone. */
    narrow: string[];
    sort: string;
    /** Fields counted beside the grid. */
    facets?: string[];
    /** The word for a value of a field that has a name, where the name alone is the product's own English. */
    valueName?: (path: string, name: string) => string;
    /** Fixed parameters of the collection. */
    params?: Query;
    /** A filter that always holds, e.g. the VMs of one host. */
    scope?: string;
    /** Field that says when; the list then has a time range and can follow what happens. */
    time?: string;
    /** Buttons of this list. */
    Tools?: ComponentType;
    /** The one thing to do on an empty page. */
    EmptyAction?: ComponentType;
    /** Buttons for what is selected, of kinds that have no operations. */
    Bulk?: ComponentType<BulkProps>;
    /** The menu of a row, of kinds that have no operations. */
    Menu?: ComponentType<MenuProps>;
    /** No selection and no bulk actions. */
    plain?: boolean;
    /** Opens something else than the object's page. */
    linkOf?: (item: { id: string; [field: string]: unknown }) => string | null;
}
