// SPDX-License-Identifier: Apache-2.0
import { lazy, Suspense } from 'react';
import { Link, useLocation } from 'react-router';
import { useTranslation } from 'react-i18next';
import { may, useMe } from '../api/query';
import { useAddress } from '../lib/address';
import { look, navigationAtFirst, type NavigationMode } from '../lib/look';
import { GROUPS, permissionOf, type Section } from './sections';
import { SkeletonLines } from '../states/states';

const MODES: NavigationMode[] = ['sections', 'tree', 'folders'];

const Tree = lazy(() => import('./Tree'));

/** A section holds its pages; one that opens with a tab holds the other tabs, too. */
function isIn(pathname: string, { path, root = path }: Section): boolean {
    return pathname === path || (root !== '/' && `${pathname}/`.startsWith(`${root}/`));
}

export function Navigation() {
    const { t } = useTranslation();
    const me = useMe();
    const [params, change] = useAddress();
    const { pathname } = useLocation();
    const asked = params.get('nav') as NavigationMode | null;
    const navigationMode = asked && MODES.includes(asked) ? asked : navigationAtFirst;
    const show = (mode: NavigationMode) => {
        look.set({ navigationMode: mode });
        change((next) => {
            next.delete('tree');
            if (mode === navigationAtFirst) next.delete('nav');
            else next.set('nav', mode);
        });
    };
    return (
        <nav className="pv-nav" aria-label={t('shell.navigation')}>
            <div className="pv-nav__modes" role="group" aria-label={t('shell.navigation_mode')}>
                {MODES.map((mode) => (
                    <button
                        key={mode}
                        type="button"
                        aria-pressed={navigationMode === mode}
                        onClick={() => mode !== navigationMode && show(mode)}
                    >
                        {t(`shell.mode_${mode}`)}
                    </button>
                ))}
            </div>
            {navigationMode !== 'sections' ? (
                <Suspense fallback={<SkeletonLines lines={10} />}>
                    <Tree key={navigationMode} view={navigationMode === 'folders' ? 'folders' : 'hosts'} />
                </Suspense>
            ) : (
                GROUPS.map((group) => {
                    const sections = group.sections.filter((s) => may(me, permissionOf(s)));
                    if (!sections.length) return null;
                    return (
                        <div key={group.title} className="pv-nav__group">
                            {group.title && <h2 className="pv-nav__title">{t(group.title)}</h2>}
                            <ul>
                                {sections.map((s) => {
                                    const here = isIn(pathname, s);
                                    return (
                                        <li key={s.path}>
                                            <Link
                                                to={s.path}
                                                className={`pv-nav__link${here ? ' active' : ''}`}
                                                aria-current={here ? 'page' : undefined}
                                            >
                                                <svg viewBox="0 0 16 16" aria-hidden="true">
                                                    <path d={s.icon} />
                                                </svg>
                                                {t(s.title)}
                                            </Link>
                                        </li>
                                    );
                                })}
                            </ul>
                        </div>
                    );
                })
            )}
        </nav>
    );
}
