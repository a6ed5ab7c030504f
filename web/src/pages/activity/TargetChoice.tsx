// SPDX-License-Identifier: Apache-2.0
// Which channels a rule tells.
import { Checkbox, FormGroup } from '@patternfly/react-core';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import '../../i18n/channels';
import { listQuery } from '../../api/query';
import type { Item } from '../../api/types';
import { enumText } from '../../i18n/words';
import { FailureLine } from '../../states/states';

export default function TargetChoice({
    value,
    onChange,
}: {
    value: string[];
    onChange: (value: string[]) => void;
}) {
    const { t } = useTranslation();
    const targets = useQuery(
        listQuery<Item>('/notification-targets', { fields: 'name,type', sort: 'name', limit: 200 }),
    );
    const put = (id: string, on: boolean) =>
        onChange(on ? [...value, id] : value.filter((chosen) => chosen !== id));
    return (
        <FormGroup role="group" label={t('channels.which')} fieldId="rule-targets">
            {targets.error && <FailureLine error={targets.error} />}
            {targets.data?.items.length === 0 && <p className="pv-subtle">{t('channels.which_none')}</p>}
            {targets.data?.items.map((one) => (
                <Checkbox
                    key={one.id}
                    id={`rule-target-${one.id}`}
                    label={`${one.name} (${enumText('notification_target', 'type', String(one.type))})`}
                    isChecked={value.includes(one.id)}
                    onChange={(_, on) => put(one.id, on)}
                />
            ))}
            {value.length === 0 && <p className="pv-subtle">{t('channels.which_help')}</p>}
        </FormGroup>
    );
}
