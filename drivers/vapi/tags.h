/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tags - the tags of a vCenter's objects, as "category=name".
 *
 * Read whole, in a number of calls that depends on the number of tags and
 * never on the number of objects: lists of tags and categories, their names,
 * and one association call for all tags.
 *
 * Ownership: tags_free. Threads: immutable after tags_read.
 */
#pragma once

#include <stddef.h>

#define TAGS_OF_ONE_MOST 64

struct call;
struct pv_err;
struct rest;
struct session;
struct tags;

int tags_read(struct rest *r, struct session *s, const struct call *c, struct tags **out,
              struct pv_err *err);
void tags_free(struct tags *t);
/* Fills items, sorted; borrowed. */
size_t tags_of(const struct tags *t, const char *id, const char *items[TAGS_OF_ONE_MOST]);
