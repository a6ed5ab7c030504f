// SPDX-License-Identifier: Apache-2.0
// Before and after, value by value.
import type { ReactNode } from 'react';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { fieldOf } from '../api/model';
import { objectQuery } from '../api/query';
import type { Item } from '../api/types';
import { plain } from '../grid/columns';
import { bytes } from '../i18n/format';
import { kindOfId } from '../lib/links';
import type { Change, Leaf } from './draft';
import { choiceText } from './labels';

/** An object that is known by its id alone. */
export function NameOf({ id }: { id: string }) {
    const { data } = useQuery(objectQuery<Item>(kindOfId(id) ?? '', id, { fields: 'name' }));
    return <>{data?.item.name ?? id}</>;
}

/** A parameter's value in words. */
export function showValue(kind: string, { path, schema }: Leaf, value: unknown): ReactNode {
    if (value === null || value === undefined || value === '' || (Array.isArray(value) && !value.length))
        return '–';
    if (typeof value === 'string' && kindOfId(value)) return <NameOf id={value} />;
    if (schema.enum && typeof value === 'string') return choiceText(path, value);
    const field = fieldOf(kind, path);
    if (field && field.type !== 'ref' && field.type !== 'refs') return plain(value, field, kind, path);
    if (typeof value === 'number') return path.endsWith('bytes') ? bytes(value) : String(value);
    if (typeof value === 'boolean') return plain(value, { type: 'bool' }, kind, path);
    if (typeof value === 'string') return value;
    return Array.isArray(value) ? value.map(String).join(', ') : JSON.stringify(value);
}

export function ChangeTable({
    changes,
    label,
    show,
}: {
    changes: Change[];
    label: (path: string) => string;
    show: (leaf: Leaf, value: unknown) => ReactNode;
}) {
    const { t } = useTranslation();
    return (
        <div className="pv-scroll" role="region" aria-label={t('machine.vm.change')} tabIndex={0}>
            <table className="pv-table pv-difftable">
                <thead>
                    <tr>
                        <th scope="col">{t('machine.value')}</th>
                        <th scope="col">{t('machine.before')}</th>
                        <th scope="col">{t('machine.after')}</th>
                    </tr>
                </thead>
                <tbody>
                    {changes.map((c) => (
                        <tr key={c.leaf.path}>
                            <th scope="row">{label(c.leaf.path)}</th>
                            <td>
                                <del>{show(c.leaf, c.before)}</del>
                            </td>
                            <td>
                                <ins>{show(c.leaf, c.after)}</ins>
                            </td>
                        </tr>
                    ))}
                </tbody>
            </table>
        </div>
    );
}
