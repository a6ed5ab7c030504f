// SPDX-License-Identifier: Apache-2.0
// Who may do what on what: users, groups, roles, grants, tokens, and why somebody may do something.
import { lazy, Suspense, type ReactNode } from 'react';
import { NavLink } from 'react-router';
import { useTranslation } from 'react-i18next';
import { kindOf, valueAt } from '../../api/model';
import { useCan } from '../../api/query';
import type { Item, JsonSchema } from '../../api/types';
import { column } from '../../grid/columns';
import { permissionText, roleText, sentence } from '../../i18n/words';
import { useAddress } from '../../lib/address';
import { RefLink } from '../../lib/cells';
import { useTabInSight, useTitle } from '../../lib/hooks';
import { NewButton } from '../../lib/NewDialog';
import { editLink } from '../../list/editing';
import { ListView } from '../../list/ListPage';
import type { ListDeclaration } from '../../list/types';
import { Denied, SkeletonLines } from '../../states/states';

const EditForm = lazy(() => import('../../lib/EditForm'));
const ExplainForm = lazy(() => import('./ExplainForm'));

const TABS = ['users', 'groups', 'roles', 'grants', 'tokens', 'explain'] as const;

function Page({ title, children }: { title: string; children: ReactNode }) {
    const { t } = useTranslation();
    useTitle(t(title));
    const tabs = useTabInSight(title);
    return (
        <section className="pv-page pv-page--list" aria-labelledby="page-title">
            <h1 className="pv-h1" id="page-title">
                {t('nav.access')}
            </h1>
            <nav ref={tabs} className="pv-tabs" aria-label={t('nav.access')}>
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

/** The object by the name that stands in this column. */
function named(item: Item, path: string): { id: string; name: string } {
    const value = valueAt(item, path) as { name?: string } | string | null;
    const name = typeof value === 'string' ? value : value?.name;
    return { id: item.id, name: name ? (path === 'role' ? roleText(name) : name) : item.id };
}

function list(kind: string, shown: string[], more: Partial<ListDeclaration> = {}): ListDeclaration {
    const button = (dialog: boolean) =>
        function New() {
            return (
                useCan('access.manage') && (
                    <NewButton path={`/${kind}s`} title={`access.new_${kind}`} dialog={dialog} />
                )
            );
        };
    return {
        kind,
        name: `${kind}s`,
        title: `access.${kind}s`,
        empty: 'access.none',
        // The first column opens the dialog in which it is changed.
        columns: shown.map((path, i) =>
            column(
                kind,
                path,
                i ? {} : { cell: (item) => <RefLink value={named(item, path)} kind={kind} /> },
            ),
        ),
        shown,
        narrow: shown.slice(0, 2),
        sort: 'name',
        plain: true,
        linkOf: editLink,
        Tools: button(true),
        EmptyAction: button(false),
        ...more,
    };
}

/** What a role that comes with the server is for, in the person's language. */
const purposeOf = (item: Item) =>
    sentence(String(item.description ?? ''), item.builtin ? { code: `role.${item.name}`, params: {} } : null);

const permissionsOf = (item: Item) =>
    ((item.permissions as string[] | undefined) ?? []).map(permissionText).join(', ');

const users = list('user', ['name', 'full_name', 'role', 'enabled', 'mfa', 'last_login_at']);
const groups = list('group', ['name', 'description', 'members'], { empty: 'access.none_group' });
const roles = list('role', ['name', 'description', 'builtin', 'permissions'], {
    columns: [
        column('role', 'name', {
            width: 170,
            cell: (item) => <RefLink value={named(item, 'name')} kind="role" />,
        }),
        column('role', 'description', {
            width: 420,
            fields: ['name', 'builtin', 'description'],
            cell: purposeOf,
            text: purposeOf,
        }),
        column('role', 'builtin', { width: 190 }),
        column('role', 'permissions', { width: 420, cell: permissionsOf, text: permissionsOf }),
    ],
});
const grants = list(
    'grant',
    [
        'role',
        'user',
        'group',
        'token',
        'scope.type',
        'scope.folder',
        'scope.provider',
        'scope.selector',
        'expires_at',
    ],
    { sort: '-created_at' },
);
const tokens = list(
    'token',
    ['name', 'user', 'role', 'limited', 'expires_at', 'last_used_at', 'last_used_from'],
    { empty: 'access.none_token' },
);

/** The members of a group are chosen as a whole; adding and taking out one by one is for programs. */
function whole(schema: JsonSchema): JsonSchema {
    const kept = Object.entries(schema.properties ?? {}).filter(([key]) => key !== 'add' && key !== 'remove');
    return { ...schema, properties: Object.fromEntries(kept) };
}

/** The dialog of the one that the address names. */
function Edit({ kind }: { kind: string }) {
    const [params, change] = useAddress();
    const id = params.get('edit');
    if (!id) return null;
    const close = () =>
        change((next) => {
            next.delete('edit');
            next.delete('dialog');
        }, 'close');
    return (
        <Suspense fallback={null}>
            <EditForm key={id} kind={kind} id={id} shape={whole} onClose={close} />
        </Suspense>
    );
}

function page(declaration: ListDeclaration) {
    return function AccessList() {
        const needed = kindOf(declaration.kind).permission;
        if (!useCan(needed))
            return (
                <Page title={declaration.title}>
                    <Denied permission={needed} />
                </Page>
            );
        return (
            <Page title={declaration.title}>
                <ListView list={declaration} />
                <Edit kind={declaration.kind} />
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
