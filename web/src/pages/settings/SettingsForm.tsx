// SPDX-License-Identifier: Apache-2.0
// Groups of settings as a form that follows from the API's description: bounds, choices and words. What was not touched is
// not sent.
import { useState } from 'react';
import { Button, Form } from '@patternfly/react-core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { errorsOf } from '../../actions/errors';
import { ParamForm } from '../../actions/ParamForm';
import { api } from '../../api/client';
import { formOf } from '../../api/model';
import { isApiError } from '../../api/problem';
import { queryClient } from '../../api/query';
import { paramText } from '../../i18n/words';
import { notify } from '../../lib/notify';
import { Failure, FailureLine, SkeletonLines } from '../../states/states';

type Group = Record<string, unknown>;
export type SettingsOfServer = Record<string, Group>;

const KEY = ['settings'];

export default function SettingsForm({ groups }: { groups: string[] }) {
    const { t } = useTranslation();
    const stored = useQuery({
        queryKey: KEY,
        queryFn: ({ signal }) => api.get<SettingsOfServer>('/settings', undefined, signal),
    });
    const schema = useQuery({
        queryKey: ['form', 'PATCH /settings'],
        queryFn: async () => (await formOf('PATCH', '/settings')) ?? null,
        staleTime: Infinity,
    });
    const [changed, setChanged] = useState<SettingsOfServer>({});
    const save = useMutation({
        mutationFn: () => api.patch<SettingsOfServer>('/settings', changed),
        onSuccess: (answer) => {
            queryClient.setQueryData(KEY, answer.data);
            setChanged({});
            notify({ variant: 'success', title: t('settings.saved') });
        },
    });
    if (stored.error) return <Failure error={stored.error} onRetry={() => void stored.refetch()} />;
    if (!stored.data || !schema.data) return <SkeletonLines lines={8} />;
    const edit = (group: string, next: Group) => {
        const before = stored.data[group] ?? {};
        const own = Object.fromEntries(Object.entries(next).filter(([k, v]) => v !== before[k]));
        const rest = Object.fromEntries(Object.entries(changed).filter(([k]) => k !== group));
        setChanged(Object.keys(own).length ? { ...rest, [group]: own } : rest);
    };
    const errors = isApiError(save.error) ? errorsOf(save.error.problem.errors) : {};
    const touched = Object.keys(changed).length > 0;
    return (
        <Form
            className="pv-settings"
            onSubmit={(e) => {
                e.preventDefault();
                if (touched) save.mutate();
            }}
        >
            {save.error && Object.keys(errors).length === 0 && <FailureLine error={save.error} />}
            {groups.map((group) => (
                <section key={group} className="pv-card" aria-labelledby={`settings-${group}`}>
                    <h2 className="pv-card__title" id={`settings-${group}`}>
                        {paramText('settings', group)}
                    </h2>
                    <div className="pv-card__inner">
                        <ParamForm
                            name="settings"
                            id={group}
                            schema={schema.data?.properties?.[group] ?? {}}
                            value={{ ...stored.data[group], ...changed[group] }}
                            onChange={(next) => edit(group, next)}
                            errors={Object.fromEntries(
                                Object.entries(errors)
                                    .filter(([pointer]) => pointer.startsWith(`/${group}/`))
                                    .map(([pointer, text]) => [pointer.slice(group.length + 1), text]),
                            )}
                        />
                    </div>
                </section>
            ))}
            <div className="pv-settings__end">
                <Button type="submit" isDisabled={!touched || save.isPending}>
                    {t('action.save')}
                </Button>
                {touched && (
                    <Button variant="link" onClick={() => setChanged({})}>
                        {t('action.cancel')}
                    </Button>
                )}
            </div>
        </Form>
    );
}
