// SPDX-License-Identifier: Apache-2.0
// A line in a cell: how a number went. Gaps where nothing is known are drawn through, for five-minute means between single values.
import { t } from '../i18n/words';
import type { Column } from './columns';
import type { Series } from './rows';

const WIDE = 100;
const HIGH = 20;
const drawn = new WeakMap<readonly (number | null)[], string>();

/** Points of the line in a box of 100 by 20. */
export function points(values: readonly (number | null)[], most: number): string {
    const found = drawn.get(values);
    if (found !== undefined) return found;
    const last = Math.max(1, values.length - 1);
    const text = values
        .map((v, i) =>
            v === null
                ? ''
                : `${((i / last) * WIDE).toFixed(1)},${(HIGH - 1 - (Math.min(v, most) / (most || 1)) * (HIGH - 2)).toFixed(1)}`,
        )
        .filter(Boolean)
        .join(' ');
    drawn.set(values, text);
    return text;
}

export function trend(
    id: string,
    metric: string,
    label: () => string,
    format: (value: number) => string,
    top?: number,
): Column {
    return {
        id,
        label,
        width: 130,
        fields: [],
        series: metric,
        cell: (_item, series?: Series) => {
            const values = series?.[metric];
            const known = values?.filter((v): v is number => v !== null) ?? [];
            if (!values || !known.length) return null;
            const most = Math.max(...known);
            const words = t('lists.trend', {
                least: format(Math.min(...known)),
                most: format(most),
                now: format(known.at(-1)!),
            });
            const line = points(values, top ?? most);
            return (
                <svg
                    className="pv-spark"
                    viewBox={`0 0 ${WIDE} ${HIGH}`}
                    preserveAspectRatio="none"
                    role="img"
                    aria-label={words}
                >
                    {known.length > 1 ? (
                        <polyline points={line} />
                    ) : (
                        <circle cx={line.split(',')[0]} cy={line.split(',')[1]} r="1.5" />
                    )}
                </svg>
            );
        },
    };
}
