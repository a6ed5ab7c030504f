// SPDX-License-Identifier: Apache-2.0
// One record of the audit: who, from where, by which session or token, what was asked for, what changed, how it ended.
import type { ReactNode } from 'react';
import { useQuery } from '@tanstack/react-query';
import { Link, useParams } from 'react-router';
import { useTranslation } from 'react-i18next';
import '../../i18n/estate';
import { listQuery, objectQuery, useCan } from '../../api/query';
import type { ChangedField, Item, LiveEvent } from '../../api/types';
import { dateTime, number } from '../../i18n/format';
import { enumText, fieldLabel, operationText } from '../../i18n/words';
import { RefLink, State } from '../../lib/cells';
import { kindOfId, linkTo } from '../../lib/links';
import { useTitle } from '../../lib/hooks';
import { Facts, factsOf } from './Facts';
import { auditAction, lastId, Subject } from './auditText';
import { CopyButton, Failure, SkeletonLines } from '../../states/states';

interface Detail {
    session?: string;
    status?: number;
    made?: string;
    before?: Record<string, unknown>;
    after?: Record<string, unknown>;
    changes?: ChangedField[];
    [more: string]: unknown;
}

interface AuditRecord extends Item {
    seq: number;
    time: string;
    actor: { type: string; id?: string; name?: string };
    address?: string;
    action: string;
    subject?: string;
    outcome: string;
    detail?: Detail | null;
    request_id?: string;
    prev_hash?: string;
    hash?: string;
}

/** Events are written in the transaction of what they tell; the record comes a moment later. */
const NEAR_MS = 5000;
/** Has a line or a table of its own. */
const NOT_AGAIN = ['session', 'status', 'made', 'changes'];
interface Row {
    kind: string;
    field: string;
    from: unknown;
    to: unknown;
}

/** Before and after, field by field, whichever way they were recorded. */
export function rowsOf(kind: string, detail: Detail | null | undefined, events: LiveEvent[]): Row[] {
    if (detail?.changes) return detail.changes.map((c) => ({ kind, field: c.field, from: c.from, to: c.to }));
    if (detail?.before || detail?.after) {
        const fields = new Set([...Object.keys(detail.before ?? {}), ...Object.keys(detail.after ?? {})]);
        return [...fields].map((field) => ({
            kind,
            field,
            from: detail.before?.[field],
            to: detail.after?.[field],
        }));
    }
    return events.flatMap((e) =>
        (e.changes ?? []).map((c) => ({ kind: e.ref?.kind ?? kind, field: c.field, from: c.from, to: c.to })),
    );
}

function shown(value: unknown): ReactNode {
    if (value === null || value === undefined || value === '') return <span className="pv-subtle">–</span>;
    if (typeof value === 'object') {
        const name = (value as { name?: unknown }).name;
        return typeof name === 'string' ? name : <code className="pv-code">{JSON.stringify(value)}</code>;
    }
    return String(value);
}

function Line({ label, children }: { label: string; children: ReactNode }) {
    return (
        <div>
            <dt>{label}</dt>
            <dd>{children}</dd>
        </div>
    );
}

function Changes({ rows }: { rows: Row[] }) {
    const { t } = useTranslation();
    return (
        <section className="pv-card">
            <h2 className="pv-card__title">{t('estate.audit.changes')}</h2>
            <div className="pv-scroll" role="region" aria-label={t('estate.audit.changes')} tabIndex={0}>
                <table className="pv-table">
                    <thead>
                        <tr>
                            <th scope="col">{fieldLabel('any', 'field')}</th>
                            <th scope="col">{t('estate.audit.before')}</th>
                            <th scope="col">{t('estate.audit.after')}</th>
                        </tr>
                    </thead>
                    <tbody>
                        {rows.map((r, i) => (
                            <tr key={`${r.field}${i}`}>
                                <th scope="row" title={r.field}>
                                    {fieldLabel(r.kind, r.field)}
                                </th>
                                <td>
                                    <del>{shown(r.from)}</del>
                                </td>
                                <td>
                                    <ins>{shown(r.to)}</ins>
                                </td>
                            </tr>
                        ))}
                    </tbody>
                </table>
            </div>
        </section>
    );
}

export function AuditPage() {
    const { t } = useTranslation();
    const { id = '' } = useParams();
    const tasksToo = useCan('task.read');
    const { data, error, refetch } = useQuery(objectQuery<AuditRecord>('audit', id, { view: 'full' }));
    const record = data?.item;
    const subject = lastId(record?.detail?.made) ?? lastId(record?.subject);
    const at = record ? new Date(record.time).getTime() : 0;
    const events = useQuery({
        ...listQuery<Item & LiveEvent>('/events', {
            filter: `subject_id=${subject} time>=${new Date(at - NEAR_MS).toISOString()} time<=${new Date(at + NEAR_MS).toISOString()}`,
            view: 'full',
            sort: 'seq',
            limit: 20,
        }),
        enabled: !!record && !!subject,
    });
    const tasks = useQuery({
        ...listQuery<Item>('/tasks', { filter: `correlation_id="${record?.request_id}"`, limit: 20 }),
        enabled: tasksToo && !!record?.request_id,
    });
    const what = record ? auditAction(record.action) : '';
    useTitle(record ? `${t('nav.audit')} ${record.seq}` : t('nav.audit'));
    if (!record)
        return error ? <Failure error={error} onRetry={() => void refetch()} /> : <SkeletonLines lines={8} />;
    // Only what this person did at that moment.
    const near = (events.data?.items ?? []).filter((e) => e.actor?.name === record.actor.name);
    const rows = rowsOf(kindOfId(subject ?? '') ?? '', record.detail, near);
    const { session, status } = record.detail ?? {};
    const token = record.actor.type === 'token';
    const link = subject && linkTo(subject);
    const details = factsOf(record.detail).filter(([path]) => !NOT_AGAIN.includes(path));
    return (
        <article className="pv-page pv-object" aria-labelledby="page-title">
            <nav className="pv-crumbs" aria-label={t('object.where')}>
                <Link to="/audit">{t('nav.audit')}</Link>
            </nav>
            <header className="pv-object__head">
                <div className="pv-object__title">
                    <h1 className="pv-h1" id="page-title">
                        {what}
                    </h1>
                    <span className="pv-object__facts">
                        <State kind="audit" path="outcome" value={record.outcome} />
                        <span className="pv-subtle">
                            {t('estate.audit.record', { seq: number(record.seq) })}
                        </span>
                    </span>
                </div>
            </header>
            <section className="pv-card">
                <dl className="pv-fields">
                    <Line label={fieldLabel('audit', 'time')}>{dateTime(record.time)}</Line>
                    <Line label={fieldLabel('audit', 'actor.name')}>
                        {record.actor.name || enumText('audit', 'actor.type', record.actor.type)}
                        {record.actor.name && (
                            <span className="pv-subtle">
                                {` · ${enumText('audit', 'actor.type', record.actor.type)} · `}
                            </span>
                        )}
                        {record.actor.name && (
                            <Link
                                className="pv-link"
                                to={`/audit?filter=${encodeURIComponent(`actor.name="${record.actor.name}"`)}`}
                            >
                                {t('estate.audit.same')}
                            </Link>
                        )}
                    </Line>
                    <Line label={fieldLabel('audit', 'address')}>{record.address || '–'}</Line>
                    {(token || session) && (
                        <Line label={t(token ? 'estate.audit.token' : 'estate.audit.session')}>
                            <code className="pv-code">{token ? record.actor.id : session}</code>
                        </Line>
                    )}
                    <Line label={fieldLabel('audit', 'action')}>
                        <code className="pv-code">{record.action}</code>
                    </Line>
                    <Line label={fieldLabel('audit', 'subject')}>
                        {near[0]?.ref?.name && link ? (
                            <Link className="pv-link" to={link}>
                                {near[0].ref.name}
                            </Link>
                        ) : record.subject || subject ? (
                            <Subject text={subject ?? record.subject} />
                        ) : (
                            '–'
                        )}
                    </Line>
                    <Line label={fieldLabel('audit', 'outcome')}>
                        {enumText('audit', 'outcome', record.outcome)}
                        {status ? ` · HTTP ${status}` : ''}
                    </Line>
                    {record.request_id && (
                        <Line label={t('estate.audit.request')}>
                            <code className="pv-code">{record.request_id}</code>{' '}
                            <CopyButton text={record.request_id} />
                        </Line>
                    )}
                    {!!tasks.data?.items.length && (
                        <Line label={t('estate.audit.task')}>
                            <span className="pv-list">
                                {tasks.data.items.map((task) => (
                                    <RefLink
                                        key={task.id}
                                        kind="task"
                                        value={{ id: task.id, name: operationText(String(task.action)) }}
                                    />
                                ))}
                            </span>
                        </Line>
                    )}
                </dl>
            </section>
            {rows.length > 0 && <Changes rows={rows} />}
            <section className="pv-card">
                <h2 className="pv-card__title">{t('estate.audit.chain')}</h2>
                <dl className="pv-fields">
                    <Line label={t('estate.audit.hash')}>
                        <code className="pv-code">{record.hash}</code>
                    </Line>
                    <Line label={t('estate.audit.prev')}>
                        <code className="pv-code">{record.prev_hash || '–'}</code>
                    </Line>
                    {details.length > 0 && (
                        <Line label={t('estate.audit.details')}>
                            <Facts of={record.detail} without={NOT_AGAIN} />
                        </Line>
                    )}
                </dl>
            </section>
        </article>
    );
}
