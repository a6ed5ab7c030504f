// SPDX-License-Identifier: Apache-2.0
// Makes, renames, moves or deletes one of our own folders. Its address is ?folder=<id>, ?folder=new or ?folder=new:<parent>.
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import '../i18n/organise';
import { listQuery } from '../api/query';
import { number } from '../i18n/format';
import { useAddress } from './address';
import EditForm from './EditForm';
import NewForm from './NewForm';

/** How many machines lie in it and below it; they stay where they are. */
function Holds({ id }: { id: string }) {
    const { t } = useTranslation();
    const { data } = useQuery(
        listQuery('/vms', { filter: `folder:${id}`, limit: 1, count: 'exact', fields: 'id' }),
    );
    if (typeof data?.count !== 'number') return null;
    return (
        <p className="pv-subtle">
            {t('organise.folders.holds', { count: data.count, n: number(data.count) })}
        </p>
    );
}

export default function FolderDialog() {
    const { t } = useTranslation();
    const [params, change] = useAddress();
    const asked = params.get('folder');
    if (!asked) return null;
    const close = () => change((next) => next.delete('folder'), 'close');
    const [what, parent] = asked.split(':');
    if (what === 'new')
        return (
            <NewForm
                path="/folders"
                title={t('organise.folders.new')}
                start={parent ? { parent } : {}}
                onClose={close}
            />
        );
    return (
        <EditForm
            key={asked}
            kind="folder"
            id={asked}
            onClose={close}
            extra={() => <Holds id={asked} />}
            lost={t('organise.folders.delete')}
        />
    );
}
