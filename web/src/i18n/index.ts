// SPDX-License-Identifier: Apache-2.0
// Languages. English comes with the page, the others when chosen. The pseudo language (?lang=pseudo) makes every text 40 %
// longer, to see what breaks.
import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import { look } from '../lib/look';
import en from './en';

export const LANGUAGES = [
    { code: 'en', name: 'English' },
    { code: 'ru', name: 'Русский' },
    { code: 'zh-CN', name: '简体中文' },
] as const;

const loaders: Record<string, () => Promise<{ default: object }>> = {
    ru: () => import('./ru'),
    'zh-CN': () => import('./zh-CN'),
};

// Words for what the server declares and says; test: server.test.ts.
const ofServer: Record<string, () => Promise<{ default: object }>> = {
    en: () => import('./server/en.json'),
    ru: () => import('./server/ru.json'),
    'zh-CN': () => import('./server/zh-CN.json'),
};

async function addServerWords(code: string): Promise<void> {
    const words = (await ofServer[code]!()).default;
    i18next.addResourceBundle(code, 'translation', words, true, false);
}

function lengthen(value: unknown): unknown {
    if (typeof value !== 'string') {
        return Object.fromEntries(Object.entries(value as object).map(([k, v]) => [k, lengthen(v)]));
    }
    const parts = value.split(/(\{\{.*?\}\}|<\/?\d+>)/);
    const accents: Record<string, string> = { a: 'á', e: 'é', i: 'í', o: 'ó', u: 'ú', A: 'Á', E: 'É' };
    const text = parts.map((p) =>
        p.startsWith('{{') || p.startsWith('<') ? p : p.replace(/[aeiouAE]/g, (c) => accents[c] ?? c),
    );
    return `[${text.join('')}${'~'.repeat(Math.ceil(value.length * 0.4))}]`;
}

function guess(): string {
    const wanted = navigator.languages?.length ? navigator.languages : ['en'];
    for (const code of wanted) {
        const found = LANGUAGES.find((l) => l.code === code || l.code.split('-')[0] === code.split('-')[0]);
        if (found) return found.code;
    }
    return 'en';
}

export async function setLanguage(code: string): Promise<void> {
    if (code === 'pseudo') {
        // With what pages bring along later.
        const all = () =>
            i18next.addResourceBundle(
                'pseudo',
                'translation',
                lengthen(i18next.getResourceBundle('en', 'translation')),
                true,
                true,
            );
        all();
        i18next.store.on('added', (language: string) => language === 'en' && all());
    }
    if (loaders[code] && !i18next.hasResourceBundle(code, 'translation')) {
        i18next.addResourceBundle(code, 'translation', (await loaders[code]()).default);
        await addServerWords(code);
    }
    await i18next.changeLanguage(code);
    document.documentElement.lang = code === 'pseudo' ? 'en' : code;
}

export async function startI18n(): Promise<void> {
    await i18next.use(initReactI18next).init({
        lng: 'en',
        fallbackLng: 'en',
        resources: { en: { translation: en } },
        interpolation: { escapeValue: false },
        returnNull: false,
        react: { bindI18nStore: 'added' },
        showSupportNotice: false,
    });
    // English is shown at once; what its own words leave is named a moment later.
    void addServerWords('en');
    const asked = new URLSearchParams(location.search).get('lang');
    const code = asked ?? look.get().language ?? guess();
    if (code !== 'en') await setLanguage(code);
}
