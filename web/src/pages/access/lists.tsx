// SPDX-License-Identifier: Apache-2.0
// Who may do what on what: users, groups, roles, grants, tokens, and why somebody may do something.
import { lazy, Suspense, type ReactNode } from 'react';
import { NavLink } from 'react-router';
import { useTranslation } from 'react-i18next';
import { column } from '../../grid/columns';
import { useTitle } from '../../lib/hooks';
import { NewButton } from '../../lib/NewDialog';
import { ListView } from '../../list/ListPage';
import type { ListDeclaration } from '../../list/types';
import { SkeletonLines } from '../../states/states';

const ExplainForm = lazy(() => import('./ExplainForm'));

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
    return (
        <Page title="access.explain">
            <Suspense fallback={<SkeletonLines lines={4} />}>
                <ExplainForm />
            </Suspense>
        </Page>
    );
}
