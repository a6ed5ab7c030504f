// SPDX-License-Identifier: Apache-2.0
// The rows of one list, whatever its length: the first page at once, the order of all ids in the background, then windows of
// rows around what is looked at. Knows no React. Sorting, filtering and counting are the server's.
//
// Up to INDEX_MAX matches the whole order is known and one can jump; above that the list grows page by page and says so.
import { api, type Query } from '../api/client';
import { pathOf } from '../api/model';
import type { Facet, Item, LiveEvent, Page } from '../api/types';
import { live } from '../live/live';
import { patch, reduce } from '../live/reducer';
import type { RowSource, Series } from './rows';
import { Trends } from './trends';

export interface ListQuery {
    /** Collection's path; the kind's own unless given. */
    path?: string;
    kind: string;
    filter: string;
    sort: string;
    fields: string;
    facets?: string;
    /** Fixed parameters of the collection. */
    params?: Query;
    /** Metrics whose course is shown, with commas. */
    series?: string;
    /** The field that rows are grouped by. */
    group?: string;
}

export interface ListState {
    /** What answered last belongs to this query. */
    query: ListQuery | null;
    loading: boolean;
    error: unknown;
    /** All that match; null: not known yet. */
    count: number | null;
    /** Rows that can be scrolled to now. */
    reachable: number;
    /** Every id is known; else the list grows by pages. */
    indexed: boolean;
    facets: Record<string, Facet[]>;
    asOf: string | null;
    /** Changes that are not in the order yet. */
    outOfOrder: number;
    version: number;
}

export const FIRST = 100;
export const WINDOW = 200;
export const INDEX_MAX = 50_000;
const WINDOWS_KEPT = 5;
export const SCROLL_MS = 60;
/** Rows beyond those in sight that are read with them. */
const AHEAD = 60;
const REFRESH_MS = 1000;

export const EMPTY: ListState = {
    query: null,
    loading: true,
    error: null,
    count: null,
    reachable: 0,
    indexed: false,
    facets: {},
    asOf: null,
    outOfOrder: 0,
    version: 0,
};

export class ListStore implements RowSource {
    private state: ListState = EMPTY;
    private ids: string[] = [];
    private rows = new Map<string, Item>();
    private next: string | null = null;
    private growing = false;
    private seq = 0;
    private abort: AbortController | null = null;
    private readonly windows = new Map<number, AbortController | null>();
    private readonly watchers = new Set<() => void>();
    private viewport: [number, number] = [0, 0];
    private scrollTimer: ReturnType<typeof setTimeout> | null = null;
    private refreshTimer: ReturnType<typeof setTimeout> | null = null;
    private readonly stale = new Set<string>();
    private unlisten: (() => void)[] = [];
    private trends: Trends | null = null;
    private readonly source: typeof api;

    constructor(source: typeof api = api) {
        this.source = source;
    }

    watch = (watcher: () => void): (() => void) => {
        if (!this.watchers.size) this.unlisten = [live.listen(this.take), live.onReset(this.reload)];
        this.watchers.add(watcher);
        return () => {
            this.watchers.delete(watcher);
            if (!this.watchers.size) {
                for (const stop of this.unlisten) stop();
                this.unlisten = [];
            }
        };
    };

    get = (): ListState => this.state;

    id(index: number): string | undefined {
        return this.ids[index];
    }

    row(index: number): Item | undefined {
        const id = this.ids[index];
        return id === undefined ? undefined : this.rows.get(id);
    }

    byId(id: string): Item | undefined {
        return this.rows.get(id);
    }

    indexOf(id: string): number {
        return this.ids.indexOf(id);
    }

    series(id: string): Series | undefined {
        return this.trends?.of(id);
    }

    /** Ids of a range of rows, for selecting with Shift. */
    range(from: number, to: number): string[] {
        return this.ids.slice(Math.min(from, to), Math.max(from, to) + 1);
    }

    /** Asks for another list; what is shown stays until the answer is there. */
    load(query: ListQuery): void {
        const old = this.state.query;
        if (old && JSON.stringify(old) === JSON.stringify(query) && !this.state.error) return;
        this.trends?.stop();
        this.trends = query.series ? new Trends(this.source, query.series, () => this.become({})) : null;
        this.ask(query);
    }

    /** The same list again, with its order as it is now. */
    reload = (): void => {
        const { query } = this.state;
        if (query) this.ask(query);
    };

    /** Which rows are looked at: their windows are read, far ones forgotten. */
    look(first: number, last: number): void {
        this.viewport = [first, last];
        this.scrollTimer ??= setTimeout(() => {
            this.scrollTimer = null;
            this.fill();
        }, SCROLL_MS);
    }

    stop(): void {
        this.abort?.abort();
        this.trends?.stop();
        for (const window of this.windows.values()) window?.abort();
        if (this.scrollTimer) clearTimeout(this.scrollTimer);
        if (this.refreshTimer) clearTimeout(this.refreshTimer);
    }

    private become(change: Partial<ListState>): void {
        this.state = { ...this.state, ...change, version: this.state.version + 1 };
        for (const watcher of this.watchers) watcher();
    }

    private params(query: ListQuery): Query {
        return { ...query.params, filter: query.filter, sort: query.sort };
    }

    private path(query: ListQuery): string {
        return query.path ?? pathOf(query.kind);
    }

    private ask(query: ListQuery): void {
        this.abort?.abort();
        const abort = new AbortController();
        this.abort = abort;
        this.become({ query, loading: true });
        void this.first(query, abort.signal).catch((error: unknown) => {
            if (!abort.signal.aborted) this.become({ loading: false, error });
        });
    }

    private async first(query: ListQuery, signal: AbortSignal): Promise<void> {
        const page = await this.source.get<Page<Item>>(
            this.path(query),
            {
                ...this.params(query),
                fields: query.fields,
                facets: query.facets,
                limit: FIRST,
                count: 'exact',
            },
            signal,
        );
        for (const window of this.windows.values()) window?.abort();
        this.windows.clear();
        this.ids = page.items.map((item) => item.id);
        this.rows = new Map(page.items.map((item) => [item.id, item]));
        this.next = page.next;
        this.seq = page.event_seq ?? 0;
        this.stale.clear();
        const count = page.count ?? page.items.length;
        if (page.event_seq) live.start(page.event_seq);
        this.become({
            loading: false,
            error: null,
            count,
            reachable: this.ids.length,
            indexed: !page.next,
            facets: page.facets ?? {},
            asOf: page.as_of ?? null,
            outOfOrder: 0,
        });
        this.take(live.after(this.seq));
        if (page.next && count <= INDEX_MAX) await this.index(query, signal);
    }

    private async index(query: ListQuery, signal: AbortSignal): Promise<void> {
        const ids: string[] = [];
        for await (const item of this.source.ndjson<Item>(
            this.path(query),
            { ...this.params(query), fields: 'id' },
            signal,
        ))
            ids.push(item.id);
        this.ids = ids;
        this.next = null;
        this.become({ indexed: true, reachable: ids.length, count: ids.length });
        this.fill();
    }

    private fill(): void {
        const { query, indexed } = this.state;
        if (!query) return;
        const [first, last] = this.viewport;
        this.trends?.look(this.range(first, last));
        if (!indexed) {
            if (last >= this.ids.length - WINDOW && this.state.count !== null && this.state.count > INDEX_MAX)
                void this.grow(query);
            return;
        }
        const near = new Set<number>();
        const end = Math.min(this.ids.length - 1, last + AHEAD);
        for (let w = Math.floor(Math.max(0, first - AHEAD) / WINDOW); w <= Math.floor(end / WINDOW); w++)
            near.add(w);
        for (const [window, abort] of this.windows)
            if (!near.has(window) && abort) {
                abort.abort();
                this.windows.delete(window);
            }
        for (const window of near) {
            const ids = this.ids.slice(window * WINDOW, (window + 1) * WINDOW);
            if (this.windows.has(window)) continue;
            if (ids.every((id) => this.rows.has(id))) continue;
            void this.read(query, window, ids);
        }
        this.forget(near);
    }

    private forget(near: Set<number>): void {
        const here = [...near][0] ?? 0;
        const loaded = [...this.windows.keys()].sort((a, b) => Math.abs(a - here) - Math.abs(b - here));
        for (const window of loaded.slice(WINDOWS_KEPT)) {
            if (near.has(window)) continue;
            this.windows.delete(window);
            for (const id of this.ids.slice(window * WINDOW, (window + 1) * WINDOW)) this.rows.delete(id);
        }
    }

    private async read(query: ListQuery, window: number, ids: string[]): Promise<void> {
        const abort = new AbortController();
        this.windows.set(window, abort);
        try {
            const page = await this.byIds(query, ids, abort.signal);
            for (const item of page.items) this.rows.set(item.id, item);
            if (this.windows.get(window) === abort) this.windows.set(window, null);
            this.become({});
            if (page.event_seq) this.apply(live.after(page.event_seq));
        } catch (error) {
            if (this.windows.get(window) === abort) this.windows.delete(window);
            if (!abort.signal.aborted) this.become({ error });
        }
    }

    private byIds(query: ListQuery, ids: string[], signal?: AbortSignal): Promise<Page<Item>> {
        return this.source.get<Page<Item>>(
            this.path(query),
            { ...query.params, ids: ids.join(','), fields: query.fields, limit: WINDOW },
            signal,
        );
    }

    private async grow(query: ListQuery): Promise<void> {
        // While another list is asked for, the cursor is still that of the one that is shown.
        if (this.growing || this.state.loading || !this.next) return;
        const signal = this.abort?.signal;
        this.growing = true;
        try {
            const page = await this.source.get<Page<Item>>(
                this.path(query),
                { ...this.params(query), fields: query.fields, limit: WINDOW, cursor: this.next },
                signal,
            );
            if (this.state.query !== query) return;
            for (const item of page.items) this.rows.set(item.id, item);
            this.ids = this.ids.concat(page.items.map((item) => item.id));
            this.next = page.next;
            this.become({ reachable: this.ids.length, indexed: !page.next });
        } catch (error) {
            if (!signal?.aborted) this.become({ error });
        } finally {
            this.growing = false;
        }
    }

    private take = (events: LiveEvent[]): void => {
        if (this.state.query && events.length) this.apply(events);
    };

    /** Rows change in place, their order does not: nobody's eyes are led astray. */
    private apply(events: LiveEvent[]): void {
        const { query } = this.state;
        if (!query) return;
        let changed = false;
        let moved = 0;
        const sorted = query.sort.split(',').map((s) => s.replace(/^-/, ''));
        for (const change of reduce(events).values()) {
            // Rows are as old as their provider is away; no event of theirs tells it.
            if (change.kind === 'provider' && change.changes.some((c) => c.field === 'state'))
                for (const id of this.rows.keys()) this.again(id);
            if (change.kind !== query.kind) continue;
            const row = this.rows.get(change.id);
            if (change.created || change.gone) {
                moved++;
                if (change.gone && row) {
                    this.rows.set(change.id, { ...row, presence: 'gone' });
                    changed = true;
                }
                continue;
            }
            if (!row) continue;
            if (change.changes.some((c) => sorted.includes(c.field))) moved++;
            const patched = patch(row, change);
            if (!patched) continue;
            this.rows.set(change.id, patched.item);
            changed = true;
            if (!patched.whole) this.again(change.id);
        }
        if (changed || moved) this.become({ outOfOrder: this.state.outOfOrder + moved });
    }

    private again(id: string): void {
        this.stale.add(id);
        this.refreshTimer ??= setTimeout(() => {
            this.refreshTimer = null;
            void this.refresh();
        }, REFRESH_MS);
    }

    /** Changed rows in sight are read again; the others when they come into sight. */
    private async refresh(): Promise<void> {
        const { query } = this.state;
        const [first, last] = this.viewport;
        const visible = new Set(this.ids.slice(Math.max(0, first - 20), last + 20));
        const ids = [...this.stale].filter((id) => visible.has(id)).slice(0, WINDOW);
        this.stale.clear();
        if (!query || !ids.length) return;
        try {
            const page = await this.byIds(query, ids, this.abort?.signal);
            for (const item of page.items) this.rows.set(item.id, item);
            this.become({});
        } catch {
            // The next event tries again; what is shown is a little old until then.
        }
    }
}
