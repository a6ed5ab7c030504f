/* SPDX-License-Identifier: Apache-2.0 */
/* Classes of the tables, and reading values of objects. */
#include "drivers/wmi/cim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "drivers/wmi/cim_inner.h"

#define ITEMS_MOST (1u << 24)
#define LIST_FIRST 64u
#define LIST_MOST (1u << 22)

const char *cim_ns_path(enum cim_ns ns)
{
    return (unsigned)ns < CIM_NS_COUNT ? cim_ranges[ns].path : "";
}

/* Classes of a namespace stand sorted, each followed by its methods: so the search goes over
 * classes and steps back from a method to its class. */
const struct cim_class *cim_class_find(enum cim_ns ns, const char *name)
{
    unsigned low, high;

    if (!name || (unsigned)ns >= CIM_NS_COUNT)
        return NULL;
    low = cim_ranges[ns].first;
    high = cim_ranges[ns].end;
    while (low < high) {
        const struct cim_class *at = &cim_classes[low + (high - low) / 2];
        const struct cim_class *cls = at->method ? at->owner : at;
        int order = strcasecmp(name, cls->name);

        if (order == 0)
            return cls;
        if (order < 0) {
            high = (unsigned)(cls - cim_classes);
        } else {
            low = (unsigned)(at - cim_classes) + 1;
            while (low < high && cim_classes[low].method)
                low++;
        }
    }
    return NULL;
}

const struct cim_prop *cim_prop_find(const struct cim_class *cls, const char *name)
{
    unsigned low = 0, high = cls ? cls->nprops : 0;

    while (low < high) {
        unsigned mid = low + (high - low) / 2;
        int order = strcasecmp(name, cls->props[mid].name);

        if (order == 0)
            return &cls->props[mid];
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

static bool descends(const struct cim_class *cls, const char *name)
{
    for (const char *const *a = cls->ancestors; *a; a++)
        if (strcasecmp(*a, name) == 0)
            return true;
    return false;
}

bool cim_is(const struct cim_instance *o, const struct cim_class *cls)
{
    if (!o)
        return false;
    if (o->cls)
        return o->cls == cls || descends(o->cls, cls->name);
    return o->name && strcasecmp(o->name, cls->name) == 0;
}

struct cim_instance *cim_new(struct arena *a, const struct cim_class *cls)
{
    struct cim_instance *o = arena_alloc(a, sizeof(*o));

    if (!o)
        return NULL;
    o->arena = a;
    o->cls = cls;
    o->name = cls->name;
    o->values = arena_alloc(a, sizeof(*o->values) * (cls->nprops ? cls->nprops : 1));
    return o->values ? o : NULL;
}

struct cim_instance *cim_call(struct arena *a, const struct cim_class *method)
{
    return cim_new(a, method);
}

int cim_list_add(struct cim_list *l, struct arena *a, struct cim_instance *o, struct pv_err *err)
{
    if (l->count == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : LIST_FIRST;
        struct cim_instance **more;

        if (cap > LIST_MOST)
            return pv_fail(err, PV_ELIMIT, "more than %u objects", LIST_MOST);
        more = arena_alloc(a, cap * sizeof(struct cim_instance *));
        if (!more)
            return pv_fail(err, PV_ENOMEM, "no memory for the host's objects");
        if (l->count)
            memcpy(more, l->items, l->count * sizeof(struct cim_instance *));
        l->items = more;
        l->cap = cap;
    }
    l->items[l->count++] = o;
    return PV_OK;
}

struct cim_item *cim_value_add(struct cim_value *v, struct arena *a)
{
    /* Room doubles: a count that is a power of two is full. */
    if ((v->count & (v->count - 1)) == 0) {
        struct cim_item *more =
            v->count < ITEMS_MOST
                ? arena_alloc(a, sizeof(*more) * (v->count ? 2 * (size_t)v->count : 1))
                : NULL;

        if (!more)
            return NULL;
        if (v->count)
            memcpy(more, v->items, sizeof(*more) * v->count);
        v->items = more;
    }
    return &v->items[v->count++];
}

/* ------------------------------------------------------------------ reading */

/* A superclass's property means the subclass's of the same name and type. */
static const struct cim_value *value_of(const struct cim_instance *o, const struct cim_prop *p)
{
    const struct cim_prop *own = p;

    if (!o || !o->cls || !o->values)
        return NULL;
    if (o->cls != p->cls) {
        own = cim_prop_find(o->cls, p->name);
        if (!own || own->type != p->type || own->array != p->array)
            return NULL;
    }
    return &o->values[own->slot];
}

static const struct cim_item *item_of(const struct cim_instance *o, const struct cim_prop *p,
                                      unsigned i)
{
    const struct cim_value *v = value_of(o, p);

    return v && i < v->count ? &v->items[i] : NULL;
}

static const char *text_of(const struct cim_instance *o, const struct cim_prop *p, unsigned i)
{
    const struct cim_item *item = item_of(o, p, i);

    return item ? item->text : NULL;
}

/* Numbers and truth values may stand between blanks. */
static size_t trim(const char **text)
{
    size_t len;

    *text += strspn(*text, " \t\r\n");
    len = strlen(*text);
    while (len > 0 && strchr(" \t\r\n", (*text)[len - 1]))
        len--;
    return len;
}

static uint64_t most_of(uint8_t type)
{
    switch (type) {
    case CIM_UINT8:
        return UINT8_MAX;
    case CIM_UINT16:
        return UINT16_MAX;
    case CIM_UINT32:
        return UINT32_MAX;
    default:
        return UINT64_MAX;
    }
}

static bool read_uint(const char *text, uint8_t type, uint64_t *out)
{
    size_t len = text ? trim(&text) : 0;

    return len > 0 && str_u64(text, len, most_of(type), out);
}

static bool read_bool(const char *text, bool *out)
{
    size_t len = text ? trim(&text) : 0;

    if ((len == 4 && strncasecmp(text, "true", 4) == 0) || (len == 1 && *text == '1'))
        *out = true;
    else if ((len == 5 && strncasecmp(text, "false", 5) == 0) || (len == 1 && *text == '0'))
        *out = false;
    else
        return false;
    return true;
}

unsigned cim_count_of(const struct cim_instance *o, const struct cim_prop *p)
{
    const struct cim_value *v = value_of(o, p);

    return v ? v->count : 0;
}

bool cim_known_of(const struct cim_instance *o, const struct cim_prop *p)
{
    const struct cim_value *v = value_of(o, p);

    return v && v->there;
}

bool cim_get_bool(const struct cim_instance *o, struct cim_p_bool p, bool *out)
{
    return read_bool(text_of(o, p.id, 0), out);
}

bool cim_bool(const struct cim_instance *o, struct cim_p_bool p)
{
    bool value = false;

    (void)cim_get_bool(o, p, &value);
    return value;
}

bool cim_get_uint(const struct cim_instance *o, struct cim_p_uint p, uint64_t *out)
{
    return read_uint(text_of(o, p.id, 0), p.id->type, out);
}

uint64_t cim_uint(const struct cim_instance *o, struct cim_p_uint p)
{
    uint64_t value = 0;

    (void)cim_get_uint(o, p, &value);
    return value;
}

bool cim_get_sint(const struct cim_instance *o, struct cim_p_sint p, int64_t *out)
{
    const char *text = text_of(o, p.id, 0);
    size_t len = text ? trim(&text) : 0;

    return len > 0 && str_i64(text, len, out);
}

int64_t cim_sint(const struct cim_instance *o, struct cim_p_sint p)
{
    int64_t value = 0;

    (void)cim_get_sint(o, p, &value);
    return value;
}

bool cim_get_real(const struct cim_instance *o, struct cim_p_real p, double *out)
{
    const char *text = text_of(o, p.id, 0);
    char *end;
    double value;

    if (!text || !*text)
        return false;
    errno = 0;
    value = strtod(text, &end);
    end += strspn(end, " \t\r\n");
    if (*end || errno)
        return false;
    *out = value;
    return true;
}

const char *cim_str(const struct cim_instance *o, struct cim_p_str p)
{
    return text_of(o, p.id, 0);
}

bool cim_get_time(const struct cim_instance *o, struct cim_p_time p, int64_t *ms)
{
    const char *text = text_of(o, p.id, 0);

    return text && cim_time_parse(text, ms);
}

bool cim_get_interval(const struct cim_instance *o, struct cim_p_time p, int64_t *ms)
{
    const char *text = text_of(o, p.id, 0);

    return text && cim_interval_parse(text, ms);
}

const struct cim_ref *cim_get_ref(const struct cim_instance *o, struct cim_p_ref p)
{
    const struct cim_item *item = item_of(o, p.id, 0);

    return item ? item->ref : NULL;
}

const struct cim_instance *cim_get_obj(const struct cim_instance *o, struct cim_p_obj p)
{
    const struct cim_item *item = item_of(o, p.id, 0);

    return item ? item->obj : NULL;
}

static struct cim_instance *emb_of(const struct cim_instance *o, const struct cim_prop *p,
                                   unsigned i, struct arena *a)
{
    const char *text = text_of(o, p, i);
    struct cim_instance *out = NULL;

    if (!text || !*text)
        return NULL;
    return cim_parse_xml(a, text, (enum cim_ns)p->cls->ns, &out, NULL) == PV_OK ? out : NULL;
}

struct cim_instance *cim_get_emb(const struct cim_instance *o, struct cim_p_emb p, struct arena *a)
{
    return emb_of(o, p.id, 0, a);
}

struct cim_instance *cim_emb_at(const struct cim_instance *o, struct cim_p_embs p, unsigned i,
                                struct arena *a)
{
    return emb_of(o, p.id, i, a);
}

bool cim_uint_at(const struct cim_instance *o, struct cim_p_uints p, unsigned i, uint64_t *out)
{
    return read_uint(text_of(o, p.id, i), p.id->type, out);
}

const char *cim_str_at(const struct cim_instance *o, struct cim_p_strs p, unsigned i)
{
    return text_of(o, p.id, i);
}

const struct cim_ref *cim_ref_at(const struct cim_instance *o, struct cim_p_refs p, unsigned i)
{
    const struct cim_item *item = item_of(o, p.id, i);

    return item ? item->ref : NULL;
}

const struct cim_instance *cim_obj_at(const struct cim_instance *o, struct cim_p_objs p, unsigned i)
{
    const struct cim_item *item = item_of(o, p.id, i);

    return item ? item->obj : NULL;
}

static const uint8_t *from_base64(struct arena *a, const char *text, size_t *len)
{
    size_t n = trim(&text);
    uint8_t *out = arena_alloc(a, n + 1);

    return out && str_unbase64(text, n, out, n, len) && *len ? out : NULL;
}

const uint8_t *cim_octets(const struct cim_instance *o, struct cim_p_uints p, size_t *len,
                          struct arena *a)
{
    unsigned count = cim_count_of(o, p.id);
    const char *first = text_of(o, p.id, 0);
    uint64_t value;
    uint8_t *out;

    if (!first)
        return NULL;
    if (count == 1 && !read_uint(first, CIM_UINT8, &value))
        return from_base64(a, first, len);
    out = arena_alloc(a, count);
    for (unsigned i = 0; out && i < count; i++) {
        if (!read_uint(text_of(o, p.id, i), CIM_UINT8, &value))
            return NULL;
        out[i] = (uint8_t)value;
    }
    *len = count;
    return out;
}

const struct cim_ref *cim_str_path(const struct cim_instance *o, struct cim_p_str p,
                                   struct arena *a)
{
    const char *text = text_of(o, p.id, 0);

    return text ? cim_ref_parse(a, text, (enum cim_ns)p.id->cls->ns) : NULL;
}

const struct cim_ref *cim_str_path_at(const struct cim_instance *o, struct cim_p_strs p, unsigned i,
                                      struct arena *a)
{
    const char *text = text_of(o, p.id, i);

    return text ? cim_ref_parse(a, text, (enum cim_ns)p.id->cls->ns) : NULL;
}

bool cim_return_value(const struct cim_instance *out, uint32_t *value)
{
    const struct cim_prop *p = out && out->cls ? cim_prop_find(out->cls, "ReturnValue") : NULL;
    uint64_t number;

    if (!p || !read_uint(text_of(out, p, 0), CIM_UINT32, &number))
        return false;
    *value = (uint32_t)number;
    return true;
}
