// SPDX-License-Identifier: Apache-2.0
// Short lists of what happened, and small tables: one form on every page.
import type { ReactNode } from 'react';
import { Link } from 'react-router';
import type { Item, LiveEvent } from '../api/types';
import { ago, dateTime } from '../i18n/format';
import { Mark } from './cells';
import { eventText } from './eventText';

export function SeverityMark({ of }: { of: string | null | undefined }) {
    return <Mark as={of === 'error' ? 'bad' : of === 'warning' ? 'warn' : 'info'} />;
}

/** How long ago, with the moment itself for who points at it. */
export function Ago({ at }: { at: string | null | undefined }) {
    if (!at) return null;
    return (
        <time className="pv-subtle" dateTime={at} title={dateTime(at)}>
            {ago(at)}
        </time>
    );
}

/** One event; `more` stands before its time. */
export function EventLine({ event, more }: { event: Item & LiveEvent; more?: ReactNode }) {
    return (
        <li>
            <SeverityMark of={event.severity} />
            <Link className="pv-link pv-feed__text" to={`/events/${event.id}`}>
                {eventText(event)}
            </Link>
            {more}
            <Ago at={event.time} />
        </li>
    );
}

/** A table that scrolls sideways in itself where it is too wide. */
export function SmallTable(p: {
    label: string;
    heads: ReactNode[];
    short?: boolean;
    /** On a phone its rows are cards; cells are named by data-label. */
    stack?: boolean;
    children: ReactNode;
}) {
    return (
        <div
            className={`pv-scroll${p.short ? ' pv-scroll--short' : ''}`}
            role="region"
            aria-label={p.label}

            tabIndex={0}
        >
            <table className={p.stack ? 'pv-table pv-table--stack' : 'pv-table'}>
                <thead>
                    <tr>
                        {p.heads.map((head, i) => (
                            <th key={i} scope="col">
                                {head}
                            </th>
                        ))}
                    </tr>
                </thead>
                <tbody>{p.children}</tbody>
            </table>
        </div>
    );
}
