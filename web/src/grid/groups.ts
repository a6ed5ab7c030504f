// SPDX-License-Identifier: Apache-2.0
// A list in groups of what its rows have in common: the server counts the values (facets), each group is a list of its own and
// is read when it comes into sight. So a hundred thousand rows in groups cost what is looked at, and a group that is closed
// costs its count.
import { api } from '../api/client';
import { fieldOf, pathOf } from '../api/model';
import type { Facet, Item, LiveEvent, Page } from '../api/types';
import { quote } from '../filter/tokens';
import { live } from '../live/live';
import { reduce } from '../live/reducer';
import type { GroupHead, RowSource, Series } from './rows';
import type { Selection } from './selection';
import { EMPTY, FIRST, INDEX_MAX, ListStore, SCROLL_MS, type ListQuery, type ListState } from './store';
import { Trends } from './trends';

const STORES_KEPT = 12;
const VALUES_MAX = 5000;
/** So many are chosen by their ids; more are sent as the filter of the group. */
const BY_IDS = 200;

interface Group {
    head: GroupHead;
    filter: string;
    store: ListStore | null;
    unwatch: (() => void) | null;
    usedAt: number;
    /** Place of its head among all rows. */
    at: number;
}

export class GroupStore implements RowSource {
    private state: ListState = EMPTY;
    private groups: Group[] = [];
    private readonly closed = new Set<string>();
    private readonly watchers = new Set<() => void>();
    private unlisten: (() => void)[] = [];
    private abort: AbortController | null = null;
    private viewport: [number, number] = [0, 0];
    private timer: ReturnType<typeof setTimeout> | null = null;
    private uses = 0;
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
            if (this.watchers.size) return;
            for (const stop of this.unlisten) stop();
            this.unlisten = [];
        };
    };

    get = (): ListState => this.state;

    load(query: ListQuery): void {
        const old = this.state.query;
        if (old && JSON.stringify(old) === JSON.stringify(query) && !this.state.error) return;
        if (old?.group !== query.group) this.closed.clear();
        this.trends?.stop();
        this.trends = query.series ? new Trends(this.source, query.series, () => this.become({})) : null;
        this.ask(query);
    }

    reload = (): void => {
        const { query } = this.state;
        if (query) this.ask(query);
    };

    stop(): void {
        this.abort?.abort();
        this.trends?.stop();
        if (this.timer) clearTimeout(this.timer);
        for (const group of this.groups) drop(group);
    }

    private become(change: Partial<ListState>): void {
        this.place();
        const last = this.groups.at(-1);
        const reachable = last ? last.at + 1 + lengthOf(last) : 0;
        this.state = { ...this.state, reachable, ...change, version: this.state.version + 1 };
        for (const watcher of this.watchers) watcher();
    }

    private ask(query: ListQuery): void {
        this.abort?.abort();
        const abort = new AbortController();
        this.abort = abort;
        this.become({ query, loading: true });
        void this.count(query, abort.signal).catch((error: unknown) => {
            if (!abort.signal.aborted) this.become({ loading: false, error });
        });
    }

    private async count(query: ListQuery, signal: AbortSignal): Promise<void> {
        const field = query.group ?? '';
        const facets = new Set([field, ...(query.facets?.split(',') ?? [])]);
        const page = await this.source.get<Page<Item>>(
            query.path ?? pathOf(query.kind),
            {
                ...query.params,
                filter: query.filter,
                fields: 'id',
                limit: 1,
                count: 'exact',
                facets: [...facets].join(','),
                facet_limit: VALUES_MAX,
            },
            signal,
        );
        if (page.event_seq) live.start(page.event_seq);
        const count = page.count ?? 0;
        for (const group of this.groups) drop(group);
        this.groups = this.order(query, page.facets?.[field] ?? [], count).map((f) => this.group(query, f));
        this.become({
            loading: false,
            error: null,
            count,
            indexed: true,
            facets: page.facets ?? {},
            asOf: page.as_of ?? null,
            outOfOrder: 0,
        });
        this.fill();
    }

    /** Enums in the order they are declared, everything else by its name; what has no value comes last. */
    private order(query: ListQuery, facets: Facet[], count: number): Facet[] {
        const values = fieldOf(query.kind, query.group ?? '')?.values;
        const rank = (f: Facet) => values?.indexOf(String(f.value)) ?? 0;
        const name = (f: Facet) => f.name ?? f.value ?? '';
        const known = facets.filter((f) => f.value !== null && f.count > 0);
        known.sort(
            (a, b) => rank(a) - rank(b) || name(a).localeCompare(name(b), undefined, { numeric: true }),
        );
        // The server counts values; what has none is the rest.
        const rest = count - known.reduce((sum, f) => sum + f.count, 0);
        return rest > 0 ? [...known, { value: null, count: rest }] : known;
    }

    private group(query: ListQuery, facet: Facet): Group {
        const key = facet.value ?? '';
        const term = `${query.group}:${facet.value === null ? 'null' : quote(facet.value)}`;
        return {
            head: { key, name: facet.name ?? null, count: facet.count, open: !this.closed.has(key) },
            filter: query.filter ? `(${query.filter}) ${term}` : term,
            store: null,
            unwatch: null,
            usedAt: 0,
            at: 0,
        };
    }

    private place(): void {
        let at = 0;
        for (const group of this.groups) {
            group.at = at;
            const count = group.store?.get().count ?? null;
            if (count !== null && count !== group.head.count) group.head = { ...group.head, count };
            at += 1 + lengthOf(group);
        }
    }

    private find(index: number): Group | undefined {
        let low = 0;
        let high = this.groups.length - 1;
        while (low < high) {
            const middle = (low + high + 1) >> 1;
            if (this.groups[middle]!.at <= index) low = middle;
            else high = middle - 1;
        }
        const found = this.groups[low];
        return found && index >= found.at && index <= found.at + lengthOf(found) ? found : undefined;
    }

    head(index: number): GroupHead | undefined {
        const found = this.find(index);
        return found?.at === index ? found.head : undefined;
    }

    id(index: number): string | undefined {
        const found = this.find(index);
        return found && found.at < index ? found.store?.id(index - found.at - 1) : undefined;
    }

    row(index: number): Item | undefined {
        const found = this.find(index);
        return found && found.at < index ? found.store?.row(index - found.at - 1) : undefined;
    }

    range(from: number, to: number): string[] {
        const first = Math.min(from, to);
        const last = Math.max(from, to);
        const found: string[] = [];
        for (const group of this.groups) {
            const begin = group.at + 1;
            const end = group.at + lengthOf(group);
            if (end < first || begin > last || end < begin) continue;
            const ids = group.store?.range(Math.max(first, begin) - begin, Math.min(last, end) - begin);
            if (ids) found.push(...ids);
        }
        return found;
    }

    series(id: string): Series | undefined {
        return this.trends?.of(id);
    }

    groupAt(index: number): string | undefined {
        return this.find(index)?.head.key;
    }

    headOf(index: number): number {
        return this.find(index)?.at ?? index;
    }

    open(index: number, open: boolean): void {
        const found = this.find(index);
        if (!found || found.head.open === open) return;
        found.head = { ...found.head, open };
        if (open) this.closed.delete(found.head.key);
        else {
            this.closed.add(found.head.key);
            drop(found);
        }
        this.become({});
        this.fill();
    }

    all(index: number): Selection | undefined {
        const found = this.find(index);
        if (!found) return undefined;
        const { count, key } = found.head;
        const ids = count <= BY_IDS ? (found.store?.range(0, count - 1) ?? []) : [];
        if (ids.length === count) return { by: 'ids', ids: new Set(ids) };
        return { by: 'filter', filter: found.filter, count, except: new Set(), group: key };
    }

    look(first: number, last: number): void {
        this.viewport = [first, last];
        this.timer ??= setTimeout(() => {
            this.timer = null;
            this.fill();
        }, SCROLL_MS);
    }

    private fill(): void {
        const { query } = this.state;
        if (!query) return;
        const [first, last] = this.viewport;
        const ids: string[] = [];
        for (const group of this.groups) {
            const length = lengthOf(group);
            const begin = group.at + 1;
            if (!length || begin > last || group.at + length < first) continue;
            const from = Math.max(first, begin) - begin;
            const to = Math.min(last, group.at + length) - begin;
            if (!group.store) {
                group.store = new ListStore(this.source);
                group.unwatch = group.store.watch(() => {
                    this.become({});
                    this.look(...this.viewport);
                });
                // Facets and courses are asked for once, for all groups.
                const { path, kind, sort, fields, params } = query;
                group.store.load({ path, kind, sort, fields, params, filter: group.filter });
            }
            group.usedAt = ++this.uses;
            group.store.look(from, to);
            ids.push(...group.store.range(from, to));
        }
        this.trends?.look(ids);
        const loaded = this.groups.filter((g) => g.store).sort((a, b) => b.usedAt - a.usedAt);
        const inSight = (g: Group) => g.at <= last && g.at + lengthOf(g) >= first;
        for (const group of loaded.slice(STORES_KEPT)) if (!inSight(group)) drop(group);
    }

    /** Rows change in their groups; here is counted what is not in its group or order any more. */
    private take = (events: LiveEvent[]): void => {
        const { query } = this.state;
        if (!query) return;
        const ordered = [query.group, ...query.sort.split(',').map((s) => s.replace(/^-/, ''))];
        let moved = 0;
        for (const change of reduce(events).values()) {
            if (change.kind !== query.kind) continue;
            const held = () => this.groups.some((g) => g.store?.byId(change.id));
            if (change.created || change.gone) moved++;
            else if (change.changes.some((c) => ordered.includes(c.field)) && held()) moved++;
        }
        if (moved) this.become({ outOfOrder: this.state.outOfOrder + moved });
    };
}

function drop(group: Group): void {
    group.unwatch?.();
    group.store?.stop();
    group.unwatch = null;
    group.store = null;
}

function lengthOf(group: Group): number {
    if (!group.head.open) return 0;
    const state = group.store?.get();
    const count = state?.count ?? group.head.count;
    return count <= INDEX_MAX ? count : Math.max(FIRST, state?.reachable ?? 0);
}
