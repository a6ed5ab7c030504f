/* SPDX-License-Identifier: Apache-2.0 */
/* What the caller may, in the words of an answer. */
#include "server/api/internal.h"

#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>

#define SEEN_MAX 256

static int forbidden(struct req *r, int permission, const char *where, struct pv_err *err)
{
    const char *needed = model_permission_text(permission);

    r->caller.denied = true;
    pv_fail_as(err, "forbidden", "this needs the permission %s%s", needed, where);
    pv_err_needs(err, needed);
    return err->rc;
}

int need_anywhere(struct req *r, int permission, struct pv_err *err)
{
    return access_anywhere(r->caller.access, permission) ? PV_OK : forbidden(r, permission, "", err);
}

int need_everywhere(struct req *r, int permission, struct pv_err *err)
{
    return access_everywhere(r->caller.access, permission) ? PV_OK : forbidden(r, permission, " on everything", err);
}

int need_on(struct req *r, int permission, enum pv_kind kind, const struct pv_id *id, struct pv_err *err)
{
    return access_may(r->caller.access, permission, kind, id) ? PV_OK : forbidden(r, permission, " on this object", err);
}

const struct store_access *access_of(const struct req *r)
{
    if (!r->caller.access)
        return NULL; /* a public route, which shows nothing of the inventory */
    return r->route->permission == PERM_MONITOR_READ ? access_watch(r->caller.access) : access_read(r->caller.access);
}

int need_sight(struct req *r, const struct model_kind *kind, const struct pv_id *id, struct pv_err *err)
{
    const struct store_access *eyes = access_of(r);
    const struct store_view *view = eyes ? eyes->read[kind->number] : NULL;
    bool seen = true, there = false;
    int rc = PV_OK;

    if (view)
        rc = store_visible(api_of(r)->store, view, kind->number, id, &seen, err);
    if (rc != PV_OK || seen)
        return rc;
    if (store_visible(api_of(r)->store, NULL, kind->number, id, &there, NULL) == PV_OK && there)
        r->caller.denied = true;
    return pv_fail(err, PV_ENOENT, "there is no such %s", kind->name);
}

void write_permissions(struct jsonw *w, const char *key, uint64_t permissions)
{
    jsonw_array(w, key);
    for (int p = PERM_NONE + 1; p < PERM_COUNT; p++)
        if (permissions >> p & 1)
            jsonw_str(w, NULL, model_permission_text(p));
    jsonw_end(w);
}

/* ------------------------------------------------------------------ names of what may not be seen */

/* What was found out about references in this answer: rows share few. */
struct guard {
    struct req *r;
    bool (*other)(void *ctx, struct buf *out, const struct model_field *f, const struct pv_id *id);
    void *other_ctx;
    struct {
        struct pv_id id;
        bool known, hidden;
    } seen[SEEN_MAX];
};

bool ref_is_hidden(struct req *r, const struct model_field *f, const struct pv_id *id)
{
    const struct store_access *eyes = access_of(r);
    const struct store_view *view = eyes ? eyes->read[f->ref] : NULL;
    bool seen = false;

    /* Which provider an object is of belongs to the object; oneself everybody knows. */
    if (!view || f->ref == PV_KIND_provider || (f->ref == PV_KIND_user && id_eq(id, &r->caller.user)))
        return false;
    return store_visible(api_of(r)->store, view, f->ref, id, &seen, NULL) != PV_OK || !seen;
}

static bool write_guarded(void *ctx, struct buf *out, const struct model_field *f, const struct pv_id *id)
{
    struct guard *g = ctx;
    size_t at = (size_t)(id->b[14] << 8 | id->b[15]) % SEEN_MAX;
    char text[PV_ID_TEXT];

    if (!g->seen[at].known || !id_eq(&g->seen[at].id, id)) {
        g->seen[at].id = *id;
        g->seen[at].hidden = ref_is_hidden(g->r, f, id);
        g->seen[at].known = true;
    }
    if (!g->seen[at].hidden)
        return g->other && g->other(g->other_ctx, out, f, id);
    model_id_text(f->ref, id, text);
    buf_printf(out, "{\"id\":\"%s\",\"name\":null}", text);
    return true;
}

int shape_guard(struct req *r, const struct model_shape **shape, struct pv_err *err)
{
    const struct model_shape *const *from = (*shape)->children;
    const struct model_shape **children = NULL;
    struct model_shape *copy;
    struct guard *g;
    size_t n = 0;

    if (!access_of(r))
        return PV_OK;
    while (from && from[n])
        n++;
    g = arena_alloc(r->arena, sizeof(*g));
    copy = arena_copy(r->arena, *shape, sizeof(*copy));
    children = arena_alloc(r->arena, (n + 1) * sizeof(*children));
    if (!g || !copy || !children)
        return pv_fail(err, PV_ENOMEM, "no memory for the answer");
    g->r = r;
    g->other = copy->write_ref;
    g->other_ctx = copy->write_ref_ctx;
    copy->write_ref = write_guarded;
    copy->write_ref_ctx = g;
    for (size_t i = 0; i < n; i++) {
        struct model_shape *child = arena_copy(r->arena, from[i], sizeof(*child));

        if (!child)
            return pv_fail(err, PV_ENOMEM, "no memory for the answer");
        child->write_ref = write_guarded;
        child->write_ref_ctx = g;
        children[i] = child;
    }
    if (from)
        copy->children = children;
    *shape = copy;
    return PV_OK;
}
