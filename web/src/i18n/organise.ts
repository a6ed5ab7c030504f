// SPDX-License-Identifier: Apache-2.0
// Words of folders, maintenance, sharing and of a session that rests; see machine.ts.
import i18next from 'i18next';
import en from './en/organise.json';

i18next.addResourceBundle('en', 'translation', en, true, false);
