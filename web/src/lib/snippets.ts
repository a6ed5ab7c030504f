// SPDX-License-Identifier: Apache-2.0
// One request in the words of other tools. The token is a place to be filled, never one of ours.
export interface Request {
    method: string;
    /** With its query, from /api on. */
    url: string;
    body?: unknown;
}

export const SNIPPETS = ['curl', 'ansible', 'python'] as const;
export type Snippet = (typeof SNIPPETS)[number];

/** Quoted for a shell. */
export function shell(text: string): string {
    return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

const typeOf = (method: string) => (method === 'PATCH' ? 'application/merge-patch+json' : 'application/json');

/** A value as Python writes it: JSON but for three words. */
export function python(value: unknown): string {
    if (value === null || value === undefined) return 'None';
    if (value === true) return 'True';
    if (value === false) return 'False';
    if (Array.isArray(value)) return `[${value.map(python).join(', ')}]`;
    if (typeof value === 'object')
        return `{${Object.entries(value)
            .map(([k, v]) => `${JSON.stringify(k)}: ${python(v)}`)
            .join(', ')}}`;
    return JSON.stringify(value);
}

function yaml(value: unknown): string {
    // JSON is YAML.
    return JSON.stringify(value);
}

export function snippet(as: Snippet, r: Request, origin = window.location.origin): string {
    const url = origin + r.url;
    const has = r.body !== undefined;
    switch (as) {
        case 'curl':
            return [
                'curl',
                r.method === 'GET' ? '' : `-X ${r.method}`,
                `-H "Authorization: Bearer $TOKEN"`,
                has
                    ? `-H ${shell(`Content-Type: ${typeOf(r.method)}`)} -d ${shell(JSON.stringify(r.body))}`
                    : '',
                shell(url),
            ]
                .filter(Boolean)
                .join(' ');
        case 'ansible':
            return [
                `- name: ${yaml(`${r.method} ${r.url.split('?')[0]}`)}`,
                '  ansible.builtin.uri:',
                `    url: ${yaml(url)}`,
                `    method: ${r.method}`,
                '    headers:',
                '      Authorization: "Bearer {{ polyvisor_token }}"',
                ...(has
                    ? [`      Content-Type: ${typeOf(r.method)}`, `    body: ${yaml(JSON.stringify(r.body))}`]
                    : []),
                '    status_code: [200, 201, 202, 204]',
                '    return_content: true',
                '  register: answer',
            ].join('\n');
        case 'python':
            return [
                'import os, requests',
                '',
                'answer = requests.request(',
                `    ${JSON.stringify(r.method)}, ${JSON.stringify(url)},`,
                '    headers={"Authorization": "Bearer " + os.environ["TOKEN"]' +
                    (has && r.method === 'PATCH'
                        ? `, "Content-Type": ${JSON.stringify(typeOf(r.method))}`
                        : '') +
                    '},',
                ...(has ? [`    json=${python(r.body)},`] : []),
                ')',
                'answer.raise_for_status()',
                'print(answer.text)',
            ].join('\n');
    }
}
