// SPDX-License-Identifier: Apache-2.0
// Columns follow from the model: any field of a kind can be one. How a value is shown depends on its type and unit alone,
// unless a list declares better.
import type { ReactNode } from 'react';
import i18next from 'i18next';
import { fieldOf, kindOf, valueAt, type Field } from '../api/model';
import type { Item } from '../api/types';
import type { Series } from './rows';
import * as format from '../i18n/format';
import { driverText, enumText, fieldLabel } from '../i18n/words';
import { Health, Power, RefLink, State, TagList } from '../lib/cells';

export interface Column {
    id: string;
    /** Field that is shown and sorted by; the id unless given. */
    path?: string;
    label?: () => string;
    width?: number;
    /** Words that it shows, if they are always the same: it is wide enough for them. */
    words?: () => string[];
    align?: 'end';
    sort?: boolean;
    /** Fields to ask the server for. */
    fields?: string[];
    cell?: (item: Item, series?: Series) => ReactNode;
    /** Metric whose course the cell draws. */
    series?: string;
    /** Plain text, for copying and for the title. */
    text?: (item: Item) => string;
}

const WIDTH: Record<Field['type'], number> = {
    text: 160,
    number: 96,
    bool: 88,
    enum: 128,
    time: 150,
    ref: 170,
    refs: 200,
    list: 180,
    json: 160,
};

/** notRunning, as a hypervisor writes it, is not_running. */
const snake = (value: string) => value.replace(/([a-z])([A-Z])/g, '$1_$2').toLowerCase();

export function plain(value: unknown, field: Field | undefined, kind: string, path: string): string {
    if (value === null || value === undefined || value === '') return '';
    if (!field) return typeof value === 'object' ? JSON.stringify(value) : String(value);
    switch (field.type) {
        case 'number':
            // Packets are told in bytes: 1500, not 1.46 KiB.
            return path === 'mtu'
                ? `${format.number(Number(value))}\u00a0${i18next.t('unit.B')}`
                : format.withUnit(Number(value), field.unit);
        case 'bool':
            return i18next.t(value ? 'value.yes' : 'value.no');
        case 'enum':
            return enumText(kind, path, String(value));
        case 'time':
            return format.dateTime(String(value));
        case 'ref':
            return String((value as { name?: string }).name ?? '');
        case 'refs':
            return (value as { name?: string }[]).map((r) => r.name ?? '').join(', ');
        case 'list':
            return (value as string[]).join(', ');
        case 'json':
            if (typeof value !== 'object') return String(value);
            return Object.keys(value).length ? JSON.stringify(value) : '';
        default:
            if (path === 'driver' && kind === 'provider') return driverText(String(value));
            // Words of hypervisors that have ours.
            return path === 'guest.state' ? enumText(kind, path, snake(String(value))) : String(value);
    }
}

function usual(kind: string, path: string, field: Field): (item: Item) => ReactNode {
    if (path === 'power_state') return (item) => <Power item={item} />;
    if (path === 'health') return (item) => <Health value={valueAt(item, path) as string} />;
    if (path === 'connection_state' || path === 'state')
        return (item) => <State kind={kind} path={path} value={valueAt(item, path) as string | null} />;
    if (path === 'tags') return (item) => <TagList tags={valueAt(item, path) as string[] | null} />;
    if (field.type === 'ref')
        return (item) => <RefLink value={valueAt(item, path) as { id: string; name?: string } | null} />;
    if (field.type === 'time')
        return (item) => {
            const value = valueAt(item, path) as string | null;
            return value ? <time dateTime={value}>{format.ago(value)}</time> : null;
        };
    return (item) => plain(valueAt(item, path), field, kind, path);
}

/** The column of a field. */
export function column(kind: string, path: string, more: Partial<Column> = {}): Column {
    const field: Field = fieldOf(kind, path) ?? { type: 'text' };
    return {
        id: path,
        path,
        label: () => fieldLabel(kind, path),
        width: WIDTH[field.type],
        words: field.values && (() => field.values!.map((value) => enumText(kind, path, value))),
        align: field.type === 'number' ? 'end' : undefined,
        sort: !!field.sort,
        fields: [path],
        cell: usual(kind, path, field),
        text: (item) => plain(valueAt(item, path), field, kind, path),
        ...more,
    };
}

/** All columns a kind can have: the declared ones first, then every other field. */
export function allColumns(kind: string, declared: Column[]): Column[] {
    const known = new Set(declared.flatMap((c) => [c.id, c.path ?? c.id]));
    const others = Object.entries(kindOf(kind).fields)
        .filter(([path, field]) => !known.has(path) && field.type !== 'json' && path !== 'id')
        .map(([path]) => column(kind, path));
    return [...declared, ...others];
}
