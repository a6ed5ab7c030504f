// SPDX-License-Identifier: Apache-2.0
// What stands behind the question mark of the address: filters, orders, panels, dialogs. Everything that changes it does so here,
// so that the way back is the same everywhere. How a change counts:
//
//   push        something else is shown: an entry of its own in the history
//   replace     the same entry, said differently
//   draft:NAME  it is being made, e.g. typed: the first such change is an entry, those that follow go on in it
//   done:NAME   the draft is what was wanted; what comes next is another entry
//   close       what was opened is left: back to the entry that it was opened from, where that is what remains; else in place
//
// Secrets never come here: a dialog has an address, what is typed into it has none.
import {
    useCallback,
    useContext,
    useLayoutEffect,
    useMemo,
    useRef,
    useSyncExternalStore,
    type ContextType,
} from 'react';
import {
    createPath,
    parsePath,
    UNSAFE_DataRouterContext,
    useLocation,
    type RouterNavigateOptions,
    type To,
} from 'react-router';

export type How = 'push' | 'replace' | 'close' | `draft:${string}` | `done:${string}`;
export type ChangeAddress = (change: (next: URLSearchParams) => void, how?: How) => void;
type Router = NonNullable<ContextType<typeof UNSAFE_DataRouterContext>>['router'];

/** What an entry of the history knows besides its address. */
interface Entry {
    /** The addresses below it, the nearest first, as far as they are ours. */
    below?: string[];
    draft?: string;
}

const MOST_BELOW = 8;
/** A step back takes a moment, and what is asked for meanwhile waits until it is done. */
const LEAVING_MS = 2000;
const leaving = new WeakMap<Router, (() => void)[]>();

type Navigate = (to: To | number | null, options?: RouterNavigateOptions) => Promise<void>;
/** How to go to exactly what is said; see carrying(). */
const plain = new WeakMap<Router, Navigate>();
const navigateOf = (router: Router): Navigate => plain.get(router) ?? (router.navigate as Navigate);

function written(pathname: string, params: URLSearchParams): string {
    const search = params.toString();
    return search ? `${pathname}?${search}` : pathname;
}

const addressOf = (at: { pathname: string; search: string }) =>
    written(at.pathname, new URLSearchParams(at.search));

function leave(router: Router, steps: number): void {
    const { key } = router.state.location;
    const queue: (() => void)[] = [];
    leaving.set(router, queue);
    const arrived = () => {
        if (leaving.get(router) !== queue) return;
        stop();
        clearTimeout(timer);
        leaving.delete(router);
        for (const next of queue) next();
    };
    const stop = router.subscribe((state) => {
        if (state.location.key !== key) queueMicrotask(arrived);
    });
    const timer = setTimeout(arrived, LEAVING_MS);
    void navigateOf(router)(-steps);
}

/** Once nothing is on its way back. */
function settled(router: Router, then: () => void): void {
    const queue = leaving.get(router);
    if (queue) queue.push(then);
    else then();
}

function above(router: Router): Entry {
    const { location } = router.state;
    const { below = [] } = (location.state ?? {}) as Entry;
    return { below: [addressOf(location), ...below].slice(0, MOST_BELOW) };
}

function change(router: Router, make: (next: URLSearchParams) => void, how: How): void {
    const go = navigateOf(router);
    const { location } = router.state;
    const entry = (location.state ?? {}) as Entry;
    const params = new URLSearchParams(location.search);
    make(params);
    const next = written(location.pathname, params);
    const [kind, draft] = how.split(':');
    const going = draft !== undefined && entry.draft === draft;
    const open = kind === 'draft' ? draft : undefined;
    if (next === addressOf(location)) {
        if (kind === 'done' && going) void go(next, { replace: true, state: { ...entry, draft: open } });
        return;
    }
    if (kind === 'close') {
        const steps = (entry.below ?? []).indexOf(next) + 1;
        if (steps) {
            leave(router, steps);
            return;
        }
    }
    if (kind === 'replace' || kind === 'close' || going)
        void go(next, { replace: true, state: draft === undefined ? entry : { ...entry, draft: open } });
    else void go(next, { state: { ...above(router), draft: open } });
}

function useRouter(): Router {
    return useContext(UNSAFE_DataRouterContext)!.router;
}

export function useAddress(): [URLSearchParams, ChangeAddress] {
    const router = useRouter();
    const shown = useLocation();
    // The router shows a change a moment later, when a box that was ticked would have lost its tick already. Another page's address
    // is none of ours.
    const search = useSyncExternalStore(router.subscribe, () => {
        const newest = router.state.location;
        return newest.pathname === shown.pathname ? newest.search : shown.search;
    });
    const params = useMemo(() => new URLSearchParams(search), [search]);
    const own = useRef(shown.pathname);
    useLayoutEffect(() => {
        own.current = shown.pathname;
    });
    const ask = useCallback<ChangeAddress>(
        (make, how = 'push') =>
            settled(router, () => {
                // Who is left behind changes nothing any more.
                if (router.state.location.pathname === own.current) change(router, make, how);
            }),
        [router],
    );
    return [params, ask];
}

/** A dialog, a drawer or a panel that the address opens: whether it is open, and what opens and closes it. */
export function useOpened(name: string, value = '1'): [boolean, (on: boolean) => void] {
    const [params, ask] = useAddress();
    const show = useCallback(
        (on: boolean) =>
            ask(
                (next) => {
                    if (on) next.set(name, value);
                    else if (next.get(name) === value) next.delete(name);
                },
                on ? 'push' : 'close',
            ),
        [ask, name, value],
    );
    return [params.get(name) === value, show];
}

/** One of the dialogs that need nothing but a name: ?dialog=columns */
export const useDialog = (name: string) => useOpened('dialog', name);

/** Goes to another address; what is opened there is left to where one comes from. */
export function useGo(): (to: string, replace?: boolean) => void {
    const router = useRouter();
    return useCallback(
        (to: string, replace = false) =>
            settled(router, () => void router.navigate(to, replace ? { replace } : { state: above(router) })),
        [router],
    );
}

/** What belongs to the frame and not to a page goes along to the next page: the open tray, the tree and its open nodes. */
const CARRIED = ['tray', 'nav', 'tree'];

/** Nothing is asked for but what was carried along. */
export function isBare(search: string): boolean {
    return [...new URLSearchParams(search).keys()].every((name) => CARRIED.includes(name));
}

function withCarried(from: URLSearchParams, to: To | null): To | null {
    const { pathname = '', search, hash } = typeof to === 'string' ? parsePath(to) : (to ?? {});
    const params = new URLSearchParams(search);
    const more = CARRIED.filter((name) => from.has(name) && !params.has(name));
    // Whoever signs in or out is not in the frame.
    if (!more.length || /^\/(login|setup)\b/.test(pathname)) return to;
    for (const name of more) params.set(name, from.get(name)!);
    return createPath({ pathname, search: params.toString(), hash });
}

/** Links and redirects take along what belongs to the frame, and wait for a step back like everybody else. */
export function carrying(router: Router): Router {
    const navigate = router.navigate.bind(router) as Navigate;
    plain.set(router, navigate);
    router.navigate = ((to: To | number | null, options?: RouterNavigateOptions) => {
        if (typeof to === 'number') return navigate(to);
        const from = () => new URLSearchParams(router.state.location.search);
        if (!leaving.has(router)) return navigate(withCarried(from(), to), options);
        return new Promise<void>((done, fail) =>
            settled(router, () => void navigate(withCarried(from(), to), options).then(done, fail)),
        );
    }) as Router['navigate'];
    return router;
}
