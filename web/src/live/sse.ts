// SPDX-License-Identifier: Apache-2.0
// Server-sent events, read from a stream of text: blocks of "field: value" lines, each ended by an empty line.
export interface SseBlock {
    id?: string;
    event: string;
    data: string;
}

export class SseParser {
    private rest = '';
    private id: string | undefined;
    private event = '';
    private data: string[] = [];

    /** The blocks that are complete with this piece. */
    push(piece: string): SseBlock[] {
        const found: SseBlock[] = [];
        this.rest += piece;
        let from = 0;
        for (;;) {
            const at = this.rest.indexOf('\n', from);
            if (at < 0) break;
            const end = at > from && this.rest[at - 1] === '\r' ? at - 1 : at;
            const block = this.line(this.rest.slice(from, end));
            if (block) found.push(block);
            from = at + 1;
        }
        this.rest = this.rest.slice(from);
        return found;
    }

    private line(line: string): SseBlock | null {
        if (line === '') {
            const block =
                this.data.length || this.event
                    ? { id: this.id, event: this.event, data: this.data.join('\n') }
                    : null;
            this.id = undefined;
            this.event = '';
            this.data = [];
            return block;
        }
        if (line.startsWith(':')) return null;
        const colon = line.indexOf(':');
        const name = colon < 0 ? line : line.slice(0, colon);
        let value = colon < 0 ? '' : line.slice(colon + 1);
        if (value.startsWith(' ')) value = value.slice(1);
        if (name === 'id') this.id = value;
        else if (name === 'event') this.event = value;
        else if (name === 'data') this.data.push(value);
        return null;
    }
}
