// SPDX-License-Identifier: Apache-2.0
// What a disk image stands on, down to the last file, and what stands on it.
import { useQuery } from '@tanstack/react-query';
import { Link } from 'react-router';
import { useTranslation } from 'react-i18next';
import '../../i18n/estate';
import { api } from '../../api/client';
import { listQuery } from '../../api/query';
import type { Item } from '../../api/types';
import { bytes, number } from '../../i18n/format';
import { enumText } from '../../i18n/words';
import { Health } from '../../lib/cells';
import type { TabProps } from '../../lib/ObjectPage';
import { Failure, Notice, SkeletonLines } from '../../states/states';

interface Image extends Item {
    parent?: { id: string; name?: string | null } | null;
    used_by?: { id: string; name?: string | null }[];
    file_bytes?: number | null;
    subformat?: string | null;
}

const MOST = 64;
const FIELDS = 'name,parent,used_by,file_bytes,subformat,health';

/** The images below this one, the nearest first. A file may be gone, and a broken chain may turn in a circle. */
async function below(image: Image, signal: AbortSignal): Promise<Image[]> {
    const found: Image[] = [];
    const seen = new Set([image.id]);
    for (let next = image.parent; next && !seen.has(next.id) && found.length < MOST;) {
        seen.add(next.id);
        const one = await api.get<Image>(`/disk-images/${next.id}`, { fields: FIELDS }, signal);
        found.push(one);
        next = one.parent;
    }
    return found;
}

function Line({ image, depth, here }: { image: Image; depth: number; here?: boolean }) {
    const { t } = useTranslation();
    const users = image.used_by ?? [];
    return (
        <li className="pv-chain__line" style={{ paddingInlineStart: `${depth * 22}px` }}>
            {here ? (
                <strong aria-current="true">{image.name}</strong>
            ) : (
                <Link className="pv-link" to={`/storage/disks/${image.id}`}>
                    {image.name}
                </Link>
            )}
            <span className="pv-subtle">
                {[
                    image.subformat && enumText('disk_image', 'subformat', image.subformat),
                    typeof image.file_bytes === 'number' && bytes(image.file_bytes),
                    users.length && t('estate.chain.used_by', { names: users.map((u) => u.name).join(', ') }),
                ]
                    .filter(Boolean)
                    .join(' · ')}
            </span>
            {typeof image.health === 'string' && image.health !== 'ok' && image.health !== 'unknown' && (
                <Health value={image.health} />
            )}
        </li>
    );
}

export default function Chain({ item }: TabProps) {
    const { t } = useTranslation();
    const image = item as Image;
    const parents = useQuery({
        queryKey: ['list', `/disk-images/${item.id}/below`, image.parent?.id ?? ''],
        queryFn: ({ signal }) => below(image, signal),
    });
    const children = useQuery(
        listQuery<Image>('/disk-images', {
            filter: `parent:${item.id}`,
            sort: 'name',
            fields: FIELDS,
            limit: 200,
        }),
    );
    const error = parents.error ?? children.error;
    if (error)
        return (
            <Failure
                error={error}
                onRetry={() => {
                    void parents.refetch();
                    void children.refetch();
                }}
            />
        );
    if (!parents.data || !children.data) return <SkeletonLines lines={4} />;
    const down = [...parents.data].reverse();
    const check = item.check as { result?: string } | undefined;
    return (
        <section aria-label={t('estate.tab.chain')}>
            {check?.result === 'chain_broken' && (
                <Notice variant="warning" title={t('estate.chain.broken')}>
                    {t('estate.chain.broken_body')}
                </Notice>
            )}
            <p className="pv-subtle">
                {down.length || children.data.items.length
                    ? t('estate.chain.about', {
                          below: number(down.length),
                          above: number(children.data.count ?? children.data.items.length),
                      })
                    : t('estate.chain.alone')}
            </p>
            <ul className="pv-chain">
                {down.map((one, i) => (
                    <Line key={one.id} image={one} depth={i} />
                ))}
                <Line image={image} depth={down.length} here />
                {children.data.items.map((one) => (
                    <Line key={one.id} image={one} depth={down.length + 1} />
                ))}
            </ul>
        </section>
    );
}
