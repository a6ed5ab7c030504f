// SPDX-License-Identifier: Apache-2.0
// Adds a place to manage: which kind, where, who signs in, whether its certificate is to be trusted, a test, and it is there.
import { useEffect, useRef, useState, type FormEvent } from 'react';
import {
    Button,
    Form,
    FormGroup,
    FormHelperText,
    FormSelect,
    FormSelectOption,
    HelperText,
    HelperTextItem,
    Radio,
    TextArea,
    TextInput,
} from '@patternfly/react-core';
import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate } from 'react-router';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { isApiError } from '../../api/problem';
import { queryClient, useCan } from '../../api/query';
import type { JsonSchema, Provider } from '../../api/types';
import { errorsOf } from '../../actions/errors';
import { ParamForm } from '../../actions/ParamForm';
import { useDocText } from '../../i18n/docs';
import { useAddress, type How } from '../../lib/address';
import { useTitle } from '../../lib/hooks';
import { Denied, FailureLine, Notice, SkeletonLines } from '../../states/states';
import { AccountRights } from './AccountRights';
import { certificateOf, Findings, type Finding } from './Findings';
import { membersOf, Nodes, nodesOf, type Node } from './Nodes';

interface Driver {
    name: string;
    state: string;
    config_schema?: JsonSchema;
}

const TRUSTS = ['ca', 'pin', 'own'] as const;
type Trust = (typeof TRUSTS)[number];

export function Component() {
    const { t } = useTranslation();
    const needed = 'provider.manage';
    const may = useCan(needed);
    useTitle(t('providers.add'));
    return may ? <NewProvider /> : <Denied permission={needed} />;
}

function NewProvider() {
    const { t } = useTranslation();
    const docText = useDocText();
    const navigate = useNavigate();
    const [params, change] = useAddress();
    const drivers = useQuery({
        queryKey: ['drivers'],
        queryFn: ({ signal }) => api.get<{ items: Driver[] }>('/drivers', undefined, signal),
    });
    const chosen = params.get('driver') ?? '';
    const driver = drivers.data?.items.find((d) => d.name === chosen);
    const [name, setName] = useState('');
    const [endpoint, setEndpoint] = useState('');
    const [username, setUsername] = useState('');
    const [password, setPassword] = useState('');
    const [settings, setSettings] = useState<Record<string, unknown>>({});
    const trust: Trust = TRUSTS.find((x) => x === params.get('trust')) ?? 'ca';
    const setTrust = (to: Trust, how?: How) =>
        change((next) => (to === 'ca' ? next.delete('trust') : next.set('trust', to)), how);
    const [ca, setCa] = useState('');
    const [pin, setPin] = useState('');
    const [findings, setFindings] = useState<Finding[] | null>(null);
    const [nodes, setNodes] = useState<Node[]>([]);
    const [error, setError] = useState<unknown>(null);
    const [busy, setBusy] = useState<'test' | 'add' | null>(null);
    const key = useRef(crypto.randomUUID());
    useEffect(() => setFindings(null), [chosen, endpoint, username, password]);
    useEffect(() => setNodes([]), [chosen, endpoint]);

    // Made-up data is nowhere: it has no account and no certificate.
    const example = t(`providers.endpoint_example.${chosen}`, { defaultValue: '' });
    const remote = !example || example.includes('https');
    const tls =
        trust === 'pin'
            ? { mode: 'pin', pins: [pin.replace(/[^0-9a-fA-F]/g, '').toLowerCase()] }
            : trust === 'own'
              ? { mode: 'ca', ca_pem: ca }
              : { mode: 'ca' };
    const body = {
        name,
        driver: chosen,
        endpoint,
        ...(username ? { username } : {}),
        ...(password ? { password } : {}),
        ...(Object.keys(settings).length ? { settings } : {}),
        tls,
    };
    const members = membersOf(nodes, trust === 'pin');
    const test = async (more: { tls?: unknown } = {}) => {
        setBusy('test');
        setError(null);
        try {
            const answer = await api.post<{ findings: Finding[] }>('/providers/probe', {
                ...body,
                ...more,
            });
            setFindings(answer.data.findings);
            setNodes((before) => nodesOf(answer.data.findings, before));
            const seen = certificateOf(answer.data.findings)?.sha256;
            if (seen && !pin) setPin(seen);
        } catch (failure) {
            setError(failure);
        } finally {
            setBusy(null);
        }
    };
    const add = async (e: FormEvent) => {
        e.preventDefault();
        setBusy('add');
        setError(null);
        try {
            const answer = await api.post<Provider>(
                '/providers',
                members.length ? { ...body, members } : body,
                { idempotencyKey: key.current },
            );
            await queryClient.invalidateQueries();
            void navigate(`/providers/${answer.data.id}`);
        } catch (failure) {
            key.current = crypto.randomUUID();
            setError(failure);
            setBusy(null);
        }
    };
    const errors = isApiError(error) ? errorsOf(error.problem.errors) : {};
    const wrong = (pointer: string) =>
        errors[pointer] && (
            <FormHelperText>
                <HelperText>
                    <HelperTextItem variant="error">{errors[pointer]}</HelperTextItem>
                </HelperText>
            </FormHelperText>
        );
    if (!drivers.data) return <SkeletonLines lines={10} />;
    return (
        <article className="pv-page pv-form" aria-labelledby="page-title">
            <nav className="pv-crumbs" aria-label={t('object.where')}>
                <Link to="/providers">{t('nav.providers')}</Link>
            </nav>
            <h1 className="pv-h1" id="page-title">
                {t('providers.add')}
            </h1>
            <Form onSubmit={(e) => void add(e)}>
                {error !== null && Object.keys(errors).length === 0 && <FailureLine error={error} />}
                <FormGroup label={t('providers.what')} fieldId="np-driver" isRequired>
                    <FormSelect
                        id="np-driver"
                        value={chosen}
                        onChange={(_, v) =>
                            change((next) => {
                                if (v) next.set('driver', v);
                                else next.delete('driver');
                            })
                        }
                    >
                        <FormSelectOption value="" label={t('form.choose')} />
                        {drivers.data.items
                            .filter((d) => d.name !== 'example')
                            .map((d) => (
                                <FormSelectOption
                                    key={d.name}
                                    value={d.name}
                                    label={t(`providers.driver.${d.name}`, {
                                        defaultValue: docText(d.config_schema?.title) || d.name,
                                    })}
                                />
                            ))}
                    </FormSelect>
                    {driver?.config_schema?.description && (
                        <FormHelperText>
                            <HelperText>
                                <HelperTextItem>{docText(driver.config_schema.description)}</HelperTextItem>
                            </HelperText>
                        </FormHelperText>
                    )}
                </FormGroup>
                {driver && (
                    <>
                        <AccountRights
                            driver={driver.name}
                            own={docText(driver.config_schema?.['x-account'])}
                        />
                        <FormGroup label={t('providers.name')} fieldId="np-name" isRequired>
                            <TextInput id="np-name" isRequired value={name} onChange={(_, v) => setName(v)} />
                            {wrong('/name')}
                        </FormGroup>
                        <FormGroup label={t('providers.endpoint')} fieldId="np-endpoint" isRequired>
                            <TextInput
                                id="np-endpoint"
                                isRequired
                                autoComplete="off"
                                value={endpoint}
                                placeholder={example}
                                onChange={(_, v) => setEndpoint(v)}
                            />
                            {wrong('/endpoint')}
                        </FormGroup>
                        {remote && (
                            <>
                                <FormGroup label={t('signin.user')} fieldId="np-user">
                                    <TextInput
                                        id="np-user"
                                        autoComplete="off"
                                        value={username}
                                        onChange={(_, v) => setUsername(v)}
                                    />
                                    {wrong('/username')}
                                </FormGroup>
                                <FormGroup label={t('signin.password')} fieldId="np-password">
                                    <TextInput
                                        id="np-password"
                                        type="password"
                                        autoComplete="new-password"
                                        value={password}
                                        onChange={(_, v) => setPassword(v)}
                                    />
                                    {wrong('/password')}
                                </FormGroup>
                                <FormGroup
                                    role="radiogroup"
                                    label={t('providers.certificate')}
                                    fieldId="np-trust"
                                >
                                    {TRUSTS.map((x) => (
                                        <Radio
                                            key={x}
                                            id={`np-trust-${x}`}
                                            name="trust"
                                            label={t(`providers.trust_${x}`)}
                                            isChecked={trust === x}
                                            onChange={() => setTrust(x)}
                                        />
                                    ))}
                                </FormGroup>
                                {trust === 'pin' && (
                                    <FormGroup label={t('providers.pin')} fieldId="np-pin">
                                        <TextInput
                                            id="np-pin"
                                            className="pv-mono"
                                            value={pin}
                                            onChange={(_, v) => setPin(v)}
                                        />
                                        <FormHelperText>
                                            <HelperText>
                                                <HelperTextItem>{t('providers.pin_help')}</HelperTextItem>
                                            </HelperText>
                                        </FormHelperText>
                                        {wrong('/tls/pins/0')}
                                    </FormGroup>
                                )}
                                {trust === 'own' && (
                                    <FormGroup label={t('providers.trust_own')} fieldId="np-ca">
                                        <TextArea
                                            id="np-ca"
                                            rows={5}
                                            value={ca}
                                            onChange={(_, v) => setCa(v)}
                                        />
                                        {wrong('/tls/ca_pem')}
                                    </FormGroup>
                                )}
                            </>
                        )}
                        {driver.config_schema?.properties && (
                            <details className="pv-details">
                                <summary>{t('providers.settings')}</summary>
                                <ParamForm
                                    name={`driver.${chosen}`}
                                    schema={driver.config_schema}
                                    value={settings}
                                    onChange={setSettings}
                                    errors={errors}
                                    id="np-settings"
                                />
                            </details>
                        )}
                        {findings && (
                            <section className="pv-card" aria-label={t('providers.doctor')}>
                                <h2 className="pv-card__title">{t('providers.doctor')}</h2>
                                <Findings
                                    findings={findings}
                                    onTrust={(sha256) => {
                                        setTrust('pin', 'replace');
                                        setPin(sha256);
                                        void test({ tls: { mode: 'pin', pins: [sha256] } });
                                    }}
                                />
                                {findings.every((f) => f.ok) && (
                                    <Notice variant="success" title={t('providers.fine')} />
                                )}
                            </section>
                        )}
                        {nodes.length > 0 && (
                            <Nodes
                                nodes={nodes}
                                pinned={trust === 'pin'}
                                errors={errors}
                                onChange={setNodes}
                            />
                        )}
                        <div className="pv-buttons">
                            <Button
                                variant="secondary"
                                isDisabled={!endpoint || busy !== null}
                                isLoading={busy === 'test'}
                                onClick={() => void test()}
                            >
                                {t('providers.test')}
                            </Button>
                            <Button type="submit" isDisabled={!endpoint || !name || busy !== null}>
                                {members.length
                                    ? t('providers.add_many', { count: members.length + 1 })
                                    : t('action.add')}
                            </Button>
                        </div>
                    </>
                )}
            </Form>
        </article>
    );
}
