// SPDX-License-Identifier: Apache-2.0
// Makes one object of a collection of ours; the address of the dialog is ?new=<path>.
import { lazy, Suspense } from 'react';
import { useTranslation } from 'react-i18next';
import { useOpened } from './address';

const NewForm = lazy(() => import('./NewForm'));

/** `dialog` is false where the same page has the button twice: the dialog belongs to one of them. */
export function NewButton({ path, title, dialog = true }: { path: string; title: string; dialog?: boolean }) {
    const { t } = useTranslation();
    const [open, show] = useOpened('new', path);
    return (
        <>
            <button type="button" className="pv-button pv-button--primary" onClick={() => show(true)}>
                {t(title)}
            </button>
            <Suspense fallback={null}>
                {dialog && open && <NewForm path={path} title={t(title)} onClose={() => show(false)} />}
            </Suspense>
        </>
    );
}
