// SPDX-License-Identifier: Apache-2.0
// What the server manages in the journeys: a simulated vCenter (tests/peers/vcsim), simulated Hyper-V hosts (tests/fakes/hyperv) and
// somebody who works at them outside of us (pyvmomi, the control endpoint of the fake). Every port is given by the kernel.
//
//   PV_PEERS    folder of the program vcsim (build/peers); built there when it is missing or old
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const tests = fileURLToPath(new URL('../', import.meta.url));
const PATIENCE = 120_000;

let known;
/** The Python of the tests, with what tests/requirements.txt names; made when it is missing. */
export function python() {
    known ??= execFileSync(join(tests, 'tools/venv'), { encoding: 'utf8' }).trim();
    return known;
}

/** A program that says one line of JSON when it is ready. */
class Peer {
    static async spawn(program, args, env = {}) {
        const peer = new this();
        peer.folder = mkdtempSync(join(tmpdir(), 'polyvisor-peer-'));
        peer.process = spawn(program, args, {
            cwd: tests,
            env: { ...process.env, TMPDIR: peer.folder, ...env },
            stdio: ['pipe', 'pipe', 'pipe'],
        });
        peer.log = '';
        peer.process.stderr.on('data', (piece) => (peer.log += piece));
        peer.lines = createInterface({ input: peer.process.stdout })[Symbol.asyncIterator]();
        peer.info = await peer.answer();
        return peer;
    }

    async answer() {
        let timer;
        const late = new Promise((_, reject) => {
            timer = setTimeout(() => reject(new Error(`no answer: ${this.log}`)), PATIENCE);
        });
        const line = await Promise.race([this.lines.next(), late]).finally(() => clearTimeout(timer));
        assert.ok(!line.done, `${this.process.spawnargs.join(' ')} ended: ${this.log}`);
        return JSON.parse(line.value);
    }

    async stop() {
        if (this.process.exitCode === null) {
            const ended = new Promise((resolve) => this.process.once('exit', resolve));
            this.process.kill('SIGTERM');
            const timer = setTimeout(() => this.process.kill('SIGKILL'), PATIENCE);
            await ended;
            clearTimeout(timer);
        }
        rmSync(this.folder, { recursive: true, force: true });
    }
}

async function json(method, url, body) {
    const answer = await fetch(url, {
        method,
        body: body === undefined ? undefined : JSON.stringify(body),
        headers: { 'Content-Type': 'application/json' },
    });
    const text = await answer.text();
    assert.ok(answer.ok, `${method} ${url}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : null;
}

/** A simulated vCenter; `flags` are those of the program, `outside` works at it as somebody else would. */
export class Vcenter extends Peer {
    static async start(flags = {}) {
        const program = execFileSync(python(), ['-c', 'from support import vcsim; print(vcsim.build())'], {
            cwd: tests,
            encoding: 'utf8',
        }).trim();
        const given = { username: 'administrator@vsphere.local', password: 'vc-Secret-1', ...flags };
        const vcenter = await this.spawn(
            program,
            Object.entries(given).map(([key, value]) => `-${key}=${value}`),
        );
        vcenter.url = vcenter.info.url;
        vcenter.user = given.username;
        vcenter.password = given.password;
        vcenter.sha256 = vcenter.info.cert_sha256;
        return vcenter;
    }

    /** One change by another client: outside('power_off', name), outside('rename', name, to) … */
    async outside(what, ...args) {
        this.client ??= await Peer.spawn(python(), [
            join(tests, 'e2e/outside.py'),
            this.url,
            this.user,
            this.password,
        ]);
        this.client.process.stdin.write(`${JSON.stringify([what, ...args])}\n`);
        const answer = await this.client.answer();
        assert.ok(!answer.error, `${what} ${args.join(' ')}: ${answer.error}`);
        return answer.value;
    }

    /** Lets the simulator take longer over its own tasks, by name: delay({ PowerOnVM: 400 }). */
    delay(tasks) {
        return json('PUT', `${this.info.control}/delay`, { all: 0, methods: {}, tasks });
    }

    async stop() {
        await this.client?.stop();
        await super.stop();
    }
}

/** Simulated Hyper-V hosts in one program. */
export class Hyperv extends Peer {
    static async start(options = {}) {
        const args = Object.entries({ speed: 20, ...options }).flatMap(([key, value]) => [
            `--${key.replaceAll('_', '-')}`,
            String(value),
        ]);
        const fake = await this.spawn(python(), ['-m', 'hyperv_fake', ...args], {
            PYTHONPATH: join(tests, 'fakes/hyperv'),
        });
        fake.hosts = fake.info.hosts;
        return fake;
    }

    /** What somebody does at a host itself: ask('PUT', 'HV01', '/vms/NAME', { state: 'off' }). */
    ask(method, host, path, body) {
        return json(method, `${this.info.control}/hosts/${encodeURIComponent(host)}${path}`, body);
    }

    control(method, path, body) {
        return json(method, this.info.control + path, body);
    }

    async stop() {
        const errors = this.process.exitCode === null ? await this.control('GET', '/errors') : [];
        await super.stop();
        assert.deepEqual(errors, [], 'the fake itself failed');
    }
}

/** All of them, or none: when one does not start, those that did are stopped. */
export async function together(...starts) {
    const begun = await Promise.allSettled(starts);
    const failed = begun.find((b) => b.status === 'rejected');
    if (!failed) return begun.map((b) => b.value);
    await Promise.all(begun.map((b) => b.value?.stop()));
    throw failed.reason;
}
