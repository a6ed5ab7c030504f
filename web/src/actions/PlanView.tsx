// SPDX-License-Identifier: Apache-2.0
// The server's dry run in words: what will change, what is as wanted already, what is skipped and why.
import { Fragment, type ReactNode } from 'react';
import i18next from 'i18next';
import { useTranslation } from 'react-i18next';
import type { Item, Plan, PlanEntry } from '../api/types';
import { number } from '../i18n/format';
import { begun, enumText, said, sentences } from '../i18n/words';
import { kindOfId } from '../lib/links';
import { NameOf } from './ChangeTable';
import { labelOf } from './labels';

const MOST = 200;

function changes(entry: PlanEntry): ReactNode {
    if (entry.before && !entry.after) return i18next.t('machine.goes');
    const before = entry.before ?? {};
    const after = entry.after ?? {};
    const show = (key: string, v: unknown): ReactNode => {
        if (v === null || v === undefined || v === '') return '–';
        if (typeof v === 'boolean') return i18next.t(v ? 'value.yes' : 'value.no');
        if (typeof v === 'string' && kindOfId(v)) return <NameOf id={v} />;
        if (typeof v === 'string' && /^[a-z_]+$/.test(v)) return enumText(entry.ref.kind, key, v);
        if (Array.isArray(v) && v.every((x) => typeof x !== 'object')) return v.join(', ');
        return typeof v === 'object' ? JSON.stringify(v) : String(v as string | number);
    };
    return Object.keys({ ...before, ...after })
        .filter((key) => key !== 'kind' && JSON.stringify(before[key]) !== JSON.stringify(after[key]))
        .map((key, i) => (
            <Fragment key={key}>
                {i > 0 && '; '}
                {labelOf(entry.ref.kind, key, entry.operation)}
                {': '}
                {entry.before && <>{show(key, before[key])} → </>}
                {show(key, after[key])}
            </Fragment>
        ));
}

export interface Sums {
    change: number;
    already: number;
    skipped: number;
    /** Those whose reasons are told. */
    refused: Set<string | undefined>;
}

export function sumsOf(plan: Plan | undefined, count: number, one: boolean): Sums {
    const entries = plan?.plan ?? [];
    const refused = new Set((plan?.findings ?? []).map((f) => f.ref?.id ?? f.detail));
    const total = plan?.count ?? count;
    const counts = plan?.counts;
    // What would change is told of one that is refused, too; nothing of it comes.
    if (one && plan?.ok === false && refused.size) return { change: 0, already: 0, skipped: 1, refused };
    if (counts) return { change: counts.change, already: counts.unchanged, skipped: counts.skipped, refused };
    return {
        change: entries.length,
        already: Math.max(0, total - entries.length - (one ? 0 : refused.size)),
        skipped: refused.size,
        refused,
    };
}

/** Of many nothing would change: there is nothing to ask for. Without a preview nobody knows. */
export function isIdle(plan: Plan | undefined, sums: Sums, one: boolean): boolean {
    return !one && !!plan && sums.change === 0;
}

/** `named` are the objects that were picked one by one, `name` is that of a single one; `bare` leaves the changes out, where they stand elsewhere. */
export function PlanView(p: {
    plan: Plan;
    sums: Sums;
    named?: Item[];
    bare?: boolean;
    name?: string | null;
}) {
    const { t } = useTranslation();
    const { plan, sums } = p;
    const entries = p.bare || !sums.change ? [] : (plan.plan ?? []);
    const findings = plan.findings ?? [];
    const hidden = p.bare
        ? 0
        : Math.max(0, sums.change - Math.min(entries.length, MOST)) +
          Math.max(0, sums.skipped - Math.min(findings.length, MOST));
    const changing = new Set((plan.plan ?? []).map((e) => e.ref.id));
    const quiet = (p.named ?? []).filter((i) => !changing.has(i.id) && !sums.refused.has(i.id));
    return (
        <>
            <ul className="pv-plan__sums">
                <li>
                    <strong>{number(sums.change)}</strong> {t('dialog.will_change', { count: sums.change })}
                </li>
                {sums.already > 0 && (
                    <li>
                        <strong>{number(sums.already)}</strong> {t('dialog.already', { count: sums.already })}
                    </li>
                )}
                {sums.skipped > 0 && (
                    <li>
                        <strong>{number(sums.skipped)}</strong> {t('dialog.skipped', { count: sums.skipped })}
                    </li>
                )}
            </ul>
            {(findings.length > 0 || entries.length > 0 || quiet.length > 0) && (
                <div className="pv-plan__list" role="region" aria-label={t('dialog.preview')} tabIndex={0}>
                    <table className="pv-table pv-table--stack">
                        <tbody>
                            {findings.slice(0, MOST).map((f, i) => (
                                <tr
                                    key={`f${i}`}
                                    className={f.severity === 'info' ? 'pv-plan__quiet' : 'pv-plan__refused'}
                                >
                                    <td>{f.ref?.name ?? p.name ?? ''}</td>
                                    <td className="pv-table__prose">
                                        {begun(sentences(said(f, 'detail'), said(f, 'remedy')))}
                                    </td>
                                </tr>
                            ))}
                            {entries.slice(0, MOST).map((e) => (
                                <tr key={e.ref.id}>
                                    <td>{e.ref.name || p.name || t('machine.this_one')}</td>
                                    <td>{changes(e)}</td>
                                </tr>
                            ))}
                            {quiet.map((i) => (
                                <tr key={i.id} className="pv-plan__quiet">
                                    <td>{i.name}</td>
                                    <td>
                                        {t('dialog.no_change', {
                                            state: enumText('vm', 'power_state', String(i.power_state ?? '')),
                                        })}
                                    </td>
                                </tr>
                            ))}
                        </tbody>
                    </table>
                    {hidden > 0 && <p className="pv-subtle">{t('dialog.more', { count: hidden })}</p>}
                </div>
            )}
        </>
    );
}
