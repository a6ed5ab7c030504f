// SPDX-License-Identifier: Apache-2.0
// What stands in cells: plain elements with one class each, never components of the design system (they cost three times the
// time per scrolled frame). State is never colour alone: a mark and a word.
import { createContext, useContext } from 'react';
import { enumText, roleText } from '../i18n/words';
import type { Item } from '../api/types';
import { bytes, number, percent } from '../i18n/format';
import { kindOfId, linkTo } from './links';

const MARKS: Record<string, string> = {
    running: 'on',
    on: 'on',
    ok: 'on',
    connected: 'on',
    succeeded: 'on',
    active: 'on',
    resolved: 'on',
    loaded: 'on',
    allowed: 'on',
    info: 'info',
    off: 'off',
    disabled: 'off',
    canceled: 'off',
    skipped: 'off',
    paused: 'pause',
    suspended: 'sleep',
    standby: 'sleep',
    warning: 'warn',
    degraded: 'warn',
    lost: 'warn',
    acknowledged: 'warn',
    critical: 'bad',
    error: 'bad',
    denied: 'bad',
    failed: 'bad',
    firing: 'bad',
    disconnected: 'bad',
    not_responding: 'bad',
    auth_failed: 'bad',
    broken: 'bad',
    violated: 'bad',
    kept: 'on',
    cert_changed: 'bad',
    queued: 'wait',
    waiting: 'wait',
    probing: 'busy',
    new: 'wait',
    canceling: 'busy',
    reattaching: 'busy',
};

export function Mark({ as }: { as: string }) {
    return <span className={`pv-mark pv-mark--${as}`} aria-hidden="true" />;
}

/** A mark and a word for any enum of state. */
export function State({
    kind,
    path,
    value,
}: {
    kind: string;
    path: string;
    value: string | null | undefined;
}) {
    if (!value) return null;
    return (
        <span className="pv-state">
            <Mark as={MARKS[value] ?? 'none'} />
            {enumText(kind, path, value)}
        </span>
    );
}

/** A virtual machine's power, or what is being done to it. */
export function Power({ item }: { item: Item }) {
    const activity = item.activity as string | undefined;
    const power = item.power_state as string | null | undefined;
    if (activity && activity !== 'none')
        return (
            <span className="pv-state pv-state--busy">
                <Mark as="busy" />
                {enumText('vm', 'activity', activity)}
            </span>
        );
    return <State kind={item.kind} path="power_state" value={power} />;
}

export function Health({ value }: { value: string | null | undefined }) {
    return <State kind="any" path="health" value={value} />;
}

/** Inside a grid, whose focus is its own: links are no stops of the Tab key there. */
export const InGrid = createContext(false);

export function RefLink({
    value,
    kind,
}: {
    value: { id: string; name?: string | null } | null | undefined;
    kind?: string;
}) {
    const inGrid = useContext(InGrid);
    if (!value?.id) return null;
    // It is there, and its name is not for these eyes: its page would not be either.
    if (value.name === null || value.name === undefined) return <>–</>;
    const to = linkTo(value.id, kind);
    const name = (kind ?? kindOfId(value.id)) === 'role' ? roleText(value.name) : value.name;
    return to ? (
        // A plain link: the shell follows it without a reload. A router's own in every cell costs a fifth of a scrolled frame.
        <a className="pv-link" href={to} data-go="" tabIndex={inGrid ? -1 : undefined}>
            {name}
        </a>
    ) : (
        <>{name}</>
    );
}

/** The provider with the family its objects belong to. */
export function ProviderBadge({
    value,
}: {
    value: { id: string; name?: string | null; family?: string } | null | undefined;
}) {
    if (!value) return null;
    return (
        <span className="pv-provider">
            {value.family && <Family family={value.family} />}
            <RefLink value={value} kind="provider" />
        </span>
    );
}

export function Family({ family }: { family: string }) {
    return <span className={`pv-family pv-family--${family}`}>{enumText('provider', 'family', family)}</span>;
}

export function TagList({ tags }: { tags: string[] | null | undefined }) {
    if (!tags?.length) return null;
    return (
        <span className="pv-tags">
            {tags.map((tag) => (
                <span key={tag} className="pv-tag">
                    {tag}
                </span>
            ))}
        </span>
    );
}

/** A share as a bar with its number; `of` says of what. */
export function Bar({ value, text }: { value: number | null | undefined; text?: string }) {
    if (value === null || value === undefined) return null;
    const share = Math.max(0, Math.min(100, value));
    const level = share >= 90 ? ' pv-bar--high' : share >= 75 ? ' pv-bar--mid' : '';
    return (
        <span className={`pv-bar${level}`}>
            <span className="pv-bar__track" style={{ backgroundSize: `${share}% 100%` }} aria-hidden="true" />
            <span className="pv-bar__text">{text ?? percent(value)}</span>
        </span>
    );
}

export function Bytes({ value }: { value: number | null | undefined }) {
    return value === null || value === undefined ? null : <>{bytes(value)}</>;
}

/** A number that is a link: counters on the overview and in headers. */
export function Count({ value }: { value: number | null | undefined }) {
    return <>{value === null || value === undefined ? '–' : number(value)}</>;
}

export function Kbd({ keys }: { keys: string }) {
    return (
        <span className="pv-keys">
            {keys.split(' ').map((key, i) => (
                <kbd key={i}>{key}</kbd>
            ))}
        </span>
    );
}
