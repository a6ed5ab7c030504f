// SPDX-License-Identifier: Apache-2.0
// How a channel or a webhook is doing, as a column.
import '../i18n/channels';
import { valueAt } from '../api/model';
import type { Problem } from '../api/problem';
import type { Item } from '../api/types';
import { column } from '../grid/columns';
import { problemText, t } from '../i18n/words';
import { Mark } from './cells';

export function receiverState(kind: 'notification_target' | 'webhook') {
    return {
        ...column(kind, 'last.error', { width: 240, fields: ['last.error', 'last.sent_at'] }),
        cell: (item: Item) => {
            const error = valueAt(item, 'last.error') as Problem | null;
            const sent = valueAt(item, 'last.sent_at');
            return (
                <span className="pv-state">
                    <Mark as={error ? 'bad' : sent ? 'ok' : 'none'} />
                    {error
                        ? problemText(error.code, error.title)
                        : t(sent ? 'channels.ok' : 'channels.never')}
                </span>
            );
        },
    };
}
