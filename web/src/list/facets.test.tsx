// SPDX-License-Identifier: Apache-2.0
import { act, render, screen } from '@testing-library/react';
import i18next from 'i18next';
import { afterEach, expect, test } from 'vitest';
import ru from '../i18n/ru';
import serverRu from '../i18n/server/ru.json';
import { ruleNamed } from '../pages/activity/alertText';
import { Facets } from './Facets';
import type { ListDeclaration } from './types';

afterEach(() => act(() => i18next.changeLanguage('en')));

const list = (kind: string, facets: string[]) =>
    ({
        kind,
        facets,
        valueName: (path: string, name: string) => (path === 'rule' ? ruleNamed(name) : name),
    }) as ListDeclaration;

test('values are said in the language of the page: yes and no, roles and rules of the product', async () => {
    i18next.addResourceBundle('ru', 'translation', { ...ru, ...serverRu });
    await act(() => i18next.changeLanguage('ru'));
    const facets = {
        shared: [{ value: 'true', count: 2 }],
        role: [
            { value: 'rol_1', name: 'admin', count: 1 },
            { value: 'rol_2', name: 'My own', count: 1 },
        ],
        rule: [{ value: 'arl_1', name: 'Datastore nearly full', count: 3 }],
    };
    const none = () => undefined;
    render(
        <>
            <Facets list={list('datastore', ['shared'])} facets={facets} filter="" onFilter={none} />
            <Facets list={list('grant', ['role'])} facets={facets} filter="" onFilter={none} />
            <Facets list={list('alert', ['rule'])} facets={facets} filter="" onFilter={none} />
        </>,
    );
    const words = screen.getAllByRole('checkbox').map((box) => box.parentElement!.children[1]!.textContent);
    expect(words).toHaveLength(4);
    expect(words.filter((word) => /^[\w ]+$/.test(word))).toEqual(['My own']);
});
