/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encode - requests of the vim25 protocol.
 *
 * Real servers refuse a request whose elements stand in another order than
 * the schema's, so no caller decides about order: fields are set by name, in
 * any order, and written in the order of the table enc_types (base type's
 * fields first). A field the table does not know, or memory running out, is
 * remembered and reported once, by enc_write. xsi:type is written where the
 * value's type is not the one the schema declares.
 *
 * Ownership: a request owns everything hung below it; texts are copied.
 * Threads: one at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct buf;
struct pv_err;
struct enc_object;

#define ENC_FIELDS_MAX 24

struct enc_field {
    const char *name; /* NULL ends the list */
    const char
        *type; /* declared type: string int boolean dateTime anyType, or a structure's name */
};

/* A structure, or a method with its parameters (`_this` excepted). Ended by name == NULL. */
struct enc_type {
    const char *name;
    const char *base; /* NULL: none */
    struct enc_field fields[ENC_FIELDS_MAX];
};
extern const struct enc_type enc_types[];
const struct enc_type *enc_type(const char *name);

/* A call of `method` on the object (type, id). NULL: out of memory. */
struct enc *enc_new(const char *method, const char *type, const char *id);
void enc_free(struct enc *e);
const char *enc_method(const struct enc *e);
/* The parameters. */
struct enc_object *enc_root(struct enc *e);

/* Set a field; again: one more element of a list. NULL text: nothing. */
void enc_text(struct enc_object *o, const char *field, const char *text);
void enc_int(struct enc_object *o, const char *field, int64_t v);
void enc_bool(struct enc_object *o, const char *field, bool v);
void enc_ref(struct enc_object *o, const char *field, const char *type, const char *id);
/* A structure of `type` as value of the field; to be filled. Never NULL. */
struct enc_object *enc_child(struct enc_object *o, const char *field, const char *type);

/* The parameters as JSON, `_this` first: for plans. NULL: no memory. */
json_t *enc_json(const struct enc *e);
/* The whole envelope. PV_EINTERNAL: a field that the table does not have; PV_ENOMEM. */
int enc_write(const struct enc *e, struct buf *out, struct pv_err *err);
