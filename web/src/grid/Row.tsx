// SPDX-License-Identifier: Apache-2.0
// A row: plain elements, one class each. It is made once and then shows one object after another, so whatever depends on the
// object is text or an attribute, and elements do not come and go.
import { memo, type CSSProperties } from 'react';
import type { Item } from '../api/types';
import { number } from '../i18n/format';
import type { Column } from './columns';
import type { GroupHead, Series } from './rows';

interface Place {
    index: number;
    top: number;
    base: string;
    /** Column that the keyboard is on, if it is in this row. */
    activeColumn: number | null;
}

interface RowProps extends Place {
    item: Item | undefined;
    series: Series | undefined;
    columns: Column[];
    pinned: Record<string, number>;
    selected: boolean;
    plain: boolean;
    level: number | undefined;
}

export const cellId = (base: string, row: number, column: number) => `${base}-${row}-${column}`;

export const Row = memo(function Row(p: RowProps) {
    const { item } = p;
    const first = p.plain ? 0 : 1;
    let name = 'pv-row';
    if (p.selected) name += ' pv-row--selected';
    if (p.activeColumn !== null) name += ' pv-row--active';
    if (!item) name += ' pv-row--ghost';
    if (item?.stale) name += ' pv-row--stale';
    if (item?.presence === 'gone') name += ' pv-row--gone';
    return (
        <div
            className={name}
            role="row"
            aria-rowindex={p.index + 2}
            aria-level={p.level}
            aria-selected={p.plain ? undefined : p.selected}
            data-index={p.index}
            style={{ transform: `translateY(${p.top}px)` }}
        >
            {!p.plain && (
                <div
                    className="pv-cell pv-cell--check"
                    role="gridcell"
                    aria-colindex={1}
                    id={p.activeColumn === 0 ? cellId(p.base, p.index, 0) : undefined}
                    data-check=""
                >
                    <span className="pv-check" data-on={p.selected || undefined} aria-hidden="true" />
                </div>
            )}
            {p.columns.map((column, i) => {
                const left = p.pinned[column.id];
                const at = i + first;
                let name = 'pv-cell';
                if (column.align) name += ' pv-cell--end';
                if (left !== undefined) name += ' pv-cell--pinned';
                if (p.activeColumn === at) name += ' pv-cell--active';
                return (
                    <div
                        key={column.id}
                        className={name}
                        role={i === 0 ? 'rowheader' : 'gridcell'}
                        aria-colindex={at + 1}
                        id={p.activeColumn === at ? cellId(p.base, p.index, at) : undefined}
                        style={
                            left === undefined ? undefined : ({ '--pv-left': `${left}px` } as CSSProperties)
                        }
                    >
                        {item && column.cell?.(item, p.series)}
                    </div>
                );
            })}
        </div>
    );
});

interface GroupRowProps extends Place {
    group: GroupHead;
    span: number;
    selected: boolean;
    label: string;
}

/** The head of a group: what its rows have in common, and how many they are. */
export const GroupRow = memo(function GroupRow(p: GroupRowProps) {
    const active = p.activeColumn !== null;
    return (
        <div
            className={`pv-row pv-row--group${active ? ' pv-row--active' : ''}${p.selected ? ' pv-row--selected' : ''}`}
            role="row"
            aria-rowindex={p.index + 2}
            aria-level={1}
            aria-expanded={p.group.open}
            data-index={p.index}
            data-group={p.group.key}
            style={{ transform: `translateY(${p.top}px)` }}
        >
            <div
                className={`pv-cell pv-cell--group${active ? ' pv-cell--active' : ''}`}
                role="rowheader"
                aria-colindex={1}
                aria-colspan={p.span}
                id={active ? cellId(p.base, p.index, 0) : undefined}
            >
                <span className="pv-twist" data-open={p.group.open || undefined} aria-hidden="true" />
                <span className="pv-cell__label">{p.label}</span>
                <span className="pv-groupcount">{number(p.group.count)}</span>
            </div>
        </div>
    );
});
