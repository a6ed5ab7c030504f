// SPDX-License-Identifier: Apache-2.0
// Words of the first run, the tour and the sheet of keys: English comes with them; the other languages come whole.
import i18next from 'i18next';
import en from './en/start.json';

i18next.addResourceBundle('en', 'translation', en, true, false);
