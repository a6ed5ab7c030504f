/* SPDX-License-Identifier: Apache-2.0 */
/* References: of keys, as end point references, as object paths. */
#include "drivers/wmi/cim.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include <polyvisor/arena.h>
#include <polyvisor/buf.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>
#include <polyvisor/xml.h>

#include "drivers/wmi/names.h"

#define PATH_MOST 16384u
#define NESTED_MOST 3 /* a key of an association is a reference; nothing real goes deeper */

static struct cim_ref *ref_alloc(struct arena *a)
{
    struct cim_ref *r = arena_alloc(a, sizeof(*r));

    if (r)
        r->arena = a;
    return r;
}

struct cim_ref *cim_ref_new(struct arena *a, const struct cim_class *cls)
{
    struct cim_ref *r = ref_alloc(a);

    if (r) {
        r->ns = cim_ns_path((enum cim_ns)cls->ns);
        r->cls = cls->name;
    }
    return r;
}

static const struct cim_key *key_named(const struct cim_ref *r, const char *name)
{
    for (unsigned i = 0; i < r->nkeys; i++)
        if (strcasecmp(r->keys[i].name, name) == 0)
            return &r->keys[i];
    return NULL;
}

/* Two keys of one name, and nobody knows what is meant. */
static void add_key(struct cim_ref *r, const char *name, const char *value,
                    const struct cim_ref *ref)
{
    struct cim_key *key;

    if (r->nkeys == CIM_KEYS_MAX || (!value && !ref) || key_named(r, name)) {
        r->failed = true;
        return;
    }
    key = &r->keys[r->nkeys++];
    key->name = name;
    key->value = value;
    key->ref = ref;
}

void cim_ref_add(struct cim_ref *r, struct cim_p_str key, const char *value)
{
    if (r)
        add_key(r, key.id->name, value ? arena_strdup(r->arena, value) : NULL, NULL);
}

const struct cim_ref *cim_ref_of(struct arena *a, const struct cim_instance *o)
{
    struct cim_ref *r;

    if (!o)
        return NULL;
    if (o->ref)
        return o->ref;
    if (!o->cls)
        return NULL;
    r = cim_ref_new(a, o->cls);
    for (unsigned i = 0; r && i < o->cls->nprops; i++) {
        const struct cim_value *v = &o->values[i];

        if (!o->cls->props[i].key)
            continue;
        if (v->count != 1)
            return NULL;
        add_key(r, o->cls->props[i].name, v->items[0].text, v->items[0].ref);
    }
    return r && !r->failed && r->nkeys > 0 ? r : NULL;
}

const char *cim_ref_key(const struct cim_ref *r, const char *name)
{
    for (unsigned i = 0; r && i < r->nkeys; i++)
        if (strcasecmp(r->keys[i].name, name) == 0)
            return r->keys[i].value;
    return NULL;
}

/* "__cimnamespace" turns up in some answers and names nothing of the instance. */
static unsigned real_keys(const struct cim_ref *r)
{
    return r->nkeys - (key_named(r, "__cimnamespace") ? 1u : 0u);
}

static bool same(const struct cim_ref *x, const struct cim_ref *y, unsigned depth)
{
    if (!x || !y || depth > NESTED_MOST || strcasecmp(x->cls, y->cls) != 0 ||
        real_keys(x) != real_keys(y))
        return false;
    for (unsigned i = 0; i < x->nkeys; i++) {
        const struct cim_key *k = &x->keys[i], *other;

        if (strcasecmp(k->name, "__cimnamespace") == 0)
            continue;
        other = key_named(y, k->name);
        if (!other || !k->value != !other->value)
            return false;
        if (k->value ? strcasecmp(k->value, other->value) != 0
                     : !same(k->ref, other->ref, depth + 1))
            return false;
    }
    return true;
}

bool cim_ref_same(const struct cim_ref *x, const struct cim_ref *y)
{
    return same(x, y, 0);
}

bool cim_ref_is(const struct cim_ref *r, const struct cim_class *cls)
{
    return r && strcasecmp(r->cls, cls->name) == 0;
}

/* ------------------------------------------------------------------ object paths */

static void put_quoted(struct buf *out, const char *text)
{
    buf_char(out, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            buf_char(out, '\\');
        buf_char(out, *text);
    }
    buf_char(out, '"');
}

static void put_path(struct buf *out, const struct cim_ref *r, const char *host, unsigned depth)
{
    if (host)
        buf_printf(out, "\\\\%s\\", host);
    for (const char *p = r->ns; *p; p++)
        buf_char(out, *p == '/' && host ? '\\' : *p);
    buf_printf(out, ":%s", r->cls);
    if (r->nkeys == 0)
        buf_text(out, "=@");
    for (unsigned i = 0; i < r->nkeys; i++) {
        const struct cim_key *k = &r->keys[i];

        buf_printf(out, "%c%s=", i ? ',' : '.', k->name);
        if (k->value) {
            put_quoted(out, k->value);
        } else if (depth < NESTED_MOST) {
            struct buf inner;

            buf_init(&inner, PATH_MOST);
            put_path(&inner, k->ref, host, depth + 1);
            put_quoted(out, inner.data ? inner.data : "");
            buf_free(&inner);
        }
    }
}

const char *cim_ref_path(struct arena *a, const struct cim_ref *r, const char *host)
{
    const char *path = NULL;
    struct buf text;

    if (!r || r->failed)
        return NULL;
    buf_init(&text, PATH_MOST);
    put_path(&text, r, host, 0);
    if (buf_ok(&text))
        path = arena_text(a, text.data, text.len);
    buf_free(&text);
    return path;
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Words between single slashes. */
static bool is_namespace(const char *path)
{
    for (const char *p = path; *p; p++)
        if (!is_word(*p) && (*p != '/' || p == path || p[-1] == '/' || !p[1]))
            return false;
    return *path != '\0';
}

/* "\\HOST\root\virtualization\v2:" in front of the class; any part may be missing. Answers what
 * follows. */
static const char *read_place(struct cim_ref *r, struct arena *a, const char *at, enum cim_ns ns)
{
    size_t len;
    char *path;

    r->ns = cim_ns_path(ns);
    if ((at[0] == '\\' && at[1] == '\\') || (at[0] == '/' && at[1] == '/')) {
        len = strcspn(at + 2, "\\/:\"");
        if (len == 0 || (at[2 + len] != '\\' && at[2 + len] != '/'))
            return NULL;
        r->host = arena_text(a, at + 2, len);
        at += 2 + len + 1;
    }
    len = strcspn(at, ":.=\"");
    if (at[len] != ':')
        return at;
    path = arena_text(a, at, len);
    for (char *p = path; p && *p; p++)
        if (*p == '\\')
            *p = '/';
    if (path && *path)
        r->ns = path;
    return is_namespace(r->ns) ? at + len + 1 : NULL;
}

/* A quoted text with its escapes, or a bare word up to the next comma. */
static const char *read_value(struct arena *a, const char *at, char **value)
{
    size_t n = 0;
    char *out = arena_alloc(a, strlen(at) + 1);

    *value = NULL;
    if (!out)
        return NULL;
    if (*at != '"' && *at != '\'') {
        for (; *at && *at != ','; at++)
            out[n++] = *at;
        *value = n ? out : NULL;
        return n ? at : NULL;
    }
    for (char quote = *at++; *at != quote; at++) {
        if (*at == '\\' && at[1])
            at++;
        if (!*at)
            return NULL;
        out[n++] = *at;
    }
    *value = out;
    return at + 1;
}

static bool looks_like_path(const char *text)
{
    return (text[0] == '\\' && text[1] == '\\') || strncasecmp(text, "root/", 5) == 0 ||
           strncasecmp(text, "root\\", 5) == 0;
}

static struct cim_ref *parse_path(struct arena *a, const char *path, enum cim_ns ns, unsigned depth)
{
    struct cim_ref *r = strlen(path) < PATH_MOST ? ref_alloc(a) : NULL;
    const char *at = r ? read_place(r, a, path, ns) : NULL, *end = at;

    while (end && is_word(*end))
        end++;
    if (!at || end == at)
        return NULL;
    r->cls = arena_text(a, at, (size_t)(end - at));
    if (strcmp(end, "=@") == 0 || *end == '\0')
        return r->cls ? r : NULL;
    if (*end != '.')
        return NULL;
    for (at = end; *at == '.' || *at == ','; at = end) {
        const struct cim_ref *inner = NULL;
        char *name, *value;

        at++;
        for (end = at; is_word(*end); end++)
            ;
        if (end == at || *end != '=')
            return NULL;
        name = arena_text(a, at, (size_t)(end - at));
        end = read_value(a, end + 1, &value);
        if (!end || !name)
            return NULL;
        if (depth < NESTED_MOST && looks_like_path(value))
            inner = parse_path(a, value, ns, depth + 1);
        if (inner && inner->nkeys)
            add_key(r, name, NULL, inner);
        else
            add_key(r, name, value, NULL);
    }
    return *end || r->failed || !r->cls ? NULL : r;
}

const struct cim_ref *cim_ref_parse(struct arena *a, const char *path, enum cim_ns ns)
{
    return path ? parse_path(a, path, ns, 0) : NULL;
}

/* ------------------------------------------------------------------ end point references */

/* ".../wmi/root/virtualization/v2/Msvm_ComputerSystem" */
static bool read_uri(struct cim_ref *r, struct arena *a, const char *uri)
{
    const char *at = uri ? strcasestr(uri, "/wmi/") : NULL, *slash;

    if (!at)
        return false;
    at += 5;
    slash = strrchr(at, '/');
    if (!slash || slash == at || !slash[1])
        return false;
    r->ns = arena_text(a, at, (size_t)(slash - at));
    r->cls = arena_strdup(a, slash + 1);
    return r->ns && r->cls;
}

static const struct cim_ref *read_epr(struct arena *a, const xmlNode *node, unsigned depth)
{
    const xmlNode *inner = xml_child(node, NULL, "EndpointReference");
    const xmlNode *params = xml_child(inner ? inner : node, NULL, "ReferenceParameters");
    const xmlNode *set = xml_child(params, NULL, "SelectorSet");
    struct cim_ref *r = params ? ref_alloc(a) : NULL;

    if (!r || !read_uri(r, a, xml_child_text(params, NULL, "ResourceURI")))
        return NULL;
    for (const xmlNode *s = xml_child(set, NULL, "Selector"); s;
         s = xml_next_named(s, NULL, "Selector")) {
        const char *name = xml_attr(s, NULL, "Name");

        if (!name)
            name = xml_attr(s, NS_WSMAN, "Name");
        if (!name)
            return NULL;
        name = arena_strdup(a, name);
        if (!name)
            return NULL;
        if (xml_first(s))
            add_key(r, name, NULL, depth < NESTED_MOST ? read_epr(a, s, depth + 1) : NULL);
        else
            add_key(r, name, arena_strdup(a, xml_text(s)), NULL);
    }
    return r->failed ? NULL : r;
}

const struct cim_ref *cim_read_ref(struct arena *a, const xmlNode *node)
{
    return node ? read_epr(a, node, 0) : NULL;
}
