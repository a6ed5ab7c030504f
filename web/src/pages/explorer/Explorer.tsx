// SPDX-License-Identifier: Apache-2.0
// Every route of the API from the served description, to read and to try with the session at hand.
import { Fragment, useCallback, useEffect, useId, useMemo, useState } from 'react';
import { Button, TextArea, TextInput } from '@patternfly/react-core';
import { useQuery } from '@tanstack/react-query';
import { useTranslation } from 'react-i18next';
import { api } from '../../api/client';
import { isApiError } from '../../api/problem';
import type { JsonSchema } from '../../api/types';
import '../../i18n/admin';
import '../../i18n/estate';
import { useDocText, useRouteText } from '../../i18n/docs';
import { useAddress } from '../../lib/address';
import { useTyped } from '../../lib/typed';
import { useTitle } from '../../lib/hooks';
import { Snippets } from '../../lib/Snippets';
import { Failure, SkeletonLines } from '../../states/states';

interface Route {
    method: string;
    path: string;
    summary?: string;
    permission?: string;
    parameters: { name: string; in: string; required?: boolean; description?: string }[];
    body?: JsonSchema;
}

interface Description {
    paths: Record<string, Record<string, Record<string, unknown>>>;
}

const PREFIX = '/api/v1';

function routesOf(doc: Description): Route[] {
    return Object.entries(doc.paths).flatMap(([path, methods]) =>
        Object.entries(methods).map(([method, r]) => {
            const content = (
                r.requestBody as { content?: Record<string, { schema?: JsonSchema }> } | undefined
            )?.content;
            return {
                method: method.toUpperCase(),
                path,
                summary: r.summary as string | undefined,
                permission: r['x-permission'] as string | undefined,
                parameters: (r.parameters as Route['parameters'] | undefined) ?? [],
                body: content ? Object.values(content)[0]?.schema : undefined,
            };
        }),
    );
}

/** In its list, not the page. */
const intoSight = (button: HTMLElement | null) => {
    const list = button?.closest('ul');
    if (!button || !list) return;
    const at = button.offsetTop - list.offsetTop;
    if (at < list.scrollTop || at > list.scrollTop + list.clientHeight - button.offsetHeight)
        list.scrollTop = at - list.clientHeight / 2;
};

/** Name of a parameter of the call in the address of the explorer. */
const GIVEN = 'p.';

function Given({
    name,
    meaning,
    onText,
}: {
    name: string;
    meaning?: string;
    onText: (name: string, text: string) => void;
}) {
    const [text, setText] = useTyped(`${GIVEN}${name}`);
    const id = useId();
    useEffect(() => onText(name, text), [name, text, onText]);
    return (
        <label>
            <span>{name}</span>
            <TextInput
                aria-label={name}
                aria-describedby={meaning ? id : undefined}
                value={text}
                onChange={(_, v) => setText(v)}
            />
            {meaning && (
                <small className="pv-subtle" id={id}>
                    {meaning}
                </small>
            )}
        </label>
    );
}

/** What may stand in the body. */
function Members({ body }: { body: JsonSchema }) {
    const { t } = useTranslation();
    const meaning = useDocText();
    const members = Object.entries(body.properties ?? {});
    if (!members.length) return null;
    return (
        <details>
            <summary>{t('explorer.members', { count: members.length })}</summary>
            <dl className="pv-explorer__members">
                {members.map(([name, member]) => (
                    <Fragment key={name}>
                        <dt>
                            <code className="pv-code">{name}</code>{' '}
                            <span className="pv-subtle">
                                {[member.type].flat().join(', ')}
                                {body.required?.includes(name) && ` · ${t('explorer.required')}`}
                            </span>
                        </dt>
                        <dd>
                            {meaning(member.description)}
                            {member.enum && (
                                <>
                                    {' '}
                                    <code className="pv-code">{member.enum.join(' | ')}</code>
                                </>
                            )}
                        </dd>
                    </Fragment>
                ))}
            </dl>
        </details>
    );
}

function Try({ route }: { route: Route }) {
    const { t } = useTranslation();
    const said = useRouteText();
    // What is typed goes into the address as well; a body does not, for it may hold a secret.
    const [values, setValues] = useState<Record<string, string>>({});
    const setValue = useCallback(
        (name: string, text: string) =>
            setValues((old) => (old[name] === text ? old : { ...old, [name]: text })),
        [],
    );
    const names = [...route.path.matchAll(/\{(\w+)\}/g)].map((m) => m[1]!);
    const inputs = [...names, ...route.parameters.filter((p) => p.in === 'query').map((p) => p.name)];
    const [body, setBody] = useState('{}');
    const [answer, setAnswer] = useState<string | null>(null);
    const [sure, setSure] = useState(false);
    const filled = route.path.replace(/\{(\w+)\}/g, (_, name: string) =>
        values[name] ? encodeURIComponent(values[name]) : `{${name}}`,
    );
    const query = new URLSearchParams(
        route.parameters
            .filter((p) => p.in === 'query' && values[p.name])
            .map((p) => [p.name, values[p.name] ?? '']),
    ).toString();
    const url = `${filled}${query ? `?${query}` : ''}`;
    const parsed = useMemo(() => {
        try {
            return { value: route.body ? (JSON.parse(body) as unknown) : undefined };
        } catch (error) {
            return { error: String((error as Error).message) };
        }
    }, [route.body, body]);
    const missing = names.filter((name) => !values[name]);
    const send = async () => {
        if (missing.length || parsed.error !== undefined) return;
        // What it would do happens at once and for real.
        if (route.method !== 'GET' && !sure) {
            setSure(true);
            return;
        }
        setSure(false);
        try {
            const path = url.startsWith(PREFIX) ? url.slice(PREFIX.length) : url;
            const result = await api.call(route.method, path, parsed.value);
            setAnswer(`${result.status}\n${JSON.stringify(result.data, null, 2)}`);
        } catch (error) {
            setAnswer(
                isApiError(error)
                    ? `${error.problem.status}\n${JSON.stringify(error.problem, null, 2)}`
                    : String(error),
            );
        }
    };
    return (
        <section className="pv-card pv-pad" aria-label={`${route.method} ${route.path}`}>
            <h2 className="pv-h3">
                <code className="pv-code">{`${route.method} ${route.path}`}</code>
            </h2>
            {route.summary && <p>{said(route.summary)}</p>}
            {route.permission && (
                <p className="pv-subtle">
                    {t('explorer.permission')} <code className="pv-code">{route.permission}</code>
                </p>
            )}
            <div className="pv-explorer__inputs">
                {inputs.map((name) => (
                    <Given
                        key={name}
                        name={name}
                        meaning={said(route.parameters.find((p) => p.name === name)?.description)}
                        onText={setValue}
                    />
                ))}
            </div>
            {route.body && <Members body={route.body} />}
            {route.body && (
                <TextArea
                    aria-label={t('explorer.body')}
                    className="pv-mono"
                    rows={6}
                    value={body}
                    onChange={(_, v) => setBody(v)}
                />
            )}
            <div className="pv-buttons">
                {(route.method === 'GET' || route.path.startsWith(PREFIX)) && (
                    <Button
                        variant={sure ? 'danger' : 'secondary'}
                        isAriaDisabled={missing.length > 0 || parsed.error !== undefined}
                        onClick={() => void send()}
                    >
                        {t('explorer.send')}
                    </Button>
                )}
                <span className="pv-buttons__text pv-subtle" aria-live="polite">
                    {missing.length
                        ? t('estate.explorer.missing', { names: missing.join(', ') })
                        : parsed.error !== undefined
                          ? t('estate.explorer.body_wrong', { error: parsed.error })
                          : sure && t('estate.explorer.sure')}
                </span>
            </div>
            <Snippets request={{ method: route.method, url, body: parsed.value }} />
            {answer !== null && (
                <div role="region" tabIndex={0} aria-label={t('explorer.answer')}>
                    <pre className="pv-code pv-explorer__answer">{answer}</pre>
                </div>
            )}
        </section>
    );
}

export function Component() {
    const { t } = useTranslation();
    const [params, change] = useAddress();
    const said = useRouteText();
    const [text, setText] = useTyped('q');
    useTitle(t('nav.explorer'));
    const { data, error, refetch } = useQuery({
        queryKey: ['openapi'],
        queryFn: ({ signal }) => api.get<Description>('/openapi.json', undefined, signal),
        staleTime: Infinity,
    });
    const routes = useMemo(() => (data ? routesOf(data) : []), [data]);
    const chosen = params.get('route') ?? '';
    if (error) return <Failure error={error} onRetry={() => void refetch()} />;
    if (!data) return <SkeletonLines lines={12} />;
    const choose = (id: string) =>
        change((next) => {
            for (const key of [...next.keys()]) if (key.startsWith(GIVEN)) next.delete(key);
            next.set('route', id);
        });
    const shown = routes.filter((r) =>
        `${r.method} ${r.path} ${r.summary ?? ''} ${said(r.summary)}`
            .toLowerCase()
            .includes(text.toLowerCase()),
    );
    const route = routes.find((r) => `${r.method} ${r.path}` === chosen);
    return (
        <article className="pv-page pv-explorer" aria-labelledby="page-title">
            <h1 className="pv-h1" id="page-title">
                {t('nav.explorer')}
            </h1>
            <TextInput
                aria-label={t('explorer.find')}
                placeholder={t('explorer.find')}
                value={text}
                onChange={(_, v) => setText(v)}
            />
            <div className="pv-columns">
                <ul className="pv-explorer__routes" aria-label={t('explorer.routes')}>
                    {!shown.length && <li className="pv-subtle">{t('estate.explorer.none')}</li>}
                    {shown.map((r) => {
                        const id = `${r.method} ${r.path}`;
                        return (
                            <li key={id}>
                                <button
                                    type="button"
                                    className="pv-linkbutton"
                                    aria-current={id === chosen}
                                    ref={id === chosen ? intoSight : undefined}
                                    onClick={() => choose(id)}
                                >
                                    <code className="pv-code">{id}</code>
                                </button>
                            </li>
                        );
                    })}
                </ul>
                <div className="pv-columns__main">
                    {route ? (
                        <Try key={chosen} route={route} />
                    ) : (
                        <p className="pv-subtle">{t('estate.explorer.pick')}</p>
                    )}
                </div>
            </div>
        </article>
    );
}
