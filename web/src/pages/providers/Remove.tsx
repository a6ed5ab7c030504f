// SPDX-License-Identifier: Apache-2.0
// Takes providers out: says first what leaves the inventory with them and what stays, and asks for more than one click.
import { useState } from 'react';
import { Button, Checkbox, Form, FormGroup, TextInput } from '@patternfly/react-core';
import { useQueries, useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { isApiError } from '../../api/problem';
import { listQuery, queryClient } from '../../api/query';
import type { Item } from '../../api/types';
import { number } from '../../i18n/format';
import { kindText } from '../../i18n/words';
import { Modal, ModalBody, ModalFooter, ModalHeader } from '../../lib/Modal';
import { useAddress, useGo } from '../../lib/address';
import { notify } from '../../lib/notify';
import { GoneDialog } from '../../states/gone';
import { FailureLine, SkeletonLines } from '../../states/states';

const COUNTED = ['vm', 'host'];
const MOST = 200;

/** The address says which: ?remove=prv_… or, of all that are made up, ?remove=simulated. */
export default function Remove() {
    const { t } = useTranslation();
    const go = useGo();
    const [params, change] = useAddress();
    const which = params.get('remove') ?? '';
    const [sure, setSure] = useState(false);
    const [typed, setTyped] = useState('');
    const [force, setForce] = useState(false);
    const [busy, setBusy] = useState(false);
    const [error, setError] = useState<unknown>(null);
    const filter = which === 'simulated' ? 'simulated:true' : `id=${which}`;
    const providers = useQuery(
        listQuery<Item>('/providers', { filter, limit: MOST, fields: 'name,simulated' }),
    );
    const found = providers.data?.items ?? [];
    const of = `provider:{${found.map((p) => p.id).join(',')}}`;
    const counts = useQueries({
        queries: COUNTED.map((kind) => ({
            ...listQuery(`/${kind}s`, { filter: of, limit: 1, count: 'exact', fields: 'name' }),
            enabled: found.length > 0,
        })),
    });
    const known = found.length > 0 && counts.every((c) => c.data || c.error);
    const close = () => change((next) => next.delete('remove'), 'close');
    const many = found.length > 1;
    const ready = known && !busy && (many ? typed.trim() === String(found.length) : sure);
    const remove = async () => {
        setBusy(true);
        setError(null);
        try {
            for (const p of found)
                await api
                    .del(`/providers/${p.id}`, { query: force ? { force: true } : undefined })
                    .catch((failure: unknown) => {
                        // Gone already is what was wanted.
                        if (!isApiError(failure) || failure.status !== 404) throw failure;
                    });
            notify({
                variant: 'success',
                title: t(many ? 'providers.removed_many' : 'providers.removed', {
                    count: found.length,
                    name: found[0]?.name,
                    n: number(found.length),
                }),
            });
            go('/providers', true);
        } catch (failure) {
            setError(failure);
            setBusy(false);
        }
        // What is gone is not asked for again.
        const gone = new Set(found.map((one) => one.id));
        await queryClient.invalidateQueries({
            predicate: (q) => !q.queryKey.some((part) => typeof part === 'string' && gone.has(part)),
        });
    };
    if (providers.data && !found.length)
        return <GoneDialog what={kindText('provider', which === 'simulated' ? 2 : 1)} onClose={close} />;
    const working = isApiError(error) && error.code === 'object-busy';
    return (
        <Modal
            variant="small"
            onClose={close}
            data-surface="remove"
            aria-labelledby="remove-title"
            aria-describedby="remove-body"
        >
            <ModalHeader
                labelId="remove-title"
                warning
                title={t(many ? 'providers.remove_title_many' : 'providers.remove_title', {
                    count: found.length || 1,
                    name: found[0]?.name ?? '',
                    n: number(found.length),
                })}
            />
            <ModalBody id="remove-body">
                {providers.error ? (
                    <FailureLine error={providers.error} onRetry={() => void providers.refetch()} />
                ) : !known ? (
                    <SkeletonLines lines={4} />
                ) : (
                    <Form
                        onSubmit={(e) => {
                            e.preventDefault();
                            if (ready) void remove();
                        }}
                    >
                        <div className="pv-consequence">
                            <p>{t('providers.leaves')}</p>
                            <ul className="pv-consequence__losses">
                                {COUNTED.map((kind, i) => {
                                    const n = counts[i]?.data?.count ?? 0;
                                    return n || kind === 'vm' ? (
                                        <li key={kind}>
                                            {number(n)} {kindText(kind, n)}
                                        </li>
                                    ) : null;
                                })}
                            </ul>
                            <p>{t('providers.leaves_ours')}</p>
                            <p>{t('providers.stays')}</p>
                        </div>
                        {error !== null && <FailureLine error={error} />}
                        {(working || force) && (
                            <Checkbox
                                id="remove-force"
                                label={t('providers.remove_force')}
                                isChecked={force}
                                onChange={(_, v) => setForce(v)}
                            />
                        )}
                        {many ? (
                            <FormGroup
                                label={t('providers.remove_count', { n: String(found.length) })}
                                fieldId="remove-count"
                            >
                                <TextInput
                                    id="remove-count"
                                    inputMode="numeric"
                                    autoComplete="off"
                                    value={typed}
                                    onChange={(_, v) => setTyped(v)}
                                />
                            </FormGroup>
                        ) : (
                            <Checkbox
                                id="remove-sure"
                                label={t('providers.remove_sure', { name: found[0]?.name ?? '' })}
                                isChecked={sure}
                                onChange={(_, v) => setSure(v)}
                            />
                        )}
                    </Form>
                )}
            </ModalBody>
            <ModalFooter>
                <Button variant="danger" isDisabled={!ready} isLoading={busy} onClick={() => void remove()}>
                    {t('providers.remove')}
                </Button>
                <Button variant="link" onClick={close}>
                    {t('action.cancel')}
                </Button>
            </ModalFooter>
        </Modal>
    );
}
