// SPDX-License-Identifier: Apache-2.0
// What is selected: named objects, or everything that matches a filter except some. "All 3,412 matching" is sent as the filter,
// not as 3,412 ids.
export type Selection =
    | { by: 'ids'; ids: ReadonlySet<string> }
    | {
          by: 'filter';
          filter: string;
          count: number;
          except: ReadonlySet<string>;
          /** Only what is in this group of the list. */
          group?: string;
      };

export const NOTHING: Selection = { by: 'ids', ids: new Set() };

export function sizeOf(selection: Selection): number {
    return selection.by === 'ids' ? selection.ids.size : Math.max(0, selection.count - selection.except.size);
}

export function isSelected(selection: Selection, id: string, group?: string): boolean {
    if (selection.by === 'ids') return selection.ids.has(id);
    return !selection.except.has(id) && (selection.group === undefined || selection.group === group);
}

export function toggle(selection: Selection, id: string): Selection {
    if (selection.by === 'ids') {
        const ids = new Set(selection.ids);
        if (!ids.delete(id)) ids.add(id);
        return { by: 'ids', ids };
    }
    const except = new Set(selection.except);
    if (!except.delete(id)) except.add(id);
    return { ...selection, except };
}

export function add(selection: Selection, more: Iterable<string>): Selection {
    if (selection.by === 'ids') return { by: 'ids', ids: new Set([...selection.ids, ...more]) };
    const except = new Set(selection.except);
    for (const id of more) except.delete(id);
    return { ...selection, except };
}

export function only(id: string): Selection {
    return { by: 'ids', ids: new Set([id]) };
}

/** What bulk takes: targets, or a selector with the number that it must find. */
export function targetsOf(
    selection: Selection,
): { targets: string[] } | { selector: string; expected_count: number } {
    if (selection.by === 'ids') return { targets: [...selection.ids] };
    const filter = selection.filter.trim();
    const except = [...selection.except];
    const not = except.length ? `-id:{${except.join(',')}}` : '';
    const selector = [filter && not ? `(${filter})` : filter, not].filter(Boolean).join(' ') || 'name~*';
    return { selector, expected_count: sizeOf(selection) };
}
