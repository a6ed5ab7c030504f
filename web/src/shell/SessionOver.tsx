// SPDX-License-Identifier: Apache-2.0
// The session is over: sign in again over the page, what was typed stays.
import { useTranslation } from 'react-i18next';
import { useMe } from '../api/query';
import { Modal, ModalBody, ModalHeader } from '../lib/Modal';
import { live } from '../live/live';
import { SignInForm } from '../pages/SignIn';

export default function SessionOver({ onDone }: { onDone: () => void }) {
    const { t } = useTranslation();
    const me = useMe();
    return (
        <Modal variant="small" data-surface="session" aria-labelledby="session-title">
            <ModalHeader
                title={t('session.over')}
                labelId="session-title"
                description={t('session.over_body')}
            />
            <ModalBody>
                <SignInForm
                    username={me?.user.name}
                    onDone={() => {
                        onDone();
                        live.renew();
                    }}
                />
            </ModalBody>
        </Modal>
    );
}
