// SPDX-License-Identifier: Apache-2.0
// Owns the one event stream of a browser: connects, resumes where it was cut, collects what comes and hands it on at most
// four times a second. Runs in a SharedWorker, or in the tab that leads where there are none.
import type { LiveEvent } from '../api/types';
import { SseParser } from './sse';

export type LiveState = 'idle' | 'connecting' | 'live' | 'lost' | 'signed-out';

export type FromEngine =
    | { type: 'events'; events: LiveEvent[] }
    | { type: 'reset' }
    | { type: 'state'; state: LiveState; since: number };

export type ToEngine = { type: 'start'; since: number } | { type: 'stop' } | { type: 'retry' };

const BATCH_MS = 250;
/** More than this in one batch is not shown event by event: everybody lists again. */
const FLOOD = 5000;
const SILENCE_MS = 40_000;

export class LiveEngine {
    private state: LiveState = 'idle';
    private stateSince = Date.now();
    private last = 0;
    private pending: LiveEvent[] = [];
    private timer: ReturnType<typeof setTimeout> | null = null;
    private abort: AbortController | null = null;
    private attempt = 0;
    private wake: (() => void) | null = null;
    private readonly emit: (message: FromEngine) => void;

    constructor(emit: (message: FromEngine) => void) {
        this.emit = emit;
    }

    handle(message: ToEngine): void {
        if (message.type === 'start') this.start(message.since);
        else if (message.type === 'stop') this.stop('idle');
        else if (this.wake) this.wake();
        else if (this.state !== 'live' && this.state !== 'connecting') this.start(this.last);
    }

    /** For who joins later. */
    tellState(): FromEngine {
        return { type: 'state', state: this.state, since: this.stateSince };
    }

    private start(since: number): void {
        if (this.abort) return;
        if (!this.last) this.last = since;
        this.abort = new AbortController();
        void this.run(this.abort.signal);
    }

    private stop(state: LiveState): void {
        this.abort?.abort();
        this.abort = null;
        this.wake?.();
        this.last = 0;
        this.pending = [];
        this.become(state);
    }

    private become(state: LiveState): void {
        if (state === this.state) return;
        this.state = state;
        this.stateSince = Date.now();
        this.emit(this.tellState());
    }

    private async run(signal: AbortSignal): Promise<void> {
        while (!signal.aborted) {
            if (this.state !== 'lost') this.become('connecting');
            try {
                await this.follow(signal);
            } catch {
                // Cut off: the reason is the same as none, we connect again.
            }
            if (signal.aborted) return;
            if (this.state === 'signed-out') {
                this.abort = null;
                return;
            }
            this.become('lost');
            const ms = Math.min(15_000, 300 * 2 ** Math.min(this.attempt++, 6)) * (0.7 + Math.random() * 0.6);
            await new Promise<void>((resolve) => {
                const timer = setTimeout(resolve, ms);
                this.wake = () => {
                    clearTimeout(timer);
                    resolve();
                };
            });
            this.wake = null;
        }
    }

    private async follow(signal: AbortSignal): Promise<void> {
        const silent = new AbortController();
        const give = () => silent.abort();
        signal.addEventListener('abort', give);
        let watch = setTimeout(give, SILENCE_MS);
        try {
            const since = this.last ? `?since=${this.last}` : '';
            const response = await fetch(`/api/v1/events/stream${since}`, {
                headers: { Accept: 'text/event-stream' },
                signal: silent.signal,
                credentials: 'same-origin',
                cache: 'no-store',
            });
            if (response.status === 401) {
                this.become('signed-out');
                return;
            }
            if (!response.ok || !response.body) return;
            this.become('live');
            this.attempt = 0;
            const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
            const parser = new SseParser();
            for (;;) {
                const { value, done } = await reader.read();
                if (done) return;
                clearTimeout(watch);
                watch = setTimeout(give, SILENCE_MS);
                for (const block of parser.push(value)) this.take(block.event, block.data, block.id);
            }
        } finally {
            clearTimeout(watch);
            signal.removeEventListener('abort', give);
        }
    }

    private take(event: string, data: string, id?: string): void {
        if (event === 'reset') {
            const seq = Number(id);
            if (seq) this.last = seq;
            this.pending = [];
            this.emit({ type: 'reset' });
            return;
        }
        if (event === 'lagging' || !data) return;
        const parsed = JSON.parse(data) as LiveEvent;
        if (!parsed.seq || parsed.seq <= this.last) return;
        this.last = parsed.seq;
        this.pending.push(parsed);
        this.timer ??= setTimeout(() => this.flush(), BATCH_MS);
    }

    private flush(): void {
        this.timer = null;
        const events = this.pending;
        this.pending = [];
        if (events.length > FLOOD) this.emit({ type: 'reset' });
        else if (events.length) this.emit({ type: 'events', events });
    }
}
