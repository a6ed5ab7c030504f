// SPDX-License-Identifier: Apache-2.0
// The estate at a glance, from one request; which cards it has, and their order, are each person's own.
import { lazy, Suspense, useMemo } from 'react';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { isApiError } from '../../api/problem';
import { summaryQuery, useMe } from '../../api/query';
import type { Schemas } from '../../api/types';
import { useOpened } from '../../lib/address';
import { useTitle } from '../../lib/hooks';
import { Failure, FailureLine, SkeletonLines } from '../../states/states';
import { Capacity } from './Capacity';
import { Counters, counts } from './Counters';
import { HealthMap } from './HealthMap';
import { layoutOf, type Card } from './layout';
import { Alerts, Changes, Failures, Providers, Snapshots, Top } from './Lists';
import { Nothing } from './Nothing';

const Arrange = lazy(() => import('./Arrange'));

function show(card: Card, summary: Schemas['Summary']) {
    switch (card) {
        case 'map':
            return <HealthMap key={card} summary={summary} />;
        case 'capacity':
            return <Capacity key={card} summary={summary} />;
        case 'alerts':
            return <Alerts key={card} summary={summary} />;
        case 'failures':
            return <Failures key={card} summary={summary} />;
        case 'providers':
            return <Providers key={card} summary={summary} />;
        case 'snapshots':
            return <Snapshots key={card} summary={summary} />;
        case 'changes':
            return <Changes key={card} summary={summary} />;
        default:
            return <Top key={card} card={card} summary={summary} />;
    }
}

export function Component() {
    const { t } = useTranslation();
    const me = useMe();
    const [arranging, arrange] = useOpened('arrange');
    useTitle(t('nav.overview'));
    const { data, error, refetch } = useQuery({
        ...summaryQuery,
        // While a provider is read for the first time, numbers grow under one's eyes.
        refetchInterval: (query) => (counts(query.state.data?.providers).state?.probing ? 3_000 : 30_000),
    });
    const kept = (me?.preferences as Record<string, unknown> | null | undefined)?.overview;
    const layout = useMemo(() => layoutOf(kept), [kept]);
    // Who may read nothing is told what to do about it.
    if (!data && isApiError(error) && error.denied) return <Nothing />;
    if (!data)
        return error ? (
            <Failure error={error} onRetry={() => void refetch()} />
        ) : (
            <SkeletonLines lines={14} />
        );
    if (!counts(data.providers).total && !counts(data.vms).total && !counts(data.hosts).total)
        return <Nothing />;
    const cards = layout.order.filter((card) => !layout.hidden.includes(card));
    return (
        <article className="pv-page pv-overview" aria-labelledby="page-title">
            <div className="pv-overview__head">
                <h1 className="pv-h1" id="page-title">
                    {t('nav.overview')}
                </h1>
                <button
                    type="button"
                    className="pv-button pv-button--small"
                    aria-haspopup="dialog"
                    onClick={() => arrange(true)}
                >
                    {t('overview.arrange.open')}
                </button>
            </div>
            {!!error && <FailureLine error={error} onRetry={() => void refetch()} />}
            <Counters summary={data} />
            <div className="pv-overview__cards">{cards.map((card) => show(card, data))}</div>
            {!cards.length && <p className="pv-subtle">{t('overview.arrange.none')}</p>}
            {arranging && (
                <Suspense fallback={null}>
                    <Arrange layout={layout} onClose={() => arrange(false)} />
                </Suspense>
            )}
        </article>
    );
}
