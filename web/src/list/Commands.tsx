// SPDX-License-Identifier: Apache-2.0
// The list that is shown, as commands that answer the same.
import { useTranslation } from 'react-i18next';
import { urlOf } from '../api/client';
import { pathOf } from '../api/model';
import { Modal, ModalBody, ModalHeader } from '../lib/Modal';
import { shell } from '../lib/snippets';
import { CopyButton } from '../states/states';
import type { ListDeclaration } from './types';

function commands(list: ListDeclaration, filter: string, sort: string): { id: string; text: string }[] {
    const path = list.path ?? pathOf(list.kind);
    const url = location.origin + urlOf(path, { filter, sort });
    const cli = `polyvisor ${list.kind.replaceAll('_', '-')} list${filter ? ` --filter ${shell(filter)}` : ''}${sort ? ` --sort ${shell(sort)}` : ''}`;
    const ansible = [
        `- name: ${list.name}`,
        '  ansible.builtin.uri:',
        `    url: ${JSON.stringify(url)}`,
        '    headers:',
        '      Authorization: "Bearer {{ polyvisor_token }}"',
        '    return_content: true',
        '  register: result',
    ].join('\n');
    return [
        { id: 'curl', text: `curl -H "Authorization: Bearer $TOKEN" ${shell(url)}` },
        { id: 'cli', text: cli },
        { id: 'ansible', text: ansible },
    ];
}

export default function Commands(p: {
    list: ListDeclaration;
    filter: string;
    sort: string;
    onClose: () => void;
}) {
    const { t } = useTranslation();
    return (
        <Modal variant="medium" onClose={p.onClose} data-surface="commands" aria-labelledby="commands-title">
            <ModalHeader title={t('list.copy_as').replace(/ ?…$/, '')} labelId="commands-title" />
            <ModalBody>
                {commands(p.list, p.filter, p.sort).map((c) => (
                    <section key={c.id} className="pv-command" data-command={c.id}>
                        <h3 className="pv-h3">{t(`list.as_${c.id}`)}</h3>
                        <pre className="pv-pre">{c.text}</pre>
                        <CopyButton text={c.text} />
                    </section>
                ))}
            </ModalBody>
        </Modal>
    );
}
