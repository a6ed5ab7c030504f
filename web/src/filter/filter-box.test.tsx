// SPDX-License-Identifier: Apache-2.0
import { act, fireEvent, render, screen } from '@testing-library/react';
import { useState } from 'react';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ApiError, type Problem } from '../api/problem';
import { FilterBox } from './FilterBox';
import { local } from './suggest';

vi.mock('../api/client', () => ({
    api: {
        get: vi.fn((_path: string, q: { text: string }) =>
            Promise.resolve({
                from: q.text.length,
                to: q.text.length,
                items: [{ text: 'running', type: 'value', count: 409 }],
            }),
        ),
    },
}));

function Page({ error, seen }: { error?: unknown; seen?: (v: string) => void }) {
    const [value, setValue] = useState('power:running web');
    return (
        <FilterBox
            kind="vm"
            label="Filter"
            value={value}
            error={error}
            onChange={(v) => {
                seen?.(v);
                setValue(v);
            }}
        />
    );
}

describe('the filter box', () => {
    beforeEach(() => vi.useFakeTimers());
    afterEach(() => vi.useRealTimers());
    const box = () => screen.getByRole<HTMLInputElement>('combobox');

    test('shows terms as chips and takes them out of the text', () => {
        const seen = vi.fn();
        render(<Page seen={seen} />);
        expect(screen.getAllByRole('listitem')).toHaveLength(2);
        fireEvent.click(screen.getByRole('button', { name: 'Remove power:running' }));
        act(() => vi.advanceTimersByTime(200));
        expect(seen).toHaveBeenLastCalledWith('web');
    });

    test('waits for the end of typing, and for a value', () => {
        const seen = vi.fn();
        render(<Page seen={seen} />);
        fireEvent.change(box(), { target: { value: 'power:' } });
        act(() => vi.advanceTimersByTime(1000));
        expect(seen).not.toHaveBeenCalled();
        fireEvent.change(box(), { target: { value: 'power:off' } });
        act(() => vi.advanceTimersByTime(100));
        expect(seen).not.toHaveBeenCalled();
        act(() => vi.advanceTimersByTime(100));
        expect(seen).toHaveBeenCalledWith('power:off');
    });

    test('offers suggestions with counts, taken by keyboard', async () => {
        render(<Page />);
        fireEvent.focus(box());
        fireEvent.change(box(), { target: { value: 'power:' } });
        await act(() => vi.advanceTimersByTimeAsync(200));
        expect(screen.getByRole('option').textContent).toBe('running409');
        fireEvent.keyDown(box(), { key: 'ArrowDown' });
        expect(box().getAttribute('aria-activedescendant')).toBe(screen.getByRole('option').id);
        fireEvent.keyDown(box(), { key: 'Enter' });
        expect(box().value).toBe('power:running ');
    });

    test('points at the column of an error', () => {
        const problem = {
            type: '',
            title: 'The filter cannot be read',
            status: 400,
            code: 'invalid-filter',
            detail: 'column 7: no such value',
            errors: [{ pointer: 'filter', detail: 'column 7: no such value' }],
        } as Problem;
        render(<Page error={new ApiError(problem, 'GET', '/vms')} />);
        expect(document.querySelector('mark')?.textContent).toBe('r');
        expect(box().getAttribute('aria-invalid')).toBe('true');
        expect(screen.getByRole('alert').textContent).toContain('no such value');
    });

    test('knows fields and values from the model when the server is silent', () => {
        expect(local('vm', 'power', 5).map((s) => s.text)).toContain('power_state:');
        expect(local('vm', 'power_state:ru', 14).map((s) => s.text)).toEqual(['running']);
        expect(local('vm', 'power_state:{off,ru', 19)[0]).toMatchObject({ text: 'running', from: 17 });
    });

    test('sends at once on Enter, and closes suggestions before it clears on Escape', async () => {
        const seen = vi.fn();
        render(<Page seen={seen} />);
        fireEvent.focus(box());
        fireEvent.change(box(), { target: { value: 'power:off' } });
        fireEvent.keyDown(box(), { key: 'Enter' });
        expect(seen).toHaveBeenLastCalledWith('power:off');
        fireEvent.change(box(), { target: { value: 'power:' } });
        await act(() => vi.advanceTimersByTimeAsync(200));
        expect(box().getAttribute('aria-expanded')).toBe('true');
        fireEvent.keyDown(box(), { key: 'Escape' });
        expect(box().getAttribute('aria-expanded')).toBe('false');
        expect(box().value).toBe('power:');
        fireEvent.keyDown(box(), { key: 'Escape' });
        expect(box().value).toBe('');
        act(() => vi.advanceTimersByTime(200));
        expect(seen).toHaveBeenLastCalledWith('');
    });

    test('says what is a draft and what is meant', async () => {
        const seen = vi.fn();
        render(<FilterBox kind="vm" label="Filter" value="" error={null} onChange={seen} />);
        const type = (value: string) => {
            fireEvent.change(box(), { target: { value } });
            act(() => vi.advanceTimersByTime(200));
        };
        type('we');
        expect(seen).toHaveBeenLastCalledWith('we', 'draft:filter');
        fireEvent.keyDown(box(), { key: 'Enter' });
        expect(seen).toHaveBeenLastCalledWith('we', 'done:filter');
        // Meant already: another Enter or going elsewhere says nothing new.
        fireEvent.keyDown(box(), { key: 'Enter' });
        fireEvent.blur(box());
        expect(seen).toHaveBeenCalledTimes(2);
        type('web');
        fireEvent.blur(box());
        expect(seen).toHaveBeenLastCalledWith('web', 'done:filter');
        fireEvent.click(screen.getByRole('button', { name: 'Remove web' }));
        expect(seen).toHaveBeenLastCalledWith('', undefined);
        fireEvent.focus(box());
        fireEvent.change(box(), { target: { value: 'power:' } });
        await act(() => vi.advanceTimersByTimeAsync(200));
        fireEvent.keyDown(box(), { key: 'ArrowDown' });
        fireEvent.keyDown(box(), { key: 'Enter' });
        expect(seen).toHaveBeenLastCalledWith('power:running', 'done:filter');
    });

    test('does not send what is still being typed', () => {
        const seen = vi.fn();
        render(<Page seen={seen} />);
        for (const half of ['power:running or', 'name:"web', 'host:{a,b', '(power:on and', 'memory>']) {
            fireEvent.change(box(), { target: { value: half } });
            act(() => vi.advanceTimersByTime(1000));
            expect(seen, half).not.toHaveBeenCalled();
        }
    });

    test('is emptied by its button and follows the address', () => {
        const seen = vi.fn();
        const { rerender } = render(
            <FilterBox kind="vm" label="Filter" value="web" error={null} onChange={seen} />,
        );
        fireEvent.click(screen.getByRole('button', { name: 'Clear the filter' }));
        expect(seen).toHaveBeenLastCalledWith('', undefined);
        rerender(<FilterBox kind="vm" label="Filter" value="power:off" error={null} onChange={seen} />);
        expect(box().value).toBe('power:off');
        expect(screen.getAllByRole('listitem')).toHaveLength(1);
    });

    test('keeps what is typed when what was sent before comes back late', () => {
        const seen: string[] = [];
        const at = (value: string) => (
            <FilterBox kind="vm" label="Filter" value={value} error={null} onChange={(v) => seen.push(v)} />
        );
        const { rerender } = render(at(''));
        const type = (value: string) => {
            fireEvent.change(box(), { target: { value } });
            act(() => vi.advanceTimersByTime(200));
        };
        type('we');
        type('web');
        fireEvent.change(box(), { target: { value: 'web0' } });
        expect(seen).toEqual(['we', 'web']);
        rerender(at('we'));
        expect(box().value).toBe('web0');
        rerender(at('web'));
        fireEvent.change(box(), { target: { value: 'web01' } });
        expect(box().value).toBe('web01');
        act(() => vi.advanceTimersByTime(200));
        expect(seen.at(-1)).toBe('web01');
        rerender(at('web01'));
        // What comes from elsewhere is followed, also when it was typed here once.
        rerender(at('web'));
        expect(box().value).toBe('web');
    });

    test('puts a suggestion in the place of all that was typed since it was offered', async () => {
        render(<Page />);
        fireEvent.focus(box());
        fireEvent.change(box(), { target: { value: 'power:' } });
        await act(() => vi.advanceTimersByTimeAsync(200));
        fireEvent.keyDown(box(), { key: 'ArrowDown' });
        fireEvent.change(box(), { target: { value: 'power:run' } });
        expect(box().getAttribute('aria-activedescendant')).toBeNull();
        fireEvent.keyDown(box(), { key: 'ArrowDown' });
        fireEvent.keyDown(box(), { key: 'Enter' });
        expect(box().value).toBe('power:running ');
    });
});
