// SPDX-License-Identifier: Apache-2.0
// Times in which alerts about some objects are told to nobody: what is on, what is to come, what was.
import { lazy } from 'react';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import '../../i18n/estate';
import { fieldOf, kinds, pathOf } from '../../api/model';
import { listQuery } from '../../api/query';
import type { Item, JsonSchema } from '../../api/types';
import { column } from '../../grid/columns';
import { dateTime, number } from '../../i18n/format';
import { t } from '../../i18n/words';
import { Mark, RefLink } from '../../lib/cells';
import { useDebounced } from '../../lib/hooks';
import { editLink, useEditing } from '../../list/editing';
import type { ListDeclaration } from '../../list/types';
import { FailureLine } from '../../states/states';
import { ManagedPage } from './alertTabs';

const EditForm = lazy(() => import('../../lib/EditForm'));
const NewForm = lazy(() => import('../../lib/NewForm'));

const PATH = '/alert-silences';

export function standing(item: Item, now = Date.now()): 'now' | 'later' | 'over' {
    const at = (path: string) => new Date(String(item[path])).getTime();
    return at('ends_at') <= now ? 'over' : at('starts_at') > now ? 'later' : 'now';
}

const when = (path: string) =>
    column('alert_silence', path, { width: 180, cell: (item: Item) => dateTime(String(item[path])) });

const list: ListDeclaration = {
    kind: 'alert_silence',
    name: 'alert-silences',
    title: 'estate.silences.tab',
    empty: 'estate.silences.none',
    columns: [
        column('alert_silence', 'name', { width: 220 }),
        {
            id: 'standing',
            label: () => t('estate.silences.state'),
            width: 110,
            fields: ['starts_at', 'ends_at'],
            cell: (item: Item) => (
                <span className="pv-state">
                    <Mark as={{ now: 'on', later: 'wait', over: 'off' }[standing(item)]} />
                    {t(`estate.silences.${standing(item)}`)}
                </span>
            ),
            text: (item: Item) => t(`estate.silences.${standing(item)}`),
        },
        column('alert_silence', 'of'),
        column('alert_silence', 'filter', { width: 260 }),
        column('alert_silence', 'rule'),
        when('starts_at'),
        when('ends_at'),
        column('alert_silence', 'created_by'),
        column('alert_silence', 'notes'),
    ],
    shown: ['name', 'standing', 'of', 'filter', 'rule', 'starts_at', 'ends_at', 'created_by'],
    narrow: ['name', 'standing'],
    sort: '-ends_at',
    plain: true,
    linkOf: editLink,
};

/** The server takes a text; people choose among the kinds that alerts can be about. */
const shape = (schema: JsonSchema): JsonSchema => ({
    ...schema,
    properties: {
        ...schema.properties,
        of: {
            ...schema.properties?.of,
            enum: kinds().filter((k) => fieldOf(k, 'presence') || k === 'provider' || k === 'task'),
        },
    },
});

const SHOWN = 5;

/** What it is about now. */
function Meant({ of, filter }: { of: string; filter: string }) {
    const { t } = useTranslation();
    const text = useDebounced(filter, 300);
    const { data, error } = useQuery({
        ...listQuery(pathOf(of), { filter: text, limit: SHOWN, count: 'exact', fields: 'name' }),
        retry: false,
    });
    if (error) return <FailureLine error={error} />;
    if (typeof data?.count !== 'number') return null;
    return (
        <div aria-live="polite" data-meant={data.count}>
            <strong>{t('estate.silences.meant', { count: data.count, n: number(data.count) })}</strong>
            <ul className="pv-plainlist">
                {data.items.map((item) => (
                    <li key={item.id}>
                        <RefLink value={item} kind={of} />
                    </li>
                ))}
            </ul>
        </div>
    );
}

const meant = ({ of, filter }: Record<string, unknown>) =>
    of && filter ? <Meant of={String(of)} filter={String(filter)} /> : null;

export function Silences() {
    const { t } = useTranslation();
    const { id, isNew, close } = useEditing();
    const form = { onClose: close, shape, extra: meant };
    return (
        <ManagedPage which="silences" list={list} title="estate.silences.tab" add="estate.silences.new">
            {id ? (
                <EditForm
                    key={id}
                    kind="alert_silence"
                    id={id}
                    lost={t('estate.silences.delete')}
                    {...form}
                />
            ) : (
                isNew && <NewForm path={PATH} title={t('estate.silences.new')} {...form} />
            )}
        </ManagedPage>
    );
}
