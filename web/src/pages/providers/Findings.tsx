// SPDX-License-Identifier: Apache-2.0
// What the doctor found, in the order it looked: each step with its remedy, scripts ready to paste.
import { useTranslation } from 'react-i18next';
import { Mark } from '../../lib/cells';
import { CopyButton } from '../../states/states';

export interface Finding {
    step: string;
    ok: boolean;
    detail?: string | null;
    code?: string | null;
    remedy?: string | null;
    data?: Record<string, unknown> | null;
}

/** The fingerprint a certificate finding names. */
export function fingerprint(findings: Finding[]): string | null {
    for (const f of findings) {
        const sha = f.data?.sha256 ?? f.data?.fingerprint;
        if (typeof sha === 'string') return sha;
    }
    return null;
}

export function Findings({ findings }: { findings: Finding[] }) {
    const { t } = useTranslation();
    return (
        <ol className="pv-findings" aria-live="polite">
            {findings.map((f, i) => (
                <li key={i} className={f.ok ? '' : 'pv-findings__bad'}>
                    <Mark as={f.ok ? 'on' : 'bad'} />
                    <div>
                        <strong>{t(`providers.step.${f.step}`, { defaultValue: f.step })}</strong>{' '}
                        <span>{f.detail}</span>
                        {!f.ok && f.remedy && <p>{f.remedy}</p>}
                        {typeof f.data?.script === 'string' && (
                            <div className="pv-script">
                                <pre className="pv-code">{f.data.script}</pre>
                                <CopyButton text={f.data.script} />
                            </div>
                        )}
                    </div>
                </li>
            ))}
        </ol>
    );
}
