// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { warnedMs, watchIdle } from './idle';

const MINUTE = 60_000;

describe('a session that nobody uses', () => {
    const does = { warn: vi.fn(), back: vi.fn(), end: vi.fn(), ping: vi.fn() };
    let stop = () => {};
    beforeEach(() => {
        localStorage.clear();
        vi.useFakeTimers({ now: 1_000_000_000 });
        Object.values(does).forEach((f) => f.mockReset());
    });
    afterEach(() => {
        stop();
        vi.useRealTimers();
    });
    const begin = (minutes: number) => (stop = watchIdle(minutes * MINUTE, does));
    const touch = () => window.dispatchEvent(new Event('keydown'));

    test('is announced one minute before it ends, and ends', () => {
        begin(30);
        vi.advanceTimersByTime(29 * MINUTE - 1);
        expect(does.warn).not.toHaveBeenCalled();
        vi.advanceTimersByTime(1);
        expect(does.warn).toHaveBeenCalledWith(1_000_000_000 + 30 * MINUTE);
        expect(does.end).not.toHaveBeenCalled();
        vi.advanceTimersByTime(MINUTE);
        expect(does.end).toHaveBeenCalledTimes(1);
        vi.advanceTimersByTime(60 * MINUTE);
        expect(does.end).toHaveBeenCalledTimes(1);
    });

    test('goes on when somebody touches anything, and the server is told', () => {
        begin(30);
        vi.advanceTimersByTime(29.5 * MINUTE);
        expect(does.warn).toHaveBeenCalledTimes(1);
        touch();
        expect(does.back).toHaveBeenCalledTimes(1);
        expect(does.ping).toHaveBeenCalledTimes(1);
        vi.advanceTimersByTime(28.9 * MINUTE);
        expect(does.end).not.toHaveBeenCalled();
        expect(does.warn).toHaveBeenCalledTimes(1);
    });

    test('goes on while another window of the browser is used', () => {
        begin(30);
        vi.advanceTimersByTime(20 * MINUTE);
        localStorage.setItem('polyvisor.used', String(Date.now()));
        vi.advanceTimersByTime(28 * MINUTE);
        expect(does.warn).not.toHaveBeenCalled();
        vi.advanceTimersByTime(2 * MINUTE);
        expect(does.end).toHaveBeenCalledTimes(1);
    });

    test('is over when the machine slept meanwhile, whatever is touched then', () => {
        begin(30);
        vi.setSystemTime(1_000_000_000 + 90 * MINUTE);
        touch();
        expect(does.end).toHaveBeenCalledTimes(1);
        expect(does.ping).not.toHaveBeenCalled();
    });

    test('tells the server now and then that somebody is there who only reads', () => {
        begin(30);
        for (let i = 0; i < 25; i++) {
            vi.advanceTimersByTime(MINUTE);
            touch();
        }
        expect(does.ping).toHaveBeenCalledTimes(2);
        expect(does.warn).not.toHaveBeenCalled();
    });

    test('is announced in time where it is short', () => {
        expect(warnedMs(MINUTE)).toBe(MINUTE / 2);
        expect(warnedMs(30 * MINUTE)).toBe(MINUTE);
    });
});
