// SPDX-License-Identifier: Apache-2.0
// Five points for the first minutes; one can leave at any time.
import { Button } from '@patternfly/react-core';
import { useTranslation } from 'react-i18next';
import '../i18n/start';
import { Modal, ModalBody, ModalFooter, ModalHeader } from '../lib/Modal';
import { useAddress } from '../lib/address';

const STEPS = ['search', 'grid', 'actions', 'tasks', 'keys'] as const;

export default function Tour() {
    const { t } = useTranslation();
    const [params, change] = useAddress();
    const step = Math.min(STEPS.length, Math.max(1, Number(params.get('tour')) || 1)) - 1;
    const end = () => change((next) => next.delete('tour'), 'close');
    const next = () => change((to) => to.set('tour', String(step + 2)));
    const last = step === STEPS.length - 1;
    const name = STEPS[step] ?? 'search';
    return (
        <Modal variant="small" onClose={end} data-surface="tour" aria-labelledby="tour-title">
            <ModalHeader
                title={t(`tour.${name}.title`)}
                labelId="tour-title"
                description={t('tour.step', { n: step + 1, of: STEPS.length })}
            />
            <ModalBody>{t(`tour.${name}.body`)}</ModalBody>
            <ModalFooter>
                <Button variant="primary" onClick={() => (last ? end() : next())}>
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
