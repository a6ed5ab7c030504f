// SPDX-License-Identifier: Apache-2.0
// Asks the server program for the description of its API and writes what the page needs of it:
//   src/api/schema.gen.d.ts  types of every request and answer
//   src/api/model.gen.json   fields of each kind and the operations (names, types, units)
//   src/api/params.gen.json  bodies of requests, parameters of the operations among them, loaded with the dialogs
//   src/api/texts.gen.json   what people are told (problems, sentences), for the tests of the languages
//   src/api/rules.gen.json   names of the alert rules that come with the product
//   src/api/routes.gen.json  what each route and its parameters are for, for the tests of the languages
//   src/api/metrics.gen.json units of the metrics
//   src/api/docs.gen.json    one line about each field and what the hypervisors call it, loaded when somebody asks for it
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import openapiTS, { astToString } from 'openapi-typescript';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

function description() {
    const given = process.env.POLYVISORD;
    const places = given
        ? [given]
        : ['release', 'dev'].map((kind) => here(`../../build/${kind}/bin/polyvisord`));
    const program = places.find((place) => existsSync(place));
    if (!program) {
        console.error(`No polyvisord at ${places.join(' or ')}. Build it first, or name it in POLYVISORD.`);
        process.exit(1);
    }
    return JSON.parse(execFileSync(program, ['--print-openapi'], { maxBuffer: 64 << 20, encoding: 'utf8' }));
}

function typeOf(schema) {
    const types = [schema.type].flat().filter((t) => t && t !== 'null');
    const any = (schema.anyOf ?? []).map((s) => s.$ref ?? s.type);
    if (schema.enum) return { type: 'enum', values: schema.enum.filter((v) => v !== null) };
    if (any.some((ref) => String(ref).endsWith('Ref'))) return { type: 'ref' };
    if (types[0] === 'array') {
        if (schema.items?.$ref?.endsWith('Ref')) return { type: 'refs' };
        return { type: schema.items?.type === 'string' ? 'list' : 'json' };
    }
    if (types[0] === 'integer' || types[0] === 'number')
        return { type: 'number', unit: schema['x-unit'] || 'count' };
    if (types[0] === 'boolean') return { type: 'bool' };
    if (types[0] === 'string') return { type: schema.format === 'date-time' ? 'time' : 'text' };
    return { type: 'json' };
}

function fieldsOf(schema, prefix, fields, docs, natives) {
    for (const [name, s] of Object.entries(schema.properties ?? {})) {
        const path = prefix + name;
        if (s.properties && !s.description) {
            fieldsOf(s, `${path}.`, fields, docs, natives);
        } else if (name !== 'kind' && path !== 'usage') {
            const field = typeOf(s);
            if (s['x-sortable']) field.sort = true;
            if (s['x-facet']) field.facet = true;
            if (!s['x-filterable']) field.hidden = true;
            fields[path] = field;
            if (s.description) docs[path] = s.description;
            if (s['x-native']) natives[path] = s['x-native'];
        }
    }
}

const doc = description();
const kinds = {};
const docs = {};
const natives = {};
for (const schema of Object.values(doc.components.schemas)) {
    const kind = schema.properties?.kind?.const;
    if (!kind) continue;
    kinds[kind] = { fields: {} };
    docs[kind] = {};
    natives[kind] = {};
    fieldsOf(schema, '', kinds[kind].fields, docs[kind], natives[kind]);
}
const operations = {};
const params = {};
// What operations without a body ask for: disks=delete of a machine's end.
const asked = new Set();
for (const [path, methods] of Object.entries(doc.paths)) {
    const rest = path.replace('/api/v1', '');
    for (const [method, route] of Object.entries(methods)) {
        const ref =
            route.responses?.['200']?.content?.['application/json']?.schema?.properties?.items?.items?.$ref;
        const kind = ref && doc.components.schemas[ref.split('/').pop()]?.properties?.kind?.const;
        if (method === 'get' && kind && !rest.includes('{') && !kinds[kind].path) {
            kinds[kind].path = rest;
            kinds[kind].permission = route['x-permission'];
        }
        const body =
            route.requestBody?.content?.['application/json']?.schema ??
            route.requestBody?.content?.['application/merge-patch+json']?.schema;
        const name = route['x-operation'];
        if (!name) {
            if (body) params[`${method.toUpperCase()} ${rest}`] = body;
            continue;
        }
        for (const parameter of route.parameters ?? [])
            if (parameter.in === 'query' && parameter.description) asked.add(parameter.description);
        const entry = { method: method.toUpperCase(), path: rest, permission: route['x-permission'] };
        if (route['x-title']) entry.title = route['x-title'];
        if (route['x-danger']) entry.danger = true;
        if (body && Object.keys(body.properties ?? {}).length) {
            params[`${entry.method} ${rest}`] = body;
            entry.asks = body.required ?? [];
        }
        (operations[name] ??= []).push(entry);
    }
}
const types = await openapiTS(doc, { alphabetize: true });
writeFileSync(here('../src/api/schema.gen.d.ts'), astToString(types));
writeFileSync(here('../src/api/model.gen.json'), JSON.stringify({ kinds, operations }));
writeFileSync(here('../src/api/params.gen.json'), JSON.stringify(params));
const texts = doc['x-texts'] ?? {};
const rules = Object.entries(texts).filter(([code]) => code.startsWith('rule.'));
writeFileSync(
    here('../src/api/texts.gen.json'),
    JSON.stringify({ texts, problems: doc['x-problems'] ?? {} }),
);
writeFileSync(
    here('../src/api/rules.gen.json'),
    JSON.stringify(Object.fromEntries(rules.map(([code, name]) => [code.slice(5), name]))),
);
// What is said of routes and their parameters.
const said = Object.values(doc.paths).flatMap((methods) =>
    Object.values(methods).flatMap(({ summary, parameters = [] }) => [
        summary,
        ...parameters.map((p) => p.description),
    ]),
);
writeFileSync(here('../src/api/routes.gen.json'), JSON.stringify([...new Set(said.filter(Boolean))]));
writeFileSync(
    here('../src/api/metrics.gen.json'),
    JSON.stringify(Object.fromEntries(Object.entries(doc['x-metrics'] ?? {}).map(([k, m]) => [k, m.unit]))),
);
writeFileSync(here('../src/api/docs.gen.json'), JSON.stringify({ docs, natives, asked: [...asked] }));

const before = JSON.parse(readFileSync(here('../package.json'), 'utf8')).version;
if (doc.info.version && doc.info.version !== before && process.env.CI)
    console.warn(`The page is version ${before}, the server ${doc.info.version}.`);
