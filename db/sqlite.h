/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite - connections and prepared statements of the embedded engine.
 *
 * A connection belongs to one thread at a time. It keeps its statements by
 * text, the least recently used one goes. A statement is taken with
 * conn_stmt(), bound, stepped and given back with stmt_done() (or PV_AUTO);
 * taking the same text again meanwhile prepares a second one.
 *
 * Parameters are $1..$n in any order; bound text and blobs are borrowed until
 * stmt_done().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/id.h>

struct arena;
struct conn;
struct names;
struct pv_err;
struct stmt;

/* A text that is used often: its hash is made once. */
struct sql {
    const char *text;
    uint64_t hash;
};
struct sql sql_make(const char *text);

enum conn_mode { CONN_WRITER, CONN_READER };

int conn_open(const char *path, enum conn_mode mode, struct conn **out, struct pv_err *err);
void conn_close(struct conn *c);
/* Statements without parameters and rows, one or several. */
int conn_exec(struct conn *c, const char *text, struct pv_err *err);
/* In no transaction of its own: the engine has undone it. */
bool conn_idle(struct conn *c);
/* Truncates the write-ahead log if nobody reads; failure does not matter. */
void conn_checkpoint(struct conn *c);
/* One read transaction around several statements; nests. */
int conn_read_begin(struct conn *c, struct pv_err *err);
void conn_read_end(struct conn *c);
/* Rows changed by the last statement. */
size_t conn_changes(struct conn *c);
/* The rowid of the last insert. */
int64_t conn_last_row(struct conn *c);

/* What a reading connection remembers; borrowed. NULL: nothing. */
void conn_set_names(struct conn *c, struct names *names);
struct names *conn_names(struct conn *c);

int conn_stmt(struct conn *c, const struct sql *sql, struct stmt **out, struct pv_err *err);
/* For texts that take long to put together: the same by a short text that stands for it. NULL:
 * there is none that is free, conn_stmt_as() makes it. */
struct stmt *conn_kept(struct conn *c, const struct sql *key);
int conn_stmt_as(struct conn *c, const struct sql *key, const char *text, struct stmt **out,
                 struct pv_err *err);
void stmt_done(struct stmt *st);
PV_DEFINE_AUTO(stmt_done, struct stmt *)

/* Place 1..n as in $n. A place the text does not have is ignored. */
void stmt_int(struct stmt *st, unsigned place, int64_t v);
void stmt_text(struct stmt *st, unsigned place, const char *text, size_t len);
/* NULL text: NULL. */
void stmt_str(struct stmt *st, unsigned place, const char *text);
void stmt_blob(struct stmt *st, unsigned place, const void *data, size_t len);
void stmt_id(struct stmt *st, unsigned place, const struct pv_id *id);
void stmt_null(struct stmt *st, unsigned place);

/* The next row. *row false: there is none. PV_EEXIST of a unique index carries the table's and
 * columns' names as the engine writes them in err->native_code. */
int stmt_step(struct stmt *st, bool *row, struct pv_err *err);
/* For statements without rows. */
int stmt_run(struct stmt *st, struct pv_err *err);
/* Begin again with the same statement and no values. */
void stmt_again(struct stmt *st);

/* Columns of the present row, from 0; valid until the next step. */
bool col_null(struct stmt *st, int i);
bool col_is_text(struct stmt *st, int i);
int64_t col_int(struct stmt *st, int i);
const char *col_text(struct stmt *st, int i, size_t *len);
/* One look at a column; false: it is NULL. */
bool col_get_int(struct stmt *st, int i, int64_t *out);
bool col_get_text(struct stmt *st, int i, const char **text, size_t *len);
const void *col_blob(struct stmt *st, int i, size_t *len);
/* Zero id if it is NULL or no id. */
void col_id(struct stmt *st, int i, struct pv_id *out);
/* Copies to the arena; NULL column: NULL. false: no memory. */
bool col_strdup(struct stmt *st, int i, struct arena *a, const char **out, size_t *len);
