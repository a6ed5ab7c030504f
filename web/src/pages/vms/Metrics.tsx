// SPDX-License-Identifier: Apache-2.0
// Numbers over time, drawn by uPlot, with one cursor and one view for all charts and what happened marked in them; the same as a
// table and as a file.
import { lazy, Suspense, useMemo, useState } from 'react';
import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { useTranslation } from 'react-i18next';
import '../../i18n/machine';
import { isMissing } from '../../api/problem';
import { pathOf } from '../../api/model';
import { listQuery } from '../../api/query';
import type { Item, LiveEvent } from '../../api/types';
import { bytes, percent, dateTime, duration, mhz, number, rate, withUnit } from '../../i18n/format';
import { SeverityMark, SmallTable } from '../../lib/Feed';
import { useAddress, useDialog, type How } from '../../lib/address';
import { localTime } from '../../lib/localTime';
import type { TabProps } from '../../lib/ObjectPage';
import { Empty, Failure, SkeletonLines } from '../../states/states';
import {
    csvOf,
    lastSeconds,
    readSeries,
    seriesLabel,
    seriesOf,
    spanOf,
    type Marker,
    type Series,
    type Span,
} from './series';
import { useUsage } from './usage';
import { eventText } from '../../lib/eventText';

// The drawing comes after the frame of the page and its numbers.
const Chart = lazy(async () => ({ default: (await import('./Chart')).Chart }));

const RANGES: [string, number][] = [
    ['15m', 900],
    ['1h', 3600],
    ['24h', 86_400],
    ['7d', 7 * 86_400],
    ['30d', 30 * 86_400],
];
const CUSTOM = 'custom';
const MOST_EVENTS = 200;

interface Drawing {
    id: string;
    names: string[];
    show: (value: number) => string;
    most?: number;
    binary?: boolean;
    /** What of its host is comparable. */
    host?: string;
}

const DRAWINGS: Drawing[] = [
    {
        id: 'cpu',
        names: ['cpu.usage_pct', 'cpu.ready_pct'],
        show: (v) => percent(v, 1),
        most: 100,
        host: 'cpu.usage_pct',
    },
    { id: 'memory', names: ['mem.usage_bytes', 'mem.active_bytes'], show: bytes, binary: true },
    { id: 'disk', names: ['disk.read_bps', 'disk.write_bps'], show: rate, binary: true },
    { id: 'latency', names: ['disk.latency_ms'], show: (v) => withUnit(v, 'ms') },
    { id: 'network', names: ['net.rx_bps', 'net.tx_bps'], show: (v) => rate(v / 8), binary: true },
];

type View = { min: number; max: number } | null;

/** Another span of time is seen whole, and its form has done what it is for. */
const BARE = { zoom: null, dialog: null };

/** ?zoom=<from>-<to>, in seconds. */
function viewOf(text: string | null): View {
    const [, min, max] = /^(\d{1,12})-(\d{1,12})$/.exec(text ?? '') ?? [];
    return min && max && Number(min) < Number(max) ? { min: Number(min), max: Number(max) } : null;
}

/** Whether there is anything to draw in what is seen of the times. */
const measured = (s: Series, view: View) =>
    s.values.some((v, i) => v !== null && (!view || (s.times[i]! >= view.min && s.times[i]! <= view.max)));

export default function Metrics({ item }: TabProps) {
    const { t } = useTranslation();
    const [params, change] = useAddress();
    const custom = params.get('range') === CUSTOM ? spanOf(params.get('from'), params.get('to')) : null;
    const chosen = RANGES.find(([id]) => id === params.get('range')) ?? RANGES[1]!;
    const [choosing, showChoice] = useDialog('range');
    const table = params.get('as') === 'table';
    const marked = params.get('events') !== '0';
    const host = item.host as { id: string; name?: string | null } | null | undefined;
    const withHost = params.get('with') === 'host' && !!host;
    const zoom = params.get('zoom');
    const view = useMemo(() => viewOf(zoom), [zoom]);
    const setView = (next: View) =>
        change(
            (to) =>
                next ? to.set('zoom', `${Math.round(next.min)}-${Math.round(next.max)}`) : to.delete('zoom'),
            next ? 'draft:zoom' : 'close',
        );
    const [range, seconds] = custom ? [CUSTOM, (custom.to - custom.from) / 1000] : chosen;
    const past = !!custom && custom.to < Date.now() - 3600_000;
    const refs = useMemo(() => [item.id, ...(withHost && host ? [host.id] : [])], [item.id, withHost, host]);
    const { data, error, refetch } = useQuery({
        queryKey: ['series', refs.join(), range, custom?.from, custom?.to],
        queryFn: ({ signal }) =>
            readSeries(
                refs,
                DRAWINGS.flatMap((d) => d.names),
                custom ?? lastSeconds(seconds),
                signal,
            ),
        // What is over does not change.
        refetchInterval: past ? false : seconds <= 3600 ? 20_000 : 300_000,
        placeholderData: (old) => old,
    });
    const happened = useQuery({
        ...listQuery<Item & LiveEvent>(`${pathOf(item.kind)}/${item.id}/events`, {
            sort: '-time',
            limit: MOST_EVENTS,
            filter: custom
                ? `time>=${new Date(custom.from).toISOString()} time<=${new Date(custom.to).toISOString()}`
                : `time>=now-${range}`,
        }),
        enabled: marked,
        retry: false,
    });
    const series = useMemo(() => seriesOf(data, item.id), [data, item.id]);
    const hostSeries = useMemo(
        () => (host ? seriesOf(data, host.id) : new Map<string, Series>()),
        [data, host],
    );
    const events = useMemo(
        () => (marked ? (happened.data?.items ?? []).filter((e) => !e.type.startsWith('task.')) : []),
        [marked, happened.data],
    );
    const markers = useMemo<Marker[]>(
        () =>
            events.map((e) => ({
                time: new Date(e.time).getTime() / 1000,
                severity: e.severity ?? 'info',
            })),
        [events],
    );
    const shown = useMemo(
        () =>
            DRAWINGS.map((d) => {
                const own = d.names.map((n) => series.get(n)).filter((s): s is Series => !!s);
                const its = d.host && hostSeries.get(d.host);
                if (its && own.length)
                    own.push({
                        ...its,
                        name: `host ${its.name}`,
                        label: `${host?.name ?? ''}: ${seriesLabel(its)}`,
                    });
                return { drawing: d, series: own };
            }),
        [series, hostSeries, host],
    );
    const put = (values: Record<string, string | null>, how?: How) =>
        change((next) => {
            for (const [name, value] of Object.entries(values))
                if (value) next.set(name, value);
                else next.delete(name);
        }, how);
    const set = (name: string, value: string | null) => put({ [name]: value });
    const choose = (span: Span) => {
        put(
            {
                range: CUSTOM,
                from: new Date(span.from).toISOString(),
                to: new Date(span.to).toISOString(),
                ...BARE,
            },
            choosing ? 'close' : 'push',
        );
    };
    const save = () => {
        if (!data) return;
        const text = csvOf(data, (ref) => (ref === item.id ? (item.name ?? ref) : (host?.name ?? ref)));
        const url = URL.createObjectURL(new Blob([text], { type: 'text/csv' }));
        const link = document.createElement('a');
        link.href = url;
        link.download = `${(item.name ?? item.id).replace(/[^\w.-]+/g, '_')}-${range}.csv`;
        link.click();
        setTimeout(() => URL.revokeObjectURL(url), 1000);
    };
    if (isMissing(error)) return <Newest item={item} />;
    if (error && !data) return <Failure error={error} onRetry={() => void refetch()} />;
    const toggle = (on: boolean, label: string, change: () => void) => (
        <button type="button" className="pv-button pv-button--small" aria-pressed={on} onClick={change}>
            {label}
        </button>
    );
    return (
        <div className="pv-stack">
            <div className="pv-metrics__bar">
                <div className="pv-buttons" role="group" aria-label={t('metrics.range')}>
                    {RANGES.map(([id]) => (
                        <button
                            key={id}
                            type="button"
                            className="pv-button pv-button--small"
                            aria-pressed={id === range}
                            onClick={() => {
                                put(
                                    { range: id, from: null, to: null, ...BARE },
                                    choosing ? 'close' : 'push',
                                );
                            }}
                        >
                            {t(`metrics.range_${id}`)}
                        </button>
                    ))}
                    <button
                        type="button"
                        className="pv-button pv-button--small"
                        aria-pressed={!!custom}
                        aria-expanded={choosing}
                        onClick={() => showChoice(!choosing)}
                    >
                        {t('machine.met.custom')}
                    </button>
                </div>
                <div className="pv-buttons">
                    {toggle(table, t('metrics.table'), () => set('as', table ? null : 'table'))}
                    {toggle(marked, t('machine.met.events'), () => set('events', marked ? '0' : null))}
                    {host &&
                        toggle(withHost, t('machine.met.with_host'), () =>
                            set('with', withHost ? null : 'host'),
                        )}
                    <button
                        type="button"
                        className="pv-button pv-button--small"
                        aria-disabled={!data}
                        onClick={save}
                    >
                        {t('machine.met.csv')}
                    </button>
                    {view && (
                        <>
                            <button
                                type="button"
                                className="pv-button pv-button--small"
                                onClick={() => choose({ from: view.min * 1000, to: view.max * 1000 })}
                            >
                                {t('machine.met.detail')}
                            </button>
                            <button
                                type="button"
                                className="pv-button pv-button--small"
                                onClick={() => setView(null)}
                            >
                                {t('machine.met.zoom_out')}
                            </button>
                        </>
                    )}
                </div>
            </div>
            {(choosing || (custom && !data)) && (
                <Choose span={custom ?? lastSeconds(seconds)} onChoose={choose} />
            )}
            {!data ? (
                <SkeletonLines lines={8} />
            ) : (
                <>
                    <p className="pv-subtle">
                        {custom &&
                            t('machine.met.between', {
                                from: dateTime(custom.from),
                                to: dateTime(custom.to),
                            })}{' '}
                        {t('machine.met.step', { step: duration(data.step_s) })}
                        {'. '}
                        {!table && t('machine.met.zoom_help')}
                    </p>
                    <div className="pv-charts">
                        {shown.map(({ drawing: d, series: lines }) => (
                            <section key={d.id} className="pv-card">
                                <h2 className="pv-card__title">{t(`metrics.${d.id}`)}</h2>
                                {!lines.length ? (
                                    <p className="pv-subtle pv-pad">{t('metrics.none')}</p>
                                ) : table ? (
                                    <Numbers series={lines} show={d.show} label={t(`metrics.${d.id}`)} />
                                ) : (
                                    <Suspense
                                        fallback={
                                            <div className="pv-chart pv-chart--wait" aria-busy="true" />
                                        }
                                    >
                                        {!lines.some((s) => measured(s, view)) && (
                                            <p className="pv-subtle pv-pad">{t('machine.met.nothing')}</p>
                                        )}
                                        <Chart
                                            series={lines}
                                            markers={markers}
                                            show={d.show}
                                            most={d.most}
                                            binary={d.binary}
                                            label={`${t(`metrics.${d.id}`)}. ${t('machine.met.zoom_help')}`}
                                            view={view}
                                            onView={setView}
                                        />
                                    </Suspense>
                                )}
                            </section>
                        ))}
                    </div>
                    {events.length > 0 && <Events events={events} view={view} />}
                </>
            )}
        </div>
    );
}

/** From when to when: two fields that take the keyboard as well as a click. */
function Choose({ span, onChoose }: { span: Span; onChoose: (span: Span) => void }) {
    const { t } = useTranslation();
    const [from, setFrom] = useState(() => localTime(span.from));
    const [to, setTo] = useState(() => localTime(span.to));
    const wanted = spanOf(from, to);
    const field = (name: 'from' | 'to', value: string, change: (v: string) => void) => (
        <label className="pv-buttons__text">
            {t(`machine.met.${name}`)}{' '}
            <input
                type="datetime-local"
                className="pv-input"
                value={value}
                max={localTime(Date.now() + 60_000)}
                onChange={(e) => change(e.target.value)}
            />
        </label>
    );
    return (
        <form
            className="pv-buttons"
            aria-label={t('machine.met.custom')}
            onSubmit={(e) => {
                e.preventDefault();
                if (wanted) onChoose(wanted);
            }}
        >
            {field('from', from, setFrom)}
            {field('to', to, setTo)}
            <button type="submit" className="pv-button pv-button--small" aria-disabled={!wanted}>
                {t('machine.met.show')}
            </button>
            {!wanted && (
                <span className="pv-buttons__text pv-subtle" role="status">
                    {t('machine.met.order')}
                </span>
            )}
        </form>
    );
}

/** What the marks in the charts stand for. */
function Events({ events, view }: { events: (Item & LiveEvent)[]; view: View }) {
    const { t } = useTranslation();
    const seen = events.filter((e) => {
        const at = new Date(e.time).getTime() / 1000;
        return !view || (at >= view.min && at <= view.max);
    });
    return (
        <section className="pv-card">
            <h2 className="pv-card__title">{t('machine.met.marks', { count: seen.length })}</h2>
            <ul className="pv-feed">
                {seen.slice(0, 50).map((e) => (
                    <li key={e.id}>
                        <SeverityMark of={e.severity} />
                        <time className="pv-subtle" dateTime={e.time}>
                            {dateTime(e.time)}
                        </time>
                        <Link className="pv-link pv-feed__text" to={`/events/${e.id}`}>
                            {eventText(e)}
                        </Link>
                    </li>
                ))}
            </ul>
        </section>
    );
}

function Numbers({ series, show, label }: { series: Series[]; show: (v: number) => string; label: string }) {
    const { t } = useTranslation();
    const times = series[0]?.times ?? [];
    const every = Math.max(1, Math.ceil(times.length / 200));
    // The newest first; times that nothing is known of are left out.
    const lines = times
        .map((time, i) => ({ time, i }))
        .filter(({ i }) => i % every === 0 && series.some((s) => typeof s.values[i] === 'number'))
        .reverse();
    return (
        <SmallTable label={label} short heads={[t('field.any.time'), ...series.map(seriesLabel)]}>
            {lines.map(({ time, i }) => (
                <tr key={time}>
                    <td>{dateTime(time * 1000)}</td>
                    {series.map((s) => (
                        <td key={s.name}>{typeof s.values[i] === 'number' ? show(s.values[i]) : '–'}</td>
                    ))}
                </tr>
            ))}
        </SmallTable>
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
                    ? percent(v)
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
