// SPDX-License-Identifier: Apache-2.0
// How numbers of the rows in sight went: one request for a window of rows, never one for a row. Read again every minute while
// they are looked at.
import type { api as client } from '../api/client';
import type { Series } from './rows';

const AT_ONCE = 200;
const FRESH_MS = 60_000;
const STEP_S = 60;
const KEPT = 2000;

interface Answer {
    series: { ref: string; name: string; values: (number | null)[] }[];
}

export class Trends {
    private readonly held = new Map<string, Series>();
    private readonly readAt = new Map<string, number>();
    private wanted: string[] = [];
    private busy: AbortController | null = null;
    private timer: ReturnType<typeof setTimeout> | null = null;
    private readonly source: Pick<typeof client, 'get'>;
    private readonly names: string;
    private readonly tell: () => void;

    constructor(source: Pick<typeof client, 'get'>, names: string, tell: () => void) {
        this.source = source;
        this.names = names;
        this.tell = tell;
    }

    of(id: string): Series | undefined {
        return this.held.get(id);
    }

    look(ids: string[]): void {
        this.wanted = ids;
        void this.read();
    }

    stop(): void {
        this.wanted = [];
        this.busy?.abort();
        if (this.timer) clearTimeout(this.timer);
    }

    private async read(): Promise<void> {
        if (this.timer) clearTimeout(this.timer);
        this.timer = null;
        const now = Date.now();
        const due = this.wanted
            .filter((id) => now - (this.readAt.get(id) ?? 0) >= FRESH_MS)
            .slice(0, AT_ONCE);
        if (this.busy) return;
        if (!due.length || document.hidden) {
            if (this.wanted.length) this.timer = setTimeout(() => void this.read(), FRESH_MS);
            return;
        }
        const abort = new AbortController();
        this.busy = abort;
        try {
            const answer = await this.source.get<Answer>(
                '/metrics/series',
                { refs: due.join(','), names: this.names, step: STEP_S },
                abort.signal,
            );
            const found = new Map<string, Series>(due.map((id) => [id, {}]));
            for (const one of answer.series) {
                const series = found.get(one.ref);
                if (series) series[one.name] = one.values;
            }
            for (const [id, series] of found) this.held.set(id, series);
        } catch {
            // A line that does not come leaves its cell empty; it is asked for again in a minute.
        }
        this.busy = null;
        if (abort.signal.aborted) return;
        for (const id of due) this.readAt.set(id, Date.now());
        this.forget();
        this.tell();
        void this.read();
    }

    private forget(): void {
        for (const id of [...this.held.keys()].slice(0, Math.max(0, this.held.size - KEPT))) {
            this.held.delete(id);
            this.readAt.delete(id);
        }
    }
}
