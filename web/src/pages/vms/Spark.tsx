// SPDX-License-Identifier: Apache-2.0
// The last hour of a number as a small line; what it was at least and at most stands in words.
import { useTranslation } from 'react-i18next';
import type { Series } from './series';

const WIDTH = 160;
const HEIGHT = 32;

/** Pieces of a line through the values, broken where nothing is known. */
export function pathOf(values: (number | null)[], most: number): string {
    const step = WIDTH / Math.max(1, values.length - 1);
    let path = '';
    let pen = false;
    values.forEach((v, i) => {
        if (v === null) {
            pen = false;
            return;
        }
        const y = HEIGHT - 1 - (Math.min(v, most) / most) * (HEIGHT - 2);
        path += `${pen ? 'L' : 'M'}${(i * step).toFixed(1)} ${y.toFixed(1)}`;
        pen = true;
    });
    return path;
}

export function Spark(p: {
    label: string;
    series: (Series | undefined)[];
    show: (value: number) => string;
    most?: number;
}) {
    const { t } = useTranslation();
    const lines = p.series.filter((s): s is Series => !!s);
    const values = lines.flatMap((s) => s.values.filter((v): v is number => v !== null));
    if (values.length < 2) return null;
    const highest = Math.max(...values);
    const most = p.most ?? Math.max(highest * 1.1, 1);
    const words = t('machine.sum.least_most', {
        least: p.show(Math.min(...values)),
        most: p.show(highest),
    });
    return (
        <figure className="pv-hourline">
            <svg
                viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
                preserveAspectRatio="none"
                role="img"
                aria-label={`${p.label}, ${t('machine.sum.hour')}: ${words}`}
            >
                {lines.map((s, i) => (
                    <path
                        key={s.name}
                        d={pathOf(s.values, most)}
                        className={i ? 'pv-hourline__second' : undefined}
                        vectorEffect="non-scaling-stroke"
                    />
                ))}
            </svg>
            <figcaption>{words}</figcaption>
        </figure>
    );
}
