// SPDX-License-Identifier: Apache-2.0
// In place of a dialog whose address names what is not there (any more).
import { Button } from '@patternfly/react-core';
import { useTranslation } from 'react-i18next';
import '../i18n/machine';
import { isApiError } from '../api/problem';
import { said } from '../i18n/words';
import { Modal, ModalBody, ModalFooter, ModalHeader } from '../lib/Modal';

export default function GoneDialog({
    why = 'object',
    what,
    error,
    onClose,
}: {
    /** What cannot be found: the object, what was selected, or the action itself. */
    why?: 'object' | 'selection' | 'action';
    /** Its kind or name. */
    what: string;
    error?: unknown;
    onClose: () => void;
}) {
    const { t } = useTranslation();
    const detail = isApiError(error) ? said(error.problem, 'detail') : '';
    return (
        <Modal
            data-surface="gone"
            variant="small"
            onClose={onClose}
            aria-labelledby="gone-title"
            aria-describedby="gone-body"
        >
            <ModalHeader title={t(`machine.gone.${why}`, { what })} labelId="gone-title" />
            <ModalBody id="gone-body">
                <p>{t(`machine.gone.${why}_body`, { what })}</p>
                {detail && <p className="pv-subtle">{detail}</p>}
            </ModalBody>
            <ModalFooter>
                <Button onClick={onClose}>{t('action.close')}</Button>
            </ModalFooter>
        </Modal>
    );
}
