// SPDX-License-Identifier: Apache-2.0
import { lazy, Suspense } from 'react';
import { NavLink } from 'react-router';
import { useTranslation } from 'react-i18next';
import { may, useMe } from '../api/query';
import { useAddress } from '../lib/address';
import { look, navigationAtFirst, type NavigationMode } from '../lib/look';
import { GROUPS, permissionOf } from './sections';
import { SkeletonLines } from '../states/states';

const MODES: NavigationMode[] = ['sections', 'tree', 'folders'];

const Tree = lazy(() => import('./Tree'));

export function Navigation() {
    const { t } = useTranslation();
    const me = useMe();
    const [params, change] = useAddress();
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
                                {sections.map((s) => (
                                    <li key={s.path}>
                                        <NavLink to={s.path} end={s.path === '/'} className="pv-nav__link">
                                            <svg viewBox="0 0 16 16" aria-hidden="true">
                                                <path d={s.icon} />
                                            </svg>
                                            {t(s.title)}
                                        </NavLink>
                                    </li>
                                ))}
                            </ul>
                        </div>
                    );
                })
            )}
        </nav>
    );
}
