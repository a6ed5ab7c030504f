// SPDX-License-Identifier: Apache-2.0
// Fields of an object as a list of terms. On hover the field's path and what it means, from the model.
import { useEffect, useState, type ReactNode } from 'react';
import i18next from 'i18next';
import { docsOf, fieldOf, valueAt } from '../api/model';
import type { Item } from '../api/types';
import { plain } from '../grid/columns';
import { fieldLabel } from '../i18n/words';
import { RefLink, TagList } from './cells';

/** What stands in titles: one line about each field and its native name. */
export function useDocs(kind: string, family?: string): Record<string, string> {
    const [docs, setDocs] = useState<Record<string, string>>({});
    useEffect(() => {
        let alive = true;
        void docsOf(kind, family).then((d) => alive && setDocs(d));
        return () => {
            alive = false;
        };
    }, [kind, family]);
    return docs;
}

/** Family of the provider that an object is of. */
export function familyOf(item: Item): string | undefined {
    return (item.provider as { family?: string } | null | undefined)?.family;
}

/** Kinds of devices in the order of starting have words; what else stands in lists are names. */
function itemText(path: string, value: string): string {
    const key = `machine.boot.${value}`;
    return path === 'boot.order' && i18next.exists(key) ? i18next.t(key) : value;
}

/** A field's value in full, for pages (not for cells of the grid). */
export function FieldValue({ item, path }: { item: Item; path: string }): ReactNode {
    const field = fieldOf(item.kind, path);
    const value = valueAt(item, path);
    if (value === null || value === undefined || (Array.isArray(value) && !value.length))
        return <span className="pv-subtle">–</span>;
    if (field?.type === 'ref') return <RefLink value={value as { id: string; name?: string }} />;
    if (field?.type === 'refs')
        return (
            <span className="pv-list">
                {(value as { id: string; name?: string }[]).map((r) => (
                    <RefLink key={r.id} value={r} />
                ))}
            </span>
        );
    if (path === 'tags') return <TagList tags={value as string[]} />;
    if (field?.type === 'list')
        return (
            <span className="pv-list">
                {(value as string[]).map((v) => (
                    <span key={v}>{itemText(path, v)}</span>
                ))}
            </span>
        );
    if (field?.type === 'json') return <code className="pv-code">{JSON.stringify(value)}</code>;
    return <>{plain(value, field, item.kind, path) || '–'}</>;
}

export function Fields({
    item,
    paths,
    title,
    known = false,
}: {
    item: Item;
    paths: string[];
    title?: string;
    known?: boolean;
}) {
    const docs = useDocs(item.kind, familyOf(item));
    const shown = paths.filter(
        (path) => fieldOf(item.kind, path) && (!known || (valueAt(item, path) ?? null) !== null),
    );
    if (!shown.length) return null;
    return (
        <section className="pv-card">
            {title && <h2 className="pv-card__title">{title}</h2>}
            <dl className="pv-fields">
                {shown.map((path) => (
                    <div key={path}>
                        <dt title={[path, docs[path]].filter(Boolean).join(': ')}>
                            {fieldLabel(item.kind, path)}
                        </dt>
                        <dd>
                            <FieldValue item={item} path={path} />
                        </dd>
                    </div>
                ))}
            </dl>
        </section>
    );
}
