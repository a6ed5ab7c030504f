/* SPDX-License-Identifier: Apache-2.0 */
/*
 * access - what one caller may do, and on what.
 *
 * The grants of a user, of the user's groups, and of a token (which narrow its
 * owner's) are compiled once per change of rights into views: for each
 * permission the parts of the inventory it reaches. Allow only, deny by
 * default. A caller with a grant on everything costs nothing: the view is NULL.
 *
 * Ownership: a struct access is shared and counted; access_get gives one,
 * access_put gives it back. Views live as long as it does. Threads: any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <polyvisor/id.h>
#include <polyvisor/model.h>

struct arena;
struct auth;
struct auth_identity;
struct pv_err;
struct store_access;
struct store_view;

struct access;

int access_get(struct auth *a, const struct auth_identity *who, struct access **out, struct pv_err *err);
/* As if they asked, for access_explain. */
int access_get_user(struct auth *a, const struct pv_id *user, struct access **out, struct pv_err *err);
int access_get_token(struct auth *a, const struct pv_id *token, struct access **out, struct pv_err *err);
/* One that is not current any more says so; who holds one for long asks and gets another. */
bool access_is_current(struct auth *a, const struct access *who);
struct access *access_hold(struct access *who);
void access_put(struct access *who);

/* Somewhere, if only on one object. PERM_NONE and PERM_PUBLIC: always. */
bool access_anywhere(const struct access *who, int permission);
/* By a grant on everything. */
bool access_everywhere(const struct access *who, int permission);
/* On this object. kind NONE: on everything. One look at storage, none where the answer is clear; in doubt no. */
bool access_may(const struct access *who, int permission, enum pv_kind kind, const struct pv_id *object);
/* May it be seen: the permission to read its kind, on it. */
bool access_sees(const struct access *who, enum pv_kind kind, const struct pv_id *object);
/* Bit per permission that the caller has on the object. */
uint64_t access_permissions_on(const struct access *who, enum pv_kind kind, const struct pv_id *object);
/* Where it reaches, for store queries; NULL: everywhere. */
const struct store_view *access_view(const struct access *who, int permission);
/* What the caller sees, for store queries; NULL: everything. */
const struct store_access *access_read(const struct access *who);
/* The same for monitoring: monitor.read takes the place of every kind's own permission. */
const struct store_access *access_watch(const struct access *who);
/* Another text whenever what the caller sees may have changed; "" for who sees everything. */
const char *access_tag(const struct access *who);
/* Bits of the permissions that some grant gives. */
uint64_t access_permissions(const struct access *who);

/* Bits of a role's list of permissions. */
uint64_t access_permission_bits(const char *list);

/* The grants behind it, in words. */
struct access_grant {
    struct pv_id id;            /* of the grant */
    struct pv_id role, group;   /* group: zero unless it comes by one */
    const char *role_name, *group_name;
    uint64_t permissions;
    enum pv_access_scope scope;
    struct pv_id folder, provider;
    const char *selector, *object;
    int64_t expires_ms;
    bool of_token;              /* narrows */
};
size_t access_grants(const struct access *who, const struct access_grant **out);
/* Whether, and one sentence why. *by: the grant that allows (NULL: none needed, or not allowed). */
bool access_explain(const struct access *who, int permission, enum pv_kind kind, const struct pv_id *object,
                    const struct access_grant **by, char why[512]);
