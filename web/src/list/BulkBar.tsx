// SPDX-License-Identifier: Apache-2.0
// What can be done to everything that is selected. The dialog then says what would happen and what is skipped.
import { useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { Link } from 'react-router';
import { operations } from '../api/model';
import { may, useMe } from '../api/query';
import { bulkOperations } from '../actions/registry';
import { MenuButton } from '../actions/ActionMenu';
import { useAct } from '../actions/useAct';
import { NOTHING, sizeOf, type Selection } from '../grid/selection';
import { number } from '../i18n/format';
import type { ListDeclaration } from './types';

const FIRST = 4;

export function BulkBar(p: {
    list: ListDeclaration;
    selection: Selection;
    count: number;
    filter: string;
    onSelection: (selection: Selection) => void;
}) {
    const { t } = useTranslation();
    const me = useMe();
    const act = useAct();
    const { kind } = p.list;
    const actions = useMemo(
        () => bulkOperations(kind, operations(), (permission) => may(me, permission)),
        [kind, me],
    );
    const n = sizeOf(p.selection);
    const { Bulk } = p.list;
    if (!n || (!actions.length && !Bulk)) return null;
    const start = (name: string) => act(name, { kind, selection: p.selection });
    const ids = p.selection.by === 'ids' ? [...p.selection.ids] : [];
    return (
        <div className="pv-bulk" role="toolbar" aria-label={t('grid.bulk')}>
            <span className="pv-bulk__count">{t('grid.selected', { count: n, n: number(n) })}</span>
            {p.selection.by === 'ids' && n < p.count && (
                <button
                    type="button"
                    className="pv-button pv-button--link"
                    onClick={() =>
                        p.onSelection({ by: 'filter', filter: p.filter, count: p.count, except: new Set() })
                    }
                >
                    {t('grid.all_matching', { count: p.count, n: number(p.count) })}
                </button>
            )}
            {Bulk && <Bulk selection={p.selection} />}
            {actions.slice(0, FIRST).map((action) => (
                <button
                    key={action.name}
                    type="button"
                    className="pv-button"
                    aria-disabled={!action.ready}
                    title={action.ready ? undefined : t('state.needs', { permission: action.reason })}
                    onClick={() => action.ready && start(action.name)}
                >
                    {action.label}
                </button>
            ))}
            {actions.length > FIRST && (
                <MenuButton
                    surface="menu-bulk"
                    label={t('action.more')}
                    actions={actions.slice(FIRST)}
                    onPick={(action) => start(action.name)}
                />
            )}
            {kind === 'vm' && ids.length === 2 && (
                <Link className="pv-button" to={`/vms/compare?a=${ids[0]}&b=${ids[1]}`}>
                    {t('vm.compare')}
                </Link>
            )}
            <button
                type="button"
                className="pv-button pv-button--link"
                onClick={() => p.onSelection(NOTHING)}
            >
                {t('grid.clear_selection')}
            </button>
        </div>
    );
}
