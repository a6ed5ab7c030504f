// SPDX-License-Identifier: Apache-2.0
import { useState } from 'react';
import { act, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import i18next from 'i18next';
import { afterEach, expect, test } from 'vitest';
import ru from '../i18n/ru';
import { Modal, ModalBody, ModalHeader } from './Modal';

afterEach(() => act(() => i18next.changeLanguage('en')));

function Stage({ first }: { first?: string }) {
    const [open, setOpen] = useState(0);
    return (
        <>
            <button type="button" onClick={() => setOpen(1)}>
                Open
            </button>
            {open > 0 && (
                <Modal
                    data-surface="one"
                    aria-labelledby="one"
                    elementToFocus={first}
                    onClose={() => setOpen(0)}
                >
                    <ModalHeader title="One" labelId="one" warning />
                    <ModalBody>
                        <input aria-label="Name" />
                        <button type="button" onClick={() => setOpen(2)}>
                            More
                        </button>
                    </ModalBody>
                </Modal>
            )}
            {open > 1 && (
                <Modal data-surface="two" aria-labelledby="two" onClose={() => setOpen(1)}>
                    <ModalHeader title="Two" labelId="two" />
                    <input aria-label="Other" autoFocus />
                </Modal>
            )}
        </>
    );
}

const focused = () =>
    document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent;

test('the focus goes in, round inside by Tab, and back where it was', async () => {
    render(<Stage first="input" />);
    await userEvent.click(screen.getByText('Open'));
    expect(focused()).toBe('Name');
    for (const next of ['More', 'Close', 'Name']) {
        await userEvent.tab();
        expect(focused()).toBe(next);
    }
    await userEvent.tab({ shift: true });
    await userEvent.tab({ shift: true });
    expect(focused()).toBe('More');
    await userEvent.keyboard('{Escape}');
    expect(screen.queryByRole('dialog')).toBeNull();
    expect(focused()).toBe('Open');
});

test('of two dialogs the upper is the one that is there, and Escape closes them one by one', async () => {
    render(<Stage />);
    await userEvent.click(screen.getByText('Open'));
    await userEvent.click(screen.getByText('More'));
    expect(screen.getAllByRole('dialog').map((d) => d.getAttribute('aria-labelledby'))).toEqual(['two']);
    expect(focused()).toBe('Other');
    await userEvent.keyboard('{Escape}');
    expect(screen.getAllByRole('dialog').map((d) => d.getAttribute('aria-labelledby'))).toEqual(['one']);
    expect(focused()).toBe('More');
    await userEvent.keyboard('{Escape}');
    expect(screen.getByText('Open').closest('[aria-hidden]')).toBeNull();
    expect(document.body.className).toBe('');
});

test('what the dialog says of itself is in the language of the page', async () => {
    i18next.addResourceBundle('ru', 'translation', ru);
    await act(() => i18next.changeLanguage('ru'));
    render(<Stage />);
    await userEvent.click(screen.getByText('Open'));
    screen.getByRole('button', { name: 'Закрыть' });
    screen.getByRole('dialog', { name: /^Внимание:/ });
});
