// SPDX-License-Identifier: Apache-2.0
import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, test, vi } from 'vitest';
import '../i18n/machine';
import type { JsonSchema } from '../api/types';
import { compareThree } from './draft';
import { ParamForm } from './ParamForm';
import { ThreeWay } from './ThreeWay';

const schema: JsonSchema = {
    properties: {
        cpu: { type: 'object', properties: { count: { type: 'integer' }, nested: { type: 'boolean' } } },
        annotation: { type: ['string', 'null'] },
    },
};

test('a conflict must be chosen before one goes on; what only one changed needs no choice', async () => {
    const current = { cpu: { count: 8 }, annotation: 'theirs' };
    const rows = compareThree(schema, { cpu: { count: 2 } }, { cpu: { count: 4, nested: true } }, current);
    const done = vi.fn();
    render(
        <ThreeWay
            rows={rows}
            current={current}
            label={(path) => path}
            show={(_, v) => String(v ?? '–')}
            onDone={done}
        />,
    );
    const go = screen.getByRole('button', { name: 'Go on with these' });
    expect((go as HTMLButtonElement).disabled).toBe(true);
    expect(screen.getAllByRole('radio')).toHaveLength(2);
    await userEvent.click(screen.getByRole('radio', { name: '4' }));
    await userEvent.click(go);
    expect(done).toHaveBeenCalledWith({ cpu: { count: 4, nested: true }, annotation: 'theirs' });
});

test('the form shows what is, marks what was changed, and locks what is refused with its reason', async () => {
    const base = { cpu: { count: 2 }, annotation: 'old' };
    const change = vi.fn();
    render(
        <ParamForm
            name="vm.reconfigure"
            schema={schema}
            value={{ cpu: { count: 2 }, annotation: 'new' }}
            onChange={change}
            around={{
                base,
                blocked: (pointer) => (pointer === '/cpu/count' ? 'only while it is off' : null),
                label: (path) => path,
                quiet: true,
            }}
        />,
    );
    const count = screen.getByLabelText('cpu.count') as HTMLInputElement;
    expect(count.value).toBe('2');
    expect(count.disabled).toBe(true);
    expect(screen.getByText('Only while it is off')).toBeTruthy();
    expect(count.closest('.pv-field')?.className).not.toContain('changed');
    const text = screen.getByLabelText('annotation');
    expect(text.closest('.pv-field')?.className).toContain('pv-field--changed');
    await userEvent.click(screen.getByLabelText('cpu.nested'));
    expect(change).toHaveBeenCalledWith({ cpu: { count: 2, nested: true }, annotation: 'new' });
});
