// SPDX-License-Identifier: Apache-2.0
// What a rule would have found in the numbers of the past: the same comparison and the same patience that the server has.
export interface Bound {
    below?: number | null;
    above?: number | null;
    /** Seconds it must hold. */
    for_s?: number | null;
}

export interface Hit {
    ref: string;
    /** Milliseconds. */
    from: number;
    seconds: number;
    /** The number that was farthest beyond the bound. */
    most: number;
}

/** Spans in which the number was beyond the bound long enough; a gap without a value ends one. */
export function hitsOf(
    ref: string,
    values: (number | null)[],
    startMs: number,
    stepS: number,
    bound: Bound,
): Hit[] {
    const beyond = (v: number | null): v is number =>
        v !== null &&
        (typeof bound.below !== 'number' || v < bound.below) &&
        (typeof bound.above !== 'number' || v > bound.above);
    const worse = (a: number, b: number) =>
        typeof bound.above === 'number' ? Math.max(a, b) : Math.min(a, b);
    const found: Hit[] = [];
    let open: Hit | null = null;
    const close = () => {
        if (open && open.seconds >= (bound.for_s ?? 0)) found.push(open);
        open = null;
    };
    values.forEach((v, i) => {
        if (!beyond(v)) return close();
        open ??= { ref, from: startMs + i * stepS * 1000, seconds: 0, most: v };
        open.seconds += stepS;
        open.most = worse(open.most, v);
    });
    close();
    return found;
}
