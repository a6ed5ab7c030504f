// SPDX-License-Identifier: Apache-2.0
import '../i18n/organise';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { api } from '../api/client';
import type { ApiError } from '../api/problem';
import { grantorsText, permissionText, said } from '../i18n/words';
import { grantorsOf } from './grantors';
import { Empty } from './states';

export default function DeniedState({ error, permission }: { error?: ApiError; permission?: string }) {
    const { t } = useTranslation();
    const needed = permission ?? /\b([a-z]+\.[a-z_.]+)\b/.exec(error?.problem.detail ?? '')?.[1];
    const on = /\/([a-z]{3}_[0-9a-z]{26})\b/.exec(error?.path ?? '')?.[1];
    const { data: who } = useQuery({
        queryKey: ['grantors', needed, on],
        queryFn: () => grantorsOf(api.get, needed!, on),
        enabled: !!needed,
    });
    return (
        <Empty
            title={t('organise.denied.title')}
            body={
                <>
                    <p>
                        {needed
                            ? t('organise.denied.body', { permission: permissionText(needed), name: needed })
                            : said(error?.problem, 'detail') || t('organise.denied.any')}
                    </p>
                    <p className="pv-subtle">{grantorsText(who) || t('organise.denied.who')}</p>
                </>
            }
        />
    );
}
