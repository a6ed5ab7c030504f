// SPDX-License-Identifier: Apache-2.0
// What the server says when it refuses (RFC 9457), and what we say when nothing came back at all.
import type { components } from './schema.gen';

export type Problem = components['schemas']['Problem'] & {
    current?: string | number;
    allowed_actions?: string[];
};

export class ApiError extends Error {
    readonly problem: Problem;
    readonly method: string;
    readonly path: string;

    constructor(problem: Problem, method: string, path: string) {
        super(problem.detail || problem.title);
        this.name = 'ApiError';
        this.problem = problem;
        this.method = method;
        this.path = path;
    }

    get status(): number {
        return this.problem.status;
    }

    get code(): string {
        return this.problem.code;
    }

    /** The route or the object is not there: pages show their designed empty or unsupported state. */
    get missing(): boolean {
        return this.problem.status === 404;
    }

    get denied(): boolean {
        return this.problem.status === 403;
    }

    /** No answer: the network, or the server is away. */
    get offline(): boolean {
        return this.problem.status === 0;
    }
}

export function isApiError(error: unknown): error is ApiError {
    return error instanceof ApiError;
}

export function isMissing(error: unknown): boolean {
    return isApiError(error) && error.missing;
}

/** Where in a filter the error is: "column 22: ..." gives 22 (counted from 1). */
export function columnOf(problem: Problem): number | null {
    const found = /^column (\d+):/.exec(problem.errors?.[0]?.detail ?? problem.detail ?? '');
    return found ? Number(found[1]) : null;
}
