// SPDX-License-Identifier: Apache-2.0
// What stands behind the question mark of the address. The router shows a change a moment later; what is changed meanwhile is a
// change of the newest, not of what is still shown.
import { useCallback, useLayoutEffect, useRef } from 'react';
import { useLocation, useSearchParams, type NavigateOptions } from 'react-router';
import { Ahead } from './ahead';

export type ChangeAddress = (change: (now: URLSearchParams) => void, options?: NavigateOptions) => void;

const ahead = new Ahead('');

export function useAddress(): [URLSearchParams, ChangeAddress] {
    const [params, setParams] = useSearchParams();
    const { pathname } = useLocation();
    const shown = `${pathname}?${params.toString()}`;
    const last = useRef({ pathname, shown, setParams });
    useLayoutEffect(() => {
        last.current = { pathname, shown, setParams };
        ahead.arrive(shown);
    });
    const change = useCallback<ChangeAddress>((make, options) => {
        const { pathname: path, setParams: set, ...now } = last.current;
        const newest = ahead.newest().startsWith(`${path}?`) ? ahead.newest() : now.shown;
        const next = new URLSearchParams(newest.slice(path.length + 1));
        make(next);
        ahead.send(`${path}?${next.toString()}`);
        set(next, options);
    }, []);
    return [params, change];
}
