// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';
import { agentText } from './agent';

test('browsers are told by name, version and system', () => {
    const webkit = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)';
    expect(agentText(`${webkit} HeadlessChrome/156.0.0.0 Safari/537.36`)).toBe('Chrome 156, Linux');
    expect(agentText(`${webkit} Chrome/156.0.0.0 Safari/537.36 Edg/156.0.1`)).toBe('Edge 156, Linux');
    expect(
        agentText('Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0'),
    ).toBe('Firefox 140, Windows');
    expect(
        agentText(
            'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) AppleWebKit/605.1 Version/18.0 Mobile/15E Safari/604.1',
        ),
    ).toBe('Safari 18, iOS');
});

test('other clients are told as they call themselves', () => {
    expect(agentText('polyvisor/0.1')).toBe('polyvisor/0.1');
    expect(agentText('x'.repeat(500))).toHaveLength(80);
});
