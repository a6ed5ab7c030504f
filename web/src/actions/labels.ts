// SPDX-License-Identifier: Apache-2.0
// Words for parameters: of the operation, of the parameter wherever it stands, of the field that it changes.
import i18next from 'i18next';
import { fieldOf } from '../api/model';
import { metricText } from '../i18n/metric';
import { enumText, fieldLabel, kindText, paramText, permissionText } from '../i18n/words';

export function labelOf(kind: string, path: string, operation?: string): string {
    const key = path.replaceAll('.', '_');
    const wanted = [
        operation && `machine.param.${operation.replaceAll('.', '_')}.${key}`,
        `machine.param.${kind}.${key}`,
        `machine.param.any.${key}`,
    ];
    for (const k of wanted) if (k && i18next.exists(k)) return i18next.t(k);
    if (fieldOf(kind, path)) return fieldLabel(kind, path);
    return paramText(operation ?? kind, path.slice(path.lastIndexOf('.') + 1));
}

/** A choice in words. */
export function choiceText(path: string, value: string): string {
    // Kinds and metrics have names of their own.
    if (path === 'of') return kindText(value);
    if (path === 'metric') return metricText(value);
    if (path === 'permissions') return permissionText(value);
    if (value.includes('.')) return value;
    const key = `machine.enum.${path.slice(path.lastIndexOf('.') + 1)}.${value}`;
    return i18next.exists(key) ? i18next.t(key) : enumText('', path, value);
}
