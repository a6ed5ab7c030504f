/* SPDX-License-Identifier: Apache-2.0 */
/*
 * query - a statement that is put together: its text and the values it binds.
 *
 * Text comes from the tables of the model and from literals in this folder,
 * everything else is bound: query_int() and the like append "$n" and keep the
 * value. Text and blobs are borrowed until the statement is done. Failure
 * (memory, more than 20,000 values) is kept and told by query_stmt().
 *
 * Threads: one at a time.
 */
#pragma once

#include <polyvisor/buf.h>
#include <polyvisor/id.h>

#include "db/sqlite.h"

struct query_value {
    enum { QUERY_NULL, QUERY_INT, QUERY_TEXT, QUERY_BLOB } type;
    int64_t number;
    const void *data;
    size_t len;
};

struct query {
    struct buf text;
    struct query_value *values;
    size_t n, cap;
    bool failed;
};

void query_init(struct query *q);
void query_free(struct query *q);
/* `QUERY_AUTO struct query q = { 0 };`, then query_init(). */
#define QUERY_AUTO PV_AUTO(query_free)

void query_text(struct query *q, const char *text);
void query_printf(struct query *q, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void query_int(struct query *q, int64_t v);
void query_bind_text(struct query *q, const char *text, size_t len);
void query_str(struct query *q, const char *text);
void query_blob(struct query *q, const void *data, size_t len);
void query_id(struct query *q, const struct pv_id *id);
/* "($1,$2,...)" of `n` ids, filled up to one of few lengths with the last, so that texts repeat. n
 * > 0. */
void query_ids(struct query *q, const struct pv_id *ids, size_t n);

/* How many places query_ids() makes of n ids. */
size_t query_ids_places(size_t n);

/* Prepare (or find) and bind. */
int query_stmt(struct query *q, struct conn *c, struct stmt **out, struct pv_err *err);
