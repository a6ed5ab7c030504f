// SPDX-License-Identifier: Apache-2.0
// What the doctor found, in the order it looked: each step with its remedy, scripts ready to paste.
import { useTranslation } from 'react-i18next';
import { dateTime } from '../../i18n/format';
import { Mark } from '../../lib/cells';
import { CopyButton } from '../../states/states';
import { said } from '../../i18n/words';

export interface Finding {
    step: string;
    ok: boolean;
    detail?: string | null;
    code?: string | null;
    remedy?: string | null;
    data?: Record<string, unknown> | null;
}

export interface Certificate {
    sha256: string;
    subject?: string;
    issuer?: string;
    not_before?: string;
    not_after?: string;
}

function certificate(finding: Finding): Certificate | null {
    return typeof finding.data?.sha256 === 'string' ? (finding.data as unknown as Certificate) : null;
}

/** The certificate that the other side shows, as a finding tells it. */
export function certificateOf(findings: Finding[]): Certificate | null {
    for (const finding of findings) {
        const found = certificate(finding);
        if (found) return found;
    }
    return null;
}

/** The bytes of a fingerprint apart, as certificate viewers show them, so that it can be compared. */
export const inBytes = (sha256: string) => (sha256.toUpperCase().match(/../g) ?? [sha256]).join(':');

export function CertificateFacts({ of }: { of: Certificate[] }) {
    const { t } = useTranslation();
    return of.map((c) => (
        <dl className="pv-fields" key={c.sha256}>
            {(
                [
                    ['subject', c.subject],
                    ['issuer', c.issuer],
                    [
                        'valid',
                        (c.not_before || c.not_after) &&
                            [c.not_before, c.not_after].map((x) => (x ? dateTime(x) : '…')).join(' – '),
                    ],
                    ['sha256', <code className="pv-code pv-fingerprint">{inBytes(c.sha256)}</code>],
                ] as const
            ).map(
                ([name, value]) =>
                    value && (
                        <div key={name}>
                            <dt>{t(`providers.certificate_${name}`)}</dt>
                            <dd>{value}</dd>
                        </div>
                    ),
            )}
        </dl>
    ));
}

export function Findings({
    findings,
    onTrust,
}: {
    findings: Finding[];
    /** Takes a certificate that is not trusted yet. */
    onTrust?: (sha256: string) => void;
}) {
    const { t } = useTranslation();
    return (
        <ol className="pv-findings" aria-live="polite">
            {findings.map((f, i) => (
                <li key={i} className={f.ok ? '' : 'pv-findings__bad'}>
                    <Mark as={f.ok ? 'on' : 'bad'} />
                    <div>
                        <strong>{t(`providers.step.${f.step}`, { defaultValue: f.step })}</strong>{' '}
                        <span>{said(f, 'detail')}</span>
                        {!f.ok && f.remedy && <p>{said(f, 'remedy')}</p>}
                        {!f.ok && certificate(f) && (
                            <>
                                <CertificateFacts of={[certificate(f)!]} />
                                {onTrust && (
                                    <button
                                        type="button"
                                        className="pv-button"
                                        onClick={() => onTrust(certificate(f)!.sha256)}
                                    >
                                        {t('providers.trust_this')}
                                    </button>
                                )}
                            </>
                        )}
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
