// SPDX-License-Identifier: Apache-2.0
// Everything that can be done to machines, whether it can be done to this one now, and why not.
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { operationOf } from '../../api/model';
import { actionsQuery } from '../../api/query';
import { begun, operationText, said } from '../../i18n/words';
import { Mark } from '../../lib/cells';
import type { TabProps } from '../../lib/ObjectPage';
import { Failure, SkeletonLines } from '../../states/states';
import { useCapabilities } from './Hardware';

export default function Capabilities({ item }: TabProps) {
    const { t } = useTranslation();
    const { data, error, refetch } = useQuery(actionsQuery('vm', item.id));
    const provider = useCapabilities(item);
    if (error) return <Failure error={error} onRetry={() => void refetch()} />;
    if (!data) return <SkeletonLines lines={10} />;
    const shown = new Set(data.items.map((a) => a.name));
    const more = [...provider.values()].filter((c) => !shown.has(c.name));
    const row = (
        name: string,
        title: string,
        state: string,
        now: boolean | undefined,
        reason: string | null | undefined,
        needs?: string[],
    ) => (
        <tr key={name}>
            <td>{title}</td>
            <td data-label={t('capability.name')}>
                <code className="pv-code pv-code--word pv-subtle">{name}</code>
            </td>
            <td>
                <span className="pv-state">
                    <Mark
                        as={
                            state === 'yes'
                                ? now === false
                                    ? 'pause'
                                    : 'on'
                                : state === 'limited'
                                  ? 'warn'
                                  : 'off'
                        }
                    />
                    {state === 'no'
                        ? t('capability.no')
                        : now === false
                          ? t('capability.not_now')
                          : t(`capability.${state}`)}
                </span>
            </td>
            <td className="pv-subtle pv-table__prose">
                {reason ? begun(reason) : <span lang="en">{(needs ?? []).join(' · ')}</span>}
            </td>
        </tr>
    );
    return (
        <section className="pv-card">
            <div className="pv-scroll" role="region" aria-label={t('vm.tab.capabilities')} tabIndex={0}>
                <table className="pv-table pv-table--stack">
                    <thead>
                        <tr>
                            <th scope="col">{t('field.any.action')}</th>
                            <th scope="col">{t('capability.name')}</th>
                            <th scope="col">{t('capability.state')}</th>
                            <th scope="col">{t('capability.reason')}</th>
                        </tr>
                    </thead>
                    <tbody>
                        {data.items.map((a) =>
                            row(
                                a.name,
                                operationText(a.name, a.title),
                                a.state,
                                a.allowed_now,
                                said(a, 'reason'),
                                a.needs,
                            ),
                        )}
                        {more.map((c) =>
                            row(
                                c.name,
                                operationText(c.name, operationOf(c.name)?.title ?? ''),
                                c.state,
                                undefined,
                                said(c, 'reason'),
                                c.needs,
                            ),
                        )}
                    </tbody>
                </table>
            </div>
        </section>
    );
}
