// SPDX-License-Identifier: Apache-2.0
// The signed-in person: rights, second factor, sessions, own tokens.
import { Button } from '@patternfly/react-core';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { meQuery } from '../../api/query';
import { ago } from '../../i18n/format';
import '../../i18n/admin';
import { permissionText } from '../../i18n/words';
import { agentText } from '../../lib/agent';
import { useTitle } from '../../lib/hooks';
import { NewButton } from '../../lib/NewDialog';
import { FailureLine, SkeletonLines } from '../../states/states';
import { Preferences } from './Preferences';
import { SecondFactor } from './SecondFactor';

interface Login {
    id: string;
    current?: boolean;
    created_at?: string;
    last_used_at?: string;
    address?: string | null;
    agent?: string | null;
}

function Sessions() {
    const { t } = useTranslation();
    const { data, error, refetch } = useQuery({
        queryKey: ['logins'],
        queryFn: ({ signal }) => api.get<{ items: Login[] }>('/me/logins', undefined, signal),
    });
    const end = (id: string) => api.del(`/me/logins/${id}`).then(() => refetch());
    return (
        <section className="pv-card pv-pad">
            <h2 className="pv-h3">{t('me.sessions')}</h2>
            {error ? (
                <FailureLine error={error} onRetry={() => void refetch()} />
            ) : !data ? (
                <SkeletonLines lines={3} />
            ) : (
                <ul className="pv-feed">
                    {data.items.map((s) => (
                        <li key={s.id}>
                            <span className="pv-feed__text" title={s.agent ?? undefined}>
                                {[s.address, s.agent && agentText(s.agent)].filter(Boolean).join(' · ') ||
                                    s.id}
                            </span>
                            {s.last_used_at && <span className="pv-subtle">{ago(s.last_used_at)}</span>}
                            {s.current ? (
                                <span className="pv-tag">{t('me.this_one')}</span>
                            ) : (
                                <Button variant="link" onClick={() => void end(s.id)}>
                                    {t('me.end')}
                                </Button>
                            )}
                        </li>
                    ))}
                </ul>
            )}
        </section>
    );
}

export function Component() {
    const { t } = useTranslation();
    useTitle(t('me.title'));
    const { data: me } = useQuery(meQuery);
    if (!me) return <SkeletonLines lines={8} />;
    return (
        <article className="pv-page pv-stack" aria-labelledby="page-title">
            <h1 className="pv-h1" id="page-title">
                {me.user.name}
            </h1>
            <div className="pv-buttons">
                <NewButton path="/tokens" title="access.new_token" />
            </div>
            <Preferences />
            <SecondFactor on={me.mfa?.enabled ?? false} />
            <Sessions />
            <section className="pv-card pv-pad">
                <h2 className="pv-h3">{t('me.rights')}</h2>
                {!me.permissions.length && <p className="pv-subtle">{t('value.none')}</p>}
                <ul className="pv-rights">
                    {me.permissions.map((p) => (
                        <li key={p}>
                            {permissionText(p)} <code className="pv-code pv-subtle">{p}</code>
                        </li>
                    ))}
                </ul>
            </section>
        </article>
    );
}
