// SPDX-License-Identifier: Apache-2.0
// The other nodes of a failover cluster, as the test found them: each is a place to add with the same account.
import {
    Checkbox,
    FormGroup,
    FormHelperText,
    HelperText,
    HelperTextItem,
    TextInput,
} from '@patternfly/react-core';
import { useTranslation } from 'react-i18next';
import type { Finding } from './Findings';

interface Found {
    name: string;
    state?: string;
    this?: boolean;
    endpoint?: string;
    sha256?: string;
}

export interface Node {
    name: string;
    endpoint: string;
    pin: string;
    wanted: boolean;
    /** As it stood when it was looked at. */
    state: string;
}

export interface Member {
    name: string;
    endpoint: string;
    tls?: { mode: string; pins: string[] };
}

/** All but the one that was asked, to be added unless somebody says no; what was changed in the form stays. */
export function nodesOf(findings: Finding[], before: Node[] = []): Node[] {
    const data = findings.find((f) => f.step === 'cluster')?.data as { nodes?: Found[] } | undefined;
    return (data?.nodes ?? [])
        .filter((n) => !n.this && n.endpoint)
        .map(
            (n) =>
                before.find((b) => b.name === n.name) ?? {
                    name: n.name,
                    endpoint: n.endpoint ?? '',
                    pin: n.sha256 ?? '',
                    wanted: true,
                    state: n.state ?? '',
                },
        );
}

export function membersOf(nodes: Node[], pinned: boolean): Member[] {
    return nodes
        .filter((n) => n.wanted)
        .map((n) => ({
            name: n.name,
            endpoint: n.endpoint,
            ...(pinned
                ? { tls: { mode: 'pin', pins: [n.pin.replace(/[^0-9a-fA-F]/g, '').toLowerCase()] } }
                : {}),
        }));
}

export function Nodes(p: {
    nodes: Node[];
    pinned: boolean;
    /** By pointer: /members/0. */
    errors: Record<string, string>;
    onChange: (nodes: Node[]) => void;
}) {
    const { t } = useTranslation();
    const put = (name: string, change: Partial<Node>) =>
        p.onChange(p.nodes.map((n) => (n.name === name ? { ...n, ...change } : n)));
    const wanted = p.nodes.filter((n) => n.wanted);
    return (
        <FormGroup role="group" label={t('providers.nodes')} fieldId="np-nodes">
            <FormHelperText>
                <HelperText>
                    <HelperTextItem>{t('providers.nodes_help')}</HelperTextItem>
                </HelperText>
            </FormHelperText>
            {p.nodes.map((n) => {
                const id = `np-node-${n.name}`;
                const at = `/members/${wanted.indexOf(n)}`;
                const wrong =
                    n.wanted &&
                    Object.entries(p.errors).find(
                        ([pointer]) => pointer === at || pointer.startsWith(`${at}/`),
                    )?.[1];
                return (
                    <div key={n.name} className="pv-node">
                        <Checkbox
                            id={id}
                            label={n.state && n.state !== 'up' ? `${n.name} (${n.state})` : n.name}
                            isChecked={n.wanted}
                            onChange={(_, v) => put(n.name, { wanted: v })}
                        />
                        {n.wanted && (
                            <>
                                <TextInput
                                    id={`${id}-endpoint`}
                                    aria-label={t('providers.node_endpoint', { name: n.name })}
                                    autoComplete="off"
                                    value={n.endpoint}
                                    onChange={(_, v) => put(n.name, { endpoint: v })}
                                />
                                {p.pinned && (
                                    <TextInput
                                        id={`${id}-pin`}
                                        className="pv-mono"
                                        aria-label={t('providers.node_pin', { name: n.name })}
                                        placeholder={t('providers.pin')}
                                        value={n.pin}
                                        onChange={(_, v) => put(n.name, { pin: v })}
                                    />
                                )}
                            </>
                        )}
                        {wrong && (
                            <HelperText>
                                <HelperTextItem variant="error">{wrong}</HelperTextItem>
                            </HelperText>
                        )}
                    </div>
                );
            })}
        </FormGroup>
    );
}
