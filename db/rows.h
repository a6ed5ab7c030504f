/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows - whole rows of any kind: reading by id, and the texts for writing.
 *
 * What is read lands in the caller's arena.
 */
#pragma once

#include "db/store_priv.h"

#define ROWS_GROUP 512 /* ids in one statement, at most */

/* What to read of a kind. */
struct rows_want {
    const struct model_kind *kind;
    const uint16_t *fields;
    size_t nfields;
    bool names;   /* of references, and the provider's summary */
    bool owned;   /* children: whoever reads them fills in the owner's name */
    bool secrets; /* secret fields among `fields` are read, else they stay null */
};

/* rows[i] is the row of ids[i] or NULL. At most ROWS_GROUP. */
int rows_get(struct conn *c, const struct rows_want *w, const struct pv_id *ids, size_t n,
             struct arena *a, struct model_row **rows, struct pv_err *err);
/* Fills rows[i]->children by the shape; rows that are NULL are left out. */
int rows_children(struct conn *c, const struct model_shape *shape, struct model_row *const *rows,
                  size_t n, struct arena *a, struct pv_err *err);
/* Field numbers of everything that can be read whole; arena memory. */
int rows_want_all(const struct model_kind *k, struct arena *a, struct rows_want *out,
                  struct pv_err *err);

/* Text of the insert; owned by the caller (free). */
int rows_insert_text(const struct model_kind *k, char **out, struct pv_err *err);
