// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState, type FormEvent } from 'react';
import { useQuery } from '@tanstack/react-query';
import { Button, Form, FormGroup, TextInput } from '@patternfly/react-core';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import type { Schemas } from '../../api/types';
import { begun } from '../../i18n/words';
import { useAddress } from '../../lib/address';
import { Mark } from '../../lib/cells';
import { FailureLine } from '../../states/states';

interface Asked {
    principal: string;
    action: string;
    target: string;
}

export default function ExplainForm() {
    const { t } = useTranslation();
    const [params, change] = useAddress();
    const asked: Asked = {
        principal: params.get('who') ?? '',
        action: params.get('what') ?? '',
        target: params.get('on') ?? '',
    };
    // The question is in the address; another one there fills the form again.
    const key = JSON.stringify(asked);
    const answer = useQuery({
        queryKey: ['explain', key],
        queryFn: ({ signal }) => api.get<Schemas['Explanation']>('/access/explain', { ...asked }, signal),
        enabled: !!asked.action,
        retry: false,
        staleTime: 0,
        gcTime: 0,
    });
    const ask = (next: Asked) => {
        if (JSON.stringify(next) === key) void answer.refetch();
        change((to) => {
            for (const [name, value] of [
                ['who', next.principal],
                ['what', next.action],
                ['on', next.target],
            ] as const)
                if (value) to.set(name, value);
                else to.delete(name);
        });
    };
    return (
        <div className="pv-form">
            <p>{t('access.explain_intro')}</p>
            <Question asked={asked} onAsk={ask} />
            {answer.error && <FailureLine error={answer.error} />}
            {answer.data && (
                <p className="pv-answer" aria-live="polite">
                    <Mark as={answer.data.allowed ? 'on' : 'bad'} /> {begun(answer.data.why)}
                </p>
            )}
        </div>
    );
}

function Question({ asked, onAsk }: { asked: Asked; onAsk: (next: Asked) => void }) {
    const { t } = useTranslation();
    const [principal, setPrincipal] = useState(asked.principal);
    const [action, setAction] = useState(asked.action || 'vm.start');
    const [target, setTarget] = useState(asked.target);
    const { principal: who, action: what, target: on } = asked;
    useEffect(() => {
        setPrincipal(who);
        setAction(what || 'vm.start');
        setTarget(on);
    }, [who, what, on]);
    const ask = (e: FormEvent) => {
        e.preventDefault();
        onAsk({ principal, action, target });
    };
    return (
        <Form onSubmit={ask}>
            <FormGroup label={t('access.who')} fieldId="ex-who">
                <TextInput id="ex-who" value={principal} onChange={(_, v) => setPrincipal(v)} />
            </FormGroup>
            <FormGroup label={t('access.what')} fieldId="ex-what" isRequired>
                <TextInput id="ex-what" isRequired value={action} onChange={(_, v) => setAction(v)} />
            </FormGroup>
            <FormGroup label={t('access.on')} fieldId="ex-on">
                <TextInput id="ex-on" value={target} onChange={(_, v) => setTarget(v)} />
            </FormGroup>
            <div className="pv-buttons">
                <Button type="submit">{t('access.ask')}</Button>
            </div>
        </Form>
    );
}
