/* SPDX-License-Identifier: Apache-2.0 */
/*
 * changes - one answer of the change feed, understood.
 *
 * What a change says by itself goes into the builder at once; what needs more
 * is remembered and read in few calls afterwards. "enter" is an upsert, and
 * is often repeated for objects that are known; "leave" is only believed when
 * reading the object says that it does not exist. A server may tell "leave"
 * a moment before it removes the object: who is still there is to be asked
 * for again (changes_still_there).
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
    bool polled;
    bool ordered; /* v->order is held, until changes_free */
    struct changes_list reread, left;
};

void changes_init(struct changes *ch, struct vapi *v, struct pv_builder *b);
void changes_free(struct changes *ch);
/* For xml streams of objectSet, version, truncated. */
int changes_element(void *ctx, xmlNodePtr element, struct pv_err *err);
/* Read what has to be read; everything is in the builder afterwards. */
int changes_apply(struct changes *ch, const struct call *c, struct pv_err *err);
/* This one is said to have left; to be called before changes_apply. */
void changes_left(struct changes *ch, const struct moref *ref);
/* After changes_apply: the i-th of ch->left was found all the same. */
bool changes_still_there(struct changes *ch, size_t i);
/* Take those of the tree that the last listing, first set or poll did not name as having left. A poll names VMs, hosts
 * and datastores only (`polled`). */
void changes_find_unseen(struct changes *ch, bool polled);
