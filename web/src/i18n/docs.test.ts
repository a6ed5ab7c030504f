// SPDX-License-Identifier: Apache-2.0
// Each line that the server and its drivers write below a field stands in every language, and no other does. The lines come from
// the served description of the API and from the schemas of the drivers' settings.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import fields from '../api/docs.gen.json';
import params from '../api/params.gen.json';
import routes from '../api/routes.gen.json';
import en from './server/en.json';
import reworded from './docs/en.json';
import ru from './docs/ru.json';
import zh from './docs/zh-CN.json';
import routesRu from './routes/ru.json';
import routesZh from './routes/zh-CN.json';

interface Schema {
    title?: string;
    description?: string;
    'x-account'?: string;
    enum?: (string | null)[];
    properties?: Record<string, Schema>;
    items?: Schema;
}

const drivers = join(__dirname, '../../../drivers');

/** The settings schema of each driver, from the C text that declares it. */
function settings(): [string, Schema][] {
    const found: [string, Schema][] = [];
    for (const driver of readdirSync(drivers, { withFileTypes: true })) {
        if (!driver.isDirectory() || driver.name === 'example' || driver.name === 'sdk') continue;
        for (const file of readdirSync(join(drivers, driver.name)).filter((f) => f.endsWith('.c'))) {
            const text = readFileSync(join(drivers, driver.name, file), 'utf8');
            const declared = /\bconst char \w*schema\[\] =\s*((?:"(?:[^"\\\n]|\\.)*"\s*)+);/.exec(text);
            if (!declared) continue;
            const json = [...declared[1]!.matchAll(/"((?:[^"\\\n]|\\.)*)"/g)]
                .map((m) => JSON.parse(`"${m[1]}"`) as string)
                .join('');
            found.push([driver.name, JSON.parse(json) as Schema]);
        }
    }
    return found;
}

function collect(schema: Schema | undefined, found: Set<string>, titles: boolean): void {
    if (!schema) return;
    for (const line of [schema.description, schema['x-account'], titles ? schema.title : undefined])
        if (line) found.add(line);
    for (const member of Object.values(schema.properties ?? {})) collect(member, found, titles);
    collect(schema.items, found, titles);
}

const schemas = settings();
const wanted = new Set<string>();
for (const schema of Object.values(params)) collect(schema as Schema, wanted, false);
for (const kind of Object.values(fields.docs)) for (const line of Object.values(kind)) wanted.add(line);
for (const line of fields.asked) wanted.add(line);
for (const [, schema] of schemas) collect(schema, wanted, true);
// What an account needs and what a product is called have words of their own (providers.account, providers.driver).
const ELSEWHERE = /^(To look: |A local or domain account |VMware vSphere$|Microsoft Hyper-V$)/;

describe('lines below fields', () => {
    test('are found in the API description and in the drivers', () => {
        expect(wanted.size).toBeGreaterThan(500);
        expect(schemas.map(([name]) => name).sort()).toEqual(['sim', 'vapi', 'wmi']);
    });

    test.each([
        ['ru', ru],
        ['zh-CN', zh],
    ])('%s has each of them', (_, lines) => {
        const missing = [...wanted].filter((line) => !(line in lines) && !ELSEWHERE.test(line));
        expect(missing).toEqual([]);
    });

    test.each([
        ['ru', ru],
        ['zh-CN', zh],
    ])('%s has none that nobody says, and none in English', (language, lines) => {
        expect(Object.keys(lines).filter((line) => !wanted.has(line))).toEqual([]);
        const own = language === 'ru' ? /\p{Script=Cyrillic}/u : /\p{Script=Han}/u;
        expect(Object.values(lines).filter((line) => !own.test(line))).toEqual([]);
    });

    test.each([
        ['ru', routesRu, /\p{Script=Cyrillic}/u],
        ['zh-CN', routesZh, /\p{Script=Han}/u],
    ])('%s has each line about routes of the API, and no other', (_, lines, own) => {
        expect(Object.keys(lines).sort()).toEqual([...routes].sort());
        expect(Object.values(lines).filter((line) => !own.test(line))).toEqual([]);
    });

    test('settings of drivers without a title have a label, and their choices have words', () => {
        const param = en.param as unknown as Record<string, Record<string, string>>;
        const choices = en.enum as unknown as Record<string, Record<string, string>>;
        const common = readFileSync(join(__dirname, 'en/common.json'), 'utf8');
        const missing = schemas.flatMap(([driver, schema]) =>
            Object.entries(schema.properties ?? {}).flatMap(([name, s]) => [
                ...(s.title || param[`driver_${driver}`]?.[name] || param.any?.[name]
                    ? []
                    : [`${driver} ${name}`]),
                ...(s.enum ?? [])
                    .filter((v) => v !== null && !choices[name]?.[v] && !common.includes(`"${v}":`))
                    .map((v) => `${driver} ${name} ${v}`),
            ]),
        );
        expect(missing).toEqual([]);
    });

    test('below fields of forms speak no JSON: no names of members, no null, no bare choices', () => {
        const shown = new Set<string>();
        for (const schema of Object.values(params)) collect(schema as Schema, shown, false);
        const other = reworded as Record<string, string>;
        const raw = [...shown]
            // What vSphere calls its devices, and operations by the name that one types.
            .filter((line) => !/\(vSphere: pvscsi|^Operation: |^What it allows: /.test(line))
            .map((line) => other[line] ?? line)
            .filter((line) => /[a-z]_[a-z]|\bnull\b|`|(^|\. )[a-z]+: /.test(line));
        expect(raw).toEqual([]);
        expect(Object.keys(other).filter((line) => !shown.has(line))).toEqual([]);
    });
});
