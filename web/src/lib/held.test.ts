// SPDX-License-Identifier: Apache-2.0
// A selection in an address means the same when it is read again.
import { beforeEach, describe, expect, test } from 'vitest';
import { targetsOf, type Selection } from '../grid/selection';
import { readSelection, writeSelection } from './held';

const ids = (n: number) => new Set(Array.from({ length: n }, (_, i) => `vm_${i}`));
const again = (s: Selection) => targetsOf(readSelection(writeSelection(s))!);

describe('a selection in an address', () => {
    beforeEach(() => sessionStorage.clear());

    test('is a few ids, or a filter with its number', () => {
        expect(writeSelection({ by: 'ids', ids: ids(2) })).toBe('vm_0,vm_1');
        const all: Selection = { by: 'filter', filter: 'power:on', count: 12, except: new Set(['vm_1']) };
        expect(writeSelection(all)).toBe('filter:11:(power:on) -id:{vm_1}');
        expect(again(all)).toEqual(targetsOf(all));
        const any: Selection = { by: 'filter', filter: '', count: 3, except: new Set() };
        expect(again(any)).toEqual(targetsOf(any));
    });

    test('is kept by the window where it would be too long', () => {
        const many: Selection = { by: 'ids', ids: ids(200) };
        expect(writeSelection(many)).toBe('held-1');
        expect(again(many)).toEqual(targetsOf(many));
        const but: Selection = { by: 'filter', filter: 'a', count: 500, except: ids(60) };
        expect(writeSelection(but)).toMatch(/^held-\d$/);
        expect(again(but)).toEqual(targetsOf(but));
    });

    test('only the newest are kept, and what is not known says so', () => {
        for (let i = 0; i < 9; i++) writeSelection({ by: 'ids', ids: ids(100) });
        expect(Object.keys(sessionStorage)).toHaveLength(5);
        expect(readSelection('held-9')).not.toBeNull();
        expect(readSelection('held-1')).toBeNull();
        expect(readSelection('held-77')).toBeNull();
        expect(readSelection('')).toBeNull();
        expect(readSelection(',')).toBeNull();
    });
});
