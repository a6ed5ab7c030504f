// SPDX-License-Identifier: Apache-2.0
// Numbers over time, drawn by uPlot, with one cursor for all charts; the same as a table.
import { useMemo } from 'react';
import { useQuery } from '@tanstack/react-query';
import { useSearchParams } from 'react-router';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { isMissing } from '../../api/problem';
import type { Item } from '../../api/types';
import { bytes, dateTime, mhz, number, rate } from '../../i18n/format';
import type { TabProps } from '../../lib/ObjectPage';
import { Empty, Failure, SkeletonLines } from '../../states/states';
import { Chart, type Series } from './Chart';
import { useUsage } from './usage';

const RANGES: [string, number][] = [
    ['15m', 900],
    ['1h', 3600],
    ['24h', 86_400],
    ['7d', 7 * 86_400],
    ['30d', 30 * 86_400],
];

interface Drawing {
    id: string;
    names: string[];
    show: (value: number) => string;
    most?: number;
}

const DRAWINGS: Drawing[] = [
    { id: 'cpu', names: ['cpu.usage_pct', 'cpu.ready_pct'], show: (v) => `${number(v, 1)} %`, most: 100 },
    { id: 'memory', names: ['mem.usage_bytes', 'mem.active_bytes'], show: bytes },
    { id: 'disk', names: ['disk.read_bps', 'disk.write_bps'], show: rate },
    { id: 'latency', names: ['disk.latency_ms'], show: (v) => `${number(v, 1)} ms` },
    { id: 'network', names: ['net.rx_bps', 'net.tx_bps'], show: (v) => rate(v / 8) },
];

interface SeriesAnswer {
    from: string;
    to: string;
    step_s: number;
    series: { ref: string; name: string; unit?: string; values: (number | null)[] }[];
}

/** Points by name, times in seconds. */
export function seriesOf(answer: SeriesAnswer | undefined): Map<string, Series> {
    const found = new Map<string, Series>();
    if (!answer) return found;
    const start = new Date(answer.from).getTime() / 1000;
    for (const s of answer.series) {
        if (!s.values.some((v) => v !== null)) continue;
        const times = s.values.map((_, i) => start + i * answer.step_s);
        found.set(s.name, { name: s.name, times, values: s.values });
    }
    return found;
}

export default function Metrics({ item }: TabProps) {
    const { t } = useTranslation();
    const [params, setParams] = useSearchParams();
    const chosen = RANGES.find(([id]) => id === params.get('range')) ?? RANGES[1]!;
    const table = params.get('as') === 'table';
    const [range, seconds] = chosen;
    const names = DRAWINGS.flatMap((d) => d.names).join(',');
    const { data, error, refetch } = useQuery({
        queryKey: ['series', item.id, range],
        queryFn: ({ signal }) => {
            const now = Date.now();
            const from = new Date(now - seconds * 1000).toISOString();
            return api.get<SeriesAnswer>(
                '/metrics/series',
                { refs: item.id, names, from, to: new Date(now).toISOString() },
                signal,
            );
        },
        refetchInterval: seconds <= 3600 ? 20_000 : 300_000,
        placeholderData: (old) => old,
    });
    const series = useMemo(() => seriesOf(data), [data]);
    const set = (name: string, value: string | null) =>
        setParams(
            (old) => {
                const next = new URLSearchParams(old);
                if (value) next.set(name, value);
                else next.delete(name);
                return next;
            },
            { replace: true },
        );
    if (isMissing(error)) return <Newest item={item} />;
    if (error && !data) return <Failure error={error} onRetry={() => void refetch()} />;
    return (
        <div className="pv-stack">
            <div className="pv-buttons" role="group" aria-label={t('metrics.range')}>
                {RANGES.map(([id]) => (
                    <button
                        key={id}
                        type="button"
                        className="pv-button pv-button--small"
                        aria-pressed={id === range}
                        onClick={() => set('range', id)}
                    >
                        {t(`metrics.range_${id}`)}
                    </button>
                ))}
                <button
                    type="button"
                    className="pv-button pv-button--small"
                    aria-pressed={table}
                    onClick={() => set('as', table ? null : 'table')}
                >
                    {t('metrics.table')}
                </button>
            </div>
            {!data ? (
                <SkeletonLines lines={8} />
            ) : (
                <div className="pv-charts">
                    {DRAWINGS.map((d) => {
                        const shown = d.names
                            .map((n) => series.get(n))
                            .filter((s): s is Series => !!s && s.times.length > 0);
                        return (
                            <section key={d.id} className="pv-card">
                                <h2 className="pv-card__title">{t(`metrics.${d.id}`)}</h2>
                                {!shown.length ? (
                                    <p className="pv-subtle pv-pad">{t('metrics.none')}</p>
                                ) : table ? (
                                    <Numbers series={shown} show={d.show} label={t(`metrics.${d.id}`)} />
                                ) : (
                                    <Chart
                                        series={shown}
                                        show={d.show}
                                        most={d.most}
                                        label={t(`metrics.${d.id}`)}
                                    />
                                )}
                            </section>
                        );
                    })}
                </div>
            )}
        </div>
    );
}

function Numbers({ series, show, label }: { series: Series[]; show: (v: number) => string; label: string }) {
    const { t } = useTranslation();
    const times = series[0]?.times ?? [];
    const every = Math.max(1, Math.ceil(times.length / 200));
    return (
        <div className="pv-scroll pv-scroll--short" role="region" aria-label={label} tabIndex={0}>
            <table className="pv-table">
                <thead>
                    <tr>
                        <th scope="col">{t('field.any.time')}</th>
                        {series.map((s) => (
                            <th key={s.name} scope="col">
                                {t(`metric.${s.name.replaceAll('.', '_')}`, { defaultValue: s.name })}
                            </th>
                        ))}
                    </tr>
                </thead>
                <tbody>
                    {times.map(
                        (time, i) =>
                            i % every === 0 && (
                                <tr key={time}>
                                    <td>{dateTime(time * 1000)}</td>
                                    {series.map((s) => (
                                        <td key={s.name}>
                                            {typeof s.values[i] === 'number' ? show(s.values[i]) : '–'}
                                        </td>
                                    ))}
                                </tr>
                            ),
                    )}
                </tbody>
            </table>
        </div>
    );
}

/** Without kept series: the newest numbers there are. */
function Newest({ item }: { item: Item }) {
    const { t } = useTranslation();
    const { data } = useUsage(item);
    if (!data) return <Empty title={t('metrics.no_series.title')} body={t('metrics.no_series.body')} />;
    const show = (name: string, v: number) =>
        name.endsWith('_bytes')
            ? bytes(v)
            : name.startsWith('net.') && name.endsWith('_bps')
              ? rate(v / 8)
              : name.endsWith('_bps')
                ? rate(v)
                : name.endsWith('_mhz')
                  ? mhz(v)
                  : name.endsWith('_pct')
                    ? `${number(v)} %`
                    : number(v, 1);
    return (
        <section className="pv-card">
            <h2 className="pv-card__title">{t('metrics.newest')}</h2>
            <dl className="pv-fields">
                {Object.entries(data)
                    .filter(([name, v]) => name !== 'time' && typeof v === 'number')
                    .map(([name, v]) => (
                        <div key={name}>
                            <dt title={name}>
                                {t(`metric.${name.replaceAll('.', '_')}`, { defaultValue: name })}
                            </dt>
                            <dd>{show(name, Number(v))}</dd>
                        </div>
                    ))}
            </dl>
            <p className="pv-note">{t('metrics.no_series.body')}</p>
        </section>
    );
}
