/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collect - reading properties of many objects in few calls.
 *
 * RetrievePropertiesEx in pages of 500, always following the token, each
 * object handed out while its page arrives. A page that is not followed to
 * the end is given back to the server (CancelRetrievePropertiesEx). A property
 * this server does not know is left out from then on.
 *
 * Ownership: nodes are valid during the callback. Threads: as session.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "drivers/vapi/values.h"

struct call;
struct enc_object;
struct pv_err;
struct session;

typedef int (*collect_fn)(void *ctx, const struct moref *ref, const xmlNode *object,
                          struct pv_err *err);

/* A view of everything below `container` that is of one of `types` (NULL: of any type). */
int collect_make_view(struct session *s, const struct call *c, unsigned generation,
                      const struct moref *container, const char *const *types, struct moref *out,
                      struct pv_err *err);
/* Errors do not matter: views end with the login. */
void collect_drop_view(struct session *s, const struct call *c, unsigned generation,
                       const struct moref *view);

/* `tables` ended by NULL. SESSION_RENEWED: the view is gone, what was handed out may be incomplete.
 */
int collect_by_view(struct session *s, const struct call *c, unsigned generation,
                    const struct moref *view, const struct prop_table *const *tables, collect_fn fn,
                    void *ctx, struct pv_err *err);
/* The named objects. PV_ENOENT: one of them does not exist; its id is in `missing` (may be NULL).
 */
int collect_by_refs(struct session *s, const struct call *c, const struct moref *refs, size_t n,
                    const struct prop_table *const *tables, collect_fn fn, void *ctx,
                    struct moref *missing, struct pv_err *err);

/* The parts of a PropertyFilterSpec, for filters: properties, and "what the view shows". */
void collect_put_props(struct session *s, struct enc_object *spec,
                       const struct prop_table *const *tables);
void collect_put_view(struct enc_object *spec, const struct moref *view, const char *view_type);
