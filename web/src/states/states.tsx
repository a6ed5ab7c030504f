// SPDX-License-Identifier: Apache-2.0
// The states every page must have (web-ui.md 4.2), once.
import { lazy, Suspense, useState, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { ApiError, isApiError } from '../api/problem';
import { useLiveState } from '../live/live';
import { live } from '../live/live';
import { ago, dateTime } from '../i18n/format';
import { problemText, said, sentences, stopped } from '../i18n/words';
import { useNow } from '../lib/hooks';

/** A line above what is shown. Plain elements: the design system's alert brings half a pop-up library along. */
export function Notice(p: {
    variant: 'danger' | 'warning' | 'info' | 'success';
    title: ReactNode;
    children?: ReactNode;
    links?: ReactNode;
    onClose?: () => void;
}) {
    const { t } = useTranslation();
    const mark = { danger: 'bad', warning: 'warn', info: 'info', success: 'on' }[p.variant];
    return (
        <div
            className={`pv-notice pv-notice--${p.variant}`}
            role={p.variant === 'danger' ? 'alert' : 'status'}
        >
            <span className={`pv-mark pv-mark--${mark}`} aria-hidden="true" />
            <div className="pv-notice__text">
                <strong>{p.title}</strong> {p.children}
            </div>
            {p.links && <span className="pv-notice__links">{p.links}</span>}
            {p.onClose && (
                <button
                    type="button"
                    className="pv-iconbutton"
                    aria-label={t('action.close')}
                    onClick={p.onClose}
                >
                    <svg viewBox="0 0 16 16" aria-hidden="true">
                        <path d="m4 4 8 8m0-8-8 8" />
                    </svg>
                </button>
            )}
        </div>
    );
}

/** Lines of the real layout while the first answer is on its way. */
export function SkeletonLines({ lines = 6 }: { lines?: number }) {
    const { t } = useTranslation();
    return (
        <div className="pv-skeleton" role="status" aria-label={t('state.loading')}>
            {Array.from({ length: lines }, (_, i) => (
                <span key={i} className="pv-ghost" />
            ))}
        </div>
    );
}

/** Nothing there yet: what this is for, and the one thing to do. */
export function Empty(p: {
    title: string;
    body?: ReactNode;
    action?: ReactNode;
    more?: ReactNode;
    bad?: boolean;
}) {
    return (
        <div className={`pv-empty${p.bad ? ' pv-empty--bad' : ''}`}>
            <h2 className="pv-h2">{p.title}</h2>
            {p.body && <div className="pv-empty__body">{p.body}</div>}
            {(p.action || p.more) && (
                <div className="pv-empty__actions">
                    {p.action}
                    {p.more}
                </div>
            )}
        </div>
    );
}

export function NoMatch({
    filter,
    onClear,
    title,
}: {
    filter: string;
    onClear: () => void;
    /** Says something else than that nothing was found. */
    title?: string;
}) {
    const { t } = useTranslation();
    return (
        <Empty
            title={title ?? t('state.no_match')}
            body={<code className="pv-code">{filter}</code>}
            action={
                <button type="button" className="pv-button pv-button--link" onClick={onClear}>
                    {t('filter.clear')}
                </button>
            }
        />
    );
}

export function details(error: ApiError): string {
    const { problem } = error;
    return [
        `${error.method} ${error.path}`,
        `${problem.status} ${problem.code}: ${problem.title}`,
        problem.detail,
        problem.remedy,
        problem.request_id && `request ${problem.request_id}`,
        problem.provider && JSON.stringify(problem.provider),
    ]
        .filter(Boolean)
        .join('\n');
}

export function CopyButton({ text, label }: { text: string; label?: string }) {
    const { t } = useTranslation();
    const [done, setDone] = useState(false);
    const copy = () => {
        void navigator.clipboard?.writeText(text).then(() => {
            setDone(true);
            setTimeout(() => setDone(false), 2000);
        });
    };
    return (
        <button type="button" className="pv-button pv-button--link pv-button--small" onClick={copy}>
            {done ? t('action.copied') : (label ?? t('action.copy'))}
        </button>
    );
}

/** Why something failed: title, what happened, remedy, the request's id; retry and copy. */
export function Failure({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
    const { t } = useTranslation();
    if (isApiError(error) && error.denied) return <Denied error={error} />;
    const known = isApiError(error) ? error : null;
    const problem = known?.problem;
    const title = known?.offline
        ? t('state.offline_title')
        : problem
          ? problemText(problem.code, problem.title)
          : t('state.error_title');
    return (
        <Empty
            bad
            title={title}
            body={
                <>
                    <p>
                        {known?.offline ? t('state.offline_body') : said(problem, 'detail') || String(error)}
                    </p>
                    {problem?.remedy && <p>{said(problem, 'remedy')}</p>}
                    {problem && problem.status > 0 && (
                        <p className="pv-subtle">
                            {t('state.error_ids', {
                                status: problem.status,
                                code: problem.code,
                                request: problem.request_id ?? '–',
                            })}
                        </p>
                    )}
                </>
            }
            action={
                onRetry && (
                    <button type="button" className="pv-button" onClick={onRetry}>
                        {t('action.retry')}
                    </button>
                )
            }
            more={known && <CopyButton text={details(known)} label={t('action.copy_details')} />}
        />
    );
}

/** The same, small: above what is still shown. */
export function FailureLine({
    error,
    onRetry,
    onClose,
}: {
    error: unknown;
    onRetry?: () => void;
    onClose?: () => void;
}) {
    const { t } = useTranslation();
    const known = isApiError(error) ? error : null;
    const problem = known?.problem;
    return (
        <Notice
            variant="danger"
            title={stopped(
                known?.offline
                    ? t('state.offline_title')
                    : problem
                      ? problemText(problem.code, problem.title)
                      : t('state.error_title'),
            )}
            onClose={onClose}
            links={
                <>
                    {onRetry && (
                        <button
                            type="button"
                            className="pv-button pv-button--link pv-button--small"
                            onClick={onRetry}
                        >
                            {t('action.retry')}
                        </button>
                    )}
                    {known && <CopyButton text={details(known)} label={t('action.copy_details')} />}
                </>
            }
        >
            {known?.offline
                ? t('state.offline_body')
                : sentences(said(problem, 'detail') || String(error), said(problem, 'remedy'))}
            {problem?.request_id && (
                <span className="pv-subtle"> {t('state.request', { id: problem.request_id })}</span>
            )}
        </Notice>
    );
}

const DeniedState = lazy(() => import('./Denied'));

/** No permission: which, on what, and who can give it. */
export function Denied(p: { error?: ApiError; permission?: string }) {
    return (
        <Suspense>
            <DeniedState {...p} />
        </Suspense>
    );
}

/** The provider is away: rows stay, with their age. */
export function StaleLine({
    since,
    reason,
    link,
}: {
    since: string;
    reason?: string | null;
    link?: ReactNode;
}) {
    const { t } = useTranslation();
    useNow();
    return (
        <Notice variant="warning" title={t('state.stale', { time: dateTime(since), ago: ago(since) })}>
            {reason} {link}
        </Notice>
    );
}

/** Some providers did not answer. */
export function PartialLine({
    names,
    total,
    onRetry,
}: {
    names: ReactNode;
    total: number;
    onRetry?: () => void;
}) {
    const { t } = useTranslation();
    return (
        <Notice
            variant="warning"
            title={t('state.partial', { total })}
            links={
                onRetry && (
                    <button
                        type="button"
                        className="pv-button pv-button--link pv-button--small"
                        onClick={onRetry}
                    >
                        {t('action.retry')}
                    </button>
                )
            }
        >
            {names}
        </Notice>
    );
}

/** What the driver or this server cannot do. */
export function Unsupported({ title, reason }: { title: string; reason: ReactNode }) {
    return <Empty title={title} body={reason} />;
}

/** The stream of events is cut for more than five seconds. */
export function OfflineBanner() {
    const { t } = useTranslation();
    const state = useLiveState();
    const now = useNow(1000);
    if (state !== 'lost' || now - live.since < 5000) return null;
    return (
        <div className="pv-banner pv-banner--warning" role="status">
            <span>{t('state.stream_lost', { ago: ago(live.since, now) })}</span>
            <button
                type="button"
                className="pv-button pv-button--link pv-button--small"
                onClick={() => live.retry()}
            >
                {t('action.retry')}
            </button>
        </div>
    );
}
