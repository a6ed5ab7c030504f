/* SPDX-License-Identifier: Apache-2.0 */
/*
 * access - what the files about sign-in and rights share: access_login.c
 * (coming in), access_me.c (one's own account), access_users.c, access_tokens.c,
 * access_rights.c (groups, roles, grants, explaining) and access_audit.c.
 */
#pragma once

#include "server/api/internal.h"

#define COOKIE "__Host-polyvisor"

static inline const char *member(const struct req *r, const char *name)
{
    return json_string_value(json_object_get(r->json, name));
}

/* {type, folder, provider, selector, object} */
extern const struct model_param scope_members[];
/* A row of the caller's own in one word: what `role` of /me says. */
enum pv_role role_in_short(struct req *r, const struct auth_identity *who);
void write_grant(struct jsonw *w, const struct access_grant *g);
/* Who it is and what he may; the object stays open. `name`: of the user, also behind a token. */
void write_identity(struct jsonw *w, const struct auth_identity *who, const struct access *access, const char *name,
                    enum pv_role role);
/* If-Match against the row of the route's kind as it is: precondition-failed with its version. */
int check_version(struct req *r, const struct pv_id *id, struct pv_err *err);
/* The next change of this thread is recorded as this caller's, with what was before and after. */
void audit_caller(struct req *r);
