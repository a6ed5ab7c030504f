// SPDX-License-Identifier: Apache-2.0
// Somebody else was faster: what was, what is now, and what I want, value by value. What only one of us changed needs no choice.
import { useState, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { Notice } from '../states/states';
import { rebase, type Compared, type Leaf, type Values } from './draft';

export interface ThreeWayProps {
    rows: Compared[];
    current: Values;
    /** The word for a path. */
    label: (path: string) => string;
    show: (leaf: Leaf, value: unknown) => ReactNode;
    /** The form upon what is now. */
    onDone: (values: Values) => void;
}

export function ThreeWay({ rows, current, label, show, onDone }: ThreeWayProps) {
    const { t } = useTranslation();
    const [choice, setChoice] = useState<Record<string, 'mine' | 'theirs'>>({});
    const open = rows.filter((r) => r.side === 'conflict' && !choice[r.leaf.path]);
    return (
        <section className="pv-threeway" data-surface="three-way" aria-labelledby="threeway-title">
            <Notice variant="warning" title={<span id="threeway-title">{t('machine.meanwhile')}</span>}>
                {rows.some((r) => r.side === 'conflict')
                    ? t('machine.meanwhile_choose')
                    : t('machine.meanwhile_clear')}
            </Notice>
            {rows.length > 0 && (
                <div className="pv-scroll" role="region" aria-label={t('machine.meanwhile')} tabIndex={0}>
                    <table className="pv-table pv-table--stack">
                        <thead>
                            <tr>
                                <th scope="col">{t('machine.value')}</th>
                                <th scope="col">{t('machine.base')}</th>
                                <th scope="col">{t('machine.current')}</th>
                                <th scope="col">{t('machine.mine')}</th>
                            </tr>
                        </thead>
                        <tbody>
                            {rows.map((r) => {
                                const { path } = r.leaf;
                                const pick = (side: 'mine' | 'theirs', value: unknown) =>
                                    r.side === 'conflict' ? (
                                        <label className="pv-pick">
                                            <input
                                                type="radio"
                                                name={`three-${path}`}
                                                checked={choice[path] === side}
                                                onChange={() => setChoice((c) => ({ ...c, [path]: side }))}
                                            />
                                            <span>{show(r.leaf, value)}</span>
                                        </label>
                                    ) : (
                                        show(r.leaf, value)
                                    );
                                return (
                                    <tr key={path} className={`pv-threeway__row--${r.side}`}>
                                        <th scope="row">
                                            {label(path)}
                                            <span className="pv-subtle pv-threeway__side">
                                                {t(`machine.side_${r.side}`)}
                                            </span>
                                        </th>
                                        <td data-label={t('machine.base')}>{show(r.leaf, r.base)}</td>
                                        <td data-label={t('machine.current')}>{pick('theirs', r.current)}</td>
                                        <td data-label={t('machine.mine')}>{pick('mine', r.mine)}</td>
                                    </tr>
                                );
                            })}
                        </tbody>
                    </table>
                </div>
            )}
            <div className="pv-buttons">
                <button
                    type="button"
                    className="pv-button pv-button--primary"
                    disabled={open.length > 0}
                    onClick={() => onDone(rebase(current, rows, choice))}
                >
                    {t('machine.go_on')}
                </button>
                {open.length > 0 && (
                    <span className="pv-subtle">{t('machine.to_choose', { count: open.length })}</span>
                )}
            </div>
        </section>
    );
}
