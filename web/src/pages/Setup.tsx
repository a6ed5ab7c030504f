// SPDX-License-Identifier: Apache-2.0
// First run: the code that the server printed, the administrator, then something to look at.
import { useEffect, useState, type FormEvent } from 'react';
import {
    Button,
    Form,
    FormGroup,
    FormHelperText,
    HelperText,
    HelperTextItem,
    TextInput,
} from '@patternfly/react-core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from 'react-router';
import { useTranslation } from 'react-i18next';
import { api, setCsrf } from '../api/client';
import { isApiError } from '../api/problem';
import { listQuery, meQuery, queryClient, setupQuery } from '../api/query';
import type { Me, Provider } from '../api/types';
import { errorsOf } from '../actions/errors';
import '../i18n/start';
import { useAddress } from '../lib/address';
import { FailureLine } from '../states/states';
import { simulate } from '../lib/simulate';
import { Gate } from './SignIn';

const LEAST = 12;

/** 0 to 4: how long it would last, by length and variety. */
export function strength(password: string): number {
    if (password.length < LEAST) return password ? 1 : 0;
    const kinds = [/[a-z]/, /[A-Z]/, /\d/, /[^A-Za-z0-9]/].filter((k) => k.test(password)).length;
    const distinct = new Set(password).size;
    if (distinct < 6) return 1;
    return Math.min(4, 1 + (password.length >= 16 ? 2 : 1) + (kinds >= 3 ? 1 : 0));
}

function Meter({ password }: { password: string }) {
    const { t } = useTranslation();
    const level = strength(password);
    return (
        <span
            className="pv-meter"
            role="meter"
            aria-label={t('setup.strength')}
            aria-valuemin={0}
            aria-valuemax={4}
            aria-valuenow={level}
        >
            <svg viewBox="0 0 104 4" preserveAspectRatio="none" aria-hidden="true">
                {[0, 1, 2, 3].map((i) => (
                    <rect
                        key={i}
                        x={i * 26}
                        width="24"
                        height="4"
                        rx="2"
                        className={i < level ? `pv-meter__on pv-meter__on--${level}` : 'pv-meter__off'}
                    />
                ))}
            </svg>
            <span>{t(`setup.strength_${level}`)}</span>
        </span>
    );
}

export function Component() {
    const { t } = useTranslation();
    const navigate = useNavigate();
    const setup = useQuery(setupQuery);
    const [params, change] = useAddress();
    const second = params.get('step') === 'choice';
    const [made, setMade] = useState(false);
    const [code, setCode] = useState(
        () => new URLSearchParams(window.location.hash.slice(1)).get('code') ?? '',
    );
    const [name, setName] = useState('admin');
    const [password, setPassword] = useState('');
    const [again, setAgain] = useState('');
    const [error, setError] = useState<unknown>(null);
    const [busy, setBusy] = useState(false);
    const over = setup.data?.needed === false;
    const me = useQuery({ ...meQuery, enabled: second && over, retry: false });
    const done = made || (second && over && !!me.data);
    const refused = !!me.error;
    useEffect(() => {
        if (!over || done || busy) return;
        if (!second) void navigate('/login', { replace: true });
        else if (refused)
            void navigate(`/login?next=${encodeURIComponent('/setup?step=choice')}`, { replace: true });
    }, [over, done, busy, second, refused, navigate]);
    // The code has been read: it does not stay in the address and in the history.
    useEffect(() => {
        if (window.location.hash) void navigate('/setup', { replace: true });
    }, [navigate]);

    const submit = async (e: FormEvent) => {
        e.preventDefault();
        setBusy(true);
        setError(null);
        try {
            await api.post('/auth/setup', { setup_code: code.trim(), username: name, password });
            const login = await api.post<Me>('/auth/login', { username: name, password });
            setCsrf(login.data.csrf_token);
            setMade(true);
            change((next) => next.set('step', 'choice'), 'replace');
            await queryClient.invalidateQueries({ queryKey: meQuery.queryKey });
        } catch (failure) {
            setError(failure);
        } finally {
            setBusy(false);
        }
    };
    if (done) return <Choice />;
    if (second && over) return null;
    const fields = isApiError(error) ? errorsOf(error.problem.errors) : {};
    const help = (text: string | undefined) =>
        text && (
            <FormHelperText>
                <HelperText>
                    <HelperTextItem variant="error">{text}</HelperTextItem>
                </HelperText>
            </FormHelperText>
        );
    const differs = again.length > 0 && again !== password;
    return (
        <Gate title={t('setup.title')} intro={t('setup.intro')}>
            <Form onSubmit={(e) => void submit(e)}>
                {error !== null && <FailureLine error={error} />}
                <FormGroup label={t('setup.code')} fieldId="setup-code" isRequired>
                    <TextInput
                        id="setup-code"
                        className="pv-mono"
                        autoComplete="off"
                        autoFocus
                        placeholder="XXXX-XXXX-XXXX"
                        value={code}
                        isRequired
                        onChange={(_, v) => setCode(v)}
                    />
                    {help(fields['/setup_code'])}
                    <FormHelperText>
                        <HelperText>
                            <HelperTextItem>{t('setup.code_help')}</HelperTextItem>
                        </HelperText>
                    </FormHelperText>
                </FormGroup>
                <FormGroup label={t('setup.user')} fieldId="setup-user" isRequired>
                    <TextInput
                        id="setup-user"
                        autoComplete="username"
                        value={name}
                        isRequired
                        onChange={(_, v) => setName(v)}
                    />
                    {help(fields['/username'])}
                </FormGroup>
                <FormGroup label={t('setup.password')} fieldId="setup-password" isRequired>
                    <TextInput
                        id="setup-password"
                        type="password"
                        autoComplete="new-password"
                        value={password}
                        isRequired
                        onChange={(_, v) => setPassword(v)}
                    />
                    <Meter password={password} />
                    {help(fields['/password'])}
                </FormGroup>
                <FormGroup label={t('setup.again')} fieldId="setup-again" isRequired>
                    <TextInput
                        id="setup-again"
                        type="password"
                        autoComplete="new-password"
                        value={again}
                        isRequired
                        validated={differs ? 'error' : 'default'}
                        onChange={(_, v) => setAgain(v)}
                    />
                    {help(differs ? t('setup.differs') : undefined)}
                </FormGroup>
                <Button
                    type="submit"
                    variant="primary"
                    isBlock
                    isLoading={busy}
                    isDisabled={busy || !code || !name || password.length < LEAST || again !== password}
                >
                    {t('setup.submit')}
                </Button>
            </Form>
        </Gate>
    );
}

function Choice() {
    const { t } = useTranslation();
    const navigate = useNavigate();
    const [busy, setBusy] = useState(false);
    const [error, setError] = useState<unknown>(null);
    const { data } = useQuery(
        listQuery<Provider & { id: string; kind: string }>('/providers', {
            limit: 1,
            count: 'exact',
            fields: 'name',
        }),
    );
    const leave = (to: string) => {
        queryClient.setQueryData(setupQuery.queryKey, { needed: false });
        void navigate(to);
    };
    const tryIt = async () => {
        setBusy(true);
        setError(null);
        try {
            await simulate();
            leave('/?tour=1');
        } catch (failure) {
            setBusy(false);
            setError(failure);
        }
    };
    const there = (data?.count ?? 0) > 0;
    return (
        <Gate title={t('setup.choice')} intro={there ? t('setup.choice_there') : t('setup.choice_intro')}>
            {error !== null && (
                <>
                    <p>{t('setup.simulate_failed')}</p>
                    <FailureLine error={error} />
                </>
            )}
            <div className="pv-choice">
                {there ? (
                    <button type="button" className="pv-choice__card" onClick={() => leave('/?tour=1')}>
                        <strong>{t('setup.look')}</strong>
                        <span>{t('setup.look_body')}</span>
                    </button>
                ) : (
                    <button
                        type="button"
                        className="pv-choice__card"
                        disabled={busy}
                        onClick={() => void tryIt()}
                    >
                        <strong>{t('setup.simulate')}</strong>
                        <span>{t('setup.simulate_body')}</span>
                    </button>
                )}
                <button type="button" className="pv-choice__card" onClick={() => leave('/providers/new')}>
                    <strong>{t('setup.real')}</strong>
                    <span>{t('setup.real_body')}</span>
                </button>
            </div>
        </Gate>
    );
}
