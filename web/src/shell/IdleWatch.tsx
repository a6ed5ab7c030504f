// SPDX-License-Identifier: Apache-2.0
// Ends the session of who is not there any more, and says so before: whatever is touched keeps it.
import { useEffect, useRef, useState } from 'react';
import { Button } from '@patternfly/react-core';
import { useTranslation } from 'react-i18next';
import '../i18n/organise';
import { api } from '../api/client';
import { number } from '../i18n/format';
import { Modal, ModalBody, ModalFooter, ModalHeader } from '../lib/Modal';
import { watchIdle } from './idle';

function Warning({ endsAt }: { endsAt: number }) {
    const { t } = useTranslation();
    const [left, setLeft] = useState(() => Math.max(0, Math.ceil((endsAt - Date.now()) / 1000)));
    useEffect(() => {
        const timer = setInterval(() => setLeft(Math.max(0, Math.ceil((endsAt - Date.now()) / 1000))), 1000);
        return () => clearInterval(timer);
    }, [endsAt]);
    return (
        <Modal variant="small" data-surface="idle" aria-labelledby="idle-title" aria-describedby="idle-body">
            <ModalHeader title={t('organise.idle.title')} labelId="idle-title" warning />
            <ModalBody id="idle-body">
                <p>{t('organise.idle.body')}</p>
                <p role="timer">{t('organise.idle.left', { count: left, n: number(left) })}</p>
            </ModalBody>
            <ModalFooter>
                {/* The watch over hands does the rest. */}
                <Button variant="primary">{t('organise.idle.stay')}</Button>
            </ModalFooter>
        </Modal>
    );
}

export default function IdleWatch({ idleS, onEnd }: { idleS: number; onEnd: () => void }) {
    const [endsAt, setEndsAt] = useState<number | null>(null);
    const end = useRef(onEnd);
    end.current = onEnd;
    useEffect(
        () =>
            watchIdle(idleS * 1000, {
                warn: setEndsAt,
                back: () => setEndsAt(null),
                ping: () => void api.get('/me').catch(() => undefined),
                end: () => {
                    void api.post('/auth/logout', undefined).catch(() => undefined);
                    end.current();
                },
            }),
        [idleS],
    );
    return endsAt === null ? null : <Warning endsAt={endsAt} />;
}
