// SPDX-License-Identifier: Apache-2.0
// What changed, from what to what.
import { fieldOf } from '../../api/model';
import type { ChangedField } from '../../api/types';
import { plain } from '../../grid/columns';
import { changedLabel } from '../../i18n/words';

function Value({ change, value }: { change: ChangedField; value: unknown }) {
    const [kind, path] = change.id
        ? [
              change.field.slice(0, change.field.indexOf('.') - 1),
              change.field.slice(change.field.indexOf('.') + 1),
          ]
        : ['vm', change.field];
    if (value === null || value === undefined || (Array.isArray(value) && !value.length))
        return <span className="pv-subtle">–</span>;
    if (typeof value === 'object' && !Array.isArray(value) && 'name' in value)
        return <>{String((value as { name: unknown }).name)}</>;
    return <>{plain(value, fieldOf(kind, path), kind, path)}</>;
}

export function Changes({ changes }: { changes: ChangedField[] }) {
    return (
        <dl className="pv-changes">
            {changes.map((c, i) => (
                <div key={`${c.id ?? ''}${c.field}${i}`}>
                    <dt title={c.field}>{changedLabel('vm', c)}</dt>
                    <dd>
                        <del>
                            <Value change={c} value={c.from} />
                        </del>
                        <span aria-hidden="true"> → </span>
                        <ins>
                            <Value change={c} value={c.to} />
                        </ins>
                    </dd>
                </div>
            ))}
        </dl>
    );
}
