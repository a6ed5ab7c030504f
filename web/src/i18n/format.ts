// SPDX-License-Identifier: Apache-2.0
// Numbers, sizes, times and durations in the words of the person's language. Sizes are binary (GiB).
import i18next from 'i18next';

const formats = new Map<string, unknown>();

function cached<T>(key: string, make: () => T): T {
    const full = `${i18next.language}:${key}`;
    let found = formats.get(full) as T | undefined;
    if (!found) {
        found = make();
        formats.set(full, found);
    }
    return found;
}

const lang = () => i18next.language || 'en';

export function number(value: number, digits = 0): string {
    return cached(
        `n${digits}`,
        () => new Intl.NumberFormat(lang(), { maximumFractionDigits: digits }),
    ).format(value);
}

export function percent(value: number, digits = 0): string {
    return cached(
        `pct${digits}`,
        () => new Intl.NumberFormat(lang(), { style: 'percent', maximumFractionDigits: digits }),
    ).format(value / 100);
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'] as const;

function scaled(value: number): [number, number] {
    let unit = 0;
    let size = Math.abs(value);
    while (size >= 1024 && unit < UNITS.length - 1) {
        size /= 1024;
        unit++;
    }
    return [value < 0 ? -size : size, unit];
}

export function bytes(value: number): string {
    const [size, unit] = scaled(value);
    const digits = unit === 0 || size >= 100 ? 0 : size >= 10 ? 1 : 2;
    return `${number(size, digits)}\u00a0${i18next.t(`unit.${UNITS[unit]}`)}`;
}

export function rate(value: number): string {
    return i18next.t('unit.per_second', { value: bytes(value) });
}

export function mhz(value: number): string {
    return value >= 1000
        ? `${number(value / 1000, 1)}\u00a0${i18next.t('unit.GHz')}`
        : `${number(value)}\u00a0${i18next.t('unit.MHz')}`;
}

export function dateTime(value: string | number | Date): string {
    return cached(
        'dt',
        () => new Intl.DateTimeFormat(lang(), { dateStyle: 'medium', timeStyle: 'medium' }),
    ).format(new Date(value));
}

export function timeOfDay(value: string | number | Date): string {
    return cached('tod', () => new Intl.DateTimeFormat(lang(), { timeStyle: 'medium' })).format(
        new Date(value),
    );
}

/** For axes of hours. */
export function hourAndMinute(value: string | number | Date): string {
    return cached('hm', () => new Intl.DateTimeFormat(lang(), { timeStyle: 'short' })).format(
        new Date(value),
    );
}

/** For axes of several days. */
export function dayAndHour(value: string | number | Date): string {
    return cached(
        'dh',
        () =>
            new Intl.DateTimeFormat(lang(), {
                month: 'short',
                day: 'numeric',
                hour: '2-digit',
                minute: '2-digit',
            }),
    ).format(new Date(value));
}

export function day(value: string | number | Date): string {
    return cached('md', () => new Intl.DateTimeFormat(lang(), { month: 'short', day: 'numeric' })).format(
        new Date(value),
    );
}

export function date(value: string | number | Date): string {
    return cached('d', () => new Intl.DateTimeFormat(lang(), { dateStyle: 'medium' })).format(
        new Date(value),
    );
}

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
    ['year', 365 * 86400],
    ['month', 30 * 86400],
    ['day', 86400],
    ['hour', 3600],
    ['minute', 60],
    ['second', 1],
];

export function ago(value: string | number | Date, now = Date.now()): string {
    const seconds = (new Date(value).getTime() - now) / 1000;
    const format = cached(
        'rel',
        () => new Intl.RelativeTimeFormat(lang(), { numeric: 'auto', style: 'short' }),
    );
    for (const [unit, length] of STEPS)
        if (Math.abs(seconds) >= length || unit === 'second')
            return format.format(Math.trunc(seconds / length), unit);
    return '';
}

const LENGTHS = [
    ['day', 86400],
    ['hour', 3600],
    ['minute', 60],
    ['second', 1],
] as const;

/** The two largest parts of a duration: 3 d 4 h. */
export function duration(seconds: number): string {
    let rest = Math.max(0, Math.round(seconds));
    const parts: string[] = [];
    for (const [unit, length] of LENGTHS) {
        const n = Math.floor(rest / length);
        rest -= n * length;
        if (n || (unit === 'second' && !parts.length))
            parts.push(
                cached(
                    `u${unit}`,
                    () => new Intl.NumberFormat(lang(), { style: 'unit', unit, unitDisplay: 'narrow' }),
                ).format(n),
            );
        if (parts.length === 2 || (parts.length && !n)) break;
    }
    return parts.join(' ');
}

/** A number with its unit from the model. */
export function withUnit(value: number, unit: string | undefined): string {
    switch (unit) {
        case 'bytes':
            return bytes(value);
        case 'MHz':
            return mhz(value);
        case 'percent':
            return percent(value);
        case 'ms':
            return `${number(value, 1)}\u00a0${i18next.t('unit.ms')}`;
        case 's':
            return duration(value);
        default:
            return number(value, 1);
    }
}
