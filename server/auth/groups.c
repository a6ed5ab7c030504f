/* SPDX-License-Identifier: Apache-2.0 */
/* Groups of users. */
#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "server/auth/inside.h"

#define MEMBERS_MAX 1000

struct group_change {
    struct auth *a;
    struct pv_id id;
    const json_t *body;
    struct pv_id *set, *add, *drop; /* owned; set NULL: as they are */
    size_t nset, nadd, ndrop;
    struct audit_note note;
};

static int read_members(struct group_change *c, const char *member, struct pv_id **out, size_t *n,
                        struct pv_err *err)
{
    const json_t *list = json_object_get(c->body, member);
    size_t count = json_array_size(list);
    char pointer[64];
    int rc = PV_OK;

    if (!list)
        return PV_OK;
    *out = calloc(count + 1, sizeof(**out));
    if (!*out)
        return pv_fail(err, PV_ENOMEM, "no memory for a group");
    for (size_t i = 0; i < count && rc == PV_OK; i++) {
        const char *text = json_string_value(json_array_get(list, i));

        snprintf(pointer, sizeof(pointer), "/%s/%zu", member, i);
        rc = row_find(c->a->store, PV_KIND_user, text ? text : "", pointer, &(*out)[i], err);
    }
    *n = count;
    return rc;
}

static bool among(const struct pv_id *ids, size_t n, const struct pv_id *id)
{
    for (size_t i = 0; i < n; i++)
        if (id_eq(&ids[i], id))
            return true;
    return false;
}

static int by_id(const void *a, const void *b)
{
    const struct model_ref *x = a, *y = b;

    return memcmp(x->id.b, y->id.b, sizeof(x->id.b));
}

/* What is there (or `members`), and `add`, without `remove`: sorted, each once. */
static int set_members(struct store_tx *tx, const struct group_change *c, struct model_row *row, struct pv_err *err)
{
    struct model_value *v = &row->values[F(group, members)];
    size_t had = c->set ? 0 : v->len, n = 0;
    struct model_ref *refs = arena_alloc(tx_arena(tx), (had + c->nset + c->nadd + 1) * sizeof(*refs));
    size_t kept = 0;

    if (!refs)
        return pv_fail(err, PV_ENOMEM, "no memory for a group");
    for (size_t i = 0; i < had; i++)
        refs[n++].id = v->refs[i].id;
    for (size_t i = 0; i < c->nset; i++)
        refs[n++].id = c->set[i];
    for (size_t i = 0; i < c->nadd; i++)
        refs[n++].id = c->add[i];
    qsort(refs, n, sizeof(*refs), by_id);
    for (size_t i = 0; i < n; i++)
        if (!among(c->drop, c->ndrop, &refs[i].id) && (kept == 0 || !id_eq(&refs[kept - 1].id, &refs[i].id)))
            refs[kept++] = refs[i];
    if (kept > MEMBERS_MAX)
        return pv_fail_as(err, "limit-exceeded", "a group has at most %d members", MEMBERS_MAX);
    *v = (struct model_value){ .set = true, .refs = refs, .len = kept };
    return PV_OK;
}

static void take_texts(struct model_row *row, const json_t *body)
{
    const json_t *text = json_object_get(body, "description");

    if (json_object_get(body, "name"))
        model_set_text(row, F(group, name), json_string_value(json_object_get(body, "name")));
    if (text)
        model_set_text(row, F(group, description), json_is_string(text) ? json_string_value(text) : "");
}

static int create_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct group_change *c = arg;
    struct model_row *row = model_row_new(tx_arena(tx), PV_KIND_group);
    int rc;

    if (!row)
        return pv_fail(err, PV_ENOMEM, "no memory for a group");
    row->id = c->id;
    model_set_text(row, F(group, description), "");
    take_texts(row, c->body);
    rc = set_members(tx, c, row, err);
    return rc == PV_OK ? row_insert(tx, row, c->a->now_ms(), &c->note, err) : rc;
}

static int change_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct group_change *c = arg;
    struct model_row *row, *before;
    int rc = row_load(tx, PV_KIND_group, &c->id, &row, &before, err);

    if (rc != PV_OK)
        return rc;
    take_texts(row, c->body);
    rc = set_members(tx, c, row, err);
    return rc == PV_OK ? row_update(tx, row, before, c->a->now_ms(), &c->note, err) : rc;
}

static int delete_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct group_change *c = arg;
    struct model_row *row, *before;
    int rc = row_load(tx, PV_KIND_group, &c->id, &row, &before, err);

    if (rc == PV_OK)
        rc = grants_delete_of(tx, F(grant, group), &c->id, err);
    return rc == PV_OK ? row_delete(tx, row, &c->note, err) : rc;
}

static int write_group(struct group_change *c, store_fn fn, struct pv_err *err)
{
    const char *name = json_string_value(json_object_get(c->body, "name"));
    int rc = name ? user_check_name(name, err) : PV_OK;

    if (rc == PV_OK)
        rc = read_members(c, "members", &c->set, &c->nset, err);
    if (rc == PV_OK)
        rc = read_members(c, "add", &c->add, &c->nadd, err);
    if (rc == PV_OK)
        rc = read_members(c, "remove", &c->drop, &c->ndrop, err);
    if (rc == PV_OK)
        rc = store_write(c->a->store, fn, c, err);
    free(c->set);
    free(c->add);
    free(c->drop);
    return rc;
}

int auth_group_create(struct auth *a, const json_t *body, struct pv_id *out, struct pv_err *err)
{
    struct group_change c = { .a = a, .body = body };
    int rc;

    audit_note_take(&c.note, "group.create");
    id_make(&c.id);
    rc = write_group(&c, create_tx, err);
    if (rc == PV_OK)
        *out = c.id;
    return rc;
}

int auth_group_change(struct auth *a, const struct pv_id *group, const json_t *patch, struct pv_err *err)
{
    struct group_change c = { .a = a, .id = *group, .body = patch };

    audit_note_take(&c.note, "group.update");
    return write_group(&c, change_tx, err);
}

int auth_group_delete(struct auth *a, const struct pv_id *group, struct pv_err *err)
{
    struct group_change c = { .a = a, .id = *group };

    audit_note_take(&c.note, "group.delete");
    return store_write(a->store, delete_tx, &c, err);
}
