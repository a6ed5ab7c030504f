// SPDX-License-Identifier: Apache-2.0
import { useState, type FormEvent } from 'react';
import { Button, Form, FormGroup, TextInput } from '@patternfly/react-core';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import type { Schemas } from '../../api/types';
import { Mark } from '../../lib/cells';
import { FailureLine } from '../../states/states';

export default function ExplainForm() {
    const { t } = useTranslation();
    const [principal, setPrincipal] = useState('');
    const [action, setAction] = useState('vm.start');
    const [target, setTarget] = useState('');
    const [answer, setAnswer] = useState<Schemas['Explanation'] | null>(null);
    const [error, setError] = useState<unknown>(null);
    const ask = (e: FormEvent) => {
        e.preventDefault();
        setError(null);
        api.get<Schemas['Explanation']>('/access/explain', { principal, action, target }).then(
            setAnswer,
            setError,
        );
    };
    return (
        <div className="pv-form">
            <p>{t('access.explain_intro')}</p>
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
            {error !== null && <FailureLine error={error} />}
            {answer && (
                <p className="pv-answer" aria-live="polite">
                    <Mark as={answer.allowed ? 'on' : 'bad'} /> {answer.why}
                </p>
            )}
        </div>
    );
}
