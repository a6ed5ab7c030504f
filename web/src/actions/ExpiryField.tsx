// SPDX-License-Identifier: Apache-2.0
// When something is deleted by itself: never, after a usual time, or at a time of one's own.
import { useState } from 'react';
import { FormSelect, FormSelectOption, TextInput } from '@patternfly/react-core';
import { useTranslation } from 'react-i18next';
import { dateTime } from '../i18n/format';
import { fromLocal, localTime } from '../lib/localTime';

const DAY = 86_400_000;
const SPANS = { d1: 1, d7: 7, d30: 30 } as const;

type Choice = 'none' | 'own' | keyof typeof SPANS;

export function ExpiryField(p: {
    id: string;
    value: unknown;
    disabled?: boolean;
    /** What is there has an end: none is said, not left out. */
    filled?: boolean;
    onChange: (value: string | null | undefined) => void;
}) {
    const { t } = useTranslation();
    const at = typeof p.value === 'string' ? new Date(p.value).getTime() : NaN;
    const set = !Number.isNaN(at);
    const [picked, setPicked] = useState<Choice | null>(null);
    const choice = picked ?? (set ? 'own' : 'none');
    const pick = (next: Choice) => {
        setPicked(next);
        if (next === 'none') p.onChange(p.filled ? null : undefined);
        else if (next !== 'own')
            p.onChange(new Date(Math.ceil(Date.now() / 60_000) * 60_000 + SPANS[next] * DAY).toISOString());
        else if (!set) p.onChange(new Date(Math.ceil(Date.now() / 60_000) * 60_000 + DAY).toISOString());
    };
    return (
        <div className="pv-ref">
            <FormSelect
                id={p.id}
                value={choice}
                isDisabled={p.disabled}
                onChange={(_, v) => pick(v as Choice)}
            >
                {(['none', 'd1', 'd7', 'd30', 'own'] as const).map((c) => (
                    <FormSelectOption key={c} value={c} label={t(`machine.expiry.${c}`)} />
                ))}
            </FormSelect>
            {choice === 'own' && (
                <TextInput
                    id={`${p.id}-time`}
                    type="datetime-local"
                    aria-label={t('machine.expiry.time')}
                    isDisabled={p.disabled}
                    value={set ? localTime(at) : ''}
                    onChange={(_, v) => p.onChange(fromLocal(v))}
                />
            )}
            {set && choice !== 'own' && (
                <span className="pv-subtle">{t('machine.expiry.at', { time: dateTime(at) })}</span>
            )}
        </div>
    );
}
