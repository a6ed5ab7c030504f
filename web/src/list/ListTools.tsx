// SPDX-License-Identifier: Apache-2.0
// Columns, density, export, copying the list as a command, saved views, refresh.
import { lazy, Suspense, useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { api } from '../api/client';
import { kindOf, pathOf } from '../api/model';
import { fieldLabel } from '../i18n/words';
import type { Column } from '../grid/columns';
import { MenuButton } from '../actions/ActionMenu';
import { notify } from '../lib/notify';
import { look } from '../lib/look';
import { useDialog } from '../lib/address';
import { useLook } from '../lib/hooks';
import type { ListUrl } from './url';
import type { ListDeclaration } from './types';
import { Views } from './Views';

const ColumnChooser = lazy(() => import('./ColumnChooser'));
const Commands = lazy(() => import('./Commands'));

function entry(name: string, label: string) {
    return { name, label, danger: false, ready: true, reason: null };
}

/** What rows can be grouped by: fields whose values are counted beside the grid first, then every other that can be. */
function groupsOf(list: ListDeclaration): string[] {
    const { fields } = kindOf(list.kind);
    const declared = (list.facets ?? []).filter((path) => fields[path]?.facet);
    const shown = list.columns.map((c) => c.path ?? c.id).filter((path) => fields[path]?.facet);
    const rest = Object.keys(fields).filter((path) => fields[path]?.facet && fields[path].type === 'enum');
    return list.facets ? [...new Set([...declared, ...shown, ...rest])] : [];
}

export function ListTools(p: {
    list: ListDeclaration;
    columns: Column[];
    url: ListUrl;
    filter: string;
    onReload: () => void;
    onCopy: () => void;
    /** Keeps apart the addresses of several lists on one page. */
    prefix: string;
    /** The list is the page. */
    heading: boolean;
    narrow: boolean;
}) {
    const { t } = useTranslation();
    const { density } = useLook();
    const [choosing, showChooser] = useDialog(`${p.prefix}columns`);
    const [copying, showCommands] = useDialog(`${p.prefix}commands`);
    const { list, url } = p;
    const fields = url.layout.columns.flatMap((id) => p.columns.find((c) => c.id === id)?.fields ?? [id]);
    const groupable = useMemo(() => groupsOf(list), [list]);
    const save = async (format: 'csv' | 'ndjson') => {
        const path = list.path ?? pathOf(list.kind);
        const query = { ...list.params, filter: p.filter, sort: url.sort, fields: fields.join(',') };
        try {
            let blob: Blob;
            if (format === 'csv') {
                blob = await api.blob(path, 'text/csv', { query });
            } else {
                const rows: string[] = [];
                for await (const row of api.ndjson<object>(path, query)) rows.push(JSON.stringify(row));
                blob = new Blob([rows.join('\n'), '\n'], { type: 'application/x-ndjson' });
            }
            const a = document.createElement('a');
            a.href = URL.createObjectURL(blob);
            a.download = `${list.name}.${format}`;
            a.click();
            setTimeout(() => URL.revokeObjectURL(a.href), 10_000);
        } catch (error) {
            notify({ variant: 'danger', title: t('list.export_failed'), body: String(error) });
        }
    };
    return (
        <div className="pv-tools" role="toolbar" aria-label={t('list.tools')}>
            <Views list={list} url={url} prefix={p.prefix} opens={p.heading} />
            {list.facets && !p.narrow && (
                <button
                    type="button"
                    className="pv-button"
                    aria-pressed={url.facets}
                    onClick={() => url.set({ facets: !url.facets }, url.facets ? 'close' : 'push')}
                >
                    {t('grid.facets')}
                </button>
            )}
            {groupable.length > 0 && (
                <MenuButton
                    surface="menu-group"
                    label={
                        url.group
                            ? t('lists.grouped', { field: fieldLabel(list.kind, url.group) })
                            : t('lists.group')
                    }
                    actions={[
                        entry('', t('lists.no_groups')),
                        ...groupable.map((path) => entry(path, fieldLabel(list.kind, path))),
                    ]}
                    onPick={({ name }) => url.set({ group: name || null })}
                />
            )}
            <MenuButton
                surface="menu-list"
                label={t('list.more')}
                actions={[
                    ...(p.narrow ? [] : [entry('columns', t('list.columns'))]),
                    entry('density', t(density === 'compact' ? 'list.normal' : 'list.compact')),
                    entry('copy', t('lists.copy')),
                    entry('csv', t('list.csv')),
                    entry('ndjson', t('list.ndjson')),
                    entry('commands', t('list.copy_as')),
                    entry('reload', t('action.refresh')),
                ]}
                onPick={({ name }) => {
                    if (name === 'columns') showChooser(true);
                    else if (name === 'commands') showCommands(true);
                    else if (name === 'density')
                        look.set({ density: density === 'compact' ? 'normal' : 'compact' });
                    else if (name === 'csv' || name === 'ndjson') void save(name);
                    else if (name === 'copy') p.onCopy();
                    else p.onReload();
                }}
            />
            {list.Tools && <list.Tools />}
            <Suspense fallback={null}>
                {choosing && !p.narrow && <ColumnChooser {...p} onClose={() => showChooser(false)} />}
                {copying && (
                    <Commands
                        list={list}
                        filter={p.filter}
                        sort={url.sort}
                        onClose={() => showCommands(false)}
                    />
                )}
            </Suspense>
        </div>
    );
}
