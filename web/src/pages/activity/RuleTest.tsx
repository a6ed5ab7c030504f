// SPDX-License-Identifier: Apache-2.0
// What a rule would find: now, as the server looks; in the last day, as its numbers went; and what it found since it is there.
import { useState } from 'react';
import { Button } from '@patternfly/react-core';
import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { useTranslation } from 'react-i18next';
import '../../i18n/estate';
import { api } from '../../api/client';
import { pathOf } from '../../api/model';
import { listQuery } from '../../api/query';
import type { Page } from '../../api/types';
import { dateTime, duration, number, withUnit } from '../../i18n/format';
import { RefLink } from '../../lib/cells';
import { FailureLine } from '../../states/states';
import { hitsOf, type Hit } from './ruleHistory';

interface Answer {
    items: { kind: string; id: string; name: string; value?: number }[];
    count: number;
    cut: boolean;
}

const LOOKED_AT = 50;
const SHOWN = 10;
const DAY_S = 86_400;
/** What /actions/test takes of a rule. */
const MEANING = ['of', 'filter', 'metric', 'below', 'above'];

interface Past {
    looked: number;
    hits: Hit[];
    names: Map<string, string>;
    unit?: string;
}

async function past(rule: Record<string, unknown>): Promise<Past | null> {
    const metric = String(rule.metric ?? '');
    if (!metric || metric === 'free_pct') return null;
    const objects = await api.get<Page<{ id: string; kind: string; name?: string }>>(
        pathOf(String(rule.of)),
        { filter: (rule.filter as string) || undefined, fields: 'name', limit: LOOKED_AT },
    );
    const names = new Map(objects.items.map((o) => [o.id, o.name ?? o.id]));
    if (!names.size) return { looked: 0, hits: [], names };
    const now = Date.now();
    const answer = await api.get<{
        from: string;
        step_s: number;
        series: { ref: string; unit?: string; values: (number | null)[] }[];
    }>('/metrics/series', {
        refs: [...names.keys()].join(','),
        names: metric,
        from: new Date(now - DAY_S * 1000).toISOString(),
        to: new Date(now).toISOString(),
    });
    const hits = answer.series.flatMap((s) =>
        hitsOf(s.ref, s.values, new Date(answer.from).getTime(), answer.step_s, rule),
    );
    return {
        looked: names.size,
        hits: hits.sort((a, b) => b.seconds - a.seconds),
        names,
        unit: answer.series[0]?.unit,
    };
}

export function RuleTest({ value, id }: { value: Record<string, unknown>; id: string | null }) {
    const { t } = useTranslation();
    const [result, setResult] = useState<{ now: Answer; past: Past | null; low: boolean } | null>(null);
    const [error, setError] = useState<unknown>(null);
    const [busy, setBusy] = useState(false);
    const before = useQuery({
        ...listQuery('/alerts', { filter: `rule=${id}`, limit: 1, count: 'exact' }),
        enabled: !!id,
    });
    const look = async () => {
        setBusy(true);
        setError(null);
        try {
            const body = Object.fromEntries(
                Object.entries(value).filter(([k, v]) => MEANING.includes(k) && v !== undefined && v !== ''),
            );
            const now = (await api.post<Answer>('/alert-rules/actions/test', body)).data;
            setResult({ now, past: await past(value), low: typeof value.above !== 'number' });
        } catch (failure) {
            setResult(null);
            setError(failure);
        } finally {
            setBusy(false);
        }
    };
    const found = before.data?.count;
    const show = (v: number) => (result?.past?.unit ? withUnit(v, result.past.unit) : number(v));
    return (
        <div className="pv-stack">
            <div className="pv-buttons">
                <Button variant="secondary" isDisabled={busy || !value.of} onClick={() => void look()}>
                    {t(busy ? 'estate.rules.testing' : 'estate.rules.test')}
                </Button>
                {!!id && !!found && (
                    <span className="pv-buttons__text pv-subtle">
                        {t('estate.rules.found_before', { count: found, n: number(found) })}{' '}
                        <Link to={`/alerts?state=all&filter=${encodeURIComponent(`rule=${id}`)}`}>
                            {t('estate.rules.found_list')}
                        </Link>
                    </span>
                )}
            </div>
            {error !== null && <FailureLine error={error} />}
            <div aria-live="polite" className="pv-ruletest">
                {result && (
                    <>
                        <p>
                            <strong>
                                {result.now.count
                                    ? t('estate.rules.finds', {
                                          count: result.now.count,
                                          n: number(result.now.count),
                                      })
                                    : t('estate.rules.finds_none')}
                            </strong>{' '}
                            {result.now.count > SHOWN &&
                                t('estate.rules.shown', { count: SHOWN, n: number(SHOWN) })}
                        </p>
                        <ul className="pv-plainlist">
                            {result.now.items.slice(0, SHOWN).map((o) => (
                                <li key={o.id}>
                                    <RefLink value={o} kind={o.kind} />
                                    {o.value !== undefined && (
                                        <span className="pv-subtle"> {show(o.value)}</span>
                                    )}
                                </li>
                            ))}
                        </ul>
                        <p>
                            <strong>{t('estate.rules.past')}</strong>{' '}
                            {!result.past
                                ? t('estate.rules.no_past')
                                : result.past.hits.length
                                  ? t('estate.rules.past_found', {
                                        count: result.past.hits.length,
                                        objects: number(new Set(result.past.hits.map((h) => h.ref)).size),
                                        of: number(result.past.looked),
                                    })
                                  : t('estate.rules.past_none', {
                                        count: result.past.looked,
                                        n: number(result.past.looked),
                                    })}
                        </p>
                        <ul className="pv-plainlist">
                            {result.past?.hits.slice(0, SHOWN).map((h) => (
                                <li key={`${h.ref}${h.from}`}>
                                    <RefLink value={{ id: h.ref, name: result.past!.names.get(h.ref) }} />{' '}
                                    <span className="pv-subtle">
                                        {t(
                                            result.low
                                                ? 'estate.rules.past_line_low'
                                                : 'estate.rules.past_line',
                                            {
                                                from: dateTime(h.from),
                                                length: duration(h.seconds),
                                                most: show(h.most),
                                            },
                                        )}
                                    </span>
                                </li>
                            ))}
                        </ul>
                    </>
                )}
            </div>
        </div>
    );
}
