// SPDX-License-Identifier: Apache-2.0
// Cuts a filter's text into terms, to draw them. What they mean is the server's business.
export interface Token {
    text: string;
    start: number;
    end: number;
    kind: 'term' | 'word' | 'or' | 'and' | 'open' | 'close';
    negated: boolean;
    field?: string;
    op?: string;
    value?: string;
}

const TERM = /^([A-Za-z_][\w.]*)(!=|<=|>=|:|=|<|>|~)([\s\S]*)$/;

export function tokenize(text: string): Token[] {
    const tokens: Token[] = [];
    let at = 0;
    let negate = false;
    let negateStart = 0;
    while (at < text.length) {
        const c = text[at]!;
        if (/\s/.test(c)) {
            at++;
            continue;
        }
        if (c === '(' || c === ')') {
            const kind = c === '(' ? 'open' : 'close';
            tokens.push({ text: c, start: at, end: at + 1, kind, negated: negate });
            negate = false;
            at++;
            continue;
        }
        if (c === '-' && !negate && at + 1 < text.length && !/\s/.test(text[at + 1]!)) {
            negate = true;
            negateStart = at++;
            continue;
        }
        const start = at;
        let depth = 0;
        let quoted = false;
        while (at < text.length) {
            const d = text[at]!;
            if (d === '"') quoted = !quoted;
            else if (quoted && d === '\\') at++;
            else if (!quoted && d === '{') depth++;
            else if (!quoted && d === '}') depth--;
            else if (!quoted && depth <= 0 && (/\s/.test(d) || d === ')' || (d === '(' && at > start))) break;
            at++;
        }
        const body = text.slice(start, at);
        const lower = body.toLowerCase();
        if (lower === 'or' || lower === 'and') {
            tokens.push({ text: body, start, end: at, kind: lower, negated: false });
            continue;
        }
        if (lower === 'not') {
            negate = true;
            negateStart = start;
            continue;
        }
        const from = negate ? negateStart : start;
        const parts = TERM.exec(body);
        tokens.push({
            text: text.slice(from, at),
            start: from,
            end: at,
            kind: parts ? 'term' : 'word',
            negated: negate,
            field: parts?.[1],
            op: parts?.[2],
            value: parts?.[3],
        });
        negate = false;
    }
    return tokens;
}

/** The text without one of its terms, and without an `or` that is left hanging. */
export function without(text: string, token: Token): string {
    const left = text.slice(0, token.start).trimEnd();
    const right = text.slice(token.end).trimStart();
    const cleanLeft =
        /(^|\s)(or|and)$/i.test(left) && (!right || /^(or|and)\b/i.test(right) || right.startsWith(')'))
            ? left.replace(/(^|\s)(or|and)$/i, '')
            : left;
    const cleanRight = !cleanLeft || cleanLeft.endsWith('(') ? right.replace(/^(or|and)\s+/i, '') : right;
    return `${cleanLeft} ${cleanRight}`.trim();
}

/** A value as the language wants it written. */
export function quote(value: string): string {
    return /^[\w.:/@+*?-]+$/.test(value) && !/^(or|and|not|null)$/i.test(value)
        ? value
        : `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

/** Puts `field:value` into the text: next to what is there, or taken out if it was there. */
export function toggleTerm(text: string, field: string, value: string): string {
    const term = `${field}:${quote(value)}`;
    const found = tokenize(text).find((t) => t.text.toLowerCase() === term.toLowerCase());
    if (found) return without(text, found);
    const other = tokenize(text).find(
        (t) => t.kind === 'term' && t.field === field && t.op === ':' && !t.negated,
    );
    if (other) {
        const values = setValues(other.value ?? '');
        const at = values.findIndex((v) => v.toLowerCase() === quote(value).toLowerCase());
        const next = at >= 0 ? values.filter((_, i) => i !== at) : [...values, quote(value)];
        const replaced = next.length === 1 ? `${field}:${next[0]}` : `${field}:{${next.join(',')}}`;
        return text.slice(0, other.start) + replaced + text.slice(other.end);
    }
    const hasOr = tokenize(text).some((t) => t.kind === 'or');
    return `${hasOr ? `(${text})` : text} ${term}`.trim();
}

/** The members of `{a,b}`, or the one value. */
export function setValues(value: string): string[] {
    const inner = /^\{([\s\S]*)\}$/.exec(value)?.[1];
    if (inner === undefined) return value ? [value] : [];
    return (inner.match(/"(?:\\.|[^"\\])*"|[^,]+/g) ?? []).map((v) => v.trim()).filter(Boolean);
}

/** Does the text ask for this value of a field? For facets' check marks. */
export function hasTerm(text: string, field: string, value: string): boolean {
    return tokenize(text).some(
        (t) =>
            t.kind === 'term' &&
            !t.negated &&
            t.field === field &&
            t.op === ':' &&
            setValues(t.value ?? '').some((v) => v.toLowerCase() === quote(value).toLowerCase()),
    );
}

/** Is something at the end still being typed: an operator without its value, an open quote, set or parenthesis? */
export function unfinished(text: string): boolean {
    const last = tokenize(text).at(-1);
    if (!last) return text.trim() === '-';
    if (last.kind === 'or' || last.kind === 'and' || last.kind === 'open') return true;
    const quotes = last.text.replace(/\\./g, '').split('"').length - 1;
    if (quotes % 2) return true;
    if (last.kind === 'term') return !last.value || /^\{[^}]*$/.test(last.value) || last.value.endsWith('..');
    return last.text === '-';
}
