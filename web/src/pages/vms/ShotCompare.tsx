// SPDX-License-Identifier: Apache-2.0
// Two snapshots side by side, and what is recorded of the machine between the two moments.
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import '../../i18n/machine';
import { api } from '../../api/client';
import type { ChangedField, Item } from '../../api/types';
import { dateTime } from '../../i18n/format';
import { fieldLabel } from '../../i18n/words';
import { FieldValue } from '../../lib/Fields';
import { FailureLine, Notice, SkeletonLines } from '../../states/states';
import { Changes } from './Changes';
import { compare } from './Compare';
import type { Shot } from './shot';

const FIELDS = [
    'taken_at',
    'power_state',
    'snapshot_type',
    'memory',
    'quiesced',
    'size_bytes',
    'description',
    'parent',
];

export default function ShotCompare({ vm, a, b }: { vm: Item; a: Shot; b: Shot }) {
    const { t } = useTranslation();
    const [first, second] = [a, b].sort((x, y) => (x.taken_at ?? '').localeCompare(y.taken_at ?? '')) as [
        Shot,
        Shot,
    ];
    const known = String(vm.created_at ?? '');
    const timed = !!first.taken_at && !!second.taken_at;
    const early = timed && first.taken_at! < known;
    const from = early ? known : first.taken_at;
    const any = timed && second.taken_at! > known;
    const diff = useQuery({
        queryKey: ['diff', vm.id, from, second.taken_at],
        queryFn: ({ signal }) =>
            api.get<{ fields: ChangedField[] }>('/diff', { ref: vm.id, from, to: second.taken_at }, signal),
        enabled: any,
    });
    return (
        <section className="pv-card" aria-live="polite" aria-labelledby="shots-title">
            <h2 className="pv-card__title" id="shots-title">
                {t('machine.shots.compare_title', { a: first.name ?? '', b: second.name ?? '' })}
            </h2>
            <div className="pv-scroll" role="region" aria-labelledby="shots-title" tabIndex={0}>
                <table className="pv-table pv-compare">
                    <thead>
                        <tr>
                            <td />
                            <th scope="col">{first.name}</th>
                            <th scope="col">{second.name}</th>
                        </tr>
                    </thead>
                    <tbody>
                        {FIELDS.map((path) => ({ path, state: compare(first, second, path) }))
                            .filter((f) => f.state !== 'none')
                            .map(({ path, state }) => (
                                <tr key={path} className={`pv-compare__row pv-compare__row--${state}`}>
                                    <th scope="row">{fieldLabel('snapshot', path)}</th>
                                    <td>
                                        <FieldValue item={first} path={path} />
                                    </td>
                                    <td>
                                        <FieldValue item={second} path={path} />
                                    </td>
                                </tr>
                            ))}
                    </tbody>
                </table>
            </div>
            <h3 className="pv-h3 pv-pad">{t('machine.shots.recorded')}</h3>
            {early && (
                <Notice variant="info" title={t('machine.shots.before_us', { time: dateTime(known) })} />
            )}
            {!any ? null : diff.error ? (
                <FailureLine error={diff.error} onRetry={() => void diff.refetch()} />
            ) : !diff.data ? (
                <SkeletonLines lines={2} />
            ) : diff.data.fields.length ? (
                <Changes changes={diff.data.fields} />
            ) : (
                <p className="pv-subtle pv-pad">{t('machine.shots.recorded_none')}</p>
            )}
        </section>
    );
}
