/* SPDX-License-Identifier: Apache-2.0 */
/*
 * access_inside - what access.c (asking), access_compile.c (making) and
 * access_cache.c (keeping) share.
 */
#pragma once

#include <stdatomic.h>

#include "server/auth/access.h"
#include "server/auth/inside.h"

/* What one principal's grants say, alone: of the user with groups, or of the token. */
struct rights {
    struct access_grant *grants;
    size_t n;
    /* parts[grant * nkinds + i]: of kinds[i]; set is false where the grant is not about the kind. */
    struct grant_part {
        bool set;
        const struct filter *filter;
    } *parts;
    uint64_t anywhere, everywhere; /* bit per permission */
};

struct access {
    struct auth *auth;
    struct arena *arena;
    atomic_uint refs;
    struct pv_id principal;
    uint64_t version;
    int64_t until_ms; /* a grant ends, or a filter says "now" */
    struct rights own;   /* the user's */
    bool narrowed;       /* by the token's */
    struct rights token;
    const enum pv_kind *kinds; /* that grants on a part of the inventory can be about */
    size_t nkinds;
    uint64_t anywhere, everywhere;
    bool reads; /* has the permission to read some kind */
    const struct store_view *views[PERM_COUNT]; /* NULL: everywhere */
    const struct store_view *nothing, *events;
    struct store_access read, watch;
    bool sees_all;
    char tag[40];
    char actor[PV_ID_TEXT];
};

/* access_cache.c */
uint64_t access_version(struct auth *a);
/* access_compile.c: the user's rights; behind a token (NULL: none) that is limited, narrowed by its grants. */
int access_compile(struct auth *a, const struct pv_id *user, const struct pv_id *token, bool limited,
                   struct access **out, struct pv_err *err);
void access_free(struct access *who);
