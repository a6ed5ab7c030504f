// SPDX-License-Identifier: Apache-2.0
// Metrics in words, and their values with the unit that the server declares.
import i18next from 'i18next';
import units from '../api/metrics.gen.json';
import { withUnit } from './format';

/** The share of a datastore that is free: made of two metrics by rules, and none of its own. */
export const FREE = 'free_pct';

export function metricText(name: string): string {
    return i18next.t(`metric.${name.replaceAll('.', '_')}`, { defaultValue: name });
}

/** Bytes of a rate come with their second. */
export function metricValue(name: string, value: number): string {
    const unit = name === FREE ? 'percent' : (units as Record<string, string>)[name];
    const shown = withUnit(value, unit);
    return name.endsWith('_bps') ? i18next.t('unit.per_second', { value: shown }) : shown;
}
