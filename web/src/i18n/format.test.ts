// SPDX-License-Identifier: Apache-2.0
import i18next from 'i18next';
import { afterEach, describe, expect, test } from 'vitest';
import * as format from './format';
import ru from './ru';
import { begun } from './words';

afterEach(() => i18next.changeLanguage('en'));

describe('formats', () => {
    test('sizes are binary, with as many digits as help', () => {
        expect(format.bytes(0)).toBe('0\u00a0B');
        expect(format.bytes(1023)).toBe('1,023\u00a0B');
        expect(format.bytes(8 * 1024 ** 3)).toBe('8\u00a0GiB');
        expect(format.bytes(1.5 * 1024 ** 4)).toBe('1.5\u00a0TiB');
        expect(format.bytes(-2048)).toBe('-2\u00a0KiB');
    });

    test('durations show their two largest parts', () => {
        expect(format.duration(0)).toBe('0s');
        expect(format.duration(59.6)).toBe('1m');
        expect(format.duration(90)).toBe('1m 30s');
        expect(format.duration(3 * 86400 + 4 * 3600 + 59)).toBe('3d 4h');
        expect(format.duration(-5)).toBe('0s');
    });

    test('times are told as distances', () => {
        const now = Date.parse('2026-01-01T12:00:00Z');
        expect(format.ago('2026-01-01T11:59:58Z', now)).toBe('2 sec. ago');
        expect(format.ago('2025-12-31T12:00:00Z', now)).toBe('yesterday');
        expect(format.ago('2026-01-01T13:00:00Z', now)).toBe('in 1 hr.');
    });

    test('a language changes numbers and plurals', async () => {
        i18next.addResourceBundle('ru', 'translation', ru);
        await i18next.changeLanguage('ru');
        expect(format.number(1234567)).toBe('1\u00a0234\u00a0567');
        expect([1, 3, 5, 21].map((count) => i18next.t('kind.host', { count }))).toEqual([
            'хост',
            'хоста',
            'хостов',
            'хост',
        ]);
    });
});

test('what stands alone begins like a sentence, and names that begin small stay so', () => {
    expect(begun("the guest's tools are not running")).toBe("The guest's tools are not running");
    expect(begun('vSphere has no pause; use suspend')).toBe('vSphere has no pause; use suspend');
    expect(begun('')).toBe('');
    expect(begun('web-prod-233: this is possible only while it is off')).toBe(
        'web-prod-233: this is possible only while it is off',
    );
    expect(begun('web-sql: there is no such disk')).toBe('web-sql: there is no such disk');
    expect(begun('yes: a role gives it')).toBe('Yes: a role gives it');
    expect(begun('re-attaching to it')).toBe('Re-attaching to it');
    expect(begun('vm.pause: vSphere has no pause')).toBe('Pause: vSphere has no pause');
});
