// SPDX-License-Identifier: Apache-2.0
// The signed-in person: rights, second factor, sessions, own tokens.
import { useEffect, useRef, useState, type FormEvent } from 'react';
import { Button, Form, FormGroup, TextInput } from '@patternfly/react-core';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { meQuery, queryClient } from '../../api/query';
import type { Schemas } from '../../api/types';
import { ago } from '../../i18n/format';
import '../../i18n/admin';
import { permissionText } from '../../i18n/words';
import { useOpened } from '../../lib/address';
import { useTitle } from '../../lib/hooks';
import { NewButton } from '../../lib/NewDialog';
import { CopyButton, FailureLine, Notice, SkeletonLines } from '../../states/states';

interface Login {
    id: string;
    current?: boolean;
    created_at?: string;
    last_used_at?: string;
    address?: string | null;
    agent?: string | null;
}

function SecondFactor({ on }: { on: boolean }) {
    const { t } = useTranslation();
    const [asked, show] = useOpened('factor');
    // The address opens the form; the key that it shows is a new one each time, and in no address.
    const begun = useQuery({
        queryKey: ['totp'],
        queryFn: async () => (await api.post<Schemas['TotpKey']>('/me/totp')).data,
        enabled: asked && !on,
        retry: false,
        staleTime: 'static',
        gcTime: 0,
        refetchOnWindowFocus: false,
    });
    const key = asked && !on ? (begun.data ?? null) : null;
    const [code, setCode] = useState('');
    const [recovery, setRecovery] = useState<string[] | null>(null);
    const [error, setError] = useState<unknown>(null);
    // The field comes after its key; whoever leaves it stands at the button again.
    const shown = key !== null;
    const section = useRef<HTMLElement>(null);
    const before = useRef(shown);
    useEffect(() => {
        if (before.current !== shown)
            section.current?.querySelector<HTMLElement>(shown ? '#totp-code' : 'button')?.focus();
        before.current = shown;
    }, [shown]);
    const done = () => queryClient.invalidateQueries({ queryKey: meQuery.queryKey });
    const confirm = (e: FormEvent) => {
        e.preventDefault();
        setError(null);
        api.post<Schemas['RecoveryCodes']>('/me/totp/actions/confirm', { code }).then((a) => {
            setRecovery(a.data.recovery_codes);
            setCode('');
            show(false);
            void done();
        }, setError);
    };
    const disable = (e: FormEvent) => {
        e.preventDefault();
        setError(null);
        api.post('/me/totp/actions/disable', { code }).then(() => {
            setCode('');
            void done();
        }, setError);
    };
    return (
        <section className="pv-card pv-pad" ref={section}>
            <h2 className="pv-h3">{t('me.factor')}</h2>
            <p>{t(on ? 'me.factor_on' : 'me.factor_off')}</p>
            {(error ?? begun.error) !== null && <FailureLine error={error ?? begun.error} />}
            {recovery && (
                <Notice variant="success" title={t('me.recovery')}>
                    <pre className="pv-code">{recovery.join('\n')}</pre>
                    <CopyButton text={recovery.join('\n')} />
                </Notice>
            )}
            {!on && !key && !recovery && (
                <Button variant="secondary" isDisabled={begun.isFetching} onClick={() => show(true)}>
                    {t('me.factor_begin')}
                </Button>
            )}
            {(key || on) && !recovery && (
                <Form onSubmit={key ? confirm : disable}>
                    {key && (
                        <p>
                            {t('me.factor_key')} <code className="pv-code">{key.secret}</code>{' '}
                            <CopyButton text={key.uri ?? key.secret ?? ''} />
                        </p>
                    )}
                    <FormGroup label={t('signin.code')} fieldId="totp-code" isRequired>
                        <TextInput
                            id="totp-code"
                            autoComplete="one-time-code"
                            inputMode="numeric"
                            value={code}
                            onChange={(_, v) => setCode(v)}
                        />
                    </FormGroup>
                    <div className="pv-buttons">
                        <Button
                            type="submit"
                            variant={key ? 'primary' : 'danger'}
                            isDisabled={code.length < 6}
                        >
                            {t(key ? 'me.factor_confirm' : 'me.factor_disable')}
                        </Button>
                        {key && (
                            <Button variant="link" onClick={() => show(false)}>
                                {t('action.cancel')}
                            </Button>
                        )}
                    </div>
                </Form>
            )}
        </section>
    );
}

function Sessions() {
    const { t } = useTranslation();
    const { data, error, refetch } = useQuery({
        queryKey: ['logins'],
        queryFn: ({ signal }) => api.get<{ items: Login[] }>('/me/logins', undefined, signal),
    });
    const end = (id: string) => api.del(`/me/logins/${id}`).then(() => refetch());
    return (
        <section className="pv-card pv-pad">
            <h2 className="pv-h3">{t('me.sessions')}</h2>
            {error ? (
                <FailureLine error={error} onRetry={() => void refetch()} />
            ) : !data ? (
                <SkeletonLines lines={3} />
            ) : (
                <ul className="pv-feed">
                    {data.items.map((s) => (
                        <li key={s.id}>
                            <span className="pv-feed__text">
                                {[s.address, s.agent].filter(Boolean).join(' · ') || s.id}
                            </span>
                            {s.last_used_at && <span className="pv-subtle">{ago(s.last_used_at)}</span>}
                            {s.current ? (
                                <span className="pv-tag">{t('me.this_one')}</span>
                            ) : (
                                <Button variant="link" onClick={() => void end(s.id)}>
                                    {t('me.end')}
                                </Button>
                            )}
                        </li>
                    ))}
                </ul>
            )}
        </section>
    );
}

export function Component() {
    const { t } = useTranslation();
    useTitle(t('me.title'));
    const { data: me } = useQuery(meQuery);
    if (!me) return <SkeletonLines lines={8} />;
    return (
        <article className="pv-page" aria-labelledby="page-title">
            <h1 className="pv-h1" id="page-title">
                {me.user.name}
            </h1>
            <div className="pv-buttons">
                <NewButton path="/tokens" title="access.new_token" />
            </div>
            <SecondFactor on={me.mfa?.enabled ?? false} />
            <Sessions />
            <section className="pv-card pv-pad">
                <h2 className="pv-h3">{t('me.rights')}</h2>
                <ul className="pv-rights">
                    {me.permissions.map((p) => (
                        <li key={p}>
                            {permissionText(p)} <code className="pv-code pv-subtle">{p}</code>
                        </li>
                    ))}
                </ul>
            </section>
        </article>
    );
}
