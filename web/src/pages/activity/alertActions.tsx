// SPDX-License-Identifier: Apache-2.0
// What can be done about alerts: take note, keep quiet, say that it is over. The address of the dialog is ?act=...&on=...
import { useCallback } from 'react';
import { useTranslation } from 'react-i18next';
import '../../i18n/estate';
import { useCan } from '../../api/query';
import type { Item } from '../../api/types';
import type { Action } from '../../actions/registry';
import { ActionMenu } from '../../actions/ActionMenu';
import type { Selection } from '../../grid/selection';
import { permissionText } from '../../i18n/words';
import { useAddress } from '../../lib/address';
import { writeSelection } from '../../lib/held';
import type { BulkProps, MenuProps } from '../../list/types';

export const ALERT_ACTIONS = ['acknowledge', 'silence', 'unsilence', 'resolve'] as const;
export type AlertAction = (typeof ALERT_ACTIONS)[number];

export function useAlertAct() {
    const [, change] = useAddress();
    return useCallback(
        (action: AlertAction, on: Selection) =>
            change((next) => {
                next.set('act', action);
                next.set('on', writeSelection(on));
            }),
        [change],
    );
}

/** Those that make sense; without the right all of them, disabled with the reason. */
export function useAlertActions(alert?: Item): Action[] {
    const { t } = useTranslation();
    const may = useCan('alert.manage');
    const silent =
        typeof alert?.silenced_until === 'string' && new Date(alert.silenced_until).getTime() > Date.now();
    const shown: AlertAction[] = alert
        ? alert.state === 'resolved'
            ? []
            : [
                  ...(alert.state === 'firing' ? (['acknowledge'] as const) : []),
                  silent ? 'unsilence' : 'silence',
                  'resolve',
              ]
        : ['acknowledge', 'silence', 'resolve'];
    return shown.map((name) => ({
        name,
        label: t(`estate.alerts.${name}`),
        danger: false,
        ready: may,
        reason: may ? null : t('state.needs', { permission: permissionText('alert.manage') }),
    }));
}

export function AlertBulk({ selection }: BulkProps) {
    const act = useAlertAct();
    return (
        <>
            {useAlertActions().map((action) => (
                <button
                    key={action.name}
                    type="button"
                    className="pv-button"
                    aria-disabled={!action.ready}
                    title={action.reason ?? undefined}
                    onClick={() => action.ready && act(action.name as AlertAction, selection)}
                >
                    {action.label}
                </button>
            ))}
        </>
    );
}

export function AlertMenu({ place, item, onClose }: MenuProps) {
    const act = useAlertAct();
    const actions = useAlertActions(item);
    return (
        <ActionMenu
            place={place}
            onClose={onClose}
            own={{
                actions,
                pick: (action) => act(action.name as AlertAction, { by: 'ids', ids: new Set([item.id]) }),
            }}
        />
    );
}
