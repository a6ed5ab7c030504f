// SPDX-License-Identifier: Apache-2.0
// Files on their way to a datastore: those of this page, and those that the server has in part from an earlier visit.
import { useRef, useState, type ReactNode } from 'react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { listQuery } from '../../api/query';
import { bytes, dateTime, duration, number, rate } from '../../i18n/format';
import { problemText, said, sentences } from '../../i18n/words';
import { Mark } from '../../lib/cells';
import { discard, refresh, uploads, useTransfers, type Transfer, type Upload } from '../../lib/uploads';
import { FailureLine } from '../../states/states';

function Line(p: {
    path: string;
    done: number;
    size: number;
    text: ReactNode;
    bad?: boolean;
    children?: ReactNode;
}) {
    const percent = p.size ? Math.floor((p.done / p.size) * 100) : 0;
    return (
        <li className="pv-uploads__line">
            <span className="pv-uploads__name">
                {p.bad && <Mark as="bad" />}
                {p.path}
            </span>
            <span className="pv-progress">
                <span
                    className="pv-progress__bar"
                    role="progressbar"
                    aria-label={p.path}
                    aria-valuemin={0}
                    aria-valuemax={100}
                    aria-valuenow={percent}
                >
                    <span className="pv-progress__fill" style={{ width: `${percent}%` }} />
                </span>
                <span className="pv-progress__text">
                    {number(percent)} % · {bytes(p.done)} / {bytes(p.size)}
                </span>
            </span>
            <span className={p.bad ? 'pv-uploads__text pv-tray__error' : 'pv-uploads__text'}>{p.text}</span>
            <span className="pv-uploads__tools">{p.children}</span>
        </li>
    );
}

function Tool({ label, of, onPick }: { label: string; of: string; onPick: () => void }) {
    return (
        <button
            type="button"
            className="pv-button pv-button--small"
            aria-label={`${label}: ${of}`}
            onClick={onPick}
        >
            {label}
        </button>
    );
}

/** One that this page sends. */
function Sent({ transfer }: { transfer: Transfer }) {
    const { t } = useTranslation();
    const { key, path, file, offset, state, error } = transfer;
    const speed = transfer.rate;
    const text = {
        waiting: t('uploads.waiting'),
        sending: speed
            ? `${rate(speed)} · ${t('task.left', { time: duration((file.size - offset) / speed) })}`
            : t('uploads.begins'),
        retrying: t('uploads.retrying'),
        paused: t('uploads.paused'),
        refused: error
            ? sentences(
                  said(error.problem, 'detail') || problemText(error.problem.code, error.problem.title),
                  said(error.problem, 'remedy'),
              )
            : t('state.error_title'),
        done: '',
    }[state];
    const taken = /^(name-taken|conflict-exists)$/.test(error?.problem.code ?? '');
    return (
        <Line path={path} done={offset} size={file.size} text={text} bad={state === 'refused'}>
            {(state === 'waiting' || state === 'sending' || state === 'retrying') && (
                <Tool label={t('uploads.pause')} of={path} onPick={() => uploads.pause(key)} />
            )}
            {state === 'paused' && (
                <Tool label={t('uploads.go_on')} of={path} onPick={() => uploads.resume(key)} />
            )}
            {state === 'refused' &&
                (taken ? (
                    <Tool label={t('uploads.replace')} of={path} onPick={() => uploads.overwrite(key)} />
                ) : (
                    <Tool label={t('action.retry')} of={path} onPick={() => uploads.resume(key)} />
                ))}
            <Tool label={t('action.cancel')} of={path} onPick={() => void uploads.cancel(key)} />
        </Line>
    );
}

/** One that the server has: in part, on its way to the hypervisor, or refused by it. */
function Kept({ upload, datastore }: { upload: Upload; datastore: string }) {
    const { t } = useTranslation();
    const input = useRef<HTMLInputElement>(null);
    const [other, setOther] = useState<number | null>(null);
    const again = useMutation({
        mutationFn: () => api.post(`/uploads/${upload.id}/actions/retry`),
        onSettled: refresh,
    });
    const away = useMutation({ mutationFn: () => discard(upload.id) });
    const { path, size_bytes: size, offset_bytes: offset, state } = upload;
    const choose = (file: File | undefined) => {
        if (!file) return;
        setOther(file.size === size ? null : file.size);
        if (file.size === size) uploads.add(datastore, path, file, upload);
    };
    const text =
        state === 'receiving' ? (
            other === null ? (
                t('uploads.stopped', { time: upload.expires_at ? dateTime(upload.expires_at) : '–' })
            ) : (
                <span role="alert">{t('uploads.other', { found: number(other), wanted: number(size) })}</span>
            )
        ) : state === 'sending' ? (
            <>
                {t('uploads.to_host')}{' '}
                {upload.task && (
                    <Link className="pv-link" to={`/tasks/${upload.task.id}`}>
                        {t('uploads.task')}
                    </Link>
                )}
            </>
        ) : (
            upload.reason || t('uploads.failed')
        );
    const failed = again.error ?? away.error;
    return (
        <>
            <Line
                path={path}
                done={offset}
                size={size}
                text={text}
                bad={state === 'failed' || other !== null}
            >
                {state === 'receiving' && (
                    <>
                        <input
                            ref={input}
                            type="file"
                            hidden
                            tabIndex={-1}
                            onChange={(e) => choose(e.target.files?.[0])}
                        />
                        <Tool label={t('uploads.choose')} of={path} onPick={() => input.current?.click()} />
                    </>
                )}
                {state === 'failed' && offset === size && (
                    <Tool label={t('action.retry')} of={path} onPick={() => again.mutate()} />
                )}
                <Tool
                    label={state === 'sending' ? t('action.cancel') : t('uploads.discard')}
                    of={path}
                    onPick={() => away.mutate()}
                />
            </Line>
            {failed && (
                <li>
                    <FailureLine error={failed} />
                </li>
            )}
        </>
    );
}

export default function Uploads({ datastore }: { datastore: string }) {
    const { t } = useTranslation();
    const transfers = useTransfers(datastore).filter((x) => x.state !== 'done');
    const { data } = useQuery({
        ...listQuery<Upload>('/uploads', {
            filter: `datastore:${datastore} state:{receiving,sending,failed}`,
            limit: 50,
        }),
        // No event tells of uploads: what is on its way to the datastore is asked for until it is there.
        refetchInterval: (query) =>
            query.state.data?.items.some((x) => x.state === 'sending') ? 2000 : false,
    });
    const here = new Set(transfers.map((x) => x.upload?.id));
    const kept = (data?.items ?? []).filter((x) => !here.has(x.id));
    if (!transfers.length && !kept.length) return null;
    return (
        <section className="pv-uploads" aria-label={t('uploads.title')}>
            <h2 className="pv-h3">{t('uploads.title')}</h2>
            <ul>
                {transfers.map((x) => (
                    <Sent key={x.key} transfer={x} />
                ))}
                {kept.map((x) => (
                    <Kept key={x.id} upload={x} datastore={datastore} />
                ))}
            </ul>
        </section>
    );
}
