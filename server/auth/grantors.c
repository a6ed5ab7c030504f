/* SPDX-License-Identifier: Apache-2.0 */
/* Who manages access: the people whom somebody who lacks a right can ask. */
#include "server/auth/grantors.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/filter.h>

#include "server/auth/inside.h"

PV_DEFINE_AUTO(arena_free, struct arena *)

#define GRANTS_MAX 1000
#define PEOPLE_MAX 1000
#define ARENA_LIMIT (8u << 20)

struct seeking {
    struct auth *auth;
    struct arena *a;
    struct pv_id grants[GRANTS_MAX];
    size_t ngrants;
    struct pv_id users[PEOPLE_MAX];
    size_t nusers;
};

static int get_row(const struct seeking *s, enum pv_kind kind, const struct pv_id *id, struct model_row **row,
                   struct pv_err *err)
{
    const struct model_shape *shape;
    int rc = model_shape_make(model_kind(kind), NULL, MODEL_VIEW_FULL, s->a, &shape, err);

    *row = NULL;
    if (rc == PV_OK)
        rc = store_row_get(s->auth->store, shape, id, s->a, row, err);
    /* Taken away while we read. */
    return rc == PV_ENOENT ? PV_OK : rc;
}

static int found_grant(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct seeking *s = ctx;

    (void)err;
    s->grants[s->ngrants++] = row->id;
    return s->ngrants == GRANTS_MAX;
}

/* access.manage is given by grants on everything alone (permissions.def). */
static int grants_on_everything(struct seeking *s, struct pv_err *err)
{
    const struct model_kind *k = model_kind(PV_KIND_grant);
    struct store_query q = { .limit = GRANTS_MAX };
    int rc = model_shape_make(k, "role", MODEL_VIEW_SUMMARY, s->a, &q.shape, err);

    if (rc == PV_OK)
        rc = filter_equals(k, "scope.type", model_enum_text(PV_ENUM_access_scope, PV_ACCESS_SCOPE_EVERYTHING), 0, s->a,
                           &q.filter, err);
    if (rc == PV_OK)
        rc = store_list(s->auth->store, &q, found_grant, s, NULL, err);
    return rc < PV_OK ? rc : PV_OK;
}

static void add_user(struct seeking *s, const struct pv_id *id)
{
    for (size_t i = 0; i < s->nusers; i++)
        if (id_eq(&s->users[i], id))
            return;
    if (s->nusers < PEOPLE_MAX && !id_is_zero(id))
        s->users[s->nusers++] = *id;
}

static int add_holders(struct seeking *s, const struct model_row *grant, struct pv_err *err)
{
    const struct model_value *group = model_get(grant, F(grant, group)), *members;
    struct model_row *row;
    int rc;

    if (model_get(grant, F(grant, user))->set)
        add_user(s, &model_get(grant, F(grant, user))->id);
    if (!group->set)
        return PV_OK;
    rc = get_row(s, PV_KIND_group, &group->id, &row, err);
    if (rc != PV_OK || !row)
        return rc;
    members = model_get(row, F(group, members));
    for (size_t i = 0; members->set && i < members->len; i++)
        add_user(s, &members->refs[i].id);
    return PV_OK;
}

static int look_at_grant(struct seeking *s, const struct pv_id *id, struct pv_err *err)
{
    struct model_row *grant, *role;
    int64_t ends;
    int rc = get_row(s, PV_KIND_grant, id, &grant, err);

    if (rc != PV_OK || !grant)
        return rc;
    ends = model_number(grant, F(grant, expires_at));
    if (ends && ends <= s->auth->now_ms())
        return PV_OK;
    rc = get_row(s, PV_KIND_role, &model_get(grant, F(grant, role))->id, &role, err);
    if (rc != PV_OK || !role ||
        !(access_permission_bits(model_text(role, F(role, permissions))) >> PERM_ACCESS_MANAGE & 1))
        return rc;
    return add_holders(s, grant, err);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names of all who may sign in, sorted. */
static int read_names(const struct seeking *s, const char **names, size_t *n, struct pv_err *err)
{
    int rc = PV_OK;

    for (size_t i = 0; i < s->nusers && rc == PV_OK; i++) {
        struct model_row *user;
        const char *full;

        rc = get_row(s, PV_KIND_user, &s->users[i], &user, err);
        if (rc != PV_OK || !user || !model_number(user, F(user, enabled)))
            continue;
        full = model_text(user, F(user, full_name));
        names[(*n)++] = full[0] ? full : model_text(user, F(user, name));
    }
    qsort(names, *n, sizeof(*names), by_name);
    return rc;
}

int auth_grantors(struct auth *a, struct arena *arena, const char **names, size_t most, size_t *n, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *mine = arena_new(65536, ARENA_LIMIT);
    struct seeking *s = mine ? arena_alloc(mine, sizeof(*s)) : NULL;
    const char **all = mine ? arena_alloc(mine, PEOPLE_MAX * sizeof(*all)) : NULL;
    int rc;

    *n = 0;
    if (!s || !all)
        return pv_fail(err, PV_ENOMEM, "no memory for names");
    *s = (struct seeking){ .auth = a, .a = mine };
    rc = grants_on_everything(s, err);
    for (size_t i = 0; i < s->ngrants && rc == PV_OK; i++)
        rc = look_at_grant(s, &s->grants[i], err);
    if (rc == PV_OK)
        rc = read_names(s, all, n, err);
    for (size_t i = 0; rc == PV_OK && i < *n && i < most; i++) {
        names[i] = arena_copy(arena, all[i], strlen(all[i]) + 1);
        if (!names[i])
            rc = pv_fail(err, PV_ENOMEM, "no memory for names");
    }
    return rc;
}
