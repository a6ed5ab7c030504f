// SPDX-License-Identifier: Apache-2.0
// Values with their counts, as the server counts them; a click puts the value into the filter or takes it out.
import { useTranslation } from 'react-i18next';
import type { Facet } from '../api/types';
import { fieldOf } from '../api/model';
import { hasTerm, toggleTerm } from '../filter/tokens';
import { number } from '../i18n/format';
import { fieldLabel, valueText } from '../i18n/words';
import type { ListDeclaration } from './types';

const MOST = 12;

export function Facets(p: {
    list: ListDeclaration;
    facets: Record<string, Facet[]>;
    filter: string;
    onFilter: (filter: string) => void;
}) {
    const { t } = useTranslation();
    return (
        <aside className="pv-facets" aria-label={t('grid.facets')}>
            {(p.list.facets ?? []).map((field) => {
                const values = (p.facets[field] ?? []).filter((f) => f.value !== null && f.count > 0);
                if (!values.length) return null;
                const type = fieldOf(p.list.kind, field)?.type;
                return (
                    <fieldset key={field} className="pv-facet">
                        <legend>{fieldLabel(p.list.kind, field)}</legend>
                        {values.slice(0, MOST).map((f) => {
                            const twin = f.name && values.some((o) => o !== f && o.name === f.name);
                            const value = f.name && !twin ? f.name : String(f.value);
                            const called =
                                f.name && p.list.valueName ? p.list.valueName(field, f.name) : f.name;
                            const text = valueText(p.list.kind, field, type, value, called);
                            const id = `facet-${field}-${f.value}`;
                            return (
                                <label key={String(f.value)} htmlFor={id} className="pv-facet__value">
                                    <input
                                        id={id}
                                        type="checkbox"
                                        checked={hasTerm(p.filter, field, value)}
                                        onChange={() => p.onFilter(toggleTerm(p.filter, field, value))}
                                    />
                                    <span className="pv-facet__text">{text}</span>
                                    <span className="pv-facet__count">{number(f.count)}</span>
                                </label>
                            );
                        })}
                        {values.length > MOST && (
                            <p className="pv-subtle">
                                {t('grid.more_values', { count: values.length - MOST })}
                            </p>
                        )}
                    </fieldset>
                );
            })}
        </aside>
    );
}
