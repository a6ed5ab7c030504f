/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/vapi/encode.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/buf.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>
#include <polyvisor/xml.h>

/* A batch of 500 object references is about 200 KiB. */
#define REQUEST_MOST (4u << 20)
#define DEPTH_MOST 16

struct member {
    struct member *next;
    const char *field; /* the table's own text */
    const char *declared;
    const char *text;         /* scalar, or the id of a reference */
    const char *ref_type;     /* reference: the object's type */
    struct enc_object *child; /* structure */
};

struct enc_object {
    struct enc *e;
    const struct enc_type *type;
    struct member *first, **last;
};

struct enc {
    struct arena *arena;
    struct enc_object root;
    struct enc_object nowhere; /* what cannot be kept is hung here and dropped */
    const char *this_type, *this_id;
    bool no_memory;
    char problem[96]; /* what the table does not know */
};

const struct enc_type *enc_type(const char *name)
{
    for (const struct enc_type *t = enc_types; t->name; t++)
        if (strcmp(t->name, name) == 0)
            return t;
    return NULL;
}

static void note_problem(struct enc *e, const char *type, const char *field)
{
    if (!e->problem[0])
        (void)snprintf(e->problem, sizeof(e->problem), "%s%s%s", type, field[0] ? "." : "", field);
}

static void object_init(struct enc_object *o, struct enc *e, const struct enc_type *type)
{
    o->e = e;
    o->type = type;
    o->first = NULL;
    o->last = &o->first;
}

struct enc *enc_new(const char *method, const char *type, const char *id)
{
    struct arena *arena = arena_new(4096, REQUEST_MOST);
    struct enc *e = arena ? arena_alloc(arena, sizeof(*e)) : NULL;

    if (!e) {
        arena_free(arena);
        return NULL;
    }
    e->arena = arena;
    object_init(&e->nowhere, e, NULL);
    object_init(&e->root, e, enc_type(method));
    if (!e->root.type)
        note_problem(e, method, "");
    e->this_type = arena_strdup(arena, type);
    e->this_id = arena_strdup(arena, id);
    e->no_memory = !e->this_type || !e->this_id;
    return e;
}

void enc_free(struct enc *e)
{
    if (e)
        arena_free(e->arena);
}

const char *enc_method(const struct enc *e)
{
    return e->root.type ? e->root.type->name : "?";
}

struct enc_object *enc_root(struct enc *e)
{
    return &e->root;
}

static const struct enc_field *find_field(const struct enc_type *type, const char *name)
{
    for (; type; type = type->base ? enc_type(type->base) : NULL)
        for (const struct enc_field *f = type->fields; f->name; f++)
            if (strcmp(f->name, name) == 0)
                return f;
    return NULL;
}

static struct member *add(struct enc_object *o, const char *field)
{
    struct enc *e = o->e;
    const struct enc_field *f;
    struct member *m;

    if (!o->type)
        return NULL;
    f = find_field(o->type, field);
    if (!f) {
        note_problem(e, o->type->name, field);
        return NULL;
    }
    m = arena_alloc(e->arena, sizeof(*m));
    if (!m) {
        e->no_memory = true;
        return NULL;
    }
    m->field = f->name;
    m->declared = f->type;
    *o->last = m;
    o->last = &m->next;
    return m;
}

static const char *copy(struct enc *e, const char *text)
{
    const char *kept = arena_strdup(e->arena, text);

    if (!kept) {
        e->no_memory = true;
        return "";
    }
    return kept;
}

void enc_text(struct enc_object *o, const char *field, const char *text)
{
    struct member *m = text ? add(o, field) : NULL;

    if (m)
        m->text = copy(o->e, text);
}

void enc_int(struct enc_object *o, const char *field, int64_t v)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%" PRId64, v);
    enc_text(o, field, text);
}

void enc_bool(struct enc_object *o, const char *field, bool v)
{
    enc_text(o, field, v ? "true" : "false");
}

void enc_ref(struct enc_object *o, const char *field, const char *type, const char *id)
{
    struct member *m = add(o, field);

    if (m) {
        m->text = copy(o->e, id);
        m->ref_type = copy(o->e, type);
    }
}

struct enc_object *enc_child(struct enc_object *o, const char *field, const char *type)
{
    struct enc *e = o->e;
    struct member *m = add(o, field);

    if (!m)
        return &e->nowhere;
    m->child = arena_alloc(e->arena, sizeof(*m->child));
    if (!m->child) {
        e->no_memory = true;
        m->text = "";
        return &e->nowhere;
    }
    object_init(m->child, e, enc_type(type));
    if (!m->child->type)
        note_problem(e, type, "");
    return m->child;
}

static void open_element(const struct member *m, struct buf *out)
{
    buf_printf(out, "<%s", m->field);
    if (m->ref_type) {
        buf_text(out, " type=\"");
        xml_put_text(out, m->ref_type);
        buf_char(out, '"');
    } else if (m->child && m->child->type && strcmp(m->child->type->name, m->declared) != 0) {
        buf_printf(out, " xsi:type=\"%s\"", m->child->type->name);
    } else if (!m->child && strcmp(m->declared, "anyType") == 0) {
        buf_text(out, " xsi:type=\"xsd:string\"");
    }
    buf_char(out, '>');
}

/* The schema puts a base type's fields first. The recursion over bases and children is bounded by
 * the table and by DEPTH_MOST. */
static int write_fields(const struct enc_object *o, const struct enc_type *type, struct buf *out,
                        unsigned depth, struct pv_err *err)
{
    int rc = PV_OK;

    if (!type)
        return PV_OK;
    if (depth > DEPTH_MOST)
        return pv_fail(err, PV_EINTERNAL, "a request is nested too deeply");
    if (type->base)
        rc = write_fields(o, enc_type(type->base), out, depth + 1, err);
    for (const struct enc_field *f = type->fields; f->name; f++) {
        for (const struct member *m = o->first; m && rc == PV_OK; m = m->next) {
            if (m->field != f->name)
                continue;
            open_element(m, out);
            if (m->child)
                rc = write_fields(m->child, m->child->type, out, depth + 1, err);
            else
                xml_put_text(out, m->text);
            buf_printf(out, "</%s>", m->field);
        }
    }
    return rc;
}

/* ------------------------------------------------------------------ as JSON */

static json_t *object_json(const struct enc_object *o, unsigned depth);

static json_t *scalar_json(const struct member *m)
{
    int64_t number;

    if (m->child || m->ref_type)
        return NULL;
    if (strcmp(m->declared, "boolean") == 0)
        return json_boolean(strcmp(m->text, "true") == 0);
    if (strcmp(m->declared, "int") == 0 && str_i64(m->text, strlen(m->text), &number))
        return json_integer(number);
    return json_string(m->text);
}

static json_t *member_json(const struct member *m, unsigned depth)
{
    char ref[256];
    json_t *value;

    if (m->ref_type) {
        (void)snprintf(ref, sizeof(ref), "%s:%s", m->ref_type, m->text);
        return json_string(ref);
    }
    if (!m->child)
        return scalar_json(m);
    value = object_json(m->child, depth + 1);
    if (m->child->type && strcmp(m->child->type->name, m->declared) != 0)
        json_object_set_new(value, "type", json_string(m->child->type->name));
    return value;
}

/* A field that is set again is a list. */
static json_t *object_json(const struct enc_object *o, unsigned depth)
{
    json_t *out = json_object();

    for (const struct member *m = o->first; m && depth < DEPTH_MOST; m = m->next) {
        json_t *there = json_object_get(out, m->field), *value = member_json(m, depth);

        if (!there) {
            json_object_set_new(out, m->field, value);
        } else if (json_is_array(there)) {
            json_array_append_new(there, value);
        } else {
            json_t *list = json_array();

            json_array_append(list, there);
            json_array_append_new(list, value);
            json_object_set_new(out, m->field, list);
        }
    }
    return out;
}

json_t *enc_json(const struct enc *e)
{
    char self[256];
    json_t *out = json_object(), *fields = object_json(&e->root, 0);

    (void)snprintf(self, sizeof(self), "%s:%s", e->this_type, e->this_id);
    json_object_set_new(out, "_this", json_string(self));
    json_object_update(out, fields);
    json_decref(fields);
    return out;
}

int enc_write(const struct enc *e, struct buf *out, struct pv_err *err)
{
    const char *method = enc_method(e);
    int rc;

    if (e->no_memory)
        return pv_fail(err, PV_ENOMEM, "no memory for a request");
    if (e->problem[0])
        return pv_fail(err, PV_EINTERNAL, "the request table does not know %s", e->problem);
    buf_text(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
                  "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\""
                  " xmlns:xsi=\"" XML_NS_XSI "\" xmlns:xsd=\"" XML_NS_XSD "\"><soapenv:Body>");
    buf_printf(out, "<%s xmlns=\"urn:vim25\"><_this type=\"", method);
    xml_put_text(out, e->this_type);
    buf_text(out, "\">");
    xml_put_text(out, e->this_id);
    buf_text(out, "</_this>");
    rc = write_fields(&e->root, e->root.type, out, 0, err);
    if (rc)
        return rc;
    buf_printf(out, "</%s></soapenv:Body></soapenv:Envelope>", method);
    return buf_ok(out) ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory for a request");
}
