// SPDX-License-Identifier: Apache-2.0
// Sends a test to a stored channel or webhook and says what became of it; and the way to its log.
import { Button } from '@patternfly/react-core';
import { useMutation } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import '../i18n/channels';
import { api } from '../api/client';
import { pathOf } from '../api/model';
import type { Problem } from '../api/problem';
import { number } from '../i18n/format';
import { said } from '../i18n/words';
import { FailureLine, Notice } from '../states/states';
import { useAddress } from './address';
import { problemLine } from './DeliveryLog';

interface Answer {
    ok: boolean;
    took_ms: number;
    answer: string | null;
    error: Problem | null;
}

export function SendTest({ kind, id }: { kind: 'notification_target' | 'webhook'; id: string }) {
    const { t } = useTranslation();
    const [, change] = useAddress();
    const test = useMutation({
        mutationFn: async () => (await api.post<Answer>(`${pathOf(kind)}/${id}/actions/test`, {})).data,
    });
    const came = test.data;
    return (
        <div className="pv-stack">
            <div className="pv-buttons">
                <Button variant="secondary" isDisabled={test.isPending} onClick={() => test.mutate()}>
                    {t(test.isPending ? 'channels.testing' : 'channels.test')}
                </Button>
                <Button
                    variant="link"
                    onClick={() =>
                        change((next) => {
                            next.delete('edit');
                            next.set('log', id);
                        }, 'replace')
                    }
                >
                    {t('channels.log')}
                </Button>
            </div>
            <p className="pv-subtle">{t('channels.save_first')}</p>
            <div aria-live="polite">
                {test.error && <FailureLine error={test.error} />}
                {came?.ok && (
                    <Notice
                        variant="success"
                        title={t('channels.arrived', {
                            answer: came.answer ?? '–',
                            ms: number(came.took_ms),
                        })}
                    />
                )}
                {came?.error && (
                    <Notice variant="danger" title={t('channels.failed')}>
                        <p>{problemLine(came.error)}</p>
                        <p>{said(came.error, 'remedy')}</p>
                    </Notice>
                )}
            </div>
        </div>
    );
}
