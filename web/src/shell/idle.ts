// SPDX-License-Identifier: Apache-2.0
// Whether a person is there. The page asks the server for things by itself, so the server alone cannot tell: hands are watched here,
// over all windows of the browser, and the session is ended when nobody used them for as long as the setting says.
const KEY = 'polyvisor.used';
const HANDS = ['pointerdown', 'pointermove', 'keydown', 'wheel', 'touchstart'] as const;
/** So often a use is noted. */
const NOTE_MS = 2_000;

export interface IdleDoes {
    /** It ends at this moment unless somebody does something. */
    warn: (endsAt: number) => void;
    back: () => void;
    end: () => void;
    /** Tells the server that somebody is there; asked for now and then. */
    ping: () => void;
}

/** How long before the end it is told. */
export function warnedMs(idleMs: number): number {
    return Math.min(60_000, idleMs / 2);
}

function shared(): number {
    try {
        return Number(localStorage.getItem(KEY)) || 0;
    } catch {
        return 0;
    }
}

export function watchIdle(idleMs: number, does: IdleDoes): () => void {
    let used = Date.now();
    let pinged = used;
    let noted = 0;
    let warned = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = () => {
        clearTimeout(timer);
        const now = Date.now();
        used = Math.max(used, Math.min(shared(), now));
        const ends = used + idleMs;
        const warns = ends - warnedMs(idleMs);
        if (now >= ends) {
            stop();
            does.end();
            return;
        }
        if (now >= warns !== warned) {
            warned = now >= warns;
            if (warned) does.warn(ends);
            else does.back();
        }
        timer = setTimeout(look, Math.min((warned ? ends : warns) - now, 15_000));
    };
    const use = () => {
        const now = Date.now();
        if (!warned && now - noted < NOTE_MS) return;
        // A machine that slept wakes by a touch: by then it is over.
        if (now >= used + idleMs) {
            look();
            return;
        }
        used = noted = now;
        try {
            localStorage.setItem(KEY, String(now));
        } catch {
            // Without a store each window is on its own.
        }
        if (now - pinged > idleMs / 3 || warned) {
            pinged = now;
            does.ping();
        }
        if (warned) look();
    };
    const stop = () => {
        clearTimeout(timer);
        for (const hand of HANDS) removeEventListener(hand, use, true);
        removeEventListener('storage', look);
    };
    try {
        localStorage.setItem(KEY, String(used));
    } catch {
        // As above.
    }
    for (const hand of HANDS) addEventListener(hand, use, { capture: true, passive: true });
    addEventListener('storage', look);
    look();
    return stop;
}
