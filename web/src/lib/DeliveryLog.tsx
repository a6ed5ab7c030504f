// SPDX-License-Identifier: Apache-2.0
// What was sent to a channel or a webhook, and what became of it; anything can be sent again. The address is ?log=<id>.
import { Button } from '@patternfly/react-core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import '../i18n/channels';
import { api } from '../api/client';
import { pathOf } from '../api/model';
import { isMissing, type Problem } from '../api/problem';
import { objectQuery } from '../api/query';
import type { Item, Page } from '../api/types';
import { ago, dateTime, number } from '../i18n/format';
import { enumText, kindText, problemText, said } from '../i18n/words';
import { GoneDialog } from '../states/gone';
import { FailureLine, SkeletonLines } from '../states/states';
import { Mark } from './cells';
import { Modal, ModalBody, ModalFooter, ModalHeader } from './Modal';

const SHOWN = 50;
const LOOK_MS = 3000;
const MARK: Record<string, string> = { pending: 'warn', delivered: 'ok', dead: 'bad', skipped: 'none' };

/** Why it failed, in the person's language. */
export function problemLine(problem: Problem): string {
    const detail = said(problem, 'detail');
    return [problemText(problem.code, problem.title), detail].filter(Boolean).join(': ');
}

function Row({ one, again }: { one: Item; again: (id: string) => void }) {
    const { t } = useTranslation();
    const state = String(one.state);
    const error = one.error as Problem | null;
    const at = (one.last_attempt_at ?? one.created_at) as string;
    return (
        <tr>
            <td>
                <span className="pv-state">
                    <Mark as={MARK[state] ?? 'none'} />
                    {enumText('delivery', 'state', state)}
                </span>
            </td>
            <td>
                <div>{String(one.message ?? '')}</div>
                <div className="pv-subtle">{String(one.type)}</div>
                {error && <div className="pv-subtle">{problemLine(error)}</div>}
            </td>
            <td title={dateTime(at)} data-label={t('channels.when')}>
                {ago(at)}
                {state === 'pending' && one.next_attempt_at ? (
                    <div className="pv-subtle">
                        {t('channels.next', { time: dateTime(String(one.next_attempt_at)) })}
                    </div>
                ) : null}
            </td>
            <td className="pv-num" data-label={t('channels.attempts')}>
                {number(Number(one.attempts ?? 0))}
            </td>
            <td>
                <Button variant="link" isInline onClick={() => again(one.id)}>
                    {t(state === 'pending' ? 'channels.now' : 'channels.resend')}
                </Button>
            </td>
        </tr>
    );
}

export default function DeliveryLog({
    kind,
    id,
    onClose,
}: {
    kind: 'notification_target' | 'webhook';
    id: string;
    onClose: () => void;
}) {
    const { t } = useTranslation();
    const [failure, setFailure] = useState<unknown>(null);
    const receiver = useQuery(objectQuery<Item>(kind, id, { view: 'full' }));
    const path = `${pathOf(kind)}/${id}/deliveries`;
    const log = useQuery({
        queryKey: ['deliveries', kind, id],
        queryFn: ({ signal }) =>
            api.get<Page<Item>>(path, { sort: '-seq', limit: SHOWN, count: 'exact' }, signal),
        refetchInterval: LOOK_MS,
    });
    const resend = useMutation({
        mutationFn: (one: string) => api.post(`/deliveries/${one}/actions/resend`, {}),
        onMutate: () => setFailure(null),
        onError: setFailure,
        onSettled: () => log.refetch(),
    });
    if (isMissing(receiver.error))
        return <GoneDialog what={kindText(kind)} error={receiver.error} onClose={onClose} />;
    const hook = kind === 'webhook' ? receiver.data?.item : undefined;
    const missed = Number(hook?.missed ?? 0);
    const items = log.data?.items;
    return (
        <Modal
            variant="large"
            onClose={onClose}
            data-surface="deliveries"
            data-of={kind}
            aria-labelledby="log-title"
        >
            <ModalHeader
                title={t('channels.log_of', { name: receiver.data?.item.name ?? '' })}
                labelId="log-title"
            />
            <ModalBody>
                {failure !== null && <FailureLine error={failure} />}
                {log.error && <FailureLine error={log.error} />}
                {hook && <p>{t('channels.position', { n: number(Number(hook.position ?? 0)) })}</p>}
                {missed > 0 && <p>{t('channels.missed', { count: missed })}</p>}
                {!items ? (
                    !log.error && <SkeletonLines lines={4} />
                ) : items.length === 0 ? (
                    <p>{t('channels.log_none')}</p>
                ) : (
                    <div className="pv-scroll" role="region" aria-label={t('channels.log')} tabIndex={0}>
                        <table className="pv-table pv-table--stack">
                            <thead>
                                <tr>
                                    <th scope="col">{t('field.any.state')}</th>
                                    <th scope="col">{t('channels.what')}</th>
                                    <th scope="col">{t('channels.when')}</th>
                                    <th scope="col">{t('channels.attempts')}</th>
                                    <th scope="col">{t('object.actions')}</th>
                                </tr>
                            </thead>
                            <tbody>
                                {items.map((one) => (
                                    <Row key={one.id} one={one} again={resend.mutate} />
                                ))}
                            </tbody>
                        </table>
                        {(log.data?.count ?? 0) > SHOWN && (
                            <p className="pv-subtle">{t('channels.log_newest', { count: SHOWN })}</p>
                        )}
                    </div>
                )}
            </ModalBody>
            <ModalFooter>
                <Button variant="link" onClick={onClose}>
                    {t('action.close')}
                </Button>
            </ModalFooter>
        </Modal>
    );
}
