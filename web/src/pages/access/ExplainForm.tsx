// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState, type FormEvent } from 'react';
import { useQuery } from '@tanstack/react-query';
import { Button, Form, FormGroup, FormSelect, FormSelectOption } from '@patternfly/react-core';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { operationOf, operations } from '../../api/model';
import type { Schemas } from '../../api/types';
import { begun, kindText, operationText } from '../../i18n/words';
import { RefField } from '../../actions/ParamFields';
import { useAddress } from '../../lib/address';
import { Mark } from '../../lib/cells';
import { kindOfId } from '../../lib/links';
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

/** What rights are asked about: what stands alone and has a name. */
const ABOUT = [
    'vm',
    'host',
    'cluster',
    'resource_pool',
    'datastore',
    'network',
    'switch',
    'datacenter',
    'folder',
    'provider',
];
const WHO = ['user', 'token'];

/** One object of one of several kinds, found by its name. */
function OneOf(p: {
    id: string;
    kinds: string[];
    none: string;
    value: string;
    onChange: (id: string) => void;
}) {
    const { t } = useTranslation();
    const of = kindOfId(p.value);
    const [kind, setKind] = useState(of && p.kinds.includes(of) ? of : p.kinds[0]!);
    const shown = of && p.kinds.includes(of) ? of : kind;
    return (
        <div className="pv-oneof">
            <FormSelect
                id={`${p.id}-kind`}
                aria-label={t('access.kind')}
                value={shown}
                onChange={(_, v) => {
                    setKind(v);
                    p.onChange('');
                }}
            >
                {p.kinds.map((k) => (
                    <FormSelectOption key={k} value={k} label={begun(kindText(k))} />
                ))}
            </FormSelect>
            <RefField
                key={shown}
                id={p.id}
                kind={shown}
                value={p.value}
                none={p.none}
                onChange={p.onChange}
            />
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
    const names = [...new Set([...operations(), action])];
    const choices = names
        .map((name) => ({ name, text: operationText(name, operationOf(name)?.title) }))
        .sort((a, b) => a.name.localeCompare(b.name));
    const ask = (e: FormEvent) => {
        e.preventDefault();
        onAsk({ principal, action, target });
    };
    return (
        <Form onSubmit={ask}>
            <FormGroup label={t('access.who')} fieldId="ex-who">
                <OneOf
                    id="ex-who"
                    kinds={WHO}
                    none={t('access.myself')}
                    value={principal}
                    onChange={setPrincipal}
                />
            </FormGroup>
            <FormGroup label={t('access.what')} fieldId="ex-what" isRequired>
                <FormSelect id="ex-what" value={action} onChange={(_, v) => setAction(v)}>
                    {choices.map((c) => (
                        <FormSelectOption key={c.name} value={c.name} label={`${c.text} (${c.name})`} />
                    ))}
                </FormSelect>
            </FormGroup>
            <FormGroup label={t('access.on')} fieldId="ex-on">
                <OneOf
                    id="ex-on"
                    kinds={ABOUT}
                    none={t('access.everything')}
                    value={target}
                    onChange={setTarget}
                />
            </FormGroup>
            <div className="pv-buttons">
                <Button type="submit">{t('access.ask')}</Button>
            </div>
        </Form>
    );
}
