// SPDX-License-Identifier: Apache-2.0
// The one place that talks to the server. Cookies identify us; writes carry the CSRF token of the session, an
// idempotency key, and the version they mean (If-Match). Problems become ApiError, with the request's id.
import { ApiError, type Problem } from './problem';

export const BASE = '/api/v1';

export type Query = Record<string, string | number | boolean | undefined | null>;

export interface RequestOptions {
    query?: Query;
    signal?: AbortSignal;
    /** Version of the object that is meant, as its ETag. */
    ifMatch?: string;
    /** Seconds to wait for a task's end. */
    wait?: number;
    /** Writes get a fresh one; a form that is sent again after a lost answer gives its own. */
    idempotencyKey?: string;
    headers?: Record<string, string>;
}

export interface Answer<T> {
    data: T;
    status: number;
    etag: string | null;
    location: string | null;
    requestId: string | null;
}

let csrf: string | null = null;
const signedOutListeners = new Set<() => void>();
const sentListeners = new Set<(call: Call) => void>();

/** One request as it was sent, for "show API calls of this page". */
export interface Call {
    method: string;
    url: string;
    status: number;
    ms: number;
    body?: unknown;
}

export function setCsrf(token: string | null | undefined): void {
    csrf = token ?? null;
}

/** Called when the server does not know our session any more. */
export function onSignedOut(listener: () => void): () => void {
    signedOutListeners.add(listener);
    return () => signedOutListeners.delete(listener);
}

export function onCall(listener: (call: Call) => void): () => void {
    sentListeners.add(listener);
    return () => sentListeners.delete(listener);
}

export function urlOf(path: string, query?: Query): string {
    const found = Object.entries(query ?? {}).filter(([, v]) => v !== undefined && v !== null && v !== '');
    const text = new URLSearchParams(found.map(([k, v]) => [k, String(v)])).toString();
    return BASE + path + (text ? `?${text}` : '');
}

async function problemOf(response: Response): Promise<Problem> {
    const text = await response.text().catch(() => '');
    try {
        const body = JSON.parse(text) as Problem;
        if (body && typeof body.code === 'string') return { ...body, status: response.status };
    } catch {
        // Not ours: a proxy in between, most often.
    }
    return {
        type: 'about:blank',
        title: response.statusText || `HTTP ${response.status}`,
        status: response.status,
        code: 'http-error',
        detail: text.slice(0, 300),
        request_id: response.headers.get('x-request-id') ?? undefined,
    } as Problem;
}

async function send(method: string, path: string, body: unknown, accept: string, o: RequestOptions) {
    const headers: Record<string, string> = { Accept: accept, ...o.headers };
    const write = method !== 'GET' && method !== 'HEAD';
    if (write && csrf) headers['X-CSRF-Token'] = csrf;
    if (method === 'POST' || o.idempotencyKey)
        headers['Idempotency-Key'] = o.idempotencyKey ?? crypto.randomUUID();
    if (o.ifMatch) headers['If-Match'] = o.ifMatch;
    if (o.wait) headers.Prefer = `wait=${o.wait}`;
    if (body !== undefined) {
        headers['Content-Type'] ??= method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
    }
    const url = urlOf(path, o.query);
    const began = performance.now();
    let response: Response;
    try {
        response = await fetch(url, {
            method,
            headers,
            body: body === undefined || body instanceof Blob ? body : JSON.stringify(body),
            signal: o.signal,
            credentials: 'same-origin',
            cache: 'no-store',
        });
    } catch (error) {
        if (error instanceof DOMException && error.name === 'AbortError') throw error;
        const title = error instanceof Error ? error.message : String(error);
        const problem = {
            type: 'about:blank',
            title,
            status: 0,
            code: 'no-answer',
            retryable: true,
        } as Problem;
        throw new ApiError(problem, method, path);
    }
    const call: Call = {
        method,
        url,
        status: response.status,
        ms: Math.round(performance.now() - began),
        body: body instanceof Blob ? undefined : body,
    };
    for (const listener of sentListeners) listener(call);
    if (!response.ok) {
        const problem = await problemOf(response);
        // Where a password or a code is part of the request, it is that which is wrong.
        const ofSession = !/^\/(auth|me\/totp)\b/.test(path);
        if (problem.status === 401 && problem.code === 'unauthenticated' && ofSession)
            for (const listener of signedOutListeners) listener();
        throw new ApiError(problem, method, path);
    }
    return response;
}

async function request<T>(
    method: string,
    path: string,
    body: unknown,
    o: RequestOptions,
): Promise<Answer<T>> {
    const response = await send(method, path, body, 'application/json', o);
    const text = await response.text();
    return {
        data: (text ? JSON.parse(text) : null) as T,
        status: response.status,
        etag: response.headers.get('etag'),
        location: response.headers.get('location'),
        requestId: response.headers.get('x-request-id'),
    };
}

/** Lines of a streamed answer, as they come. */
async function* lines(response: Response): AsyncGenerator<string> {
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        rest += value;
        let at: number;
        let from = 0;
        while ((at = rest.indexOf('\n', from)) >= 0) {
            if (at > from) yield rest.slice(from, at);
            from = at + 1;
        }
        rest = rest.slice(from);
    }
    if (rest) yield rest;
}

export const api = {
    /** The body alone: what most callers want. */
    async get<T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> {
        return (await request<T>('GET', path, undefined, { query, signal })).data;
    },
    read<T>(path: string, o: RequestOptions = {}): Promise<Answer<T>> {
        return request<T>('GET', path, undefined, o);
    },
    post<T>(path: string, body: unknown = {}, o: RequestOptions = {}): Promise<Answer<T>> {
        return request<T>('POST', path, body, o);
    },
    put<T>(path: string, body: unknown, o: RequestOptions = {}): Promise<Answer<T>> {
        return request<T>('PUT', path, body, o);
    },
    patch<T>(path: string, body: unknown, o: RequestOptions = {}): Promise<Answer<T>> {
        return request<T>('PATCH', path, body, o);
    },
    del<T>(path: string, o: RequestOptions = {}): Promise<Answer<T>> {
        return request<T>('DELETE', path, undefined, o);
    },
    /** For operations, whose method the table of operations tells. */
    call<T>(method: string, path: string, body: unknown, o: RequestOptions = {}): Promise<Answer<T>> {
        return request<T>(method, path, method === 'DELETE' && !body ? undefined : body, o);
    },
    /** The whole result of a list, object by object. */
    async *ndjson<T>(path: string, query?: Query, signal?: AbortSignal): AsyncGenerator<T> {
        const response = await send('GET', path, undefined, 'application/x-ndjson', { query, signal });
        for await (const line of lines(response)) yield JSON.parse(line) as T;
    },
    /** What is not JSON: a list as text/csv, a part of a file. */
    async blob(path: string, accept: string, o: RequestOptions = {}): Promise<Blob> {
        return (await send('GET', path, undefined, accept, o)).blob();
    },
};

export type Api = typeof api;
