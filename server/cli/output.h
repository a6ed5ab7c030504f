/* SPDX-License-Identifier: Apache-2.0 */
/*
 * output - answers in the form that was asked for.
 *
 * Lists go item by item through `rows`; only a table keeps them, because
 * widths are known at its end. JSON and YAML are the API's, unchanged.
 * One thread.
 */
#pragma once

#include "server/cli/cli.h"
#include "server/cli/term.h"

struct column {
    const char *path;  /* in the object: "memory.bytes" */
    const char *title; /* "MEMORY" */
    enum model_type type;
    enum model_unit unit;
    bool state; /* its words have colours */
};

struct rows;

/* Columns of a kind: of `fields`, else the usual ones, else (wide) all of a list. `*wanted` is what
 * to ask the server for (fields=), NULL: its own choice. */
int columns_make(struct cli *c, const struct model_kind *kind, const char *fields,
                 struct column **out, size_t *n, const char **wanted, struct pv_err *err);
/* The usual columns, without asking the flags. */
void columns_usual(struct arena *a, const struct model_kind *kind, struct column **out, size_t *n);
/* What `path` names in an object, or NULL. */
json_t *json_at(const json_t *object, const char *path);
/* A value as text; `human`: sizes and times for people. */
void cell_write(struct buf *out, const struct column *column, const json_t *value, bool human);

struct rows *rows_begin(struct cli *c, const struct column *columns, size_t n,
                        const char *name_path);
int rows_add(struct rows *r, const json_t *item, struct pv_err *err);
/* Prints what is left. */
int rows_end(struct rows *r, struct pv_err *err);
/* Instead of rows_end(): nothing more is printed. */
void rows_drop(struct rows *r);
size_t rows_count(const struct rows *r);

/* A whole answer with `items`. */
int output_items(struct cli *c, const json_t *answer, const struct column *columns, size_t n,
                 const char *name_path, struct pv_err *err);
/* One object: a list of its members, or JSON, YAML ... `kind` may be NULL. */
int output_object(struct cli *c, const json_t *object, const struct model_kind *kind,
                  struct pv_err *err);
/* Was a form asked for that programs read, and not words for people? */
bool output_is_document(const struct cli *c);
/* Members for people, indented. */
void output_members(struct cli *c, const json_t *object, const struct model_kind *kind,
                    struct buf *out);

/* table.c: lines of cells under titles. */
struct table;
struct table *table_new(const struct column *columns, size_t n);
/* `cells`: n texts; copied. */
bool table_row(struct table *t, char *const *cells);
void table_print(struct table *t, struct buf *out, bool header, bool color, size_t columns_most,
                 const char *indent, bool drop_empty);
void table_free(struct table *t);

/* yaml.c */
void yaml_write(struct buf *out, const json_t *value, unsigned indent);
