// SPDX-License-Identifier: Apache-2.0
// Our own folders as a tree: names alone do not tell them apart. They are few, so all are read at once; of more than a page of them
// those that were not read are told by what is right above.
import { useQuery } from '@tanstack/react-query';
import { listQuery } from '../api/query';
import type { Item } from '../api/types';

const ALL = { limit: 1000, sort: 'name', fields: 'name,parent' };

const above = (folder: Item) => folder.parent as { id: string; name?: string | null } | null | undefined;

/** All of them, by id. */
export function useFolders(enabled = true): Map<string, Item> | undefined {
    const { data } = useQuery({ ...listQuery('/folders', ALL), enabled });
    return data && new Map(data.items.map((folder) => [folder.id, folder]));
}

/** From the top to it. */
export function wayTo(folder: Item, all: Map<string, Item>): { id: string; name: string }[] {
    const way = [{ id: folder.id, name: folder.name ?? folder.id }];
    for (let up = above(folder); up && !way.some((f) => f.id === up!.id);) {
        const there: Item | undefined = all.get(up.id);
        way.unshift({ id: up.id, name: there?.name ?? up.name ?? up.id });
        up = there && above(there);
    }
    return way;
}

export const pathText = (folder: Item, all: Map<string, Item>) =>
    wayTo(folder, all)
        .map((f) => f.name)
        .join(' / ');

/** It, or somewhere below it. */
export const isWithin = (folder: Item, id: string, all: Map<string, Item>) =>
    wayTo(folder, all).some((f) => f.id === id);
