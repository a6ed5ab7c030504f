// SPDX-License-Identifier: Apache-2.0
// Words of dialogs and of the machine's page: English comes with them and not with the first visit; the other languages come whole.
import i18next from 'i18next';
import en from './en/machine.json';

i18next.addResourceBundle('en', 'translation', en, true, false);
