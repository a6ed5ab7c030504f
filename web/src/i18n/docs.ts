// SPDX-License-Identifier: Apache-2.0
// The lines that the server and its drivers write about each field, parameter and setting, in the person's language. They are
// looked up by the English line, so that one changed in the server is missing here and docs.test.ts says so. Loaded when a form
// or a field asks for them first. Lines written for who calls the API, with names and null in them, have other words in English, too.
import { useSyncExternalStore } from 'react';
import i18next from 'i18next';
import en from './docs/en.json';

type Lines = Record<string, string>;

const loaders: Record<string, () => Promise<{ default: Lines }>> = {
    ru: () => import('./docs/ru.json'),
    'zh-CN': () => import('./docs/zh-CN.json'),
};
const ENGLISH: Lines = en;
const loaded = new Map<string, Lines | null>();
const listeners = new Set<() => void>();

async function load(language: string): Promise<void> {
    loaded.set(language, loaded.get(language) ?? null);
    try {
        loaded.set(language, (await loaders[language]!()).default);
    } catch {
        // Without them the English lines are shown.
        loaded.set(language, ENGLISH);
    }
    listeners.forEach((tell) => tell());
}

/** The lines of the present language; null: they are on their way. */
function lines(): Lines | null {
    const language = i18next.language;
    if (!loaders[language]) return ENGLISH;
    if (!loaded.has(language)) void load(language);
    return loaded.get(language) ?? null;
}

function subscribe(tell: () => void): () => void {
    listeners.add(tell);
    return () => listeners.delete(tell);
}

const find = (all: Lines | null, line: string | undefined) => line && (all ? (all[line] ?? line) : '');

/** Such a line in the person's language: nothing while the lines are on their way, the English one where there is no other. */
export function useDocText(): (line: string | undefined) => string | undefined {
    const all = useSyncExternalStore(subscribe, lines);
    return (line) => find(all, line);
}

/** The same for code that can wait. */
export async function docFinder(): Promise<(line: string) => string> {
    const language = i18next.language;
    if (loaders[language] && !loaded.get(language)) await load(language);
    const all = lines();
    return (line) => find(all, line) ?? line;
}
