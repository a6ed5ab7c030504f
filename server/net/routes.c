/* SPDX-License-Identifier: Apache-2.0 */
#include "server/net/routes.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "server/net/router.h"

struct node {
    const char *name; /* of the segment, in the route's pattern */
    size_t len;
    struct node *literals; /* children, sorted once all are known */
    size_t nliterals;
    struct node *parameter; /* child for "{name}" */
    struct node *rest;      /* child for "{...}": everything below, and the place itself */
    const struct route *routes[GATE_METHODS];
    uint32_t allowed;
};

struct routes {
    struct node root;
};

struct segment {
    const char *text;
    size_t len;
};

static int compare(const char *a, size_t alen, const char *b, size_t blen)
{
    int order = memcmp(a, b, alen < blen ? alen : blen);

    if (order)
        return order;
    return alen < blen ? -1 : alen > blen;
}

static int by_name(const void *a, const void *b)
{
    const struct node *x = a, *y = b;

    return compare(x->name, x->len, y->name, y->len);
}

/* Splits "/a/b" into its segments; "/" has none, "/a/" has an empty last one. False: too many. */
static bool split(const char *path, size_t len, struct segment *out, size_t *n)
{
    size_t start = 1;

    *n = 0;
    if (len <= 1)
        return true;
    for (size_t i = 1; i <= len; i++) {
        if (i < len && path[i] != '/')
            continue;
        if (*n == ROUTES_MAX_SEGMENTS)
            return false;
        out[(*n)++] = (struct segment){ path + start, i - start };
        start = i + 1;
    }
    return true;
}

static bool is_param(const struct segment *s)
{
    return s->len > 2 && s->text[0] == '{' && s->text[s->len - 1] == '}';
}

static bool is_rest(const struct segment *s)
{
    return s->len == 5 && memcmp(s->text, "{...}", 5) == 0;
}

static struct node *child_literal(struct node *parent, const struct segment *s)
{
    struct node *grown;

    for (size_t i = 0; i < parent->nliterals; i++) {
        struct node *c = &parent->literals[i];

        if (c->len == s->len && memcmp(c->name, s->text, s->len) == 0)
            return c;
    }
    grown = realloc(parent->literals, (parent->nliterals + 1) * sizeof(*grown));
    if (!grown)
        return NULL;
    parent->literals = grown;
    grown[parent->nliterals] = (struct node){ .name = s->text, .len = s->len };
    return &grown[parent->nliterals++];
}

static struct node *child_for(struct node *parent, const struct segment *s)
{
    if (is_rest(s)) {
        if (!parent->rest)
            parent->rest = calloc(1, sizeof(*parent->rest));
        return parent->rest;
    }
    if (!is_param(s))
        return child_literal(parent, s);
    if (!parent->parameter)
        parent->parameter = calloc(1, sizeof(*parent->parameter));
    return parent->parameter;
}

static int add(struct routes *r, const struct route *route, struct pv_err *err)
{
    struct segment segments[ROUTES_MAX_SEGMENTS];
    struct node *at = &r->root;
    size_t n, params = 0;
    enum gate_method m = 0;

    while (m < GATE_METHODS && !str_eq(route->method, gate_method_name(m)))
        m++;
    if (m == GATE_METHODS || m == GATE_HEAD || m == GATE_OPTIONS || route->pattern[0] != '/' ||
        !route->handler || !split(route->pattern, strlen(route->pattern), segments, &n))
        return pv_fail(err, PV_EINVAL, "route %s %s is malformed", route->method, route->pattern);
    for (size_t i = 0; i < n; i++) {
        params += is_param(&segments[i]) && !is_rest(&segments[i]);
        if (is_rest(&segments[i]) && i + 1 < n)
            return pv_fail(err, PV_EINVAL, "route %s goes on behind {...}", route->pattern);
        at = child_for(at, &segments[i]);
        if (!at)
            return pv_fail(err, PV_ENOMEM, "no memory for routes");
    }
    if (params > ROUTES_MAX_PARAMS)
        return pv_fail(err, PV_EINVAL, "route %s has too many parameters", route->pattern);
    if (at->routes[m])
        return pv_fail(err, PV_EEXIST, "route %s %s is there twice", route->method, route->pattern);
    at->routes[m] = route;
    at->allowed |= 1u << m | 1u << GATE_OPTIONS;
    if (m == GATE_GET)
        at->allowed |= 1u << GATE_HEAD;
    return PV_OK;
}

static void sort(struct node *n)
{
    if (n->nliterals > 1)
        qsort(n->literals, n->nliterals, sizeof(*n->literals), by_name);
    for (size_t i = 0; i < n->nliterals; i++)
        sort(&n->literals[i]);
    if (n->parameter)
        sort(n->parameter);
}

static void clear(struct node *n)
{
    for (size_t i = 0; i < n->nliterals; i++)
        clear(&n->literals[i]);
    free(n->literals);
    if (n->parameter)
        clear(n->parameter);
    free(n->parameter);
    free(n->rest); /* has nothing below it */
}

void routes_free(struct routes *r)
{
    if (!r)
        return;
    clear(&r->root);
    free(r);
}

int routes_new(const struct route *table, struct routes **out, struct pv_err *err)
{
    struct routes *r = calloc(1, sizeof(*r));
    int rc;

    if (!r)
        return pv_fail(err, PV_ENOMEM, "no memory for routes");
    for (; table && table->pattern; table++) {
        rc = add(r, table, err);
        if (rc != PV_OK) {
            routes_free(r);
            return rc;
        }
    }
    sort(&r->root);
    *out = r;
    return PV_OK;
}

static const struct node *find_literal(const struct node *n, const struct segment *s)
{
    size_t low = 0, high = n->nliterals;

    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct node *c = &n->literals[middle];
        int order = compare(s->text, s->len, c->name, c->len);

        if (order == 0)
            return c;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

/* At most 2^16 steps in theory, but a table has few places where literal and parameter meet. */
static const struct node *walk(const struct node *n, const struct segment *s, size_t left,
                               uint32_t *taken, unsigned depth)
{
    const struct node *found = NULL, *next;

    if (left == 0)
        return n->allowed ? n : n->rest;
    next = find_literal(n, s);
    if (next)
        found = walk(next, s + 1, left - 1, taken, depth + 1);
    if (!found && n->parameter && s->len > 0) {
        found = walk(n->parameter, s + 1, left - 1, taken, depth + 1);
        if (found)
            *taken |= 1u << depth;
    }
    /* What a literal segment begins is a place of its own: a wrong address there stays wrong. */
    if (!found && !next)
        found = n->rest;
    return found;
}

static const struct route *any_route(const struct node *n)
{
    for (size_t m = 0; m < GATE_METHODS; m++) {
        if (n->routes[m])
            return n->routes[m];
    }
    return NULL;
}

static bool fill_params(const struct route *route, const struct segment *segments, size_t n,
                        uint32_t taken, struct arena *a, struct route_match *out)
{
    struct segment pattern[ROUTES_MAX_SEGMENTS];
    size_t np;

    split(route->pattern, strlen(route->pattern), pattern, &np);
    for (size_t i = 0; i < n && i < np; i++) {
        size_t len;
        char *value;

        if (!(taken & 1u << i) || out->nparams == ROUTES_MAX_PARAMS)
            continue;
        value = arena_alloc(a, segments[i].len + 1);
        if (!value || !gate_decode(segments[i].text, segments[i].len, false, value, &len))
            return false;
        out->names[out->nparams] = pattern[i].text + 1;
        out->name_lens[out->nparams] = pattern[i].len - 2;
        out->values[out->nparams++] = value;
    }
    return true;
}

bool routes_find(const struct routes *r, enum gate_method method, const char *path, size_t len,
                 struct arena *a, struct route_match *out)
{
    struct segment segments[ROUTES_MAX_SEGMENTS];
    const struct node *node;
    uint32_t taken = 0;
    size_t n;

    out->route = NULL;
    out->allowed = 0;
    out->nparams = 0;
    if (!split(path, len, segments, &n))
        return true;
    node = walk(&r->root, segments, n, &taken, 0);
    if (!node)
        return true;
    out->allowed = node->allowed;
    out->route = node->routes[method == GATE_HEAD ? GATE_GET : method];
    return !taken ||
           fill_params(out->route ? out->route : any_route(node), segments, n, taken, a, out);
}

void routes_allow_text(uint32_t allowed, char *out, size_t cap)
{
    size_t used = 0;

    out[0] = 0;
    for (enum gate_method m = 0; m < GATE_METHODS; m++) {
        if (!(allowed & 1u << m))
            continue;
        if (used)
            str_copy(out + used, cap - used, ", ");
        used = strlen(out);
        str_copy(out + used, cap - used, gate_method_name(m));
        used = strlen(out);
    }
}
