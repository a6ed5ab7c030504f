// SPDX-License-Identifier: Apache-2.0
// Fields whose text is in the address.
import { useEffect, useLayoutEffect, useState } from 'react';
import { useAddress, type How } from './address';
import { Ahead } from './ahead';

const TYPING_MS = 150;

/** A text that is typed: shown at once, in the address a moment later, and followed when the address changes otherwise. */
export function useTyped(name: string, how: How = `draft:${name}`): [string, (text: string) => void] {
    const [params, ask] = useAddress();
    const asked = params.get(name) ?? '';
    const [text, setText] = useState(asked);
    const [echoes] = useState(() => new Ahead(asked));
    useLayoutEffect(() => {
        if (echoes.arrive(asked)) setText(asked);
    }, [echoes, asked]);
    useEffect(() => {
        if (text === echoes.newest()) return;
        const timer = setTimeout(() => {
            echoes.send(text);
            ask((next) => (text ? next.set(name, text) : next.delete(name)), how);
        }, TYPING_MS);
        return () => clearTimeout(timer);
    }, [text, echoes, ask, name, how]);
    return [text, setText];
}
