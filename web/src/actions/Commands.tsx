// SPDX-License-Identifier: Apache-2.0
// What the dialog is about to do, as commands that do the same: for a shell, for the command line, for a playbook.
import { useTranslation } from 'react-i18next';
import { urlOf } from '../api/client';
import { targetsOf } from '../grid/selection';
import { shell } from '../lib/snippets';
import { CopyButton } from '../states/states';
import type { Target } from './registry';
import type { Values } from './draft';

type Many = Extract<Target, { selection: unknown }>;

/** Options of `polyvisor apply`: only what is one value can be said so. */
function paramFlags(params: Values): string[] | null {
    const flags: string[] = [];
    for (const [name, v] of Object.entries(params)) {
        if (v === undefined || v === null || typeof v === 'object') return null;
        flags.push('--param', shell(`${name}=${String(v as string | number | boolean)}`));
    }
    return flags;
}

export function commandsOf(name: string, target: Many, params: Values): { id: string; text: string }[] {
    const wanted = targetsOf(target.selection);
    const body = { action: name, ...wanted, ...(Object.keys(params).length ? { params } : {}) };
    const url = location.origin + urlOf('/bulk');
    const curl = [
        'curl -X POST -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json"',
        `--data ${shell(JSON.stringify(body))}`,
        shell(url),
    ].join(' ');
    const flags = paramFlags(params);
    const which =
        'selector' in wanted ? ['--filter', shell(wanted.selector)] : wanted.targets.map((id) => shell(id));
    const cli = flags
        ? ['polyvisor', 'apply', name, ...which, ...flags, '--yes'].join(' ')
        : `printf %s ${shell(JSON.stringify(body))} | polyvisor apply --file - --yes`;
    const ansible = [
        `- name: ${JSON.stringify(name)}`,
        '  ansible.builtin.uri:',
        `    url: ${JSON.stringify(url)}`,
        '    method: POST',
        '    headers:',
        '      Authorization: "Bearer {{ polyvisor_token }}"',
        '    body_format: json',
        `    body: ${JSON.stringify(body)}`,
        '    status_code: [200, 202]',
        '  register: result',
    ].join('\n');
    return [
        { id: 'curl', text: curl },
        { id: 'cli', text: cli },
        { id: 'ansible', text: ansible },
    ];
}

export default function Commands(p: { name: string; target: Many; params: Values }) {
    const { t } = useTranslation();
    return (
        <details className="pv-details">
            <summary>{t('list.copy_as')}</summary>
            {commandsOf(p.name, p.target, p.params).map((c) => (
                <section key={c.id} className="pv-command" data-command={c.id}>
                    <h3 className="pv-h3">{t(`list.as_${c.id}`)}</h3>
                    <pre className="pv-pre">{c.text}</pre>
                    <CopyButton text={c.text} />
                </section>
            ))}
        </details>
    );
}
