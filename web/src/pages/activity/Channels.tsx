// SPDX-License-Identifier: Apache-2.0
// Who is told about alerts: notification targets, with a test and a log for each.
import { lazy } from 'react';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import '../../i18n/estate';
import '../../i18n/channels';
import { objectQuery } from '../../api/query';
import type { Item, JsonSchema } from '../../api/types';
import { column } from '../../grid/columns';
import { receiverState } from '../../lib/receiver';
import { editLink, useEditing } from '../../list/editing';
import type { ListDeclaration } from '../../list/types';
import { ManagedPage } from './alertTabs';

const EditForm = lazy(() => import('../../lib/EditForm'));
const NewForm = lazy(() => import('../../lib/NewForm'));
const DeliveryLog = lazy(() => import('../../lib/DeliveryLog'));
const SendTest = lazy(async () => ({ default: (await import('../../lib/SendTest')).SendTest }));

/** What only some types have. */
const ONLY: Record<string, string[]> = {
    server: ['mail', 'syslog'],
    port: ['mail', 'syslog'],
    security: ['mail', 'syslog'],
    transport: ['syslog'],
    facility: ['syslog'],
    username: ['mail'],
    password: ['mail'],
    from: ['mail'],
    to: ['mail'],
    url: ['webhook'],
    secret: ['webhook'],
};
const has = (type: unknown, key: string) => !ONLY[key] || ONLY[key].includes(String(type));

function shaped(schema: JsonSchema, type: unknown): JsonSchema {
    const { enabled, tell_resolved, ...rest } = schema.properties ?? {};
    const properties = Object.fromEntries(Object.entries(rest).filter(([key]) => has(type, key)));
    return {
        ...schema,
        properties: {
            ...properties,
            tell_resolved: { ...tell_resolved, default: true },
            enabled: { ...enabled, default: true },
        },
    };
}

/** Another type forgets what only the one before had. */
const tidy = (value: Record<string, unknown>) =>
    Object.fromEntries(Object.entries(value).filter(([key]) => has(value.type, key)));

const list: ListDeclaration = {
    kind: 'notification_target',
    name: 'notification-targets',
    title: 'channels.title',
    empty: 'channels.none',
    columns: [
        column('notification_target', 'name', { width: 220 }),
        column('notification_target', 'type', { width: 110 }),
        column('notification_target', 'enabled', { width: 90 }),
        receiverState('notification_target'),
        column('notification_target', 'severity', { width: 110 }),
        column('notification_target', 'last.sent_at'),
        column('notification_target', 'last.failed_at'),
        column('notification_target', 'server'),
        column('notification_target', 'to'),
        column('notification_target', 'url'),
    ],
    shown: ['name', 'type', 'enabled', 'last.error', 'severity', 'last.sent_at', 'last.failed_at'],
    narrow: ['name', 'last.error'],
    sort: 'name',
    plain: true,
    linkOf: editLink,
};

function Edit({ id, onClose }: { id: string; onClose: () => void }) {
    const { t } = useTranslation();
    const one = useQuery(objectQuery<Item>('notification_target', id, { view: 'full' }));
    const type = one.data?.item.type;
    return (
        <EditForm
            kind="notification_target"
            id={id}
            onClose={onClose}
            lost={t('channels.lost')}
            shape={(schema) => shaped(schema, type)}
            extra={() => <SendTest kind="notification_target" id={id} />}
        />
    );
}

export function Component() {
    const { t } = useTranslation();
    const { id, log, isNew, close } = useEditing();
    return (
        <ManagedPage which="channels" list={list} title="channels.title" add="channels.new">
            {id ? (
                <Edit key={id} id={id} onClose={close} />
            ) : log ? (
                <DeliveryLog key={log} kind="notification_target" id={log} onClose={close} />
            ) : (
                isNew && (
                    <NewForm
                        path="/notification-targets"
                        title={t('channels.new')}
                        onClose={close}
                        start={{ type: 'mail' }}
                        shape={(schema, value) => shaped(schema, value.type)}
                        tidy={tidy}
                    />
                )
            )}
        </ManagedPage>
    );
}
