// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { python, shell, snippet, SNIPPETS } from './snippets';

const patch = { method: 'PATCH', url: '/api/v1/vms/vm_1', body: { notes: "it's", tags: null, on: true } };

test('a shell sees one word, whatever is in it', () => {
    expect(shell('plain-1')).toBe('plain-1');
    expect(shell("it's $HOME")).toBe(`'it'\\''s $HOME'`);
});

test('Python has words of its own', () => {
    expect(python({ a: [true, false, null], b: 'x"y' })).toBe('{"a": [True, False, None], "b": "x\\"y"}');
});

test('every tool gets method, address and body, and no token of ours', () => {
    for (const as of SNIPPETS) {
        const text = snippet(as, patch, 'https://host');
        expect(text).toContain('PATCH');
        expect(text).toContain('https://host/api/v1/vms/vm_1');
        expect(text).toContain('merge-patch+json');
        expect(text).toMatch(/\$TOKEN|polyvisor_token|environ\["TOKEN"\]/);
    }
    expect(snippet('curl', { method: 'GET', url: '/api/v1/vms?limit=1' }, 'https://host')).toBe(
        `curl -H "Authorization: Bearer $TOKEN" 'https://host/api/v1/vms?limit=1'`,
    );
});
