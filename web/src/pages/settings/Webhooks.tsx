// SPDX-License-Identifier: Apache-2.0
// Programs that hear of events: webhooks, with a test and a log for each.
import { lazy, Suspense, useState } from 'react';
import { Button } from '@patternfly/react-core';
import { useTranslation } from 'react-i18next';
import '../../i18n/channels';
import { kindOf } from '../../api/model';
import { useCan } from '../../api/query';
import type { JsonSchema } from '../../api/types';
import { column } from '../../grid/columns';
import { receiverState } from '../../lib/receiver';
import { editLink, NewButton, useEditing } from '../../list/editing';
import { ListView } from '../../list/ListPage';
import type { ListDeclaration } from '../../list/types';
import { CopyButton, Denied } from '../../states/states';

const EditForm = lazy(() => import('../../lib/EditForm'));
const NewForm = lazy(() => import('../../lib/NewForm'));
const DeliveryLog = lazy(() => import('../../lib/DeliveryLog'));
const SendTest = lazy(async () => ({ default: (await import('../../lib/SendTest')).SendTest }));

const SECRET_BYTES = 32;

const list: ListDeclaration = {
    kind: 'webhook',
    name: 'webhooks',
    title: 'channels.hooks',
    empty: 'channels.none_hooks',
    columns: [
        column('webhook', 'name', { width: 200 }),
        column('webhook', 'enabled', { width: 90 }),
        receiverState('webhook'),
        column('webhook', 'url', { width: 320 }),
        column('webhook', 'event_types'),
        column('webhook', 'selector'),
        column('webhook', 'last.sent_at'),
        column('webhook', 'last.failed_at'),
        column('webhook', 'missed'),
    ],
    shown: ['name', 'enabled', 'last.error', 'url', 'event_types', 'last.sent_at'],
    narrow: ['name', 'last.error'],
    sort: 'name',
    plain: true,
    linkOf: editLink,
};

const shape = (schema: JsonSchema): JsonSchema => ({
    ...schema,
    properties: {
        ...schema.properties,
        enabled: { ...schema.properties?.enabled, default: true },
    },
});

/** A secret nobody has to think of; its receiver needs it, too. */
function Secret({ put }: { put: (secret: string) => void }) {
    const { t } = useTranslation();
    const [made, setMade] = useState<string | null>(null);
    const make = () => {
        const bytes = crypto.getRandomValues(new Uint8Array(SECRET_BYTES));
        const text = [...bytes].map((b) => b.toString(16).padStart(2, '0')).join('');
        setMade(text);
        put(text);
    };
    return (
        <div className="pv-stack">
            <div className="pv-buttons">
                <Button variant="secondary" onClick={make}>
                    {t('channels.generate')}
                </Button>
            </div>
            {made && (
                <p>
                    {t('channels.secret_once')} <code className="pv-code">{made}</code>{' '}
                    <CopyButton text={made} />
                </p>
            )}
        </div>
    );
}

export default function Webhooks() {
    const { t } = useTranslation();
    const { id, log, isNew, close } = useEditing();
    const needed = kindOf('webhook').permission;
    if (!useCan(needed)) return <Denied permission={needed} />;
    return (
        <div className="pv-sections">
            <p>{t('channels.hooks_body')}</p>
            <div>
                <NewButton path="/webhooks">{t('channels.new_hook')}</NewButton>
            </div>
            <ListView list={list} />
            <Suspense fallback={null}>
                {id ? (
                    <EditForm
                        key={id}
                        kind="webhook"
                        id={id}
                        onClose={close}
                        lost={t('channels.lost_hook')}
                        shape={shape}
                        extra={() => <SendTest kind="webhook" id={id} />}
                    />
                ) : log ? (
                    <DeliveryLog key={log} kind="webhook" id={log} onClose={close} />
                ) : (
                    isNew && (
                        <NewForm
                            path="/webhooks"
                            title={t('channels.new_hook')}
                            onClose={close}
                            shape={shape}
                            extra={(value, set) => <Secret put={(secret) => set({ ...value, secret })} />}
                        />
                    )
                )}
            </Suspense>
        </div>
    );
}
