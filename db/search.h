/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search - the trigram index over the words of inventory objects.
 *
 * One document per object: its WORD fields, case-folded, between newlines. The
 * index names candidates, the document decides. This is the one feature that
 * every engine has its own way of.
 */
#pragma once

#include "db/store_priv.h"

#define SEARCH_WORD_MIN 3 /* characters; shorter words are looked for without the index */

/* Makes the index if it is missing. */
int search_create(struct conn *c, struct pv_err *err);
/* The object's document follows from its row as it stands. */
int search_insert(struct store_tx *tx, const struct model_row *row, struct pv_err *err);
int search_update(struct store_tx *tx, const struct model_kind *kind, const struct pv_id *id,
                  struct pv_err *err);
int search_delete(struct store_tx *tx, const struct pv_id *id, struct pv_err *err);
/* The document depends on this field. */
bool search_uses(const struct model_kind *kind, const struct model_field *f);
/* Characters of UTF-8 text. */
size_t search_length(const char *text);
/* Appends "doc IN (...)", documents that may hold the folded word of at least SEARCH_WORD_MIN
 * characters, for a statement over search_doc named `d`, and the proof that they do. `a` holds what
 * is bound. */
int search_match_sql(struct query *q, const char *folded, struct arena *a, struct pv_err *err);
