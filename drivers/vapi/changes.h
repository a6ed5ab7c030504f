/* SPDX-License-Identifier: Apache-2.0 */
/*
 * changes - one answer of the change feed, understood.
 *
 * What a change says by itself goes into the builder at once; what needs more
 * is remembered and read in few calls afterwards. "enter" is an upsert, and
 * is often repeated for objects that are known; "leave" is only believed when
 * reading the object says that it does not exist.
 *
 * Threads: the watch's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <libxml/tree.h>

#include "drivers/vapi/values.h"

struct call;
struct pv_builder;
struct pv_err;
struct vapi;

struct changes_list {
    struct moref *refs;
    size_t count, room;
};

struct changes {
    struct vapi *v;
    struct pv_builder *b;
    char version[256]; /* "" : the answer had none */
    bool truncated;    /* there is more */
    bool signed_out;
    bool relist;  /* too much has changed to read it piece by piece */
    bool ordered; /* v->order is held, until changes_free */
    struct changes_list reread, left;
};

void changes_init(struct changes *ch, struct vapi *v, struct pv_builder *b);
void changes_free(struct changes *ch);
/* For xml streams of objectSet, version, truncated. */
int changes_element(void *ctx, xmlNodePtr element, struct pv_err *err);
/* Read what has to be read; everything is in the builder afterwards. */
int changes_apply(struct changes *ch, const struct call *c, struct pv_err *err);
/* Take those of the tree that the last listing or first set did not name as having left. */
void changes_find_unseen(struct changes *ch);
