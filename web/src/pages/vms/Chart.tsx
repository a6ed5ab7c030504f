// SPDX-License-Identifier: Apache-2.0
import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import i18next from 'i18next';
import { dateTime, day, dayAndHour, hourAndMinute } from '../../i18n/format';
import { useAppearance } from '../../lib/hooks';
import { seriesLabel, type Marker, type Series } from './series';

const COLORS = ['--pv-accent', '--pv-warn', '--pv-on', '--pv-sleep'];
const DAY_S = 86_400;

/** Days alone need no hours on their axis. */
function isMidnight(seconds: number): boolean {
    const at = new Date(seconds * 1000);
    return at.getHours() === 0 && at.getMinutes() === 0;
}

/** Steps of an axis of sizes: halves and doubles, so that its words are round. */
const BINARY = Array.from({ length: 52 }, (_, n) => 2 ** n);
const sync = uPlot.sync('polyvisor');

/** Times of the series, united. */
export function align(series: Series[]): uPlot.AlignedData {
    if (series.length === 1) return [series[0]!.times, series[0]!.values];
    return uPlot.join(series.map((s) => [s.times, s.values] as uPlot.AlignedData));
}

function drawMarkers(u: uPlot, markers: Marker[], color: (severity: string) => string): void {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (const m of markers) {
        const x = Math.round(u.valToPos(m.time, 'x', true));
        if (x < bbox.left || x > bbox.left + bbox.width) continue;
        ctx.strokeStyle = ctx.fillStyle = color(m.severity);
        ctx.lineWidth = devicePixelRatio;
        ctx.setLineDash([3 * devicePixelRatio, 3 * devicePixelRatio]);
        ctx.beginPath();
        ctx.moveTo(x, bbox.top);
        ctx.lineTo(x, bbox.top + bbox.height);
        ctx.stroke();
        const size = 4 * devicePixelRatio;
        ctx.beginPath();
        ctx.moveTo(x - size, bbox.top);
        ctx.lineTo(x + size, bbox.top);
        ctx.lineTo(x, bbox.top + size * 1.5);
        ctx.fill();
    }
    ctx.restore();
}

/** Where the view goes by a key; null: not a key of ours. */
export function zoomed(
    key: string,
    view: { min: number; max: number },
    all: { min: number; max: number },
): { min: number; max: number } | null {
    const span = view.max - view.min;
    const whole = all.max - all.min;
    const fit = (min: number, max: number) => {
        if (max - min >= whole) return { ...all };
        // Moving on at an edge keeps what is seen as wide as it was.
        if (min < all.min) return { min: all.min, max: all.min + (max - min) };
        if (max > all.max) return { min: all.max - (max - min), max: all.max };
        return { min, max };
    };
    switch (key) {
        case '+':
        case '=':
            return fit(view.min + span / 4, view.max - span / 4);
        case '-':
            return fit(view.min - span / 2, view.max + span / 2);
        case '0':
        case 'Home':
            return { ...all };
        case 'ArrowLeft':
            return fit(view.min - span / 4, view.max - span / 4);
        case 'ArrowRight':
            return fit(view.min + span / 4, view.max + span / 4);
        default:
            return null;
    }
}

/** A chart with a cursor and a view shared by all charts of the page; drag zooms, + - 0 and arrows by keyboard. */
export function Chart(p: {
    series: Series[];
    markers: Marker[];
    show: (value: number) => string;
    most?: number;
    /** Its values are sizes. */
    binary?: boolean;
    label: string;
    /** What is seen of the times; null: all. */
    view: { min: number; max: number } | null;
    onView: (view: { min: number; max: number } | null) => void;
}) {
    const box = useRef<HTMLDivElement>(null);
    const plot = useRef<uPlot | null>(null);
    const appearance = useAppearance();
    const names = p.series.map((s) => s.name + (s.label ?? '')).join();
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
        const long = () => {
            const { min, max } = plot.current?.scales.x ?? {};
            return (max ?? 0) - (min ?? 0) > 1.5 * DAY_S;
        };
        const made = new uPlot(
            {
                width: node.clientWidth,
                height: 180,
                cursor: { sync: { key: sync.key }, drag: { x: true, y: false, setScale: false } },
                legend: { live: true },
                scales: {
                    x: {
                        range: (u, min, max) => {
                            const view = latest.current.view;
                            if (view) return [view.min, view.max];
                            const times = u.data[0];
                            return times.length ? [times[0]!, times[times.length - 1]!] : [min, max];
                        },
                    },
                    y: {
                        range: (_, min, max) => [
                            0,
                            latest.current.most ?? (max > 0 ? max * 1.1 : Math.max(1, min ?? 1)),
                        ],
                    },
                },
                axes: [
                    {
                        ...axis,
                        values: (_, splits) =>
                            splits.map((s) =>
                                !long()
                                    ? hourAndMinute(s * 1000)
                                    : splits.every(isMidnight)
                                      ? day(s * 1000)
                                      : dayAndHour(s * 1000),
                            ),
                        space: 96,
                    },
                    {
                        ...axis,
                        values: (_, splits) => splits.map((s) => latest.current.show(s)),
                        size: 84,
                        ...(latest.current.binary && { incrs: BINARY }),
                    },
                ],
                series: [
                    {
                        label: i18next.t('field.any.time'),
                        value: (_, v) => (v === null ? '–' : dateTime(v * 1000)),
                    },
                    ...latest.current.series.map((s, i) => ({
                        label: seriesLabel(s),
                        stroke: color(COLORS[i % COLORS.length]!),
                        // Not by colour alone.
                        dash: i ? [6, 3 + i] : undefined,
                        width: 1.5,
                        points: { show: s.values.filter((v) => v !== null).length < 3 },
                        value: (_: uPlot, v: number | null) =>
                            v === null || v === undefined ? '–' : latest.current.show(v),
                    })),
                ],
                hooks: {
                    draw: [
                        (u) =>
                            drawMarkers(u, latest.current.markers, (severity) =>
                                color(
                                    severity === 'error'
                                        ? '--pv-bad'
                                        : severity === 'warning'
                                          ? '--pv-warn'
                                          : '--pv-line-strong',
                                ),
                            ),
                    ],
                    setSelect: [
                        (u) => {
                            if (u.select.width < 4) return;
                            const min = u.posToVal(u.select.left, 'x');
                            const max = u.posToVal(u.select.left + u.select.width, 'x');
                            u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
                            latest.current.onView({ min, max });
                        },
                    ],
                },
            },
            align(latest.current.series),
            node,
        );
        // A double click shows all again, in all charts.
        made.over.addEventListener('dblclick', () => latest.current.onView(null));
        plot.current = made;
        const watch = new ResizeObserver(() => made.setSize({ width: node.clientWidth, height: 180 }));
        watch.observe(node);
        return () => {
            watch.disconnect();
            made.destroy();
            plot.current = null;
        };
    }, [names, appearance]);
    useEffect(() => {
        plot.current?.setData(align(p.series));
    }, [p.series, p.markers, p.view]);
    const key = (pressed: string) => {
        const u = plot.current;
        const times = u?.data[0];
        if (!u || !times?.length) return false;
        const all = { min: times[0]!, max: times[times.length - 1]! };
        const next = zoomed(pressed, p.view ?? all, all);
        if (!next) return false;
        p.onView(next.min <= all.min && next.max >= all.max ? null : next);
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
            aria-keyshortcuts="+ - 0 ArrowLeft ArrowRight"

            tabIndex={0}
            onKeyDown={(e) => !e.ctrlKey && !e.metaKey && !e.altKey && key(e.key) && e.preventDefault()}
        />
    );
}
