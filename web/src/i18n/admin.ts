// SPDX-License-Identifier: Apache-2.0
// Words of settings, one's account and the explorer: English comes with them; the other languages come whole.
import i18next from 'i18next';
import en from './en/admin.json';

i18next.addResourceBundle('en', 'translation', en, true, false);
