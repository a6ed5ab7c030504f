// SPDX-License-Identifier: Apache-2.0
// The frame of the pages about alerts: by state, rules, silences.
import { Suspense, type ReactNode } from 'react';
import { Link } from 'react-router';
import { useTranslation } from 'react-i18next';
import '../../i18n/estate';
import { kindOf, pathOf } from '../../api/model';
import { useCan } from '../../api/query';
import { useTabInSight, useTitle } from '../../lib/hooks';
import { NewButton } from '../../list/editing';
import { ListView } from '../../list/ListPage';
import type { ListDeclaration } from '../../list/types';
import { Denied } from '../../states/states';

/** What is shown: open first, for these want somebody. */
export const STATES = {
    open: 'state:firing',
    acknowledged: 'state:acknowledged',
    resolved: 'state:resolved',
    all: '',
} as const;
export type Which = keyof typeof STATES;

/** A page of the alerts, with the way to the others. */
export function Page({
    which,
    children,
    tools,
}: {
    which: Which | 'rules' | 'silences' | 'channels';
    children: ReactNode;
    tools?: ReactNode;
}) {
    const { t } = useTranslation();
    const tabs = useTabInSight(which);
    const tab = (name: typeof which, to: string, text: string) => (
        <Link
            key={name}
            to={to}
            className={name === which ? 'pv-tabs__tab active' : 'pv-tabs__tab'}
            aria-current={name === which ? 'page' : undefined}
        >
            {text}
        </Link>
    );
    return (
        <section className="pv-page pv-page--list" aria-labelledby="page-title">
            <header className="pv-object__head">
                <h1 className="pv-h1" id="page-title">
                    {t('nav.alerts')}
                </h1>
                {tools}
            </header>
            <nav ref={tabs} className="pv-tabs" aria-label={t('estate.alerts.views')}>
                {(Object.keys(STATES) as Which[]).map((name) =>
                    tab(
                        name,
                        name === 'open' ? '/alerts' : `/alerts?state=${name}`,
                        t(`estate.alerts.${name}`),
                    ),
                )}
                {tab('rules', '/alerts/rules', t('alerts.rules'))}
                {tab('silences', '/alerts/silences', t('estate.silences.tab'))}
                {tab('channels', '/alerts/channels', t('estate.alerts.channels'))}
            </nav>
            {children}
        </section>
    );
}

/** The page of a list that is made and changed in dialogs, which are its children. */
export function ManagedPage({
    which,
    list,
    title,
    add,
    children,
}: {
    which: 'rules' | 'silences' | 'channels';
    list: ListDeclaration;
    title: string;
    add: string;
    children: ReactNode;
}) {
    const { t } = useTranslation();
    const needed = kindOf(list.kind).permission;
    const reads = useCan(needed);
    const may = useCan('alert.manage');
    useTitle(t(title));
    if (!reads)
        return (
            <Page which={which}>
                <Denied permission={needed} />
            </Page>
        );
    return (
        <Page which={which} tools={may && <NewButton path={pathOf(list.kind)}>{t(add)}</NewButton>}>
            <ListView list={list} />
            <Suspense fallback={null}>{children}</Suspense>
        </Page>
    );
}
