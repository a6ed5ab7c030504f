// SPDX-License-Identifier: Apache-2.0
// A second factor is set up and switched off by who knows the password. The address opens the form; key, codes and password are in
// no address, so a reload begins with the password again.
import { useEffect, useRef, useState, type FormEvent } from 'react';
import { Button, Form, FormGroup, TextInput } from '@patternfly/react-core';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { isApiError } from '../../api/problem';
import { meQuery, queryClient } from '../../api/query';
import type { Schemas } from '../../api/types';
import '../../i18n/admin';
import { said } from '../../i18n/words';
import { useOpened } from '../../lib/address';
import { useReturnFocus } from '../../lib/hooks';
import { CopyButton, FailureLine, Notice } from '../../states/states';

function Steps({ on, onDone }: { on: boolean; onDone: (recovery: string[] | null) => void }) {
    const { t } = useTranslation();
    const [password, setPassword] = useState('');
    const [code, setCode] = useState('');
    const [key, setKey] = useState<Schemas['TotpKey'] | null>(null);
    const [error, setError] = useState<unknown>(null);
    const [busy, setBusy] = useState(false);
    const form = useRef<HTMLDivElement>(null);
    useReturnFocus();
    useEffect(() => form.current?.querySelector('input')?.focus(), [key]);
    const submit = async (e: FormEvent) => {
        e.preventDefault();
        setBusy(true);
        setError(null);
        try {
            if (on) {
                await api.post('/me/totp/actions/disable', { password, code });
                onDone(null);
            } else if (!key) {
                setKey((await api.post<Schemas['TotpKey']>('/me/totp', { password })).data);
                setPassword('');
            } else {
                const made = await api.post<Schemas['RecoveryCodes']>('/me/totp/actions/confirm', { code });
                onDone(made.data.recovery_codes);
            }
        } catch (failure) {
            setError(failure);
        } finally {
            setBusy(false);
        }
    };
    return (
        <div ref={form}>
            <Form
                data-surface={on ? 'factor-off' : key ? 'factor-code' : 'factor-on'}
                onSubmit={(e) => void submit(e)}
            >
                {error !== null &&
                    (isApiError(error) && error.status === 401 ? (
                        <Notice variant="danger" title={said(error.problem, 'detail')} />
                    ) : (
                        <FailureLine error={error} />
                    ))}
                {!key && (
                    <FormGroup label={t('signin.password')} fieldId="totp-password" isRequired>
                        <TextInput
                            id="totp-password"
                            type="password"
                            autoComplete="current-password"
                            value={password}
                            onChange={(_, v) => setPassword(v)}
                        />
                    </FormGroup>
                )}
                {key && (
                    <p>
                        {t('me.factor_key')} <code className="pv-code">{key.secret}</code>{' '}
                        <CopyButton text={key.uri ?? key.secret ?? ''} />
                    </p>
                )}
                {(on || key) && (
                    <FormGroup label={t('signin.code')} fieldId="totp-code" isRequired>
                        <TextInput
                            id="totp-code"
                            autoComplete="one-time-code"
                            value={code}
                            onChange={(_, v) => setCode(v)}
                        />
                    </FormGroup>
                )}
                <div className="pv-buttons">
                    <Button
                        type="submit"
                        variant={on ? 'danger' : 'primary'}
                        isDisabled={busy || (!key && !password) || ((on || !!key) && code.length < 6)}
                    >
                        {t(on ? 'me.factor_disable' : key ? 'me.factor_confirm' : 'action.next')}
                    </Button>
                </div>
            </Form>
        </div>
    );
}

export function SecondFactor({ on }: { on: boolean }) {
    const { t } = useTranslation();
    const [asked, show] = useOpened('factor');
    const [recovery, setRecovery] = useState<string[] | null>(null);
    const done = (codes: string[] | null) => {
        setRecovery(codes);
        show(false);
        void queryClient.invalidateQueries({ queryKey: meQuery.queryKey });
    };
    return (
        <section className="pv-card pv-pad">
            <h2 className="pv-h3">{t('me.factor')}</h2>
            <p>{t(on ? 'me.factor_on' : 'me.factor_off')}</p>
            {recovery && (
                <div data-surface="recovery">
                    <Notice variant="success" title={t('me.recovery')}>
                        <pre className="pv-code">{recovery.join('\n')}</pre>
                        <CopyButton text={recovery.join('\n')} />
                    </Notice>
                </div>
            )}
            <div className="pv-buttons">
                <Button variant="secondary" aria-expanded={asked} onClick={() => show(!asked)}>
                    {t(asked ? 'action.cancel' : on ? 'me.factor_disable' : 'me.factor_begin')}
                </Button>
            </div>
            {asked && <Steps key={String(on)} on={on} onDone={done} />}
        </section>
    );
}
