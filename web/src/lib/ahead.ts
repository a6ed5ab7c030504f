// SPDX-License-Identifier: Apache-2.0
// What was asked for and is shown a moment later. Whoever changes it meanwhile changes the newest, and what comes back of one's own
// is no news.

export class Ahead {
    /** Sent and not shown yet, oldest first. */
    private sent: string[] = [];
    private timer: ReturnType<typeof setTimeout> | undefined;

    constructor(
        private shown: string,
        private readonly forgetMs = 10_000,
    ) {}

    newest(): string {
        return this.sent.at(-1) ?? this.shown;
    }

    send(value: string): void {
        if (value === this.newest()) return;
        this.sent.push(value);
        // What was given up on the way is not waited for.
        clearTimeout(this.timer);
        this.timer = setTimeout(() => (this.sent = []), this.forgetMs);
    }

    /** It is shown now. True: nobody here has sent it. What was sent before it will not be shown any more. */
    arrive(value: string): boolean {
        if (value === this.shown) return false;
        this.shown = value;
        const at = this.sent.indexOf(value);
        this.sent = at < 0 ? [] : this.sent.slice(at + 1);
        return at < 0;
    }
}
