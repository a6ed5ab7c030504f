// SPDX-License-Identifier: Apache-2.0
// Words of channels and webhooks: English comes with their pages; the other languages come whole.
import i18next from 'i18next';
import en from './en/channels.json';

i18next.addResourceBundle('en', 'translation', en, true, false);
