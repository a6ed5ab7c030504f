// SPDX-License-Identifier: Apache-2.0
// Times as the browser's fields take them: without a zone, the person's own is meant.
/** As an input of date and time has it: local, to the minute. */
export function localTime(ms: number): string {
    const at = new Date(ms);
    return new Date(ms - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** As the server takes it; undefined: it is not complete yet. */
export function fromLocal(text: string): string | undefined {
    const at = new Date(text);
    return text && !Number.isNaN(at.getTime()) ? at.toISOString().replace('.000Z', 'Z') : undefined;
}
