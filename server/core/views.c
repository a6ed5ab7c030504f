/* SPDX-License-Identifier: Apache-2.0 */
/* Saved views: each belongs to a user, may be shared, and one of each list may be the user's default. */
#include "server/core/views.h"

#include <string.h>

#include <polyvisor/filter.h>

#include "server/core/records.h"

#define VIEWS_MAX 500 /* of one user */

static int check_filter(const struct model_row *row, struct arena *a, struct pv_err *err)
{
    const char *list = model_text(row, F(view, list));
    const struct model_kind *kind = model_kind_by_plural(list);
    const struct filter *f;
    int rc;

    if (!kind || (kind->flags & MODEL_MEMORY)) {
        rc = pv_fail(err, PV_EINVAL, "there is no list \"%.64s\"", list);
        pv_err_pointer(err, "/list");
        return rc;
    }
    rc = filter_parse(kind, model_text(row, F(view, filter)), clock_wall_ms(), a, &f, err);
    if (rc != PV_OK)
        pv_err_pointer(err, "/filter");
    return rc;
}

/* Another one of the same user and list gives its place up. */
static int give_up_default(const struct record_check *c, struct model_row *other, struct pv_err *err)
{
    static const uint16_t fields[] = { F(view, is_default) };

    model_set_number(other, F(view, is_default), 0);
    return tx_row_update(c->tx, other, fields, PV_COUNT(fields), err);
}

static int check_others(const struct record_check *c, const struct model_row *row, struct pv_err *err)
{
    const char *name = model_text(row, F(view, name)), *list = model_text(row, F(view, list));
    struct pv_id *ids;
    size_t n;
    int rc = tx_find(c->tx, PV_KIND_view, F(view, user), model_get(row, F(view, user)), VIEWS_MAX + 1, c->arena,
                     &ids, &n, err);

    if (rc == PV_OK && n >= VIEWS_MAX && c->created)
        return pv_fail_as(err, "quota-exceeded", "a user has at most %d saved views", VIEWS_MAX);
    for (size_t i = 0; rc == PV_OK && i < n; i++) {
        struct model_row *other;

        if (id_eq(&ids[i], &row->id))
            continue;
        rc = tx_rows_get(c->tx, PV_KIND_view, &ids[i], 1, false, c->arena, &other, err);
        if (rc != PV_OK || !other || strcmp(model_text(other, F(view, list)), list) != 0)
            continue;
        if (strcmp(model_text(other, F(view, name)), name) == 0) {
            rc = pv_fail(err, PV_EEXIST, "there is a view %s of this list", name);
            pv_err_pointer(err, "/name");
        } else if (model_number(row, F(view, is_default)) && model_number(other, F(view, is_default))) {
            rc = give_up_default(c, other, err);
        }
    }
    return rc;
}

/* A role that there is not shares it with nobody, which nobody means. */
static int check_roles(const struct record_check *c, const struct model_row *row, struct pv_err *err)
{
    const char *list = model_text(row, F(view, roles));
    int rc = PV_OK;

    while (rc == PV_OK && *list == '\n' && list[1]) {
        size_t len = strcspn(list + 1, "\n"), n = 0;
        struct model_value name = value_text(arena_text(c->arena, list + 1, len));
        struct pv_id *ids;

        rc = name.text ? tx_find(c->tx, PV_KIND_role, F(role, name), &name, 1, c->arena, &ids, &n, err)
                       : pv_fail(err, PV_ENOMEM, "no memory for a view");
        if (rc == PV_OK && n == 0) {
            rc = pv_fail(err, PV_EINVAL, "there is no role %.64s", name.text);
            pv_err_pointer(err, "/roles");
        }
        list += 1 + len;
    }
    return rc;
}

static bool is_shared(const struct model_row *row)
{
    return model_number(row, F(view, shared)) || model_text(row, F(view, roles))[0];
}

static int check_view(const struct record_check *c, struct row_diff *d, struct pv_err *err)
{
    const struct core_view_user *who = c->who;
    const struct model_value *owner = model_get(d->row, F(view, user));
    int rc;

    if (c->created) {
        struct model_value v = value_ref(&who->user);

        diff_set(d, F(view, user), &v);
    } else if (!id_eq(&owner->id, &who->user) && !(who->administrator && is_shared(d->row))) {
        return is_shared(d->row)
                   ? pv_fail_as(err, "forbidden", "this view belongs to somebody else; save one of your own")
                   : pv_fail(err, PV_ENOENT, "there is no such view");
    }
    if (c->removed)
        return PV_OK;
    rc = check_filter(d->row, c->arena, err);
    if (rc == PV_OK)
        rc = check_roles(c, d->row, err);
    return rc == PV_OK ? check_others(c, d->row, err) : rc;
}

static const struct record_rules rules = { .kind = PV_KIND_view, .check = check_view };

int core_view_create(struct core *c, const struct core_actor *by, const struct core_view_user *who, const json_t *body,
                     const struct core_options *o, struct pv_id *id, struct pv_err *err)
{
    return record_create(c, &rules, by, who, body, o, id, err);
}

int core_view_change(struct core *c, const struct core_actor *by, const struct core_view_user *who,
                     const struct pv_id *id, const json_t *body, const struct core_options *o, struct pv_err *err)
{
    return record_change(c, &rules, by, who, id, body, o, err);
}
