// SPDX-License-Identifier: Apache-2.0
// Asks what is to be said about one alert or many, and does it one by one: each is a change with an answer of its own.
import { useMemo, useState } from 'react';
import { Button, Form, FormGroup, FormSelect, FormSelectOption, TextInput } from '@patternfly/react-core';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import '../../i18n/estate';
import { api } from '../../api/client';
import { isApiError, isMissing } from '../../api/problem';
import { objectQuery, queryClient, useMe } from '../../api/query';
import type { Item } from '../../api/types';
import { sizeOf, targetsOf, type Selection } from '../../grid/selection';
import { kindText } from '../../i18n/words';
import { Modal, ModalBody, ModalFooter, ModalHeader } from '../../lib/Modal';
import { useAddress } from '../../lib/address';
import { readSelection } from '../../lib/held';
import { notify } from '../../lib/notify';
import { GoneDialog } from '../../states/gone';
import { FailureLine } from '../../states/states';
import { ALERT_ACTIONS, type AlertAction } from './alertActions';

const AT_ONCE = 4;
const SPANS = { '1h': 3600, '4h': 4 * 3600, '1d': 86_400, '7d': 7 * 86_400, own: 0 } as const;
type Span = keyof typeof SPANS;

async function idsOf(selection: Selection): Promise<string[]> {
    const wanted = targetsOf(selection);
    if ('targets' in wanted) return wanted.targets;
    const ids: string[] = [];
    for await (const row of api.ndjson<{ id: string }>('/alerts', { filter: wanted.selector, fields: 'id' }))
        ids.push(row.id);
    return ids;
}

/** In a few lines at once; what fails does not keep the others back. */
async function each(ids: string[], run: (id: string) => Promise<unknown>): Promise<unknown[]> {
    const left = [...ids];
    const failures: unknown[] = [];
    await Promise.all(
        Array.from({ length: AT_ONCE }, async () => {
            for (let id = left.shift(); id; id = left.shift())
                try {
                    await run(id);
                } catch (error) {
                    // Over already is what was wanted.
                    if (!isApiError(error) || error.code !== 'conflict') failures.push(error);
                }
        }),
    );
    return failures;
}

export default function AlertDialog() {
    const { t } = useTranslation();
    const me = useMe();
    const [params, change] = useAddress();
    const action = params.get('act') as AlertAction;
    const on = params.get('on') ?? '';
    const selection = useMemo(() => readSelection(on), [on]);
    const [one, ...others] = selection?.by === 'ids' ? selection.ids : [];
    const alone = others.length ? '' : (one ?? '');
    const alert = useQuery({ ...objectQuery<Item>('alert', alone, { view: 'full' }), enabled: !!alone });
    const [owner, setOwner] = useState(me?.user.name ?? '');
    const [note, setNote] = useState('');
    const [span, setSpan] = useState<Span>('1d');
    const [until, setUntil] = useState('');
    const [busy, setBusy] = useState(false);
    const [failure, setFailure] = useState<unknown>(null);
    const close = () =>
        change((next) => {
            next.delete('act');
            next.delete('on');
        }, 'close');
    // An address that is mistyped asks for nothing.
    if (!ALERT_ACTIONS.includes(action) || !on) return null;
    if (!selection) return <GoneDialog why="selection" what={t(`estate.alerts.${action}`)} onClose={close} />;
    if (isMissing(alert.error))
        return <GoneDialog what={kindText('alert')} error={alert.error} onClose={close} />;
    const count = sizeOf(selection);
    const body = () => {
        const said = note.trim() ? { note: note.trim() } : {};
        if (action === 'acknowledge') return { ...said, ...(owner.trim() ? { owner: owner.trim() } : {}) };
        if (action === 'unsilence') return { until: null };
        if (action === 'silence')
            return span === 'own'
                ? { ...said, until: new Date(until).toISOString() }
                : { ...said, for_s: SPANS[span] };
        return said;
    };
    const verb = action === 'unsilence' ? 'silence' : action;
    const ready = action !== 'silence' || span !== 'own' || !!until;
    const save = async () => {
        setBusy(true);
        setFailure(null);
        const ids = await idsOf(selection);
        const failures = await each(ids, (id) => api.post(`/alerts/${id}/actions/${verb}`, body()));
        await queryClient.invalidateQueries();
        setBusy(false);
        if (failures.length) {
            setFailure(failures[0]);
            if (ids.length > 1)
                notify({
                    variant: 'danger',
                    title: t('estate.alerts.some_failed', { count: failures.length }),
                });
            return;
        }
        notify({ variant: 'success', title: t('estate.alerts.done', { count: ids.length }) });
        close();
    };
    return (
        <Modal
            variant="small"
            onClose={close}
            data-surface="alert"
            data-of={action}
            aria-labelledby="alert-title"
        >
            <ModalHeader
                title={t('estate.alerts.of_many', { what: t(`estate.alerts.${action}`), count })}
                labelId="alert-title"
            />
            <ModalBody>
                {failure !== null && <FailureLine error={failure} />}
                {action !== 'unsilence' && <p>{t(`estate.alerts.${action}_help`)}</p>}
                <Form
                    id="alert-form"
                    onSubmit={(e) => {
                        e.preventDefault();
                        if (ready) void save();
                    }}
                >
                    {action === 'acknowledge' && (
                        <FormGroup label={t('estate.alerts.who')} fieldId="alert-owner">
                            <TextInput id="alert-owner" value={owner} onChange={(_, v) => setOwner(v)} />
                        </FormGroup>
                    )}
                    {action === 'silence' && (
                        <FormGroup label={t('estate.alerts.until')} fieldId="alert-span">
                            <FormSelect id="alert-span" value={span} onChange={(_, v) => setSpan(v as Span)}>
                                {(Object.keys(SPANS) as Span[]).map((s) => (
                                    <FormSelectOption key={s} value={s} label={t(`estate.alerts.for_${s}`)} />
                                ))}
                            </FormSelect>
                        </FormGroup>
                    )}
                    {action === 'silence' && span === 'own' && (
                        <FormGroup label={t('estate.alerts.time')} fieldId="alert-until" isRequired>
                            <TextInput
                                id="alert-until"
                                type="datetime-local"
                                value={until}
                                onChange={(_, v) => setUntil(v)}
                            />
                        </FormGroup>
                    )}
                    {action !== 'unsilence' && (
                        <FormGroup label={t('estate.alerts.note')} fieldId="alert-note">
                            <span className="pf-v6-c-form-control pf-m-textarea pf-m-resize-vertical">
                                <textarea
                                    id="alert-note"
                                    rows={3}
                                    value={note}
                                    onChange={(e) => setNote(e.target.value)}
                                />
                            </span>
                        </FormGroup>
                    )}
                </Form>
            </ModalBody>
            <ModalFooter>
                <Button type="submit" form="alert-form" isDisabled={busy || !ready}>
                    {t(`estate.alerts.${action}`)}
                </Button>
                <Button variant="link" onClick={close}>
                    {t('action.cancel')}
                </Button>
            </ModalFooter>
        </Modal>
    );
}
