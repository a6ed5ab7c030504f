// SPDX-License-Identifier: Apache-2.0
// The time that a list is about, and whether it follows what happens.
import { useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import '../i18n/estate';
import { MenuButton } from '../actions/ActionMenu';
import { dateTime } from '../i18n/format';
import { useAddress, useDialog, type How } from '../lib/address';
import { RANGES, timesOf } from './range';

const PACE_MS = 700;
const BEAT_MS = 3000;

/** As the control for times has it: local, without seconds. */
function local(iso: string | null): string {
    if (!iso) return '';
    const at = new Date(iso);
    return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** Reads the list again while its top is in sight; whoever has scrolled down is left in peace. */
function useFollow(follow: boolean, waiting: number, reload: () => void) {
    const timer = useRef<ReturnType<typeof setTimeout> | null>(null);
    useEffect(() => {
        if (!follow) return;
        const atTop = () =>
            document.visibilityState === 'visible' &&
            (document.querySelector('.pv-grid')?.scrollTop ?? 0) === 0;
        // Records of the audit come without an event, and events are none of themselves.
        const beat = setInterval(() => atTop() && reload(), BEAT_MS);
        if (waiting)
            timer.current ??= setTimeout(() => {
                timer.current = null;
                if (atTop()) reload();
            }, PACE_MS);
        return () => clearInterval(beat);
    }, [follow, waiting, reload]);
    useEffect(
        () => () => {
            if (timer.current) clearTimeout(timer.current);
            timer.current = null;
        },
        [],
    );
}

export default function TimeTools(p: { prefix: string; waiting: number; onReload: () => void }) {
    const { t } = useTranslation();
    const [params, change] = useAddress();
    const { prefix } = p;
    const times = timesOf(params, prefix);
    const follow = params.get(`${prefix}follow`) === '1';
    const [own, showOwn] = useDialog(`${prefix}times`);
    const [from, setFrom] = useState(local(times.from));
    const [to, setTo] = useState(local(times.to));
    useFollow(follow, p.waiting, p.onReload);
    const set = (values: Record<string, string | null>, how?: How) =>
        change((next) => {
            for (const [key, value] of Object.entries(values))
                if (value) next.set(prefix + key, value);
                else next.delete(prefix + key);
            if (how) next.delete('dialog');
        }, how);
    const label = times.range
        ? t(`estate.time.${times.range}`)
        : times.from && times.to
          ? t('estate.time.between', { from: dateTime(times.from), to: dateTime(times.to) })
          : times.from
            ? t('estate.time.since', { from: dateTime(times.from) })
            : times.to
              ? t('estate.time.before', { to: dateTime(times.to) })
              : t('estate.time.any');
    const entry = (name: string) => ({
        name,
        label: t(`estate.time.${name}`),
        danger: false,
        ready: true,
        reason: null,
    });
    const wrong = !!from && !!to && from > to;
    return (
        <>
            <MenuButton
                surface="menu-times"
                label={label}
                name={t('estate.time.label')}
                actions={['any', ...RANGES, 'own'].map(entry)}
                onPick={({ name }) => {
                    if (name === 'own') showOwn(true);
                    else if (own) set({ range: name === 'any' ? null : name, from: null, to: null }, 'close');
                    else set({ range: name === 'any' ? null : name, from: null, to: null });
                }}
            />
            <button
                type="button"
                className="pv-button"
                aria-pressed={follow}
                title={t('estate.time.follow_help')}
                onClick={() => {
                    set({ follow: follow ? null : '1' });
                    if (!follow) p.onReload();
                }}
            >
                {t('estate.time.follow')}
            </button>
            {own && (
                <form
                    className="pv-times"
                    data-surface="times"
                    onSubmit={(e) => {
                        e.preventDefault();
                        if (wrong) return;
                        set(
                            {
                                range: null,
                                from: from && new Date(from).toISOString(),
                                to: to && new Date(to).toISOString(),
                            },
                            'close',
                        );
                    }}
                >
                    <label>
                        {t('estate.time.from')}
                        <input
                            type="datetime-local"
                            className="pv-input"
                            value={from}
                            aria-invalid={wrong}
                            onChange={(e) => setFrom(e.target.value)}
                        />
                    </label>
                    <label>
                        {t('estate.time.to')}
                        <input
                            type="datetime-local"
                            className="pv-input"
                            value={to}
                            aria-invalid={wrong}
                            aria-describedby={wrong ? `${prefix}times-wrong` : undefined}
                            onChange={(e) => setTo(e.target.value)}
                        />
                    </label>
                    <button type="submit" className="pv-button" aria-disabled={wrong}>
                        {t('estate.time.apply')}
                    </button>
                    {wrong && (
                        <span id={`${prefix}times-wrong`} className="pv-wrong" role="alert">
                            {t('estate.time.order')}
                        </span>
                    )}
                </form>
            )}
        </>
    );
}
