// SPDX-License-Identifier: Apache-2.0
import { said } from '../i18n/words';

/** Errors of a problem by their pointer, for the fields of a form. */
export function errorsOf(errors: { pointer: string; detail?: string }[] | undefined): Record<string, string> {
    return Object.fromEntries((errors ?? []).map((e) => [e.pointer, said(e, 'detail')]));
}
