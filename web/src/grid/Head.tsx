// SPDX-License-Identifier: Apache-2.0
// The head of the grid. Nothing of it changes while one scrolls, so it is not rendered then.
import { memo, type CSSProperties, type PointerEvent } from 'react';
import { useTranslation } from 'react-i18next';
import type { Column } from './columns';
import type { Shape } from './layout';
import { cellId } from './Row';
import { placeOf, sortOf } from './sort';

export interface HeadDoes {
    sort: (column: Column, more: boolean) => void;
    all: () => void;
    drag: (e: PointerEvent, id: string) => void;
}

export const Head = memo(function Head(p: {
    shape: Shape;
    sort: string;
    base: string;
    activeColumn: number | null;
    plain: boolean;
    all: 'none' | 'some' | 'all';
    canResize: boolean;
    does: HeadDoes;
}) {
    const { t } = useTranslation();
    return (
        <div className="pv-head" role="row" aria-rowindex={1}>
            {!p.plain && (
                <div
                    className="pv-cell pv-cell--check"
                    role="columnheader"
                    aria-colindex={1}
                    id={cellId(p.base, -1, 0)}
                    aria-label={t('grid.select_all')}
                    onClick={() => p.does.all()}
                >
                    <span
                        className={`pv-check${p.activeColumn === 0 ? ' pv-check--active' : ''}`}
                        data-on={p.all === 'all' || undefined}
                        data-some={p.all === 'some' || undefined}
                        aria-hidden="true"
                    />
                </div>
            )}
            {p.shape.shown.map((column, i) => {
                const at = i + (p.plain ? 0 : 1);
                const path = column.path ?? column.id;
                const order = sortOf(p.sort, path);
                const place = order === 'none' ? 0 : placeOf(p.sort, path);
                const left = p.shape.pinned[column.id];
                let name = 'pv-cell pv-cell--head';
                if (column.align) name += ' pv-cell--end';
                if (column.sort) name += ' pv-cell--sortable';
                if (left !== undefined) name += ' pv-cell--pinned';
                if (p.activeColumn === at) name += ' pv-cell--active';
                return (
                    <div
                        key={column.id}
                        className={name}
                        role="columnheader"
                        aria-colindex={at + 1}
                        aria-sort={column.sort ? order : undefined}
                        id={cellId(p.base, -1, at)}
                        style={
                            left === undefined ? undefined : ({ '--pv-left': `${left}px` } as CSSProperties)
                        }
                        onClick={(e) => p.does.sort(column, e.shiftKey)}
                        title={column.label?.()}
                    >
                        <span className="pv-cell__label">{column.label?.() ?? column.id}</span>
                        {order !== 'none' && (
                            <span className={`pv-arrow pv-arrow--${order}`} aria-hidden="true" />
                        )}
                        {place > 0 && <span className="pv-order">{place}</span>}
                        {p.canResize && (
                            <span
                                className="pv-edge"
                                aria-hidden="true"
                                onPointerDown={(e) => p.does.drag(e, column.id)}
                                onClick={(e) => e.stopPropagation()}
                            />
                        )}
                    </div>
                );
            })}
        </div>
    );
});
