// SPDX-License-Identifier: Apache-2.0
// Files go up piece by piece: what was cut goes on, what was refused stands still. The server here keeps the bytes it was sent.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { uploads, type Transfer } from './uploads';

const MIB = 1 << 20;

/** A server that has what it was sent, and can misbehave. */
class Server {
    bytes = Buffer.alloc(0);
    size = -1;
    asked: string[] = [];
    taken = false;
    /** Answers before the ordinary one; null: ask the ordinary one. */
    before: (method: string, path: string) => Response | 'cut' | 'lost' | null = () => null;

    readonly fetch = async (url: string, init: RequestInit): Promise<Response> => {
        const path = url.replace('/api/v1', '').replace(/\?.*/, '');
        const method = init.method ?? 'GET';
        this.asked.push(`${method} ${path}`);
        const order = this.before(method, path);
        if (order === 'cut') throw new TypeError('Failed to fetch');
        if (order instanceof Response) return order;
        const answer = await this.answer(method, init);
        init.signal?.throwIfAborted();
        if (order === 'lost') throw new TypeError('Failed to fetch');
        return answer;
    };

    private async answer(method: string, init: RequestInit): Promise<Response> {
        if (method === 'POST') {
            const body = JSON.parse(String(init.body)) as { size_bytes: number; overwrite?: boolean };
            if (this.taken && !body.overwrite) return problem(409, 'name-taken');
            this.size = body.size_bytes;
            return json(this.upload());
        }
        if (method === 'PUT') {
            const range = new Headers(init.headers).get('Content-Range')!;
            const from = Number(/^bytes (\d+)-/.exec(range)?.[1] ?? 0);
            if (from !== this.bytes.length) return problem(409, 'version-mismatch');
            this.bytes = Buffer.concat([this.bytes, await contents(init.body as Blob)]);
            return json(this.upload(range.startsWith('bytes */')));
        }
        return json(this.upload());
    }

    private upload(empty = false) {
        const all = this.bytes.length === this.size && (this.size > 0 || empty);
        return {
            id: 'up_1',
            kind: 'upload',
            size_bytes: this.size,
            offset_bytes: this.bytes.length,
            state: all ? 'sending' : 'receiving',
        };
    }
}

const json = (body: unknown) => new Response(JSON.stringify(body));
const problem = (status: number, code: string) =>
    new Response(JSON.stringify({ code, status, title: code }), { status });

/** jsdom's Blob has no arrayBuffer(). */
function contents(blob: Blob): Promise<Buffer> {
    const reader = new FileReader();
    reader.readAsArrayBuffer(blob);
    return new Promise((done) => {
        reader.onload = () => done(Buffer.from(reader.result as ArrayBuffer));
    });
}

let server: Server;

function file(size: number): File {
    return new File([Uint8Array.from({ length: size }, (_, i) => (i * 7 + (i >> 12)) % 251)], 'a.iso');
}

async function reaches(state: Transfer['state']): Promise<Transfer> {
    await vi.waitFor(() => expect(uploads.get()[0]?.state).toBe(state), { timeout: 20_000 });
    return uploads.get()[0]!;
}

beforeEach(() => {
    server = new Server();
    vi.stubGlobal('fetch', server.fetch);
});
afterEach(async () => {
    for (const t of uploads.get()) await uploads.cancel(t.key);
    vi.unstubAllGlobals();
});

test('a file arrives whole, in pieces', async () => {
    const sent = file(3 * MIB + 17);
    uploads.add('ds_1', 'a.iso', sent);
    await reaches('done');
    expect(server.bytes.equals(await contents(sent))).toBe(true);
    expect(server.asked.filter((x) => x === 'PUT /uploads/up_1/content').length).toBeGreaterThan(1);
});

test('a file of no bytes arrives too', async () => {
    uploads.add('ds_1', 'empty', file(0));
    await reaches('done');
    expect(server.size).toBe(0);
});

test('a cut and a lost answer are gone on from, and nothing is sent twice into the file', async () => {
    const orders: ('cut' | 'lost')[] = ['cut', 'lost'];
    server.before = (method) => (method === 'PUT' ? (orders.shift() ?? null) : null);
    const sent = file(2 * MIB);
    uploads.add('ds_1', 'a.iso', sent);
    expect((await reaches('retrying')).error?.offline).toBe(true);
    await reaches('done');
    expect(server.bytes.equals(await contents(sent))).toBe(true);
});

test('a name that is taken is refused, and replaced only when that is said', async () => {
    server.taken = true;
    uploads.add('ds_1', 'a.iso', file(10));
    const { key, error } = await reaches('refused');
    expect(error?.code).toBe('name-taken');
    uploads.overwrite(key);
    await reaches('done');
    expect(server.bytes).toHaveLength(10);
});

test('paused, nothing more is sent; then it goes on where it was', async () => {
    let pieces = 0;
    server.before = (method) => {
        if (method === 'PUT' && ++pieces === 2) uploads.pause(uploads.get()[0]!.key);
        return null;
    };
    const sent = file(4 * MIB);
    uploads.add('ds_1', 'a.iso', sent);
    const { key } = await reaches('paused');
    const asked = server.asked.filter((x) => x.startsWith('PUT')).length;
    await new Promise((done) => setTimeout(done, 50));
    expect(server.asked.filter((x) => x.startsWith('PUT'))).toHaveLength(asked);
    uploads.resume(key);
    await reaches('done');
    expect(server.bytes.equals(await contents(sent))).toBe(true);
});

test('what is given up is given up at the server too', async () => {
    server.before = (method) => (method === 'PUT' ? problem(422, 'validation-failed') : null);
    uploads.add('ds_1', 'a.iso', file(10));
    const { key } = await reaches('refused');
    await uploads.cancel(key);
    expect(server.asked).toContain('DELETE /uploads/up_1');
    expect(uploads.get()).toEqual([]);
});

test('closing the page while something is sent is asked about, and only then', async () => {
    const asks = () => !window.dispatchEvent(new Event('beforeunload', { cancelable: true }));
    expect(asks()).toBe(false);
    uploads.add('ds_1', 'a.iso', file(10));
    expect(asks()).toBe(true);
    await reaches('done');
    expect(asks()).toBe(false);
});
