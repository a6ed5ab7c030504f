// SPDX-License-Identifier: Apache-2.0
import { fireEvent, render, screen } from '@testing-library/react';
import { expect, test, vi } from 'vitest';
import { MenuButton } from './ActionMenu';

const action = (name: string) => ({ name, label: name, danger: false, ready: true, reason: null });
const menu = (names: string[]) => (
    <MenuButton surface="menu-test" label="Open" actions={names.map(action)} onPick={() => undefined} />
);

test('a menu keeps the focus when the page around it is drawn again', () => {
    vi.stubGlobal('innerWidth', 1000);
    const { rerender } = render(menu(['one', 'two']));
    const button = screen.getByRole('button', { name: 'Open' });
    button.focus();
    fireEvent.click(button);
    expect(document.activeElement?.textContent).toBe('one');
    fireEvent.keyDown(document.activeElement!, { key: 'ArrowDown' });
    expect(document.activeElement?.textContent).toBe('two');
    rerender(menu(['one', 'two', 'three']));
    expect(document.activeElement?.textContent).toBe('two');
    fireEvent.keyDown(document.activeElement!, { key: 'Escape' });
    expect(screen.queryByRole('menu')).toBeNull();
    expect(document.activeElement).toBe(button);
});
