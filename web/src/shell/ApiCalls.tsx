// SPDX-License-Identifier: Apache-2.0
// The API calls that the page at hand has made, each once, to be repeated elsewhere. The address of the dialog is ?calls=1.
import { useSyncExternalStore } from 'react';
import { Link } from 'react-router';
import { useTranslation } from 'react-i18next';
import '../i18n/estate';
import { calls } from '../api/calls';
import type { Call } from '../api/client';
import { number } from '../i18n/format';
import { Modal, ModalBody, ModalHeader } from '../lib/Modal';
import { Snippets } from '../lib/Snippets';

/** Ids in an address are places in the route. */
export function routeOf(call: { method: string; url: string }): string {
    const path = call.url.split('?')[0]!;
    let owned = /_[0-9a-z]{26}\/[a-z]+\/[a-z]{2,3}_[0-9a-z]{26}/.test(path);
    return `${call.method} ${path.replace(/\b[a-z]{2,3}_[0-9a-z]{26}\b/g, () => {
        const name = owned ? '{owner}' : '{id}';
        owned = false;
        return name;
    })}`;
}

export function distinct(all: Call[]): (Call & { times: number })[] {
    const found = new Map<string, Call & { times: number }>();
    for (const call of all) {
        const key = `${call.method} ${call.url} ${JSON.stringify(call.body ?? null)}`;
        found.set(key, { ...call, times: (found.get(key)?.times ?? 0) + 1 });
    }
    return [...found.values()];
}

export default function ApiCalls({ onClose }: { onClose: () => void }) {
    const { t } = useTranslation();
    const all = distinct(useSyncExternalStore(calls.subscribe, calls.get));
    return (
        <Modal variant="large" onClose={onClose} data-surface="calls" aria-labelledby="calls-title">
            <ModalHeader
                title={t('estate.calls.title')}
                labelId="calls-title"
                description={t('estate.calls.body')}
            />
            <ModalBody tabIndex={0} role="region" aria-label={t('estate.calls.title')}>
                {!all.length && <p className="pv-subtle">{t('estate.calls.none')}</p>}
                {all.map((call) => (
                    <details
                        key={`${call.method}${call.url}${JSON.stringify(call.body)}`}
                        className="pv-call"
                    >
                        <summary>
                            <code className="pv-code">
                                <strong>{call.method}</strong> {decodeURIComponent(call.url)}
                            </code>{' '}
                            <span className="pv-subtle">
                                {[
                                    call.status,
                                    t('estate.calls.ms', { n: number(call.ms) }),
                                    call.times > 1 && t('estate.calls.times', { count: call.times }),
                                ]
                                    .filter(Boolean)
                                    .join(' · ')}
                            </span>
                        </summary>
                        <Snippets request={call} />
                        <Link to={`/explorer?route=${encodeURIComponent(routeOf(call))}`}>
                            {t('estate.calls.explore')}
                        </Link>
                    </details>
                ))}
            </ModalBody>
        </Modal>
    );
}
