// SPDX-License-Identifier: Apache-2.0
// The screen of the machine, as far as the driver offers it: a picture, and a hand-off to a console program.
import { useEffect, useState } from 'react';
import { useMutation } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { api, urlOf } from '../../api/client';
import { ActionButton } from '../../actions/ActionMenu';
import { useActions, type TabProps } from '../../lib/ObjectPage';
import { CopyButton, Empty, FailureLine } from '../../states/states';
import { operationText, said } from '../../i18n/words';

interface Ticket {
    url?: string;
    protocol?: string;
    file?: string;
    file_name?: string;
    content?: string;
    expires_at?: string;
    [field: string]: unknown;
}

const REFRESH_MS = 5000;

export default function Console({ item }: TabProps) {
    const { t } = useTranslation();
    const actions = useActions(item);
    const find = (name: string) => actions.find((a) => a.name === name);
    const screen = find('vm.screenshot');
    const open = find('vm.console');
    const ticket = useMutation({
        mutationFn: async () => (await api.post<Ticket>(`/vms/${item.id}/console`, {})).data,
    });
    const offered = [screen, open].filter((a) => a?.ready);
    if (!offered.length)
        return (
            <Empty
                title={t('console.none')}
                body={
                    <dl className="pv-reasons">
                        {[screen, open, find('vm.keystrokes')].map(
                            (a) =>
                                a && (
                                    <div key={a.name}>
                                        <dt>{operationText(a.name, a.label)}</dt>
                                        <dd>{said(a, 'reason') || t('vm.driver_cannot')}</dd>
                                    </div>
                                ),
                        )}
                        {!screen && !open && <p>{t('state.not_there')}</p>}
                    </dl>
                }
            />
        );
    const target = ticket.data?.url ?? null;
    const file = ticket.data?.file ?? ticket.data?.content ?? null;
    return (
        <div className="pv-stack">
            <div className="pv-buttons">
                {open && <ActionButton primary={open.ready} action={open} onPick={() => ticket.mutate()} />}
                {ticket.isPending && <span className="pv-subtle">{t('state.loading')}</span>}
                {target && (
                    <>
                        <a className="pv-button pv-button--primary" href={target}>
                            {t('console.go')}
                        </a>
                        <CopyButton text={target} />
                    </>
                )}
                {file && (
                    <a
                        className="pv-button"
                        download={ticket.data?.file_name ?? `${item.name ?? item.id}.rdp`}
                        href={URL.createObjectURL(new Blob([file]))}
                    >
                        {t('console.file')}
                    </a>
                )}
            </div>
            {ticket.error && <FailureLine error={ticket.error} />}
            {screen?.ready && <Screen id={item.id} name={item.name ?? item.id} />}
        </div>
    );
}

function Screen({ id, name }: { id: string; name: string }) {
    const { t } = useTranslation();
    const [at, setAt] = useState(Date.now);
    const [failed, setFailed] = useState(false);
    useEffect(() => {
        if (failed) return;
        const timer = setInterval(
            () => document.visibilityState === 'visible' && setAt(Date.now()),
            REFRESH_MS,
        );
        return () => clearInterval(timer);
    }, [failed]);
    if (failed) return <p className="pv-subtle">{t('console.no_picture')}</p>;
    return (
        <figure className="pv-screen">
            <img
                src={urlOf(`/vms/${id}/screenshot`, { at })}
                alt={t('console.picture', { name })}
                onError={() => setFailed(true)}
            />
        </figure>
    );
}
