// SPDX-License-Identifier: Apache-2.0
// Making a machine begins with where: on a host, or in a cluster, which chooses one. What can be said about it follows from there, in
// the dialog of the action.
import { useState } from 'react';
import { Form, FormGroup } from '@patternfly/react-core';
import { Link } from 'react-router';
import { useTranslation } from 'react-i18next';
import '../../i18n/estate';
import { operationOf } from '../../api/model';
import { useCan } from '../../api/query';
import { useSubjectActions } from '../../actions/useDraft';
import { RefField } from '../../actions/ParamFields';
import { useAct } from '../../actions/useAct';
import { kindTitle, said } from '../../i18n/words';
import { useTitle } from '../../lib/hooks';
import { Denied, Notice } from '../../states/states';

const OPERATION = 'vm.create';
const PLACES = ['host', 'cluster'] as const;

export function Component() {
    const { t } = useTranslation();
    const act = useAct();
    const [kind, setKind] = useState<(typeof PLACES)[number]>('host');
    const [id, setId] = useState('');
    const needed = operationOf(OPERATION, 'host')?.permission ?? OPERATION;
    const may = useCan(needed);
    const state = useSubjectActions({ kind, id }, !!id).find((s) => s.name === OPERATION);
    const refused = state && (state.state === 'no' || state.allowed_now === false);
    const ready = !!state && !refused;
    useTitle(t('estate.new_vm.title'));
    if (!may) return <Denied permission={needed} />;
    return (
        <section className="pv-page" aria-labelledby="page-title">
            <nav className="pv-crumbs" aria-label={t('object.where')}>
                <Link to="/vms">{t('nav.vms')}</Link>
            </nav>
            <h1 className="pv-h1" id="page-title">
                {t('estate.new_vm.title')}
            </h1>
            <p className="pv-subtle">{t('estate.new_vm.body')}</p>
            <Form
                className="pv-form pv-pad"
                onSubmit={(e) => {
                    e.preventDefault();
                    if (ready) act(OPERATION, { kind, id });
                }}
            >
                <FormGroup label={t('estate.new_vm.on')} role="radiogroup" fieldId="nv-host">
                    <div className="pv-buttons">
                        {PLACES.map((one) => (
                            <label key={one} className="pv-buttons__text">
                                <input
                                    id={`nv-${one}`}
                                    type="radio"
                                    name="nv-kind"
                                    checked={kind === one}
                                    onChange={() => {
                                        setKind(one);
                                        setId('');
                                    }}
                                />{' '}
                                {kindTitle(one, 1)}
                            </label>
                        ))}
                    </div>
                </FormGroup>
                <FormGroup label={kindTitle(kind, 1)} fieldId="nv-where" isRequired>
                    <RefField key={kind} id="nv-where" kind={kind} value={id} onChange={setId} />
                </FormGroup>
                {refused && <Notice variant="warning" title={said(state, 'reason')} />}
                <div>
                    <button type="submit" className="pv-button pv-button--primary" aria-disabled={!ready}>
                        {t('action.next')}
                    </button>
                </div>
            </Form>
        </section>
    );
}
