// SPDX-License-Identifier: Apache-2.0
// Walks the chain of audit records: whether any was changed or removed.
import { useMutation } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { isApiError } from '../../api/problem';
import { said } from '../../i18n/words';
import { notify } from '../../lib/notify';

export default function Verify() {
    const { t } = useTranslation();
    const check = useMutation({
        mutationFn: () => api.get<{ ok: boolean; count?: number; checked?: number }>('/audit/verify'),
        onSuccess: (answer) =>
            notify(
                answer.ok
                    ? { variant: 'success', title: t('audit.whole') }
                    : { variant: 'danger', title: t('audit.broken') },
            ),
        onError: (error) =>
            notify({
                variant: 'danger',
                title: t('audit.unknown'),
                body: isApiError(error) ? said(error.problem, 'detail') : String(error),
            }),
    });
    return (
        <button type="button" className="pv-button" disabled={check.isPending} onClick={() => check.mutate()}>
            {t('audit.verify')}
        </button>
    );
}
