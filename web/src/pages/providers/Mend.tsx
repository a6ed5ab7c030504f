// SPDX-License-Identifier: Apache-2.0
// Mends a connection that was stopped for good, where one sees it: a refused sign-in by other credentials, a changed certificate
// by comparing what was trusted with what is shown now. Nothing is sent to the other side before somebody decided.
import { useRef, useState, type FormEvent } from 'react';
import { Button, Checkbox, Form, FormGroup, TextInput } from '@patternfly/react-core';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { run } from '../../actions/registry';
import { api } from '../../api/client';
import { valueAt } from '../../api/model';
import { queryClient } from '../../api/query';
import type { TabProps } from '../../lib/ObjectPage';
import { FailureLine, Notice, SkeletonLines } from '../../states/states';
import { certificateOf, CertificateFacts, Findings, type Finding } from './Findings';

/** Sends what mends it; what went wrong is shown by the form that asked. */
function useSend() {
    const [error, setError] = useState<unknown>(null);
    const [busy, setBusy] = useState(false);
    const send = async (request: () => Promise<unknown>) => {
        setBusy(true);
        setError(null);
        try {
            await request();
            await queryClient.invalidateQueries();
        } catch (failure) {
            setError(failure);
        } finally {
            setBusy(false);
        }
    };
    return { send, error, busy };
}

function Credentials(p: TabProps) {
    const { t } = useTranslation();
    const [username, setUsername] = useState(String(valueAt(p.item, 'username') ?? ''));
    const [password, setPassword] = useState('');
    const { send, error, busy } = useSend();
    const submit = (e: FormEvent) => {
        e.preventDefault();
        void send(() =>
            api.patch(`/providers/${p.item.id}`, { username, password }, { ifMatch: p.etag ?? undefined }),
        );
    };
    return (
        <section className="pv-card pv-pad" aria-labelledby="mend-title">
            <h2 className="pv-h2" id="mend-title">
                {t('providers.mend_signin')}
            </h2>
            <p>{t('providers.mend_signin_body')}</p>
            <Form data-surface="credentials" onSubmit={submit}>
                {error !== null && <FailureLine error={error} />}
                <FormGroup label={t('signin.user')} fieldId="mend-user" isRequired>
                    <TextInput
                        id="mend-user"
                        autoComplete="off"
                        isRequired
                        value={username}
                        onChange={(_, v) => setUsername(v)}
                    />
                </FormGroup>
                <FormGroup label={t('signin.password')} fieldId="mend-password" isRequired>
                    <TextInput
                        id="mend-password"
                        type="password"
                        autoComplete="new-password"
                        isRequired
                        value={password}
                        onChange={(_, v) => setPassword(v)}
                    />
                </FormGroup>
                <div className="pv-buttons">
                    <Button type="submit" isLoading={busy} isDisabled={busy || !username || !password}>
                        {t('providers.mend_signin_do')}
                    </Button>
                </div>
            </Form>
        </section>
    );
}

function Trust(p: TabProps) {
    const { t } = useTranslation();
    const key = useRef(crypto.randomUUID());
    const [compared, setCompared] = useState(false);
    const { send, error, busy } = useSend();
    const seen = useQuery({
        queryKey: ['doctor', p.item.id],
        queryFn: ({ signal }) =>
            api.get<{ findings: Finding[] }>(`/providers/${p.item.id}/doctor`, undefined, signal),
        staleTime: 0,
        retry: false,
    });
    const pins = (valueAt(p.item, 'tls.pins') ?? []) as string[];
    const now = certificateOf(seen.data?.findings ?? []);
    const same = now !== null && pins.includes(now.sha256);
    return (
        <section className="pv-card pv-pad" aria-labelledby="mend-title">
            <h2 className="pv-h2" id="mend-title">
                {t('providers.mend_certificate')}
            </h2>
            <p>{t('providers.mend_certificate_body')}</p>
            {seen.error ? (
                <FailureLine error={seen.error} onRetry={() => void seen.refetch()} />
            ) : !seen.data ? (
                <SkeletonLines lines={4} />
            ) : now === null ? (
                <Findings findings={seen.data.findings} />
            ) : (
                <>
                    <div className="pv-cards">
                        <section className="pv-card" aria-label={t('providers.trusted_before')}>
                            <h3 className="pv-card__title">{t('providers.trusted_before')}</h3>
                            {pins.length ? (
                                <CertificateFacts of={pins.map((sha256) => ({ sha256 }))} />
                            ) : (
                                <p className="pv-pad">{t('providers.trusted_by_ca')}</p>
                            )}
                        </section>
                        <section className="pv-card" aria-label={t('providers.shown_now')}>
                            <h3 className="pv-card__title">{t('providers.shown_now')}</h3>
                            <CertificateFacts of={[now]} />
                        </section>
                    </div>
                    {error !== null && <FailureLine error={error} />}
                    {same ? (
                        <Notice variant="success" title={t('providers.certificate_same')} />
                    ) : (
                        <Checkbox
                            id="mend-compared"
                            label={t('providers.compared')}
                            isChecked={compared}
                            onChange={(_, on) => setCompared(on)}
                        />
                    )}
                    <div className="pv-buttons">
                        <Button
                            isLoading={busy}
                            isDisabled={busy || (!compared && !same)}
                            onClick={() =>
                                void send(() =>
                                    run(
                                        'provider.trust_certificate',
                                        { kind: 'provider', id: p.item.id },
                                        { sha256: now.sha256 },
                                        key.current,
                                    ),
                                )
                            }
                        >
                            {t('providers.trust_new')}
                        </Button>
                        <Button
                            variant="link"
                            isDisabled={seen.isFetching}
                            onClick={() => void seen.refetch()}
                        >
                            {t('providers.look_again')}
                        </Button>
                    </div>
                </>
            )}
        </section>
    );
}

export default function Mend(p: TabProps) {
    const state = valueAt(p.item, 'state');
    return state === 'cert_changed' ? <Trust {...p} /> : <Credentials {...p} />;
}
