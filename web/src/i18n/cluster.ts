// SPDX-License-Identifier: Apache-2.0
// Words of pages that are opened after the first visit: English comes with them, the other languages come whole.
import i18next from 'i18next';
import en from './en/cluster.json';

i18next.addResourceBundle('en', 'translation', en, true, false);
