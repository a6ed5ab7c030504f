// SPDX-License-Identifier: Apache-2.0
// What this page has asked the server, newest last; forgotten when another page is opened. From the first request on.
import { onCall, type Call } from './client';

const MOST = 200;
let kept: Call[] = [];
const listeners = new Set<() => void>();

function become(next: Call[]) {
    kept = next;
    for (const listener of listeners) listener();
}

onCall((call) => become([...kept, call].slice(-MOST)));

export const calls = {
    get: (): Call[] => kept,
    forget: () => become([]),
    subscribe(listener: () => void): () => void {
        listeners.add(listener);
        return () => listeners.delete(listener);
    },
};
