// SPDX-License-Identifier: Apache-2.0
// Who may do what on what: users, groups, roles, grants, tokens, and why somebody may do something.
import { useState, type FormEvent, type ReactNode } from 'react';
import { Button, Form, FormGroup, TextInput } from '@patternfly/react-core';
import { NavLink } from 'react-router';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import type { Schemas } from '../../api/types';
import { column } from '../../grid/columns';
import { Mark } from '../../lib/cells';
import { useTitle } from '../../lib/hooks';
import { NewButton } from '../../lib/NewDialog';
import { ListView } from '../../list/ListPage';
import type { ListDeclaration } from '../../list/types';
import { FailureLine } from '../../states/states';

const TABS = ['users', 'groups', 'roles', 'grants', 'tokens', 'explain'] as const;

function Page({ title, children }: { title: string; children: ReactNode }) {
    const { t } = useTranslation();
    useTitle(t(title));
    return (
        <section className="pv-page pv-page--list" aria-labelledby="page-title">
            <h1 className="pv-h1" id="page-title">
                {t('nav.access')}
            </h1>
            <nav className="pv-tabs" aria-label={t('nav.access')}>
                {TABS.map((tab) => (
                    <NavLink
                        key={tab}
                        to={`/access/${tab}`}
                        className={({ isActive }) => (isActive ? 'pv-tabs__tab active' : 'pv-tabs__tab')}
                    >
                        {t(`access.${tab}`)}
                    </NavLink>
                ))}
            </nav>
            {children}
        </section>
    );
}

function list(kind: string, shown: string[], more: Partial<ListDeclaration> = {}): ListDeclaration {
    const New = () => <NewButton path={`/${kind}s`} title={`access.new_${kind}`} />;
    return {
        kind,
        name: `${kind}s`,
        title: `access.${kind}s`,
        empty: 'access.none',
        columns: shown.map((path) => column(kind, path)),
        shown,
        narrow: shown.slice(0, 2),
        sort: 'name',
        plain: true,
        linkOf: () => null,
        Tools: New,
        EmptyAction: New,
        ...more,
    };
}

const users = list('user', ['name', 'full_name', 'role', 'enabled', 'mfa', 'last_login_at']);
const groups = list('group', ['name', 'description', 'members']);
const roles = list('role', ['name', 'description', 'builtin', 'permissions']);
const grants = list(
    'grant',
    [
        'user',
        'group',
        'token',
        'role',
        'scope.type',
        'scope.folder',
        'scope.provider',
        'scope.selector',
        'expires_at',
    ],
    { sort: '-created_at' },
);
const tokens = list('token', [
    'name',
    'user',
    'role',
    'limited',
    'expires_at',
    'last_used_at',
    'last_used_from',
]);

function page(declaration: ListDeclaration) {
    return function AccessList() {
        return (
            <Page title={declaration.title}>
                <ListView list={declaration} />
            </Page>
        );
    };
}

export const Users = page(users);
export const Groups = page(groups);
export const Roles = page(roles);
export const Grants = page(grants);
export const Tokens = page(tokens);

export function Explain() {
    const { t } = useTranslation();
    const [principal, setPrincipal] = useState('');
    const [action, setAction] = useState('vm.start');
    const [target, setTarget] = useState('');
    const [answer, setAnswer] = useState<Schemas['Explanation'] | null>(null);
    const [error, setError] = useState<unknown>(null);
    const ask = (e: FormEvent) => {
        e.preventDefault();
        setError(null);
        api.get<Schemas['Explanation']>('/access/explain', { principal, action, target }).then(
            setAnswer,
            setError,
        );
    };
    return (
        <Page title="access.explain">
            <div className="pv-form">
                <p>{t('access.explain_intro')}</p>
                <Form onSubmit={ask}>
                    <FormGroup label={t('access.who')} fieldId="ex-who">
                        <TextInput id="ex-who" value={principal} onChange={(_, v) => setPrincipal(v)} />
                    </FormGroup>
                    <FormGroup label={t('access.what')} fieldId="ex-what" isRequired>
                        <TextInput id="ex-what" isRequired value={action} onChange={(_, v) => setAction(v)} />
                    </FormGroup>
                    <FormGroup label={t('access.on')} fieldId="ex-on">
                        <TextInput id="ex-on" value={target} onChange={(_, v) => setTarget(v)} />
                    </FormGroup>
                    <div className="pv-buttons">
                        <Button type="submit">{t('access.ask')}</Button>
                    </div>
                </Form>
                {error !== null && <FailureLine error={error} />}
                {answer && (
                    <p className="pv-answer" aria-live="polite">
                        <Mark as={answer.allowed ? 'on' : 'bad'} /> {answer.why}
                    </p>
                )}
            </div>
        </Page>
    );
}
