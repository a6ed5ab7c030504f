// SPDX-License-Identifier: Apache-2.0
import { afterEach } from 'vitest';
import { cleanup } from '@testing-library/react';
import i18next from 'i18next';
import { initReactI18next } from 'react-i18next';
import en from './i18n/en';

await i18next.use(initReactI18next).init({
    lng: 'en',
    resources: { en: { translation: en } },
    interpolation: { escapeValue: false },
    showSupportNotice: false,
});

afterEach(cleanup);

if (!globalThis.matchMedia)
    globalThis.matchMedia = ((media: string) => ({
        matches: false,
        media,
        addEventListener: () => undefined,
        removeEventListener: () => undefined,
    })) as unknown as typeof matchMedia;
if (!globalThis.ResizeObserver)
    globalThis.ResizeObserver = class {
        observe() {}
        unobserve() {}
        disconnect() {}
    };
