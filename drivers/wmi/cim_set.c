/* SPDX-License-Identifier: Apache-2.0 */
/* Writing values into objects that are to be sent. */
#include "drivers/wmi/cim.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/buf.h>
#include <polyvisor/err.h>

#include "drivers/wmi/cim_inner.h"

#define XML_MOST (4u << 20)

/* The place for a value: of this very class, or of the same name and type in the object's. */
static struct cim_value *place(struct cim_instance *o, const struct cim_prop *p)
{
    const struct cim_prop *own = p;

    if (!o)
        return NULL;
    if (o->cls != p->cls)
        own = o->cls && !p->cls->method ? cim_prop_find(o->cls, p->name) : NULL;
    if (!own || own->type != p->type || own->array != p->array || (o->cls->method && !own->in)) {
        o->failed = true;
        return NULL;
    }
    return &o->values[own->slot];
}

static struct cim_item *one(struct cim_instance *o, const struct cim_prop *p)
{
    struct cim_value *v = place(o, p);

    if (!v)
        return NULL;
    v->there = true;
    v->null = false;
    if (!v->items)
        v->items = arena_alloc(o->arena, sizeof(*v->items));
    if (!v->items) {
        o->failed = true;
        return NULL;
    }
    memset(v->items, 0, sizeof(*v->items));
    v->count = 1;
    return v->items;
}

static struct cim_item *another(struct cim_instance *o, const struct cim_prop *p)
{
    struct cim_value *v = place(o, p);
    struct cim_item *item = v ? cim_value_add(v, o->arena) : NULL;

    if (!v)
        return NULL;
    v->there = true;
    v->null = false;
    if (!item)
        o->failed = true;
    return item;
}

static void put_text(struct cim_instance *o, struct cim_item *item, const char *text)
{
    if (!item)
        return;
    item->text = arena_strdup(o->arena, text);
    if (!item->text)
        o->failed = true;
}

static bool fits(const struct cim_prop *p, uint64_t v)
{
    return p->type == CIM_UINT64 || (p->type == CIM_UINT32 && v <= UINT32_MAX) ||
           (p->type == CIM_UINT16 && v <= UINT16_MAX) || (p->type == CIM_UINT8 && v <= UINT8_MAX);
}

static void put_uint(struct cim_instance *o, const struct cim_prop *p, struct cim_item *item,
                     uint64_t v)
{
    char text[24];

    if (o && !fits(p, v))
        o->failed = true;
    (void)snprintf(text, sizeof(text), "%" PRIu64, v);
    put_text(o, item, text);
}

static void put_emb(struct cim_instance *o, struct cim_item *item, const struct cim_instance *v)
{
    struct buf text;

    if (!item)
        return;
    buf_init(&text, XML_MOST);
    if (!v || cim_put_xml(&text, v, NULL) || !buf_ok(&text))
        o->failed = true;
    else
        put_text(o, item, text.data);
    buf_free(&text);
}

void cim_set_bool(struct cim_instance *o, struct cim_p_bool p, bool v)
{
    put_text(o, one(o, p.id), v ? "true" : "false");
}

void cim_set_uint(struct cim_instance *o, struct cim_p_uint p, uint64_t v)
{
    put_uint(o, p.id, one(o, p.id), v);
}

void cim_set_sint(struct cim_instance *o, struct cim_p_sint p, int64_t v)
{
    static const int bits[] = { [CIM_SINT8] = 7, [CIM_SINT16] = 15, [CIM_SINT32] = 31 };
    char text[24];

    if (o && p.id->type != CIM_SINT64 &&
        (v >> bits[p.id->type] != 0 && v >> bits[p.id->type] != -1))
        o->failed = true;
    (void)snprintf(text, sizeof(text), "%" PRId64, v);
    put_text(o, one(o, p.id), text);
}

void cim_set_str(struct cim_instance *o, struct cim_p_str p, const char *v)
{
    if (v)
        put_text(o, one(o, p.id), v);
    else
        cim_set_null_of(o, p.id);
}

void cim_set_time(struct cim_instance *o, struct cim_p_time p, int64_t ms)
{
    char text[26];

    cim_time_print(ms, text);
    put_text(o, one(o, p.id), text);
}

void cim_set_interval(struct cim_instance *o, struct cim_p_time p, int64_t ms)
{
    char text[26];

    cim_interval_print(ms, text);
    put_text(o, one(o, p.id), text);
}

/* The reference stays the caller's: it lives in an arena that outlives the call. */
static void put_ref(struct cim_instance *o, struct cim_item *item, const struct cim_ref *v)
{
    if (item && (!v || v->failed))
        o->failed = true;
    else if (item)
        item->ref = v;
}

void cim_set_ref(struct cim_instance *o, struct cim_p_ref p, const struct cim_ref *v)
{
    put_ref(o, one(o, p.id), v);
}

void cim_set_emb(struct cim_instance *o, struct cim_p_emb p, const struct cim_instance *v)
{
    put_emb(o, one(o, p.id), v);
}

void cim_add_str(struct cim_instance *o, struct cim_p_strs p, const char *v)
{
    struct cim_item *item = another(o, p.id);

    if (v)
        put_text(o, item, v);
}

void cim_add_uint(struct cim_instance *o, struct cim_p_uints p, uint64_t v)
{
    put_uint(o, p.id, another(o, p.id), v);
}

void cim_add_ref(struct cim_instance *o, struct cim_p_refs p, const struct cim_ref *v)
{
    put_ref(o, another(o, p.id), v);
}

void cim_add_emb(struct cim_instance *o, struct cim_p_embs p, const struct cim_instance *v)
{
    put_emb(o, another(o, p.id), v);
}

void cim_set_null_of(struct cim_instance *o, const struct cim_prop *p)
{
    struct cim_value *v = place(o, p);

    if (v)
        *v = (struct cim_value){ .there = true, .null = true };
}

void cim_set_empty_of(struct cim_instance *o, const struct cim_prop *p)
{
    struct cim_value *v = place(o, p);

    if (v)
        *v = (struct cim_value){ .there = true };
}
