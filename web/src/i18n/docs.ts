// SPDX-License-Identifier: Apache-2.0
// What the server and its drivers write in English, a line at a time, in the person's language: about each field, parameter and
// setting (docs), and about each route of the API (routes). A line is looked up by its English text, so that one changed in the
// server is missing here and docs.test.ts says so. Loaded when somebody asks for one first. Lines written for who calls the API, with
// names and null in them, have other words in English, too.
import { useSyncExternalStore } from 'react';
import i18next from 'i18next';

type Lines = Record<string, string>;
const NONE: Lines = {};
type Loaders = Record<string, () => Promise<{ default: Lines }>>;

/** Lines of one sort; a language without its own has those of English, and what is not there is shown as it is written. */
function book(loaders: Loaders) {
    const loaded = new Map<string, Lines | null>();
    const listeners = new Set<() => void>();

    async function load(language: string): Promise<void> {
        loaded.set(language, loaded.get(language) ?? null);
        try {
            loaded.set(language, (await loaders[language]!()).default);
        } catch {
            loaded.set(language, NONE);
        }
        listeners.forEach((tell) => tell());
    }

    const present = () => (loaders[i18next.language] ? i18next.language : 'en');

    /** The lines of the present language; null: they are on their way. */
    function lines(): Lines | null {
        const language = present();
        if (!loaders[language]) return NONE;
        if (!loaded.has(language)) void load(language);
        return loaded.get(language) ?? null;
    }

    function subscribe(tell: () => void): () => void {
        listeners.add(tell);
        return () => listeners.delete(tell);
    }

    const find = (all: Lines | null, line: string | undefined) => line && (all ? (all[line] ?? line) : '');

    return {
        useText(): (line: string | undefined) => string | undefined {
            const all = useSyncExternalStore(subscribe, lines);
            return (line) => find(all, line);
        },
        async finder(): Promise<(line: string) => string> {
            const language = present();
            if (loaders[language] && !loaded.get(language)) await load(language);
            const all = lines();
            return (line) => find(all, line) ?? line;
        },
    };
}

const docs = book({
    en: () => import('./docs/en.json'),
    ru: () => import('./docs/ru.json'),
    'zh-CN': () => import('./docs/zh-CN.json'),
});

/** Such a line in the person's language: nothing while the lines are on their way, the English one where there is no other. */
export const useDocText = docs.useText;
/** The same for code that can wait. */
export const docFinder = docs.finder;

const routes = book({
    ru: () => import('./routes/ru.json'),
    'zh-CN': () => import('./routes/zh-CN.json'),
});

/** What a route does, or one of its parameters. */
export const useRouteText = routes.useText;
