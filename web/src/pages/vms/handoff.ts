// SPDX-License-Identifier: Apache-2.0
// What a console program on the person's computer needs, of what the driver gave; and what a US keyboard can type.

/** Answer of POST /vms/{id}/console. */
export interface Ticket {
    protocol: string;
    host?: string | null;
    port?: number | null;
    path?: string | null;
    url?: string | null;
    ticket?: string | null;
    preconnection_blob?: string | null;
    thumbprint?: string | null;
    expires_at?: string | null;
}

/** The file that a remote desktop program opens: the host's console port, and by the blob which machine is meant. */
export function rdpFile(t: Ticket): string | null {
    if (t.protocol !== 'rdp' || !t.host) return null;
    const address = t.host.includes(':') && !t.host.startsWith('[') ? `[${t.host}]` : t.host;
    const lines = [
        `full address:s:${address}`,
        `server port:i:${t.port ?? 2179}`,
        ...(t.preconnection_blob ? [`pcb:s:${t.preconnection_blob}`] : []),
        'negotiate security layer:i:0',
        'authentication level:i:2',
        'prompt for credentials:i:1',
    ];
    // Nothing from the server may begin a line of its own.
    return lines.map((line) => line.replace(/[\r\n]/g, '')).join('\r\n') + '\r\n';
}

/** An address that a program on this computer takes; only of schemes that are meant for consoles. */
export function programUrl(t: Ticket): string | null {
    return t.url && /^(vmrc|vnc|rdp):\/\//i.test(t.url) ? t.url : null;
}

/** Characters that no key of a US keyboard gives, each once. */
export function untypable(text: string): string[] {
    return [...new Set([...text.replaceAll('\r\n', '\n')].filter((c) => !/^[\x20-\x7e\n\t]$/.test(c)))];
}
