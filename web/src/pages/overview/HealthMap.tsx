// SPDX-License-Identifier: Apache-2.0
// A tile for each host, by provider and cluster: its area is the host's memory, its colour and pattern the worst that is to be
// said of it. One stop of the Tab key, arrows within; the same as a table behind a switch.
import { memo, useEffect, useMemo, useRef, useState, type KeyboardEvent } from 'react';
import { useTranslation } from 'react-i18next';
import type { Schemas } from '../../api/types';
import { bytes, percent, number } from '../../i18n/format';
import { kindTitle } from '../../i18n/words';
import { useOpened } from '../../lib/address';
import { Bar, Health, RefLink, State } from '../../lib/cells';
import { SmallTable } from '../../lib/Feed';
import {
    grouped,
    shortName,
    statusOf,
    stepTo,
    STATUSES,
    tileSide,
    type HostItem,
    type Status,
} from './tiles';

/** With more hosts than this, tiles are bare squares. */
const NAMED = 60;
/** Rows of the table that are made at once. */
const ROWS = 200;

const Tile = memo(function Tile(p: {
    id: string;
    name: string;
    status: Status;
    label: string;
    side: number;
    named: boolean;
}) {
    return (
        <a
            className={`pv-hmap__tile pv-hmap__tile--${p.status}${p.named ? ' pv-hmap__tile--named' : ''}`}
            href={`/hosts/${p.id}`}
            data-go=""
            aria-label={p.label}
            title={p.label}
            tabIndex={-1}
            style={p.named ? { inlineSize: 70 + 2.2 * p.side } : { inlineSize: p.side, blockSize: p.side }}
        >
            {p.named && <span className="pv-hmap__name">{shortName(p.name)}</span>}
        </a>
    );
});

function Table({ hosts, label }: { hosts: HostItem[]; label: string }) {
    const { t } = useTranslation();
    const [rows, setRows] = useState(ROWS);
    return (
        <>
            <SmallTable
                stack
                label={label}
                heads={[
                    kindTitle('host', 1),
                    kindTitle('provider', 1),
                    kindTitle('cluster', 1),
                    t('field.any.health'),
                    t('field.any.state'),
                    t('overview.cpu'),
                    t('overview.memory'),
                    t('overview.size'),
                    t('nav.vms'),
                ]}
            >
                {hosts.slice(0, rows).map((h) => (
                    <tr key={h.id}>
                        <td>
                            <RefLink value={{ id: h.id, name: h.name }} kind="host" />
                        </td>
                        <td data-label={kindTitle('provider', 1)}>
                            <RefLink value={h.provider} kind="provider" />
                        </td>
                        <td data-label={kindTitle('cluster', 1)}>
                            <RefLink value={h.cluster} kind="cluster" />
                        </td>
                        <td>
                            <Health value={h.worst_health} />
                        </td>
                        <td>
                            <State kind="host" path="connection_state" value={h.state} />
                        </td>
                        <td data-label={t('overview.cpu')}>
                            <Bar value={h.cpu_pct} />
                        </td>
                        <td data-label={t('overview.memory')}>
                            <Bar value={h.memory_pct} />
                        </td>
                        <td className="pv-num" data-label={t('overview.size')}>
                            {bytes(h.memory_bytes ?? 0)}
                        </td>
                        <td className="pv-num" data-label={t('nav.vms')}>
                            {number(h.vms ?? 0)}
                        </td>
                    </tr>
                ))}
            </SmallTable>
            {hosts.length > rows && (
                <p className="pv-note">
                    <button type="button" className="pv-linkbutton" onClick={() => setRows(rows + 5 * ROWS)}>
                        {t('overview.more_rows', {
                            n: number(hosts.length - rows),
                            count: hosts.length - rows,
                        })}
                    </button>
                </p>
            )}
        </>
    );
}

/** The one stop of the Tab key is no state: thousands of tiles are not made again for a step. */
function stopAt(map: HTMLElement | null, tile: HTMLElement | null | undefined): void {
    for (const old of map?.querySelectorAll<HTMLElement>('.pv-hmap__tile[tabindex="0"]') ?? [])
        old.tabIndex = -1;
    if (tile) tile.tabIndex = 0;
}

function Tiles({ hosts }: { hosts: HostItem[] }) {
    const { t } = useTranslation();
    const box = useRef<HTMLDivElement>(null);
    const groups = useMemo(() => grouped(hosts), [hosts]);
    const most = Math.max(...hosts.map((h) => h.memory_bytes ?? 0));
    const named = hosts.length <= NAMED;
    const words = useMemo(
        () =>
            Object.fromEntries(STATUSES.map((s) => [s, t(`overview.status.${s}`)])) as Record<Status, string>,
        [t],
    );
    const label = (h: HostItem, status: Status) =>
        [
            `${h.name}: ${words[status]}`,
            bytes(h.memory_bytes ?? 0),
            typeof h.memory_pct === 'number' && `${t('overview.memory')} ${percent(h.memory_pct)}`,
            typeof h.cpu_pct === 'number' && `${t('overview.cpu')} ${percent(h.cpu_pct)}`,
            t('overview.machines', { count: h.vms ?? 0, n: number(h.vms ?? 0) }),
        ]
            .filter(Boolean)
            .join(', ');
    useEffect(() => {
        if (!box.current?.querySelector('.pv-hmap__tile[tabindex="0"]'))
            stopAt(box.current, box.current?.querySelector<HTMLElement>('.pv-hmap__tile'));
    }, [groups]);
    const key = (e: KeyboardEvent) => {
        if (e.ctrlKey || e.metaKey || e.altKey) return;
        const tiles = [...(box.current?.querySelectorAll<HTMLElement>('.pv-hmap__tile') ?? [])];
        const at = tiles.indexOf(e.target as HTMLElement);
        if (at < 0) return;
        const boxes = tiles.map((tile) => {
            const { left, bottom } = tile.getBoundingClientRect();
            // Tiles of a line stand on it, whatever their height.
            return { x: left, y: bottom };
        });
        const next = stepTo(boxes, at, e.key);
        if (next === null) return;
        e.preventDefault();
        tiles[next]?.focus();
    };
    return (
        // One stop of the Tab key; arrows go from tile to tile.
        // eslint-disable-next-line jsx-a11y/no-static-element-interactions
        <div
            ref={box}
            className="pv-hmap"
            onKeyDown={key}
            onFocus={(e) => stopAt(box.current, e.target as HTMLElement)}
        >
            {groups.map((group) => (
                <section key={group.id} className="pv-hmap__group" aria-label={group.name}>
                    <h3 className="pv-h3">{group.name}</h3>
                    <div className="pv-hmap__clusters">
                        {group.clusters.map((cluster) => (
                            <div key={cluster.id} className="pv-hmap__cluster">
                                {cluster.name && <span className="pv-subtle">{cluster.name}</span>}
                                <div
                                    className="pv-hmap__tiles"
                                    role="group"
                                    aria-label={cluster.name || group.name}
                                >
                                    {cluster.hosts.map((h) => {
                                        const status = statusOf(h);
                                        return (
                                            <Tile
                                                key={h.id}
                                                id={h.id}
                                                name={h.name}
                                                status={status}
                                                label={label(h, status)}
                                                side={tileSide(h.memory_bytes ?? 0, most)}
                                                named={named}
                                            />
                                        );
                                    })}
                                </div>
                            </div>
                        ))}
                    </div>
                </section>
            ))}
        </div>
    );
}

/** What the patterns mean, and how many hosts there are of each. */
function Legend({ hosts }: { hosts: HostItem[] }) {
    const { t } = useTranslation();
    const counts = new Map<Status, number>();
    for (const h of hosts) counts.set(statusOf(h), (counts.get(statusOf(h)) ?? 0) + 1);
    return (
        <ul className="pv-hmap__legend">
            {STATUSES.filter((s) => counts.get(s)).map((s) => (
                <li key={s}>
                    <span
                        className={`pv-hmap__tile pv-hmap__tile--${s} pv-hmap__tile--key`}
                        aria-hidden="true"
                    />
                    {t(`overview.status.${s}`)} <span className="pv-num">{number(counts.get(s) ?? 0)}</span>
                </li>
            ))}
        </ul>
    );
}

export function HealthMap({ summary }: { summary: Schemas['Summary'] }) {
    const { t } = useTranslation();
    const [table, showTable] = useOpened('hosts', 'table');
    const hosts = summary.host_items ?? [];
    if (!hosts.length) return null;
    return (
        <section className="pv-card pv-wide">
            <h2 className="pv-card__title">
                {t('overview.map')}
                <button
                    type="button"
                    className="pv-linkbutton pv-card__more"
                    aria-pressed={table}
                    onClick={() => showTable(!table)}
                >
                    {t('overview.as_table')}
                </button>
            </h2>
            {table ? (
                <Table hosts={hosts} label={t('overview.map')} />
            ) : (
                <>
                    <Legend hosts={hosts} />
                    <Tiles hosts={hosts} />
                </>
            )}
            {summary.host_items_cut && (
                <p className="pv-note">
                    {t('overview.cut', { n: number(hosts.length), count: hosts.length })}
                </p>
            )}
        </section>
    );
}
