/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From grants to views. A grant on a part of the inventory becomes one filter per
 * kind; a permission's view is all grants that give it, joined by "or"; a
 * token's view is its owner's and its own, joined by "and".
 */
#include "server/auth/access_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/filter.h>
#include <polyvisor/str.h>

#define GRANTS_MAX 500
#define GROUPS_MAX 200
#define FOLDERS_MAX 10000
#define ROLES_KEPT 64
#define ARENA_LIMIT (32u << 20)
#define NOW_MS 60000 /* a filter that says "now" is read again after this long */

#define BIT(permission) (UINT64_C(1) << (permission))

struct role {
    struct pv_id id;
    uint64_t permissions;
    const char *name;
};

struct folder {
    struct pv_id id, parent;
    bool inside;
};

struct compile {
    struct auth *auth;
    struct access *who;
    struct arena *a;
    struct role roles[ROLES_KEPT];
    size_t nroles;
    struct folder *folders; /* read when a grant is on one */
    size_t nfolders;
    bool folders_read;
    int64_t now;
};

static int no_memory(struct pv_err *err)
{
    return pv_fail(err, PV_ENOMEM, "no memory for rights");
}

uint64_t access_permission_bits(const char *list)
{
    uint64_t bits = 0;

    while (list && *list) {
        size_t len = strcspn(list, "\n");
        int permission = len ? model_permission(list, len) : -1;

        if (permission > 0)
            bits |= BIT(permission);
        list += len + (list[len] == '\n');
    }
    return bits;
}

/* ------------------------------------------------------------------ reading */

static int get_row(struct compile *c, enum pv_kind kind, const struct pv_id *id, struct model_row **row,
                   struct pv_err *err)
{
    const struct model_shape *shape;
    int rc = model_shape_make(model_kind(kind), NULL, MODEL_VIEW_FULL, c->a, &shape, err);

    return rc == PV_OK ? store_row_get(c->auth->store, shape, id, c->a, row, err) : rc;
}

/* A role that is gone gives nothing. */
static int get_role(struct compile *c, const struct pv_id *id, struct role *out, struct pv_err *err)
{
    struct model_row *row;
    int rc;

    for (size_t i = 0; i < c->nroles; i++) {
        if (id_eq(&c->roles[i].id, id)) {
            *out = c->roles[i];
            return PV_OK;
        }
    }
    *out = (struct role){ .id = *id, .name = "" };
    rc = get_row(c, PV_KIND_role, id, &row, err);
    if (rc == PV_ENOENT)
        return PV_OK;
    if (rc != PV_OK)
        return rc;
    out->name = model_text(row, F(role, name));
    out->permissions = access_permission_bits(model_text(row, F(role, permissions)));
    if (c->nroles < ROLES_KEPT)
        c->roles[c->nroles++] = *out;
    return PV_OK;
}

static void until(struct compile *c, int64_t ms)
{
    if (!c->who->until_ms || ms < c->who->until_ms)
        c->who->until_ms = ms;
}

static int add_grant(struct compile *c, struct rights *r, const struct pv_id *id, const struct model_row *group,
                     struct pv_err *err)
{
    struct access_grant *g = &r->grants[r->n];
    struct model_row *row;
    struct role role;
    int rc = get_row(c, PV_KIND_grant, id, &row, err);

    if (rc == PV_ENOENT)
        return PV_OK; /* taken away while we read */
    if (rc == PV_OK)
        rc = get_role(c, &model_get(row, F(grant, role))->id, &role, err);
    if (rc != PV_OK)
        return rc;
    *g = (struct access_grant){ .id = row->id,
                                .role = role.id,
                                .role_name = role.name,
                                .permissions = role.permissions,
                                .scope = (enum pv_access_scope)model_number(row, F(grant, scope_type)),
                                .folder = model_get(row, F(grant, scope_folder))->id,
                                .provider = model_get(row, F(grant, scope_provider))->id,
                                .selector = model_text(row, F(grant, scope_selector)),
                                .object = model_text(row, F(grant, scope_object)),
                                .expires_ms = model_number(row, F(grant, expires_at)),
                                .of_token = r == &c->who->token };
    if (group) {
        g->group = group->id;
        g->group_name = model_text(group, F(group, name));
    }
    if (g->expires_ms && g->expires_ms <= c->now)
        return PV_OK;
    if (g->expires_ms)
        until(c, g->expires_ms);
    r->n++;
    return PV_OK;
}

static int grants_of(struct compile *c, struct rights *r, unsigned field, const struct pv_id *principal,
                     const struct model_row *group, struct pv_err *err)
{
    struct model_value value = { .set = true, .id = *principal };
    struct pv_id *ids;
    size_t n = 0;
    int rc = store_find(c->auth->store, PV_KIND_grant, field, &value, GRANTS_MAX, c->a, &ids, &n, err);

    for (size_t i = 0; i < n && rc == PV_OK && r->n < GRANTS_MAX; i++)
        rc = add_grant(c, r, &ids[i], group, err);
    return rc;
}

struct found {
    struct pv_id ids[GROUPS_MAX];
    size_t n;
};

static int found_one(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct found *f = ctx;

    (void)err;
    f->ids[f->n++] = row->id;
    return f->n == GROUPS_MAX;
}

static int grants_by_groups(struct compile *c, struct rights *r, const struct pv_id *user, struct pv_err *err)
{
    const struct model_kind *k = model_kind(PV_KIND_group);
    struct found *groups = arena_alloc(c->a, sizeof(*groups));
    struct store_query q = { .limit = GROUPS_MAX };
    char text[PV_ID_TEXT];
    int rc;

    if (!groups)
        return no_memory(err);
    model_id_text(PV_KIND_user, user, text);
    rc = model_shape_make(k, "name", MODEL_VIEW_SUMMARY, c->a, &q.shape, err);
    if (rc == PV_OK)
        rc = filter_equals(k, "members", text, 0, c->a, &q.filter, err);
    if (rc == PV_OK)
        rc = store_list(c->auth->store, &q, found_one, groups, NULL, err);
    for (size_t i = 0; i < groups->n && rc >= PV_OK; i++) {
        struct model_row *row;

        rc = get_row(c, PV_KIND_group, &groups->ids[i], &row, err);
        if (rc == PV_OK)
            rc = grants_of(c, r, F(grant, group), &row->id, row, err);
        else if (rc == PV_ENOENT)
            rc = PV_OK;
    }
    return rc < PV_OK ? rc : PV_OK;
}

/* ------------------------------------------------------------------ folders */

static int take_folder(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct compile *c = ctx;

    (void)err;
    c->folders[c->nfolders++] =
        (struct folder){ .id = row->id, .parent = model_get(row, F(folder, parent))->id };
    return c->nfolders == FOLDERS_MAX;
}

static int read_folders(struct compile *c, struct pv_err *err)
{
    struct store_query q = { .limit = 1000 };
    struct store_position at = { .len = 0 }, last;
    int rc = PV_OK;

    if (c->folders_read)
        return PV_OK;
    c->folders = arena_alloc(c->a, FOLDERS_MAX * sizeof(*c->folders));
    if (!c->folders)
        return no_memory(err);
    rc = model_shape_make(model_kind(PV_KIND_folder), "parent", MODEL_VIEW_SUMMARY, c->a, &q.shape, err);
    while (rc == PV_OK) {
        q.after = at.len ? &at : NULL;
        last.len = 0;
        rc = store_list(c->auth->store, &q, take_folder, c, &last, err);
        at = last;
        if (rc != PV_OK || at.len == 0)
            break;
    }
    c->folders_read = true;
    return rc < PV_OK ? rc : PV_OK;
}

/* Marks the folder and all below it; a parent may stand behind its children. */
static size_t mark_below(struct compile *c, const struct pv_id *top)
{
    size_t n = 0, before;

    for (size_t i = 0; i < c->nfolders; i++) {
        c->folders[i].inside = id_eq(&c->folders[i].id, top);
        n += c->folders[i].inside;
    }
    do {
        before = n;
        for (size_t i = 0; i < c->nfolders; i++) {
            struct folder *f = &c->folders[i];

            for (size_t k = 0; !f->inside && !id_is_zero(&f->parent) && k < c->nfolders; k++) {
                if (c->folders[k].inside && id_eq(&c->folders[k].id, &f->parent)) {
                    f->inside = true;
                    n++;
                }
            }
        }
    } while (n > before);
    return n;
}

/* ------------------------------------------------------------------ parts */

static struct filter *ids_filter(struct compile *c, const struct model_kind *k, const struct model_field *field,
                                 const struct pv_id *ids, size_t n)
{
    struct filter *f = arena_alloc(c->a, sizeof(*f));
    struct filter_value *values = arena_alloc(c->a, (n ? n : 1) * sizeof(*values));

    if (!f || !values)
        return NULL;
    for (size_t i = 0; i < n; i++)
        values[i] = (struct filter_value){ .id = ids[i], .is_id = true, .text = "", .folded = "" };
    *f = (struct filter){ .type = FILTER_TERM,
                          .kind = k,
                          .field = field,
                          .pseudo = field ? FILTER_FIELD : FILTER_ID,
                          .op = n == 1 ? FILTER_EQ : FILTER_IN,
                          .values = values,
                          .nvalues = n };
    return f;
}

static int folder_part(struct compile *c, const struct model_kind *k, const struct pv_id *top,
                       struct grant_part *out, struct pv_err *err)
{
    const struct model_field *field = model_field_by_name(k, "folder");
    struct pv_id *ids;
    size_t n = 0;
    int rc;

    if (!field && k->number != PV_KIND_folder)
        return PV_OK;
    rc = read_folders(c, err);
    if (rc != PV_OK)
        return rc;
    ids = arena_alloc(c->a, (mark_below(c, top) + 1) * sizeof(*ids));
    if (!ids)
        return no_memory(err);
    for (size_t i = 0; i < c->nfolders; i++)
        if (c->folders[i].inside)
            ids[n++] = c->folders[i].id;
    if (n == 0)
        return PV_OK;
    out->filter = ids_filter(c, k, k->number == PV_KIND_folder ? NULL : field, ids, n);
    out->set = out->filter != NULL;
    return out->set ? PV_OK : no_memory(err);
}

static int provider_part(struct compile *c, const struct model_kind *k, const struct pv_id *provider,
                         struct grant_part *out, struct pv_err *err)
{
    const struct model_field *field = model_field_by_name(k, "provider");

    if (!field && k->number != PV_KIND_provider)
        return PV_OK;
    out->filter = ids_filter(c, k, k->number == PV_KIND_provider ? NULL : field, provider, 1);
    out->set = out->filter != NULL;
    return out->set ? PV_OK : no_memory(err);
}

/* What does not parse for a kind selects none of it. */
static int selector_part(struct compile *c, const struct model_kind *k, const char *selector,
                         struct grant_part *out)
{
    if (!(k->flags & MODEL_SYNCED) && k->number != PV_KIND_provider)
        return PV_OK;
    if (strstr(selector, "now"))
        until(c, c->now + NOW_MS);
    out->set = filter_parse(k, selector, c->now, c->a, &out->filter, NULL) == PV_OK && out->filter;
    return PV_OK;
}

static int make_part(struct compile *c, const struct access_grant *g, const struct model_kind *k,
                     struct grant_part *out, struct pv_err *err)
{
    const struct model_kind *of;
    struct pv_id id;

    switch (g->scope) {
    case PV_ACCESS_SCOPE_EVERYTHING:
        out->set = true;
        return PV_OK;
    case PV_ACCESS_SCOPE_FOLDER:
        return folder_part(c, k, &g->folder, out, err);
    case PV_ACCESS_SCOPE_PROVIDER:
        return provider_part(c, k, &g->provider, out, err);
    case PV_ACCESS_SCOPE_SELECTOR:
        return selector_part(c, k, g->selector, out);
    case PV_ACCESS_SCOPE_OBJECT:
        if (!model_id_parse(g->object, strlen(g->object), &of, &id) || of != k)
            return PV_OK;
        out->filter = ids_filter(c, k, NULL, &id, 1);
        out->set = out->filter != NULL;
        return out->set ? PV_OK : no_memory(err);
    case PV_ACCESS_SCOPE_NONE:
        break;
    }
    return PV_OK;
}

static int make_parts(struct compile *c, struct rights *r, struct pv_err *err)
{
    const struct access *who = c->who;
    int rc = PV_OK;

    r->parts = arena_alloc(c->a, (r->n * who->nkinds + 1) * sizeof(*r->parts));
    if (!r->parts)
        return no_memory(err);
    for (size_t i = 0; i < r->n && rc == PV_OK; i++) {
        bool everything = r->grants[i].scope == PV_ACCESS_SCOPE_EVERYTHING;
        uint64_t bits = r->grants[i].permissions;

        for (int p = PERM_NONE + 1; p < PERM_COUNT; p++)
            if (!everything && model_permission_global(p))
                bits &= ~BIT(p);
        r->anywhere |= bits;
        if (everything)
            r->everywhere |= bits;
        for (size_t k = 0; k < who->nkinds && rc == PV_OK; k++)
            rc = make_part(c, &r->grants[i], model_kind(who->kinds[k]), &r->parts[i * who->nkinds + k], err);
    }
    return rc;
}

/* ------------------------------------------------------------------ views */

/* Of one side, the part of a kind where it has the permission. set false: none. */
static struct grant_part reach(const struct access *who, const struct rights *r, int permission, size_t kind)
{
    struct grant_part all = { .set = false };

    if (r->everywhere & BIT(permission))
        return (struct grant_part){ .set = true };
    for (size_t i = 0; i < r->n; i++) {
        const struct grant_part *part = &r->parts[i * who->nkinds + kind];

        if (!(r->grants[i].permissions & BIT(permission)) || !part->set)
            continue;
        all.filter = all.set ? filter_or(who->arena, all.filter, part->filter) : part->filter;
        all.set = true;
    }
    return all;
}

static int make_view(struct access *who, int permission, struct pv_err *err)
{
    struct store_part *parts = arena_alloc(who->arena, (who->nkinds + 1) * sizeof(*parts));
    struct store_view *view = arena_alloc(who->arena, sizeof(*view));

    if (!parts || !view)
        return no_memory(err);
    view->parts = parts;
    view->actor = permission == PERM_TASK_READ || permission == PERM_TASK_CANCEL ? who->actor : NULL;
    for (size_t k = 0; k < who->nkinds; k++) {
        struct grant_part part = reach(who, &who->own, permission, k);

        if (part.set && who->narrowed) {
            struct grant_part narrow = reach(who, &who->token, permission, k);

            part.set = narrow.set;
            part.filter = filter_and(who->arena, part.filter, narrow.filter);
        }
        if (part.set)
            parts[view->n++] = (struct store_part){ .kind = who->kinds[k], .filter = part.filter };
    }
    who->views[permission] = view;
    return PV_OK;
}

/* What is seen of every kind that is readable by scope, for what happens to them. */
static int make_events(struct access *who, struct pv_err *err)
{
    struct store_part *parts = arena_alloc(who->arena, (who->nkinds + 1) * sizeof(*parts));
    struct store_view *view = arena_alloc(who->arena, sizeof(*view));
    bool all = who->everywhere & BIT(PERM_TASK_READ);

    if (!parts || !view)
        return no_memory(err);
    view->parts = parts;
    view->actor = who->actor;
    for (size_t k = 0; k < who->nkinds; k++) {
        const struct store_view *of = who->read.read[who->kinds[k]];

        if (!of) {
            parts[view->n++] = (struct store_part){ .kind = who->kinds[k] };
            continue;
        }
        all = false;
        for (size_t i = 0; i < of->n; i++)
            if (of->parts[i].kind == who->kinds[k])
                parts[view->n++] = of->parts[i];
    }
    if (who->everywhere & BIT(PERM_TASK_READ))
        parts[view->n++] = (struct store_part){ .kind = PV_KIND_task };
    who->events = all ? NULL : view;
    return PV_OK;
}

/* Folders in which the caller has something, and those they are in. */
static int make_folders(struct compile *c, struct pv_err *err)
{
    struct access *who = c->who;
    struct store_part *part = arena_alloc(who->arena, sizeof(*part));
    struct store_view *view = arena_alloc(who->arena, sizeof(*view));
    struct pv_id *ids;
    size_t n = 0, before;
    int rc = read_folders(c, err);

    if (rc != PV_OK)
        return rc;
    ids = arena_alloc(who->arena, (c->nfolders + 1) * sizeof(*ids));
    if (!part || !view || !ids)
        return no_memory(err);
    for (size_t i = 0; i < c->nfolders; i++)
        c->folders[i].inside = false;
    for (size_t g = 0; g < who->own.n; g++) {
        for (size_t i = 0; i < c->nfolders && who->own.grants[g].scope == PV_ACCESS_SCOPE_FOLDER; i++) {
            struct pv_id up = c->folders[i].id;

            for (size_t depth = 0; depth < 64 && !id_is_zero(&up); depth++) {
                size_t at = 0;

                if (id_eq(&up, &who->own.grants[g].folder))
                    c->folders[i].inside = true;
                while (at < c->nfolders && !id_eq(&c->folders[at].id, &up))
                    at++;
                up = at < c->nfolders ? c->folders[at].parent : (struct pv_id){ .b = { 0 } };
            }
        }
    }
    do {
        before = n;
        n = 0;
        for (size_t i = 0; i < c->nfolders; i++) {
            for (size_t k = 0; c->folders[i].inside && k < c->nfolders; k++)
                c->folders[k].inside = c->folders[k].inside || id_eq(&c->folders[k].id, &c->folders[i].parent);
            n += c->folders[i].inside;
        }
    } while (n > before);
    n = 0;
    for (size_t i = 0; i < c->nfolders; i++)
        if (c->folders[i].inside)
            ids[n++] = c->folders[i].id;
    *part = (struct store_part){ .kind = PV_KIND_folder,
                                 .filter = ids_filter(c, model_kind(PV_KIND_folder), NULL, ids, n) };
    *view = (struct store_view){ .parts = part, .n = n > 0 };
    who->read.read[PV_KIND_folder] = view;
    return part->filter ? PV_OK : no_memory(err);
}

static int make_reads(struct compile *c, struct pv_err *err)
{
    struct access *who = c->who;
    uint64_t scoped = 0;
    int rc = PV_OK;

    for (int p = PERM_NONE + 1; p < PERM_COUNT; p++)
        if (!model_permission_global(p))
            scoped |= BIT(p);
    for (size_t i = 0; model_kind_at(i); i++) {
        const struct model_kind *k = model_kind_at(i);

        if (k->permission > PERM_NONE && k->permission < PERM_COUNT) {
            who->read.read[k->number] = who->views[k->permission];
            who->reads = who->reads || (k->permission != PERM_MONITOR_READ && !model_permission_global(k->permission) &&
                                        (who->anywhere & BIT(k->permission)));
        }
    }
    /* Names of folders and tags tell about what is in them. */
    if (!(who->everywhere & scoped)) {
        who->read.read[PV_KIND_tag] = who->nothing;
        rc = make_folders(c, err);
    }
    if (rc == PV_OK)
        rc = make_events(who, err);
    if (rc != PV_OK)
        return rc;
    who->sees_all = true;
    for (size_t i = 0; model_kind_at(i); i++) {
        const struct model_kind *k = model_kind_at(i);

        if (k->permission == PERM_EVENT_READ)
            who->read.read[k->number] = who->events;
        who->watch.read[k->number] = who->views[PERM_MONITOR_READ];
        who->sees_all = who->sees_all && !who->read.read[k->number];
    }
    return PV_OK;
}

/* Kinds that stand somewhere in the inventory. */
static int find_kinds(struct access *who, struct pv_err *err)
{
    enum pv_kind *kinds = arena_alloc(who->arena, (PV_KIND_MAX + 1) * sizeof(*kinds));

    if (!kinds)
        return no_memory(err);
    for (size_t i = 0; model_kind_at(i); i++) {
        const struct model_kind *k = model_kind_at(i);
        bool inside = model_field_by_name(k, "folder") || model_field_by_name(k, "provider") ||
                      k->number == PV_KIND_provider || k->number == PV_KIND_folder;

        if (inside && k->owner == PV_KIND_NONE && !(k->flags & MODEL_MEMORY) &&
            !model_field_by_name(k, "subject"))
            kinds[who->nkinds++] = k->number;
    }
    who->kinds = kinds;
    return PV_OK;
}

static int read_rights(struct compile *c, const struct pv_id *user, const struct pv_id *token,
                       struct pv_err *err)
{
    struct access *who = c->who;
    int rc;

    who->own.grants = arena_alloc(c->a, (GRANTS_MAX + 1) * sizeof(*who->own.grants));
    who->token.grants = arena_alloc(c->a, (GRANTS_MAX + 1) * sizeof(*who->token.grants));
    if (!who->own.grants || !who->token.grants)
        return no_memory(err);
    rc = grants_of(c, &who->own, F(grant, user), user, NULL, err);
    if (rc == PV_OK)
        rc = grants_by_groups(c, &who->own, user, err);
    if (rc == PV_OK)
        rc = make_parts(c, &who->own, err);
    if (rc != PV_OK || !who->narrowed)
        return rc;
    rc = grants_of(c, &who->token, F(grant, token), token, NULL, err);
    return rc == PV_OK ? make_parts(c, &who->token, err) : rc;
}

static int compile(struct compile *c, const struct pv_id *user, const struct pv_id *token, struct pv_err *err)
{
    struct access *who = c->who;
    int rc = find_kinds(who, err);

    if (rc == PV_OK)
        rc = read_rights(c, user, token, err);
    if (rc != PV_OK)
        return rc;
    who->nothing = arena_alloc(c->a, sizeof(*who->nothing));
    if (!who->nothing)
        return no_memory(err);
    who->anywhere = who->own.anywhere & (who->narrowed ? who->token.anywhere : UINT64_MAX);
    who->everywhere = who->own.everywhere & (who->narrowed ? who->token.everywhere : UINT64_MAX);
    for (int p = PERM_NONE + 1; p < PERM_COUNT && rc == PV_OK; p++) {
        if (who->everywhere & BIT(p))
            who->views[p] = NULL;
        else if (model_permission_global(p) || !(who->anywhere & BIT(p)))
            who->views[p] = who->nothing;
        else
            rc = make_view(who, p, err);
    }
    return rc == PV_OK ? make_reads(c, err) : rc;
}

int access_compile(struct auth *a, const struct pv_id *user, const struct pv_id *token, bool limited,
                   struct access **out, struct pv_err *err)
{
    struct access *who = calloc(1, sizeof(*who));
    PV_AUTO_FREE struct compile *c = calloc(1, sizeof(*c));
    char text[PV_ID_TEXT];
    int rc;

    if (!who || !c || !(who->arena = arena_new(8192, ARENA_LIMIT))) {
        free(who);
        return no_memory(err);
    }
    who->auth = a;
    who->principal = token ? *token : *user;
    who->narrowed = token && limited;
    atomic_store(&who->refs, 1);
    /* Before anything is read: what changes meanwhile makes it old at once. */
    who->version = access_version(a);
    id_text(token ? "tok" : "usr", &who->principal, who->actor);
    *c = (struct compile){ .auth = a, .who = who, .a = who->arena, .now = a->now_ms() };
    rc = compile(c, user, token, err);
    if (rc != PV_OK) {
        access_free(who);
        return rc;
    }
    id_text("a", &who->principal, text);
    if (!who->sees_all)
        snprintf(who->tag, sizeof(who->tag), "%s%llx", text + strlen(text) - 8, (unsigned long long)who->version);
    *out = who;
    return PV_OK;
}

void access_free(struct access *who)
{
    if (!who)
        return;
    arena_free(who->arena);
    free(who);
}
