// SPDX-License-Identifier: Apache-2.0
// Which cards are shown, and in which order; buttons alone, so every way works without dragging.
import { useState } from 'react';
import { Button } from '@patternfly/react-core';
import { useTranslation } from 'react-i18next';
import { Modal, ModalBody, ModalFooter, ModalHeader } from '../../lib/Modal';
import { FailureLine } from '../../states/states';
import { isDefault, keepLayout, layoutOf, moved, type Card, type Layout } from './layout';

export default function Arrange({ layout, onClose }: { layout: Layout; onClose: () => void }) {
    const { t } = useTranslation();
    const [next, setNext] = useState(layout);
    const [busy, setBusy] = useState(false);
    const [error, setError] = useState<unknown>(null);
    const [said, setSaid] = useState('');
    const toggle = (card: Card) =>
        setNext({
            ...next,
            hidden: next.hidden.includes(card)
                ? next.hidden.filter((c) => c !== card)
                : [...next.hidden, card],
        });
    const move = (card: Card, by: number) => {
        const order = moved(next.order, card, by);
        setNext({ ...next, order });
        setSaid(
            t('overview.arrange.moved', {
                name: t(`overview.${card}`),
                n: order.indexOf(card) + 1,
                of: order.length,
            }),
        );
    };
    const save = async () => {
        setBusy(true);
        setError(null);
        try {
            await keepLayout(next);
            onClose();
        } catch (failure) {
            setError(failure);
            setBusy(false);
        }
    };
    return (
        <Modal variant="small" onClose={onClose} data-surface="arrange" aria-labelledby="arrange-title">
            <ModalHeader
                title={t('overview.arrange.title')}
                labelId="arrange-title"
                description={t('overview.arrange.body')}
            />
            <ModalBody>
                {error !== null && <FailureLine error={error} />}
                <ol className="pv-chooser__list">
                    {next.order.map((card, i) => {
                        const name = t(`overview.${card}`);
                        const arrow = (label: string, path: string, by: number, end: boolean) => (
                            <button
                                type="button"
                                className="pv-iconbutton"
                                aria-label={label}
                                title={label}
                                aria-disabled={end}
                                onClick={() => !end && move(card, by)}
                            >
                                <svg viewBox="0 0 16 16" aria-hidden="true">
                                    <path d={path} />
                                </svg>
                            </button>
                        );
                        return (
                            <li key={card}>
                                <label className="pv-chooser__name pv-pick">
                                    <input
                                        type="checkbox"
                                        checked={!next.hidden.includes(card)}
                                        onChange={() => toggle(card)}
                                    />
                                    {name}
                                </label>
                                {arrow(t('list.move_up', { name }), 'm4 10 4-4 4 4', -1, i === 0)}
                                {arrow(
                                    t('list.move_down', { name }),
                                    'm4 6 4 4 4-4',
                                    1,
                                    i === next.order.length - 1,
                                )}
                            </li>
                        );
                    })}
                </ol>
                <span className="pv-sr" role="status">
                    {said}
                </span>
            </ModalBody>
            <ModalFooter>
                <Button variant="primary" isLoading={busy} isDisabled={busy} onClick={() => void save()}>
                    {t('action.save')}
                </Button>
                <Button variant="link" onClick={onClose}>
                    {t('action.cancel')}
                </Button>
                <Button variant="link" isDisabled={isDefault(next)} onClick={() => setNext(layoutOf(null))}>
                    {t('overview.arrange.reset')}
                </Button>
            </ModalFooter>
        </Modal>
    );
}
