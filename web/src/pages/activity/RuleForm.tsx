// SPDX-License-Identifier: Apache-2.0
// Makes or changes a rule, with a look at what it would find before it is saved.
import { lazy, Suspense } from 'react';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import '../../i18n/estate';
import { api } from '../../api/client';
import { fieldOf, kinds } from '../../api/model';
import { objectQuery } from '../../api/query';
import type { Item, JsonSchema } from '../../api/types';
import { ruleName } from './alertText';
import { RuleTest } from './RuleTest';

const EditForm = lazy(() => import('../../lib/EditForm'));
const NewForm = lazy(() => import('../../lib/NewForm'));
const TargetChoice = lazy(() => import('./TargetChoice'));

/** Kinds that rules look at: what hypervisors report, providers and tasks. */
const watched = () => kinds().filter((k) => fieldOf(k, 'presence') || k === 'provider' || k === 'task');

export default function RuleForm({ id, onClose }: { id: string | null; onClose: () => void }) {
    const { t } = useTranslation();
    const names = useQuery({
        queryKey: ['metrics', 'names'],
        queryFn: ({ signal }) => api.get<{ items: { name: string }[] }>('/metrics/names', undefined, signal),
        staleTime: Infinity,
    });
    const rule = useQuery({ ...objectQuery<Item>('alert_rule', id ?? '', { view: 'full' }), enabled: !!id });
    const metrics = ['free_pct', ...(names.data?.items ?? []).map((m) => m.name)];
    /** The server takes texts; people choose. */
    const choices = ({ properties, ...schema }: JsonSchema): JsonSchema => ({
        ...schema,
        properties: {
            // Chosen below, by name.
            ...Object.fromEntries(Object.entries(properties ?? {}).filter(([key]) => key !== 'targets')),
            of: { ...properties?.of, enum: watched() },
            metric: { ...properties?.metric, enum: metrics },
            severity: { ...properties?.severity, enum: fieldOf('alert_rule', 'severity')?.values },
            enabled: { ...properties?.enabled, default: true },
            notify: { ...properties?.notify, default: 'all' },
        },
    });
    const extra = (value: Record<string, unknown>, change: (value: Record<string, unknown>) => void) => (
        <>
            {value.notify === 'chosen' && (
                <Suspense fallback={null}>
                    <TargetChoice
                        value={(value.targets as string[] | undefined) ?? []}
                        onChange={(targets) => change({ ...value, targets })}
                    />
                </Suspense>
            )}
            <RuleTest value={value} id={id} />
        </>
    );
    if (!id)
        return (
            <NewForm
                path="/alert-rules"
                title={t('alerts.new_rule')}
                onClose={onClose}
                shape={choices}
                extra={extra}
            />
        );
    return (
        <EditForm
            kind="alert_rule"
            id={id}
            onClose={onClose}
            shape={choices}
            extra={extra}
            name={rule.data && ruleName(rule.data.item)}
            // What comes with the product is switched off, never deleted.
            lost={t('estate.rules.delete')}
            stays={!!rule.data?.item.builtin}
        />
    );
}
