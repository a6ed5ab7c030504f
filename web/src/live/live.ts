// SPDX-License-Identifier: Apache-2.0
// The page's end of the event stream. Batches go to whoever listens; the newest events are kept so that a list that was
// read a moment ago can catch up (its event_seq says from where).
import { useEffect, useRef, useSyncExternalStore } from 'react';
import type { LiveEvent } from '../api/types';
import { LiveEngine, type FromEngine, type LiveState, type ToEngine } from './engine';

const KEEP = 2000;

type Listener = (events: LiveEvent[]) => void;

class Live {
    state: LiveState = 'idle';
    since = Date.now();
    private recent: LiveEvent[] = [];
    private readonly listeners = new Set<Listener>();
    private readonly resets = new Set<() => void>();
    private readonly watchers = new Set<() => void>();
    private send: ((message: ToEngine) => void) | null = null;
    private wanted = false;

    /** Follows from this place of the sequence; later calls do nothing while it runs. */
    start(since: number): void {
        if (this.wanted) return;
        this.wanted = true;
        this.send ??= this.connect();
        this.send({ type: 'start', since });
    }

    stop(): void {
        if (!this.wanted) return;
        this.wanted = false;
        this.recent = [];
        this.send?.({ type: 'stop' });
    }

    retry(): void {
        this.send?.({ type: 'retry' });
    }

    /** Somebody has signed in again, perhaps another person: what is shown is read again, and followed. */
    renew(): void {
        this.retry();
        for (const reset of this.resets) reset();
    }

    /** What happened after a place in the sequence, as far as it is kept. */
    after(seq: number): LiveEvent[] {
        return this.recent.filter((e) => e.seq > seq);
    }

    listen(listener: Listener): () => void {
        this.listeners.add(listener);
        return () => this.listeners.delete(listener);
    }

    onReset(listener: () => void): () => void {
        this.resets.add(listener);
        return () => this.resets.delete(listener);
    }

    watch = (watcher: () => void): (() => void) => {
        this.watchers.add(watcher);
        return () => this.watchers.delete(watcher);
    };

    private take = (message: FromEngine): void => {
        if (message.type === 'state') {
            const wasLost = this.state === 'lost';
            this.state = message.state;
            this.since = message.since;
            for (const watcher of this.watchers) watcher();
            if (wasLost && message.state === 'live') for (const reset of this.resets) reset();
        } else if (message.type === 'reset') {
            this.recent = [];
            for (const reset of this.resets) reset();
        } else {
            this.recent = this.recent.concat(message.events).slice(-KEEP);
            for (const listener of this.listeners) listener(message.events);
        }
    };

    private connect(): (message: ToEngine) => void {
        if (typeof SharedWorker !== 'undefined') {
            try {
                const worker = new SharedWorker(new URL('./worker.ts', import.meta.url), {
                    type: 'module',
                    name: 'polyvisor-live',
                });
                worker.port.onmessage = (m: MessageEvent<FromEngine>) => this.take(m.data);
                worker.port.start();
                addEventListener('pagehide', () => worker.port.postMessage({ type: 'bye' }));
                window.addEventListener('pageshow', (e: PageTransitionEvent) => {
                    if (e.persisted && this.wanted) worker.port.postMessage({ type: 'start', since: 0 });
                });
                return (message) => worker.port.postMessage(message);
            } catch {
                // Forbidden here (a private window, a policy): the tabs choose one of them.
            }
        }
        return this.elect();
    }

    /** Without SharedWorker: the tab that holds the lock runs the stream and tells the others. */
    private elect(): (message: ToEngine) => void {
        const channel =
            typeof BroadcastChannel !== 'undefined' ? new BroadcastChannel('polyvisor-live') : null;
        let engine: LiveEngine | null = null;
        let last: ToEngine | null = null;
        const lead = () => {
            engine = new LiveEngine((message) => {
                channel?.postMessage(message);
                this.take(message);
            });
            if (last) engine.handle(last);
        };
        if (channel)
            channel.onmessage = (m: MessageEvent<FromEngine | { type: 'to'; message: ToEngine }>) => {
                if (m.data.type === 'to') engine?.handle(m.data.message);
                else if (!engine) this.take(m.data);
            };
        if (channel && typeof navigator !== 'undefined' && navigator.locks)
            void navigator.locks.request('polyvisor-live', () => {
                lead();
                return new Promise<void>(() => undefined);
            });
        else lead();
        return (message) => {
            last = message;
            if (engine) engine.handle(message);
            else channel?.postMessage({ type: 'to', message });
        };
    }
}

export const live = new Live();

export function useLiveState(): LiveState {
    return useSyncExternalStore(live.watch, () => live.state);
}

/** Calls back with each batch of events, at most four times a second. */
export function useLive(callback: Listener): void {
    const latest = useRef(callback);
    useEffect(() => {
        latest.current = callback;
    });
    useEffect(() => live.listen((events) => latest.current(events)), []);
}
