// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState, type FormEvent, type ReactNode } from 'react';
import { Button, Form, FormGroup, TextInput } from '@patternfly/react-core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from 'react-router';
import { useTranslation } from 'react-i18next';
import { api, setCsrf } from '../api/client';
import { meQuery, queryClient, setupQuery } from '../api/query';
import { isApiError } from '../api/problem';
import type { Me } from '../api/types';
import { MenuButton } from '../actions/ActionMenu';
import { LANGUAGES, setLanguage } from '../i18n';
import { FailureLine } from '../states/states';
import { useAddress, useOpened } from '../lib/address';
import { useTitle } from '../lib/hooks';
import { look } from '../lib/look';
import { said } from '../i18n/words';

/** The frame of the pages before one is signed in. */
export function Gate({ title, intro, children }: { title: string; intro?: ReactNode; children: ReactNode }) {
    const { t, i18n } = useTranslation();
    useTitle(title);
    return (
        <main className="pv-gate">
            <div className="pv-gate__card">
                <div className="pv-gate__brand">
                    <svg viewBox="0 0 32 32" aria-hidden="true">
                        <path d="M6 10.5 16 5l10 5.5L16 16z" className="pv-brand__top" />
                        <path d="m6 16.2 10 5.5 10-5.5M6 21.8l10 5.4 10-5.4" className="pv-brand__line" />
                    </svg>
                    <span>Polyvisor</span>
                </div>
                <h1 className="pv-h1">{title}</h1>
                {intro && <p className="pv-subtle">{intro}</p>}
                {children}
            </div>
            <div className="pv-gate__foot">
                <span className="pv-subtle">{t('signin.tagline')}</span>
                <MenuButton
                    surface="menu-languages"
                    label={LANGUAGES.find((l) => l.code === i18n.language)?.name ?? 'English'}
                    actions={LANGUAGES.map((l) => ({
                        name: l.code,
                        label: l.name,
                        danger: false,
                        ready: true,
                        reason: null,
                    }))}
                    onPick={({ name }) => {
                        look.set({ language: name });
                        void setLanguage(name);
                    }}
                />
            </div>
        </main>
    );
}

interface Login extends Partial<Me> {
    mfa_token?: string;
    mfa_required?: boolean;
    csrf_token?: string | null;
}

export function SignInForm({
    username = '',
    onDone,
    second,
}: {
    username?: string;
    onDone: () => void;
    /** Where the question for the second factor has an address: whether it asks, and what makes it so. */
    second?: [boolean, (on: boolean) => void];
}) {
    const { t } = useTranslation();
    const [name, setName] = useState(username);
    const [password, setPassword] = useState('');
    const [code, setCode] = useState('');
    const [ticket, setTicket] = useState<string | null>(null);
    const [error, setError] = useState<unknown>(null);
    const [busy, setBusy] = useState(false);
    // Whoever comes by the address alone begins with the password.
    const asking = ticket !== null && (second?.[0] ?? true);
    const ask = (one: string) => {
        setTicket(one);
        setCode('');
        second?.[1](true);
    };
    const submit = async (e: FormEvent) => {
        e.preventDefault();
        setBusy(true);
        setError(null);
        try {
            const answer = asking
                ? await api.post<Login>('/auth/mfa', { mfa_token: ticket, code })
                : await api.post<Login>('/auth/login', { username: name, password });
            if (answer.data?.mfa_token) {
                ask(answer.data.mfa_token);
                return;
            }
            setCsrf(answer.data?.csrf_token);
            await queryClient.invalidateQueries({ queryKey: meQuery.queryKey });
            onDone();
        } catch (failure) {
            const wants = isApiError(failure) && failure.code === 'mfa-required';
            const token = wants && ((failure.problem as { mfa_token?: string }).mfa_token ?? '');
            if (wants && token !== false) ask(token);
            else setError(failure);
        } finally {
            setBusy(false);
        }
    };
    const refused = isApiError(error) && error.status === 401;
    return (
        <Form onSubmit={(e) => void submit(e)}>
            {error !== null &&
                (refused ? (
                    <p className="pv-error" role="alert">
                        {said(error.problem, 'detail') || t('signin.refused')}
                    </p>
                ) : (
                    <FailureLine error={error} />
                ))}
            {!asking ? (
                <>
                    <FormGroup label={t('signin.user')} fieldId="username" isRequired>
                        <TextInput
                            id="username"
                            name="username"
                            autoComplete="username"
                            autoFocus={!username}
                            value={name}
                            isRequired
                            onChange={(_, v) => setName(v)}
                        />
                    </FormGroup>
                    <FormGroup label={t('signin.password')} fieldId="password" isRequired>
                        <TextInput
                            id="password"
                            name="password"
                            type="password"
                            autoComplete="current-password"
                            autoFocus={!!username}
                            value={password}
                            isRequired
                            onChange={(_, v) => setPassword(v)}
                        />
                    </FormGroup>
                </>
            ) : (
                <FormGroup label={t('signin.code')} fieldId="code" isRequired>
                    <TextInput
                        id="code"
                        name="one-time-code"
                        autoComplete="one-time-code"
                        inputMode="numeric"
                        autoFocus
                        value={code}
                        isRequired
                        onChange={(_, v) => setCode(v)}
                    />
                </FormGroup>
            )}
            <Button
                type="submit"
                variant="primary"
                isBlock
                isLoading={busy}
                isDisabled={busy || (asking ? !code : !name || !password)}
            >
                {t('signin.submit')}
            </Button>
        </Form>
    );
}

export function Component() {
    const { t } = useTranslation();
    const navigate = useNavigate();
    const [params] = useAddress();
    const second = useOpened('step', 'code');
    const setup = useQuery(setupQuery);
    useEffect(() => {
        if (setup.data?.needed) void navigate('/setup', { replace: true });
    }, [setup.data, navigate]);
    const next = params.get('next') ?? '/';
    return (
        <Gate title={t('signin.title')}>
            <SignInForm
                second={second}
                onDone={() => void navigate(/^\/(?!\/)/.test(next) ? next : '/', { replace: true })}
            />
        </Gate>
    );
}
