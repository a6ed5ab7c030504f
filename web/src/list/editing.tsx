// SPDX-License-Identifier: Apache-2.0
// Lists whose things are made and changed in a dialog above them. What is open is in the address: ?new=PATH, ?edit=ID, ?log=ID.
import type { ReactNode } from 'react';
import { useAddress } from '../lib/address';

/** Where the first column of such a list leads. */
export function editLink(item: { id: string }): string {
    const params = new URLSearchParams(window.location.search);
    params.set('edit', item.id);
    return `?${params.toString()}`;
}

export function useEditing() {
    const [params, change] = useAddress();
    return {
        id: params.get('edit'),
        log: params.get('log'),
        isNew: params.has('new'),
        close: () =>
            change((next) => {
                for (const name of ['edit', 'new', 'log', 'dialog']) next.delete(name);
            }, 'close'),
    };
}

export function NewButton({ path, children }: { path: string; children: ReactNode }) {
    const [, change] = useAddress();
    return (
        <button
            type="button"
            className="pv-button pv-button--primary"
            onClick={() => change((next) => next.set('new', path))}
        >
            {children}
        </button>
    );
}
