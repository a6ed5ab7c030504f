// SPDX-License-Identifier: Apache-2.0
// A request as curl, Ansible or Python, to be copied.
import { useState } from 'react';
import { useTranslation } from 'react-i18next';
import '../i18n/estate';
import { CopyButton } from '../states/states';
import { snippet, SNIPPETS, type Request, type Snippet } from './snippets';

export function Snippets({ request }: { request: Request }) {
    const { t } = useTranslation();
    const [as, setAs] = useState<Snippet>('curl');
    const text = snippet(as, request);
    return (
        <div className="pv-snippet">
            <div className="pv-buttons" role="group" aria-label={t('estate.snippet.kind')}>
                {SNIPPETS.map((s) => (
                    <button
                        key={s}
                        type="button"
                        className="pv-button pv-button--small"
                        aria-pressed={s === as}
                        onClick={() => setAs(s)}
                    >
                        {t(`estate.snippet.${s}`)}
                    </button>
                ))}
                <CopyButton text={text} />
            </div>
            <pre
                className="pv-code pv-explorer__curl"
                tabIndex={0}
                role="region"
                aria-label={t(`estate.snippet.${as}`)}
            >
                {text}
            </pre>
        </div>
    );
}
