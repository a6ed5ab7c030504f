// SPDX-License-Identifier: Apache-2.0
import { useTranslation } from 'react-i18next';
import '../i18n/estate';
import '../i18n/start';
import { Modal, ModalBody, ModalHeader } from '../lib/Modal';
import { Kbd } from '../lib/cells';
import { SECTIONS } from './sections';

export default function HelpSheet({
    onClose,
    onCalls,
}: {
    onClose: () => void;
    /** Shows what the page asks the server. */
    onCalls: () => void;
}) {
    const { t } = useTranslation();
    const rows: [string, string][] = [
        ['Ctrl K', t('keys.palette')],
        ['/', t('keys.filter')],
        ['t', t('keys.tray')],
        ['r', t('keys.refresh')],
        ['c', t('keys.console')],
        ['?', t('keys.help')],
    ];
    const grid: [string, string][] = [
        ['j', t('keys.down')],
        ['k', t('keys.up')],
        ['x', t('keys.select')],
        ['Shift ↓', t('keys.extend')],
        ['Ctrl A', t('keys.all')],
        ['Enter', t('keys.open')],
        ['.', t('keys.menu')],
        ['Ctrl C', t('lists.key_copy')],
        ['← →', t('lists.key_group')],
        ['Shift →', t('keys.wider')],
        ['Alt →', t('keys.move_column')],
    ];
    const table = (title: string, list: [string, string][]) => (
        <section>
            <h3 className="pv-h3">{title}</h3>
            <dl className="pv-keylist">
                {list.map(([keys, text]) => (
                    <div key={keys}>
                        <dt>
                            <Kbd keys={keys} />
                        </dt>
                        <dd>{text}</dd>
                    </div>
                ))}
            </dl>
        </section>
    );
    return (
        <Modal variant="medium" onClose={onClose} data-surface="help" aria-labelledby="help-title">
            <ModalHeader title={t('keys.title')} labelId="help-title" description={t('keys.intro')} />
            {/* All text: whoever scrolls by keyboard needs a place to stand on. */}
            <ModalBody tabIndex={0} role="region" aria-label={t('keys.title')}>
                <div className="pv-help">
                    {table(t('keys.everywhere'), rows)}
                    {table(t('keys.grid'), grid)}
                    {table(
                        t('keys.go'),
                        SECTIONS.filter((s) => s.key).map((s) => [`g ${s.key}`, t(s.title)]),
                    )}
                </div>
                <p>
                    <button type="button" className="pv-button" onClick={onCalls}>
                        {t('estate.calls.open')}
                    </button>
                </p>
            </ModalBody>
        </Modal>
    );
}
