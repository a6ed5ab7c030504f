// SPDX-License-Identifier: Apache-2.0
// A fault of the page itself: what it was, and a way on.
import { useRouteError } from 'react-router';
import { useTranslation } from 'react-i18next';
import { CopyButton, Empty } from '../states/states';

export function Crash() {
    const { t } = useTranslation();
    const error = useRouteError();
    const text = error instanceof Error ? `${error.message}\n${error.stack ?? ''}` : String(error);
    return (
        <Empty
            title={t('state.crash')}
            body={
                <>
                    <p>{t('state.crash_body')}</p>
                    <code className="pv-code">{error instanceof Error ? error.message : String(error)}</code>
                </>
            }
            action={
                <button
                    type="button"
                    className="pv-button pv-button--primary"
                    onClick={() => window.location.reload()}
                >
                    {t('state.reload')}
                </button>
            }
            more={<CopyButton text={text} label={t('action.copy_details')} />}
        />
    );
}
