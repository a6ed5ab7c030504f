// SPDX-License-Identifier: Apache-2.0
// The screen of the machine, as far as the driver offers it: a picture that is renewed, keys and text, and a hand-off to a console
// program.
import { useEffect, useState } from 'react';
import { useMutation } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import '../../i18n/machine';
import { api, urlOf } from '../../api/client';
import { ActionButton, MenuButton } from '../../actions/ActionMenu';
import type { Action } from '../../actions/registry';
import { dateTime, timeOfDay } from '../../i18n/format';
import { operationText } from '../../i18n/words';
import { useActions, type TabProps } from '../../lib/ObjectPage';
import { CopyButton, Empty, FailureLine, Notice } from '../../states/states';
import { programUrl, rdpFile, untypable, type Ticket } from './handoff';

const REFRESH_MS = 5000;
const MOST_TEXT = 1024;
const KEYS = [
    'enter',
    'esc',
    'tab',
    'f1',
    'f2',
    'f8',
    'f10',
    'f12',
    'ctrl+c',
    'ctrl+alt+f1',
    'ctrl+alt+f2',
    'ctrl+alt+f7',
];

export default function Console({ item }: TabProps) {
    const { t } = useTranslation();
    const actions = useActions(item);
    const find = (name: string) => actions.find((a) => a.name === name);
    const screen = find('vm.screenshot');
    const open = find('vm.console');
    const keys = find('vm.keystrokes');
    const offered = [screen, open, keys].filter((a) => a?.ready);
    if (!offered.length)
        return (
            <Empty
                title={t('console.none')}
                body={
                    <dl className="pv-reasons">
                        {[screen, open, keys].map(
                            (a) =>
                                a && (
                                    <div key={a.name}>
                                        <dt>{operationText(a.name, a.label)}</dt>
                                        <dd>{a.reason ?? t('machine.vm.driver_cannot')}</dd>
                                    </div>
                                ),
                        )}
                        {!screen && !open && <p>{t('state.not_there')}</p>}
                    </dl>
                }
            />
        );
    return (
        <div className="pv-console">
            <div className="pv-console__screen">
                {screen?.ready ? (
                    <Screen id={item.id} name={item.name ?? item.id} />
                ) : (
                    <p className="pv-subtle pv-pad">{screen?.reason ?? t('machine.console.off')}</p>
                )}
            </div>
            <div className="pv-console__side">
                {keys && <Keyboard id={item.id} action={keys} />}
                {open && <HandOff id={item.id} name={item.name ?? item.id} action={open} />}
                <p className="pv-subtle">{t('machine.console.live_none')}</p>
            </div>
        </div>
    );
}

function Screen({ id, name }: { id: string; name: string }) {
    const { t } = useTranslation();
    const [at, setAt] = useState(Date.now);
    const [every, setEvery] = useState(true);
    const [failed, setFailed] = useState(false);
    const [shown, setShown] = useState<number | null>(null);
    useEffect(() => {
        if (failed || !every) return;
        const timer = setInterval(
            () => document.visibilityState === 'visible' && setAt(Date.now()),
            REFRESH_MS,
        );
        return () => clearInterval(timer);
    }, [failed, every]);
    const again = () => {
        setFailed(false);
        setAt(Date.now());
    };
    const src = urlOf(`/vms/${id}/screenshot`, { at });
    return (
        <section className="pv-card" aria-label={t('machine.sum.screen')}>
            <div className="pv-console__bar">
                <button type="button" className="pv-button pv-button--small" onClick={again}>
                    {t('machine.console.refresh')}
                </button>
                <label className="pv-console__every">
                    <input type="checkbox" checked={every} onChange={(e) => setEvery(e.target.checked)} />
                    {t('machine.console.every')}
                </label>
                {shown !== null && !failed && (
                    <>
                        <span className="pv-subtle">
                            {t('machine.console.taken', { time: timeOfDay(shown) })}
                        </span>
                        <a
                            className="pv-button pv-button--small"
                            href={src}
                            download={`${name.replace(/[^\w.-]+/g, '_')}.png`}
                        >
                            {t('machine.console.save_picture')}
                        </a>
                    </>
                )}
            </div>
            {failed ? (
                <p className="pv-subtle pv-pad">{t('console.no_picture')}</p>
            ) : (
                <figure className="pv-screen">
                    <img
                        src={src}
                        alt={t('console.picture', { name })}
                        onLoad={() => setShown(Date.now())}
                        onError={() => setFailed(true)}
                    />
                </figure>
            )}
        </section>
    );
}

function Keyboard({ id, action }: { id: string; action: Action }) {
    const { t } = useTranslation();
    const [text, setText] = useState('');
    const [said, setSaid] = useState<string | null>(null);
    const cannot = untypable(text);
    const long = text.length > MOST_TEXT;
    const send = useMutation({
        mutationFn: (body: Record<string, unknown>) => api.post(`/vms/${id}/keystrokes`, body),
        onSuccess: (_, body) => {
            const typed = body.text as string | undefined;
            setSaid(
                typed
                    ? t('machine.console.typed', { count: [...typed].length })
                    : t('machine.console.pressed', {
                          keys: body.ctrl_alt_del ? nice('ctrl+alt+del') : nice((body.keys as string[])[0]!),
                      }),
            );
            if (typed) setText('');
        },
        onMutate: () => setSaid(null),
    });
    const press = (body: Record<string, unknown>) => action.ready && send.mutate(body);
    const list: Action[] = KEYS.map((k) => ({
        name: k,
        label: nice(k),
        danger: false,
        ready: action.ready,
        reason: null,
    }));
    const problem = cannot.length
        ? t('machine.console.cannot', {
              count: cannot.length,
              list: cannot.slice(0, 12).map(visible).join(' '),
          })
        : long
          ? t('machine.console.too_long')
          : null;
    return (
        <section className="pv-card">
            <h2 className="pv-card__title">{t('machine.console.keys')}</h2>
            <div className="pv-pad pv-stack">
                <div className="pv-buttons">
                    <ActionButton
                        action={{ ...action, label: nice('ctrl+alt+del') }}
                        onPick={() => press({ ctrl_alt_del: true })}
                    />
                    {action.ready && (
                        <MenuButton
                            surface="menu-console"
                            label={t('machine.console.keys')}
                            actions={list}
                            onPick={(a) => press({ keys: [a.name] })}
                        />
                    )}
                </div>
                <form
                    onSubmit={(e) => {
                        e.preventDefault();
                        if (text && !problem) press({ text });
                    }}
                >
                    <label className="pv-console__label" htmlFor="console-text">
                        {t('machine.console.type')}
                    </label>
                    <textarea
                        id="console-text"
                        className="pv-input pv-mono"
                        rows={3}
                        value={text}
                        spellCheck={false}
                        disabled={!action.ready}
                        aria-invalid={!!problem}
                        aria-describedby="console-text-help"
                        onChange={(e) => setText(e.target.value)}
                    />
                    <p id="console-text-help" className={problem ? 'pv-wrong' : 'pv-subtle'}>
                        {problem ?? t('machine.console.type_help')}
                    </p>
                    <button
                        type="submit"
                        className="pv-button"
                        aria-disabled={!text || !!problem || send.isPending || !action.ready}
                    >
                        {t('machine.console.send')}
                    </button>
                </form>
                <div aria-live="polite">{said && <Notice variant="success" title={said} />}</div>
                {send.error && <FailureLine error={send.error} />}
            </div>
        </section>
    );
}

/** ctrl+alt+del as it stands on keys. */
function nice(keys: string): string {
    return keys
        .split('+')
        .map((k) => k.charAt(0).toUpperCase() + k.slice(1))
        .join('+');
}

function visible(c: string): string {
    return /[\p{C}\p{Z}]/u.test(c) ? `U+${c.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}` : c;
}

function HandOff({ id, name, action }: { id: string; name: string; action: Action }) {
    const { t } = useTranslation();
    const ticket = useMutation({
        mutationFn: async () => (await api.post<Ticket>(`/vms/${id}/console`, {})).data,
    });
    const [file, setFile] = useState<string | null>(null);
    const data = ticket.data;
    useEffect(() => {
        const text = data && rdpFile(data);
        if (!text) return;
        const url = URL.createObjectURL(new Blob([text], { type: 'application/x-rdp' }));
        setFile(url);
        return () => URL.revokeObjectURL(url);
    }, [data]);
    const target = data ? programUrl(data) : null;
    return (
        <section className="pv-card">
            <h2 className="pv-card__title">{t('machine.console.handoff')}</h2>
            <div className="pv-pad pv-stack">
                <p className="pv-subtle">{t('machine.console.handoff_body')}</p>
                <div className="pv-buttons">
                    <ActionButton
                        primary={action.ready && !data}
                        action={action}
                        onPick={() => ticket.mutate()}
                    />
                    {target && (
                        <a className="pv-button pv-button--primary" href={target}>
                            {t('console.go')}
                        </a>
                    )}
                    {file && data && (
                        <a
                            className="pv-button pv-button--primary"
                            download={`${name.replace(/[^\w.-]+/g, '_')}.rdp`}
                            href={file}
                        >
                            {t('console.file')}
                        </a>
                    )}
                </div>
                {!action.ready && action.reason && <p className="pv-subtle">{action.reason}</p>}
                {ticket.isPending && <p className="pv-subtle">{t('state.loading')}</p>}
                {data && (
                    <>
                        <dl className="pv-fields">
                            {Object.entries(data)
                                .filter(([, v]) => v !== null && v !== undefined && v !== '')
                                .map(([k, v]) => (
                                    <div key={k}>
                                        <dt title={k}>
                                            {t(`machine.console.part.${k}`, { defaultValue: k })}
                                        </dt>
                                        <dd className="pv-mono">
                                            {k === 'expires_at' ? dateTime(String(v)) : String(v)}{' '}
                                            <CopyButton text={String(v)} />
                                        </dd>
                                    </div>
                                ))}
                        </dl>
                        {data.expires_at && (
                            <p className="pv-subtle">
                                {t('machine.console.expires', { time: timeOfDay(data.expires_at) })}
                            </p>
                        )}
                    </>
                )}
                {ticket.error && <FailureLine error={ticket.error} />}
            </div>
        </section>
    );
}
