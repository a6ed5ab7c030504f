// SPDX-License-Identifier: Apache-2.0
// Two machines side by side: equal fields aligned, differences marked, what only one has said so.
import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { useTranslation } from 'react-i18next';
import { kindOf, valueAt } from '../../api/model';
import { objectQuery } from '../../api/query';
import type { Item } from '../../api/types';
import { fieldLabel } from '../../i18n/words';
import { useAddress, useOpened } from '../../lib/address';
import { ProviderBadge } from '../../lib/cells';
import { FieldValue } from '../../lib/Fields';
import { useTitle } from '../../lib/hooks';
import { Empty, Failure, SkeletonLines } from '../../states/states';

const GROUPS: [string, RegExp][] = [
    ['vm.tab.summary', /^(name|power_state|health|template|notes|tags|folder|provider)$/],
    ['vm.placement', /^(host|cluster|datacenter|resource_pool|datastores|networks)$/],
    ['vm.processor', /^cpu\./],
    ['field.any.memory_bytes', /^memory\./],
    [
        'vm.firmware',
        /^(firmware|secure_boot\.|tpm|encryption\.|boot\.|hardware_version|autostart\.|ha\.|change_tracking)/,
    ],
    ['vm.guest', /^guest\./],
    ['vm.storage', /^(storage\.|snapshots\.)/],
    ['vm.identity', /^(uuid|bios_uuid|native\.|created_natively_at|boot_time)/],
];

const has = (value: unknown) =>
    value !== null && value !== undefined && value !== '' && !(Array.isArray(value) && !value.length);

function essence(value: unknown): string {
    if (Array.isArray(value)) return JSON.stringify(value.map(essence).sort());
    if (value && typeof value === 'object' && 'name' in value)
        return String((value as { name: unknown }).name);
    return JSON.stringify(value ?? null);
}

/** same, different, or which of the two has it alone. */
export function compare(a: Item, b: Item, path: string): 'same' | 'different' | 'a' | 'b' | 'none' {
    const x = valueAt(a, path);
    const y = valueAt(b, path);
    if (!has(x) && !has(y)) return 'none';
    if (!has(y)) return 'a';
    if (!has(x)) return 'b';
    return essence(x) === essence(y) ? 'same' : 'different';
}

export function Component() {
    const { t } = useTranslation();
    const [params] = useAddress();
    const [only, showOnly] = useOpened('only', 'differences');
    const ids = [params.get('a') ?? '', params.get('b') ?? ''] as const;
    const a = useQuery({ ...objectQuery<Item>('vm', ids[0], { view: 'full' }), enabled: !!ids[0] });
    const b = useQuery({ ...objectQuery<Item>('vm', ids[1], { view: 'full' }), enabled: !!ids[1] });
    useTitle(t('vm.compare'));
    if (!ids[0] || !ids[1])
        return (
            <Empty
                title={t('vm.compare_none.title')}
                body={t('vm.compare_none.body')}
                action={<Link to="/vms">{t('nav.vms')}</Link>}
            />
        );
    const error = a.error ?? b.error;
    if (error) return <Failure error={error} onRetry={() => void Promise.all([a.refetch(), b.refetch()])} />;
    if (!a.data || !b.data) return <SkeletonLines lines={14} />;
    const [one, two] = [a.data.item, b.data.item];
    const fields = Object.keys(kindOf('vm').fields).filter(
        (f) =>
            !/^(id|version|created_at|updated_at|observed_at|stale|stale_reason|presence|missing_since)$/.test(
                f,
            ),
    );
    const grouped = GROUPS.map(([title, pattern]) => ({
        title,
        fields: fields
            .filter((f) => pattern.test(f))
            .map((path) => ({ path, state: compare(one, two, path) }))
            .filter((f) => f.state !== 'none' && (!only || f.state !== 'same')),
    })).filter((g) => g.fields.length);
    return (
        <section className="pv-page" aria-labelledby="page-title">
            <nav className="pv-crumbs" aria-label={t('object.where')}>
                <Link to="/vms">{t('nav.vms')}</Link>
            </nav>
            <header className="pv-object__head">
                <h1 className="pv-h1" id="page-title">
                    {t('vm.compare')}
                </h1>
                <button
                    type="button"
                    className="pv-button"
                    aria-pressed={only}
                    onClick={() => showOnly(!only)}
                >
                    {t('vm.only_differences')}
                </button>
            </header>
            <div className="pv-scroll" role="region" aria-label={t('vm.compare')} tabIndex={0}>
                <table className="pv-table pv-compare">
                    <thead>
                        <tr>
                            <td />
                            {[one, two].map((item) => (
                                <th key={item.id} scope="col">
                                    <Link to={`/vms/${item.id}`}>{item.name}</Link>
                                    <ProviderBadge
                                        value={
                                            item.provider as {
                                                id: string;
                                                name?: string;
                                                family?: string;
                                            } | null
                                        }
                                    />
                                </th>
                            ))}
                        </tr>
                    </thead>
                    {grouped.map((g) => (
                        <tbody key={g.title}>
                            <tr>
                                <th className="pv-compare__group" colSpan={3} scope="rowgroup">
                                    {t(g.title)}
                                </th>
                            </tr>
                            {g.fields.map(({ path, state }) => (
                                <tr key={path} className={`pv-compare__row pv-compare__row--${state}`}>
                                    <th scope="row" title={path}>
                                        {state !== 'same' && (
                                            <span className="pv-compare__mark">
                                                {t(state === 'different' ? 'vm.differs' : 'vm.only_one')}
                                            </span>
                                        )}
                                        {fieldLabel('vm', path)}
                                    </th>
                                    <td>
                                        <FieldValue item={one} path={path} />
                                    </td>
                                    <td>
                                        <FieldValue item={two} path={path} />
                                    </td>
                                </tr>
                            ))}
                        </tbody>
                    ))}
                </table>
            </div>
        </section>
    );
}
