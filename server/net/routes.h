/* SPDX-License-Identifier: Apache-2.0 */
/*
 * routes - the route table as a tree of path segments.
 *
 * Made once at start from the application's table; read by all threads without
 * locks. A literal segment wins over a parameter at the same place.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/net/gate.h"

struct arena;
struct pv_err;
struct route;
struct routes;

#define ROUTES_MAX_PARAMS 8
#define ROUTES_MAX_SEGMENTS 16

struct route_match {
    const struct route *route; /* NULL: the path exists, but not with this method */
    uint32_t allowed;          /* bit per enum gate_method; 0: there is no such path */
    unsigned nparams;
    const char *names[ROUTES_MAX_PARAMS]; /* not NUL-terminated */
    size_t name_lens[ROUTES_MAX_PARAMS];
    const char *values[ROUTES_MAX_PARAMS]; /* decoded, in the arena */
};

/* `table` is ended by pattern == NULL and must outlive the tree. Two routes of one method and path
 * are an error. */
int routes_new(const struct route *table, struct routes **out, struct pv_err *err);
void routes_free(struct routes *r);
/* HEAD finds the route of GET. False: a segment cannot be decoded, or no memory. */
bool routes_find(const struct routes *r, enum gate_method method, const char *path, size_t len,
                 struct arena *a, struct route_match *out);
/* "GET, HEAD, OPTIONS". */
void routes_allow_text(uint32_t allowed, char *out, size_t cap);
