// SPDX-License-Identifier: Apache-2.0
// The object as the API gives it.
import { useTranslation } from 'react-i18next';
import { pathOf } from '../../api/model';
import { urlOf } from '../../api/client';
import { CopyButton } from '../../states/states';
import type { TabProps } from '../../lib/ObjectPage';

export default function Raw({ item }: TabProps) {
    const { t } = useTranslation();
    const text = JSON.stringify(item, null, 2);
    return (
        <div className="pv-stack">
            <div className="pv-buttons">
                <code className="pv-code">GET {urlOf(`${pathOf(item.kind)}/${item.id}`)}</code>
                <CopyButton text={text} />
            </div>
            {/* A region that scrolls can be reached by keyboard. */}
            <pre className="pv-pre" role="region" aria-label={t('vm.tab.raw')} tabIndex={0}>
                {text}
            </pre>
        </div>
    );
}
