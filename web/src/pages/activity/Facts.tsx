// SPDX-License-Identifier: Apache-2.0
// Parameters, results and a hypervisor's own words as terms and values, not as the JSON they travel in.
import type { ReactNode } from 'react';
import i18next from 'i18next';
import { NameOf } from '../../actions/ChangeTable';
import { choiceText, labelOf } from '../../actions/labels';
import { bytes, number } from '../../i18n/format';
import { kindTitle } from '../../i18n/words';
import { kindOfId } from '../../lib/links';

type Fact = [path: string, value: unknown];

const isMap = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value);

/** Members of members by their path. */
export function factsOf(value: unknown, before = ''): Fact[] {
    if (!isMap(value)) return [];
    return Object.entries(value).flatMap(([name, v]): Fact[] =>
        isMap(v) ? factsOf(v, `${before}${name}.`) : v === null || v === '' ? [] : [[before + name, v]],
    );
}

function one(path: string, value: unknown): ReactNode {
    if (typeof value === 'boolean') return i18next.t(value ? 'value.yes' : 'value.no');
    if (typeof value === 'number') return path.endsWith('bytes') ? bytes(value) : number(value, 2);
    if (typeof value === 'string') {
        if (kindOfId(value)) return <NameOf id={value} />;
        return /^[a-z_]+$/.test(value) ? choiceText(path, value) : value;
    }
    if (!isMap(value)) return String(value);
    const { kind, name, native_id: native } = value as { kind?: string; name?: string; native_id?: string };
    return [kind && kindTitle(kind, 1), name ?? native].filter(Boolean).join(' ') || JSON.stringify(value);
}

function label(path: string, operation: string | undefined): string {
    const key = `estate.fact.${path.replaceAll('.', '_')}`;
    const kind = operation?.slice(0, operation.indexOf('.')) ?? '';
    return i18next.exists(key) ? i18next.t(key) : labelOf(kind, path, operation);
}

export function Facts({
    of,
    operation,
    without = [],
}: {
    of: unknown;
    operation?: string;
    without?: string[];
}) {
    return factsOf(of)
        .filter(([path, v]) => !without.includes(path) && !(Array.isArray(v) && !v.length))
        .map(([path, v]) => (
            <span className="pv-fact" key={path}>
                <span className="pv-subtle">{label(path, operation)}:</span>{' '}
                {(Array.isArray(v) ? v : [v]).map((x, i) => (
                    <span key={i}>
                        {i > 0 && ', '}
                        {one(path, x)}
                    </span>
                ))}
            </span>
        ));
}
