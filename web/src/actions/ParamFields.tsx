// SPDX-License-Identifier: Apache-2.0
// Fields that the design system has none for: an object that is searched, with the room it has left, and things in an order.
import { useState } from 'react';
import { Checkbox, FormSelect, FormSelectOption, TextInput } from '@patternfly/react-core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { listQuery, objectQuery } from '../api/query';
import { fieldOf, pathOf, valueAt } from '../api/model';
import type { Item } from '../api/types';
import { bytes } from '../i18n/format';
import { isWithin, pathText, useFolders } from '../lib/folders';
import { useDebounced } from '../lib/hooks';

/** What tells how much room an object has. */
const ROOM: Record<string, string> = {
    folder: 'name,parent',
    datastore: 'name,free_bytes,capacity_bytes,accessible',
    host: 'name,hardware.memory_bytes,connection_state,maintenance_mode,usage',
};

export interface Room {
    free: number;
    total: number;
    what: 'space' | 'memory';
}

/** Space that a datastore, memory that a host has left; null where nobody knows. */
export function roomOf(item: Item | undefined): Room | null {
    if (item?.kind === 'datastore') {
        const free = valueAt(item, 'free_bytes');
        const total = valueAt(item, 'capacity_bytes');
        return typeof free === 'number' && typeof total === 'number' ? { free, total, what: 'space' } : null;
    }
    if (item?.kind === 'host') {
        const total = valueAt(item, 'hardware.memory_bytes');
        const used = valueAt(item, 'usage.mem.usage_bytes');
        return typeof total === 'number' && typeof used === 'number'
            ? { free: Math.max(0, total - used), total, what: 'memory' }
            : null;
    }
    return null;
}

/** An object with what tells its room. */
export function useRoom(kind: string, id: string | null | undefined): Item | undefined {
    return useQuery({
        ...objectQuery<Item>(kind, id ?? '', { fields: ROOM[kind] ?? 'name' }),
        enabled: !!id && !!ROOM[kind],
    }).data?.item;
}

/** Chosen: no object. */
export const NOTHING = '-';

export function RefField(p: {
    id: string;
    kind: string;
    value: string;
    provider?: string;
    disabled?: boolean;
    /** Neither it nor what lies in it can be chosen: what is put somewhere else does not go into itself. */
    outside?: string;
    /** It may point to nothing; what that means, where it is more than "none". */
    none?: boolean | string;
    /** Even that must be said: nothing is NOTHING then, and '' is what was not chosen yet. */
    required?: boolean;
    onChange: (id: string) => void;
}) {
    const { t } = useTranslation();
    const [typed, setTyped] = useState('');
    const text = useDebounced(typed, 150);
    const parts = [
        p.provider && !!fieldOf(p.kind, 'provider') && `provider:${p.provider}`,
        text && `name:"${text.replaceAll('"', '')}"`,
    ].filter(Boolean);
    const { data } = useQuery({
        ...listQuery(pathOf(p.kind), {
            limit: 50,
            sort: 'name',
            fields: ROOM[p.kind] ?? 'name',
            filter: parts.join(' '),
        }),
        enabled: !p.disabled,
        placeholderData: keepPreviousData,
    });
    const folders = useFolders(p.kind === 'folder' && !p.disabled);
    const found = data?.items ?? [];
    const items =
        p.kind !== 'folder' || !folders
            ? found
            : found
                  .filter((i) => !p.outside || !isWithin(i, p.outside, folders))
                  .map((i) => ({ ...i, name: pathText(i, folders) }))
                  .sort((a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }));
    const here = items.some((i) => i.id === p.value);
    const picked = useQuery({
        ...objectQuery<Item>(p.kind, p.value, { fields: 'name' }),
        enabled: !!p.value && p.value !== NOTHING && !here,
    });
    const words = (item: Item) => {
        const room = roomOf(item);
        const name = item.name ?? item.id;
        return room ? t(`machine.option_${room.what}`, { name, free: bytes(room.free) }) : name;
    };
    return (
        <div className="pv-ref">
            {!p.disabled && (items.length >= 12 || typed !== '') && (
                <TextInput
                    id={`${p.id}-search`}
                    aria-label={t('form.search')}
                    placeholder={t('form.search')}
                    value={typed}
                    onChange={(_, v) => setTyped(v)}
                />
            )}
            <FormSelect id={p.id} value={p.value} isDisabled={p.disabled} onChange={(_, v) => p.onChange(v)}>
                <FormSelectOption
                    value=""
                    label={
                        typeof p.none === 'string'
                            ? p.none
                            : p.none && !p.required
                              ? t('value.none')
                              : t('form.choose')
                    }
                />
                {p.none && p.required && <FormSelectOption value={NOTHING} label={t('value.none')} />}
                {p.value && p.value !== NOTHING && !here && (
                    <FormSelectOption value={p.value} label={picked.data?.item.name ?? p.value} />
                )}
                {items.map((i) => (
                    <FormSelectOption key={i.id} value={i.id} label={words(i)} />
                ))}
            </FormSelect>
        </div>
    );
}

/** Any of some: each a box to tick. */
export function CheckField(p: {
    id: string;
    label: string;
    value: string[];
    choices: { value: string; text: string }[];
    disabled?: boolean;
    onChange: (value: string[]) => void;
}) {
    return (
        <div id={p.id} role="group" aria-label={p.label} className="pv-checks">
            {p.choices.map((c) => (
                <Checkbox
                    key={c.value}
                    id={`${p.id}-${c.value}`}
                    label={c.text}
                    isDisabled={p.disabled}
                    isChecked={p.value.includes(c.value)}
                    onChange={(_, on) =>
                        p.onChange(on ? [...p.value, c.value] : p.value.filter((v) => v !== c.value))
                    }
                />
            ))}
        </div>
    );
}

/** Any objects of a kind: the chosen ones first, then what the search finds. */
export function RefListField(p: {
    id: string;
    label: string;
    kind: string;
    value: string[];
    disabled?: boolean;
    onChange: (ids: string[]) => void;
}) {
    const { t } = useTranslation();
    const [typed, setTyped] = useState('');
    // Those that were chosen when the form came stay where they are, though they are unticked.
    const [first] = useState(p.value);
    const text = useDebounced(typed, 150);
    const found = useQuery({
        ...listQuery(pathOf(p.kind), {
            limit: 50,
            sort: 'name',
            fields: 'name',
            filter: text && `name:"${text.replaceAll('"', '')}"`,
        }),
        placeholderData: keepPreviousData,
    }).data?.items;
    const chosen = useQuery({
        ...listQuery(pathOf(p.kind), { fields: 'name', ids: first.slice(0, 200).join(',') }),
        enabled: first.length > 0,
    }).data?.items;
    const before = (chosen ?? []).filter((i) => first.includes(i.id));
    const items = [...before, ...(found ?? []).filter((i) => !first.includes(i.id))];
    return (
        <div className="pv-ref">
            {!p.disabled && ((found?.length ?? 0) >= 12 || typed !== '') && (
                <TextInput
                    id={`${p.id}-search`}
                    aria-label={t('form.search')}
                    placeholder={t('form.search')}
                    value={typed}
                    onChange={(_, v) => setTyped(v)}
                />
            )}
            <CheckField {...p} choices={items.map((i) => ({ value: i.id, text: String(i.name ?? i.id) }))} />
        </div>
    );
}

function Glyph({ d }: { d: string }) {
    return (
        <svg viewBox="0 0 16 16" aria-hidden="true">
            <path d={d} />
        </svg>
    );
}

/** Things in an order that matters; moved by buttons, so by keyboard too. */
export function OrderField(p: {
    id: string;
    value: string[];
    choices: { value: string; text: string }[];
    disabled?: boolean;
    onChange: (value: string[]) => void;
}) {
    const { t } = useTranslation();
    const wordOf = (value: string) => p.choices.find((c) => c.value === value)?.text ?? value;
    const left = p.choices.filter((c) => !p.value.includes(c.value));
    const move = (at: number, by: number) => {
        const next = [...p.value];
        const [one] = next.splice(at, 1);
        next.splice(at + by, 0, one!);
        p.onChange(next);
    };
    return (
        <div className="pv-order">
            <ol>
                {p.value.map((v, i) => (
                    <li key={v}>
                        <span>{wordOf(v)}</span>
                        {!p.disabled && (
                            <>
                                <button
                                    type="button"
                                    className="pv-iconbutton"
                                    disabled={i === 0}
                                    aria-label={t('machine.move_up', { name: wordOf(v) })}
                                    onClick={() => move(i, -1)}
                                >
                                    <Glyph d="m4 10 4-4 4 4" />
                                </button>
                                <button
                                    type="button"
                                    className="pv-iconbutton"
                                    disabled={i === p.value.length - 1}
                                    aria-label={t('machine.move_down', { name: wordOf(v) })}
                                    onClick={() => move(i, 1)}
                                >
                                    <Glyph d="m4 6 4 4 4-4" />
                                </button>
                                <button
                                    type="button"
                                    className="pv-iconbutton"
                                    aria-label={t('machine.take_out', { name: wordOf(v) })}
                                    onClick={() => p.onChange(p.value.filter((x) => x !== v))}
                                >
                                    <Glyph d="m4 4 8 8m0-8-8 8" />
                                </button>
                            </>
                        )}
                    </li>
                ))}
            </ol>
            <FormSelect
                id={p.id}
                value=""
                isDisabled={p.disabled || !left.length}
                onChange={(_, v) => v && p.onChange([...p.value, v])}
            >
                <FormSelectOption value="" label={t('machine.put_in')} />
                {left.map((c) => (
                    <FormSelectOption key={c.value} value={c.value} label={c.text} />
                ))}
            </FormSelect>
        </div>
    );
}
