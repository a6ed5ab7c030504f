// SPDX-License-Identifier: Apache-2.0
import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import i18next from 'i18next';
import { timeOfDay } from '../../i18n/format';
import { useLook } from '../../lib/hooks';

export interface Series {
    name: string;
    times: number[];
    values: (number | null)[];
}

const COLORS = ['--pv-accent', '--pv-warn', '--pv-on', '--pv-sleep'];
const sync = uPlot.sync('polyvisor');

/** Times of the series, united. */
export function align(series: Series[]): uPlot.AlignedData {
    if (series.length === 1) return [series[0]!.times, series[0]!.values];
    return uPlot.join(series.map((s) => [s.times, s.values] as uPlot.AlignedData));
}

/** A chart with a cursor shared by all charts of the page; drag zooms, + - 0 zoom by keyboard. */
export function Chart(p: {
    series: Series[];
    show: (value: number) => string;
    most?: number;
    label: string;
}) {
    const box = useRef<HTMLDivElement>(null);
    const plot = useRef<uPlot | null>(null);
    const { theme, contrast } = useLook();
    const names = p.series.map((s) => s.name).join();
    const latest = useRef(p);
    useEffect(() => {
        latest.current = p;
    });
    useEffect(() => {
        const node = box.current;
        if (!node) return;
        const style = getComputedStyle(document.documentElement);
        const color = (name: string) => style.getPropertyValue(name).trim();
        const axis = {
            stroke: color('--pv-subtle'),
            grid: { stroke: color('--pv-line-soft'), width: 1 },
            ticks: { show: false },
            font: '12px system-ui',
        };
        const made = new uPlot(
            {
                width: node.clientWidth,
                height: 180,
                cursor: { sync: { key: sync.key }, drag: { x: true, y: false } },
                legend: { live: true },
                scales: {
                    y: {
                        range: (_, min, max) => [
                            0,
                            latest.current.most ?? (max > 0 ? max * 1.1 : Math.max(1, min)),
                        ],
                    },
                },
                axes: [
                    { ...axis, values: (_, splits) => splits.map((s) => timeOfDay(s * 1000)), space: 90 },
                    { ...axis, values: (_, splits) => splits.map((s) => latest.current.show(s)), size: 76 },
                ],
                series: [
                    {
                        label: i18next.t('field.any.time'),
                        value: (_, v) => (v === null ? '–' : timeOfDay(v * 1000)),
                    },
                    ...latest.current.series.map((s, i) => ({
                        label: i18next.t(`metric.${s.name.replaceAll('.', '_')}`, { defaultValue: s.name }),
                        stroke: color(COLORS[i % COLORS.length]!),
                        width: 1.5,
                        points: { show: s.times.length < 3 },
                        value: (_: uPlot, v: number | null) =>
                            v === null || v === undefined ? '–' : latest.current.show(v),
                    })),
                ],
            },
            align(latest.current.series),
            node,
        );
        plot.current = made;
        const watch = new ResizeObserver(() => made.setSize({ width: node.clientWidth, height: 180 }));
        watch.observe(node);
        return () => {
            watch.disconnect();
            made.destroy();
            plot.current = null;
        };
    }, [names, theme, contrast]);
    useEffect(() => {
        plot.current?.setData(align(p.series));
    }, [p.series]);
    const zoom = (key: string) => {
        const u = plot.current;
        const times = u?.data[0];
        if (!u || !times?.length) return false;
        const { min, max } = u.scales.x!;
        const first = times[0]!;
        const last = times[times.length - 1]!;
        const from = min ?? first;
        const to = max ?? last;
        const span = to - from;
        const set = (a: number, b: number) =>
            u.setScale('x', { min: Math.max(first, a), max: Math.min(last, b) });
        if (key === '+') set(from + span / 4, to - span / 4);
        else if (key === '-') set(from - span / 2, to + span / 2);
        else if (key === '0') set(first, last);
        else if (key === 'ArrowLeft') set(from - span / 4, to - span / 4);
        else if (key === 'ArrowRight') set(from + span / 4, to + span / 4);
        else return false;
        return true;
    };
    return (
        // A picture that is zoomed by keys; the table beside it holds the same numbers.
        // eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions
        <div
            ref={box}
            className="pv-chart"
            role="figure"
            aria-label={p.label}

            tabIndex={0}
            onKeyDown={(e) => zoom(e.key) && e.preventDefault()}
        />
    );
}
