// SPDX-License-Identifier: Apache-2.0
// Files on their way from this browser to the server, piece by piece. They go on while other pages are looked at; what the
// server has of a file stays there when this page is closed, and goes on when the same file is chosen again.
import { useSyncExternalStore } from 'react';
import { api } from '../api/client';
import { isApiError, type ApiError } from '../api/problem';
import { queryClient } from '../api/query';
import type { Item } from '../api/types';

/** What the server knows of an upload. */
export interface Upload extends Item {
    path: string;
    size_bytes: number;
    offset_bytes: number;
    state: 'receiving' | 'sending' | 'done' | 'failed';
    reason?: string | null;
    expires_at?: string | null;
    task?: { id: string } | null;
}

/** What this page does for it. */
export interface Transfer {
    key: string;
    /** Id of the datastore. */
    datastore: string;
    path: string;
    file: File;
    /** None: the server has not accepted it. */
    upload: Upload | null;
    offset: number;
    state: 'waiting' | 'sending' | 'retrying' | 'paused' | 'refused' | 'done';
    error?: ApiError;
    /** Bytes a second, smoothed. */
    rate: number | null;
}

const AT_ONCE = 2;
const PIECE_FIRST = 1 << 20;
/** The server takes no larger piece. */
const PIECE_MOST = 8 << 20;
const WAIT_MOST_MS = 30_000;

let transfers: Transfer[] = [];
let last = 0;
const listeners = new Set<() => void>();
const aborts = new Map<string, AbortController>();

export const uploads = {
    get: (): Transfer[] => transfers,
    subscribe(listener: () => void): () => void {
        listeners.add(listener);
        return () => listeners.delete(listener);
    },
    /** Sends a file to a path of a datastore; `upload`: the one to go on with. */
    add(datastore: string, path: string, file: File, upload: Upload | null = null): void {
        const key = `${++last}`;
        const offset = upload?.offset_bytes ?? 0;
        const same = (t: Transfer) => t.datastore === datastore && t.path === path && !busy(t);
        transfers = [
            ...transfers.filter((t) => !same(t)),
            { key, datastore, path, file, upload, offset, state: 'waiting', rate: null },
        ];
        tell();
        next();
    },
    pause(key: string): void {
        change(key, { state: 'paused', rate: null });
        aborts.get(key)?.abort();
    },
    resume(key: string): void {
        change(key, { state: 'waiting', error: undefined });
        next();
    },
    /** The file that is there is to be replaced. */
    overwrite(key: string): void {
        const transfer = find(key);
        if (!transfer) return;
        overwriting.add(key);
        uploads.resume(key);
    },
    /** Gives it up, here and at the server. */
    async cancel(key: string): Promise<void> {
        const upload = find(key)?.upload;
        transfers = transfers.filter((t) => t.key !== key);
        aborts.get(key)?.abort();
        tell();
        if (upload) await discard(upload.id);
    },
};

const overwriting = new Set<string>();
const find = (key: string) => transfers.find((t) => t.key === key);
const busy = (t: Transfer) => t.state === 'waiting' || t.state === 'sending' || t.state === 'retrying';

/** Makes the server forget an upload and what it has of it. */
export async function discard(id: string): Promise<void> {
    await api.del(`/uploads/${id}`);
    await refresh();
}

export function refresh(): Promise<void> {
    return queryClient.invalidateQueries({ queryKey: ['list', '/uploads'] });
}

export function useTransfers(datastore: string): Transfer[] {
    return useSyncExternalStore(uploads.subscribe, uploads.get).filter((t) => t.datastore === datastore);
}

function tell(): void {
    for (const listener of listeners) listener();
    const leaving = transfers.some(busy);
    window[leaving ? 'addEventListener' : 'removeEventListener']('beforeunload', askToStay);
}

/** Closing the page stops what is being sent: the browser asks. */
function askToStay(event: Event): void {
    event.preventDefault();
}

function change(key: string, facts: Partial<Transfer>): void {
    transfers = transfers.map((t) => (t.key === key ? { ...t, ...facts } : t));
    tell();
}

function next(): void {
    const running = transfers.filter((t) => t.state === 'sending' || t.state === 'retrying').length;
    for (const transfer of transfers.filter((t) => t.state === 'waiting').slice(0, AT_ONCE - running)) {
        change(transfer.key, { state: 'sending' });
        void send(transfer.key);
    }
}

async function send(key: string): Promise<void> {
    const abort = new AbortController();
    aborts.set(key, abort);
    try {
        await sendAll(key, abort.signal);
        change(key, { state: 'done', rate: null });
    } catch (error) {
        // Paused and given up say so themselves.
        if (!abort.signal.aborted)
            change(key, { state: 'refused', error: isApiError(error) ? error : undefined, rate: null });
    } finally {
        if (aborts.get(key) === abort) aborts.delete(key);
        void refresh();
        next();
    }
}

/** Tells the server what will come; it may refuse all of it. */
async function register(key: string, signal: AbortSignal): Promise<Upload> {
    const { datastore, path, file } = find(key)!;
    const body = { path, size_bytes: file.size, ...(overwriting.has(key) && { overwrite: true }) };
    const idempotencyKey = crypto.randomUUID();
    const { data } = await patiently(key, signal, () =>
        api.post<Upload>(`/datastores/${datastore}/uploads`, body, { idempotencyKey }),
    );
    // Given up while it was asked.
    if (!find(key)) await discard(data.id);
    signal.throwIfAborted();
    change(key, { upload: data });
    void refresh();
    return data;
}

async function sendAll(key: string, signal: AbortSignal): Promise<void> {
    const { file } = find(key)!;
    let upload = find(key)!.upload ?? (await register(key, signal));
    let piece = PIECE_FIRST;
    while (upload.state === 'receiving') {
        const { id, offset_bytes: from }: Upload = upload;
        const to = Math.min(from + piece, file.size);
        const began = performance.now();
        upload = await patiently(key, signal, () => put(id, file, from, to, signal));
        const seconds = (performance.now() - began) / 1000;
        const speed = (upload.offset_bytes - from) / Math.max(seconds, 0.001);
        const rate = find(key)?.rate;
        change(key, {
            upload,
            state: 'sending',
            offset: upload.offset_bytes,
            rate: rate ? rate * 0.7 + speed * 0.3 : speed,
        });
        if (seconds < 1) piece = Math.min(piece * 2, PIECE_MOST);
        else if (seconds > 4) piece = Math.max(piece / 2, PIECE_FIRST);
    }
}

/** One piece; where the server has something else than we thought, it says what it has. */
async function put(id: string, file: File, from: number, to: number, signal: AbortSignal): Promise<Upload> {
    const range = to > from ? `bytes ${from}-${to - 1}/${file.size}` : `bytes */${file.size}`;
    try {
        const { data } = await api.put<Upload>(`/uploads/${id}/content`, file.slice(from, to), {
            headers: { 'Content-Range': range, 'Content-Type': 'application/octet-stream' },
            signal,
        });
        return data;
    } catch (error) {
        if (!isApiError(error) || error.status !== 409) throw error;
        const now = await api.get<Upload>(`/uploads/${id}`, undefined, signal);
        if (now.state === 'receiving' && now.offset_bytes === from) throw error;
        return now;
    }
}

/** No answer, no session, a busy server: once more, ever later. Other refusals are final. */
async function patiently<T>(key: string, signal: AbortSignal, ask: () => Promise<T>): Promise<T> {
    for (let wait = 1000; ; wait = Math.min(wait * 2, WAIT_MOST_MS)) {
        try {
            return await ask();
        } catch (error) {
            signal.throwIfAborted();
            const passing =
                isApiError(error) &&
                (error.offline || error.status === 401 || error.status === 429 || error.status >= 502);
            if (!passing) throw error;
            change(key, { state: 'retrying', error, rate: null });
            await new Promise<void>((done) => {
                const timer = setTimeout(done, wait);
                signal.addEventListener('abort', () => (clearTimeout(timer), done()), { once: true });
            });
            signal.throwIfAborted();
        }
    }
}
