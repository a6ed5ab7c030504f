// SPDX-License-Identifier: Apache-2.0
// Five points for the first minutes; one can leave at any time.
import { useState } from 'react';
import { Button, Modal, ModalBody, ModalFooter, ModalHeader } from '@patternfly/react-core';
import { useSearchParams } from 'react-router';
import { useTranslation } from 'react-i18next';

const STEPS = ['search', 'grid', 'actions', 'tasks', 'keys'] as const;

export default function Tour() {
    const { t } = useTranslation();
    const [step, setStep] = useState(0);
    const [, setParams] = useSearchParams();
    const end = () =>
        setParams(
            (old) => {
                const next = new URLSearchParams(old);
                next.delete('tour');
                return next;
            },
            { replace: true },
        );
    const last = step === STEPS.length - 1;
    const name = STEPS[step] ?? 'search';
    return (
        <Modal isOpen variant="small" onClose={end} aria-labelledby="tour-title">
            <ModalHeader
                title={t(`tour.${name}.title`)}
                labelId="tour-title"
                description={t('tour.step', { n: step + 1, of: STEPS.length })}
            />
            <ModalBody>{t(`tour.${name}.body`)}</ModalBody>
            <ModalFooter>
                <Button variant="primary" onClick={() => (last ? end() : setStep(step + 1))}>
                    {last ? t('tour.end') : t('action.next')}
                </Button>
                {!last && (
                    <Button variant="link" onClick={end}>
                        {t('tour.skip')}
                    </Button>
                )}
            </ModalFooter>
        </Modal>
    );
}
