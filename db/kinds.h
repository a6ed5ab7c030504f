/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kinds - the tables of the model's kinds.
 *
 * A kind's table has `id` and a column per field; not for COMPUTED fields, and
 * a set of references (REFS) has a link table of its own. Texts that are
 * searched or sorted have a second, case-folded column `<name>_f`. Everything
 * follows from the model: a new field's columns and indexes are added at start.
 *
 * All functions are pure but kinds_create(). Threads: any.
 */
#pragma once

#include <polyvisor/model.h>

#include "db/query.h"

struct conn;
struct store;

/* Rows of this kind are stored. */
bool kind_stored(const struct model_kind *k);
/* Its objects are found by store_search(): inventory, not records of what happened. */
bool kind_searchable(const struct model_kind *k);
bool field_has_column(const struct model_field *f);
bool field_has_fold(const struct model_field *f);
/* The fields that storage itself has to do with; UINT16_MAX: the kind has none of that name. */
struct kind_fields {
    uint16_t subject; /* key of what a record is about, filled in from `subject_id` by storage */
    uint16_t name, provider, owner, native_id, identity, presence, missing_since;
    uint16_t sequence; /* no two rows share it, it alone orders rows: a sequence number */
    bool searchable;   /* what kind_searchable() says */
};
const struct kind_fields *kind_fields(const struct model_kind *k);

/* Appends what the field sorts by; never NULL. Equal to the expression of its index, where it has
 * one. `t` is the table's name in the statement. */
void field_sort_sql(struct query *q, const struct model_field *f, const char *t);
/* ORDER BY this field is a walk along an index. */
bool field_walks(const struct model_field *f);
/* Appends the value of a COMPUTED field. */
void field_computed_sql(struct query *q, const struct model_field *f, const char *t);

/* Makes tables, adds columns and indexes that are missing. Inside a transaction of the writer. */
int kinds_create(struct conn *c, struct pv_err *err);
