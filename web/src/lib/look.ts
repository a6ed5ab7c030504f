// SPDX-License-Identifier: Apache-2.0
// Theme, contrast, language, density: kept by the browser, read by public/theme.js before the first paint.
export interface Look {
    theme?: 'light' | 'dark' | 'system';
    contrast?: 'normal' | 'high' | 'system';
    language?: string;
    density?: 'compact' | 'normal';
    navigation?: 'open' | 'closed';
    navigationMode?: 'sections' | 'tree' | 'folders';
    singleKeys?: boolean;
}

export type NavigationMode = NonNullable<Look['navigationMode']>;

const KEY = 'polyvisor.look';
const listeners = new Set<() => void>();
let current: Look = read();

function read(): Look {
    try {
        return JSON.parse(localStorage.getItem(KEY) ?? '{}') as Look;
    } catch {
        return {};
    }
}

function apply(): void {
    const dark =
        current.theme === 'dark' || (current.theme !== 'light' && matches('(prefers-color-scheme: dark)'));
    const high =
        current.contrast === 'high' || (current.contrast !== 'normal' && matches('(prefers-contrast: more)'));
    document.documentElement.classList.toggle('pf-v6-theme-dark', dark);
    document.documentElement.classList.toggle('pf-v6-theme-high-contrast', high);
}

function matches(query: string): boolean {
    return typeof matchMedia === 'function' && matchMedia(query).matches;
}

export const look = {
    get: (): Look => current,
    set(change: Partial<Look>): void {
        current = { ...current, ...change };
        try {
            localStorage.setItem(KEY, JSON.stringify(current));
        } catch {
            // Without storage the choice lasts as long as the page.
        }
        apply();
        for (const listener of listeners) listener();
    },
    subscribe(listener: () => void): () => void {
        listeners.add(listener);
        return () => listeners.delete(listener);
    },
    follow(): void {
        if (typeof matchMedia !== 'function') return;
        for (const query of ['(prefers-color-scheme: dark)', '(prefers-contrast: more)'])
            matchMedia(query).addEventListener('change', apply);
    },
};

/** What the navigation showed when this window was opened: what an address means that does not say it. */
export const navigationAtFirst = ((): NavigationMode => {
    const key = 'polyvisor.navigation';
    try {
        const kept = sessionStorage.getItem(key) ?? current.navigationMode ?? 'sections';
        sessionStorage.setItem(key, kept);
        return kept as NavigationMode;
    } catch {
        return current.navigationMode ?? 'sections';
    }
})();
