/* SPDX-License-Identifier: Apache-2.0 */
#include "db/view.h"

#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "db/filter_sql.h"
#include "db/kinds.h"
#include "db/store_priv.h"

#define ARENA_FIRST (8u << 10)
#define ARENA_LIMIT (16u << 20)

PV_DEFINE_AUTO(arena_free, struct arena *)

const struct store_view *view_of(const struct store_access *access, const struct model_kind *kind)
{
    return access ? access->read[kind->number] : NULL;
}

const struct filter *view_filter(const struct store_view *view, const struct model_kind *kind)
{
    const struct filter *only = NULL;

    for (size_t i = 0; i < view->n; i++) {
        if (view->parts[i].kind != kind->number)
            continue;
        if (only || !view->parts[i].filter)
            return NULL;
        only = view->parts[i].filter;
    }
    return only;
}

/* `column` holds the id of one of these. */
static int one_of(struct query *q, const char *column, const struct store_part *part,
                  struct arena *a, struct pv_err *err)
{
    const struct model_kind *k = model_kind(part->kind);
    int rc;

    query_printf(q, "t.\"%s\" IN (SELECT t.\"id\" FROM %s t WHERE ", column, k->table);
    rc = filter_sql(q, k, part->filter, NULL, true, NULL, a, err);
    query_text(q, ")");
    return rc;
}

/* The subject's id is of this kind, or of one that belongs to it: a range of the index. */
static void subject_of_kind(struct query *q, enum pv_kind kind)
{
    query_text(q, "(0");
    for (size_t i = 0; model_kind_at(i); i++) {
        const struct model_kind *k = model_kind_at(i);

        /* '`' follows '_'. */
        if (k->number == kind || k->owner == kind)
            query_printf(q, " OR (t.\"subject_id\">='%s_' AND t.\"subject_id\"<'%s`')", k->prefix,
                         k->prefix);
    }
    query_text(q, ")");
}

static bool concerns(const struct model_kind *k, const struct store_part *part)
{
    return part->kind == k->number || (k->owner != PV_KIND_NONE && part->kind == k->owner) ||
           kind_fields(k)->subject != UINT16_MAX;
}

static int part_sql(struct query *q, const struct model_kind *k, const struct store_part *part,
                    const struct filter_common *common, bool alone, struct arena *a, struct pv_err *err)
{
    bool subject = kind_fields(k)->subject != UINT16_MAX;

    if (!part->filter && subject && part->kind != k->number)
        subject_of_kind(q, part->kind);
    else if (!part->filter)
        query_text(q, "1");
    else if (part->kind == k->number)
        return filter_sql(q, k, part->filter, common, alone, NULL, a, err);
    else
        return one_of(q, subject ? "subject" : "owner", part, a, err);
    return PV_OK;
}

int view_sql(struct query *q, const struct model_kind *kind, const struct store_view *view,
             const struct filter_common *common, bool point, struct arena *a, struct pv_err *err)
{
    bool own = view->actor && model_field_by_name(kind, "actor_id");
    bool caused = view->actor && !own && model_field_by_name(kind, "task");
    size_t n = own || caused, written = 0;
    int rc = PV_OK;

    for (size_t i = 0; i < view->n; i++)
        n += concerns(kind, &view->parts[i]);
    /* A condition that stands alone can be the way to the rows; "0 or" before it would hide that. */
    query_text(q, n == 0 ? "0" : "(");
    for (size_t i = 0; i < view->n && rc == PV_OK; i++) {
        if (!concerns(kind, &view->parts[i]))
            continue;
        query_text(q, written++ ? " OR " : "");
        rc = part_sql(q, kind, &view->parts[i], common, n == 1 && !point, a, err);
    }
    if (own) {
        query_text(q, written ? " OR t.\"actor_id\"=" : "t.\"actor_id\"=");
        query_str(q, view->actor);
    } else if (caused) {
        query_text(q, written ? " OR " : "");
        query_text(q, "t.\"task\" IN (SELECT a.\"id\" FROM k_task a WHERE a.\"actor_id\"=");
        query_str(q, view->actor);
        query_text(q, ")");
    }
    query_text(q, n == 0 ? "" : ")");
    return rc;
}

/* SELECT 1 FROM table WHERE id = and the part's filter. */
static int within(struct conn *c, const struct store_part *part, const struct pv_id *id,
                  struct arena *a, bool *out, struct pv_err *err)
{
    QUERY_AUTO struct query q = { 0 };
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    const struct model_kind *k = model_kind(part->kind);
    int rc;

    query_init(&q);
    query_printf(&q, "SELECT 1 FROM %s t WHERE t.\"id\"=", k->table);
    query_id(&q, id);
    query_text(&q, " AND ");
    rc = filter_sql(&q, k, part->filter, NULL, false, NULL, a, err);
    if (rc == PV_OK)
        rc = query_stmt(&q, c, &st, err);
    return rc == PV_OK ? stmt_step(st, out, err) : rc;
}

/* What decides about a row: itself, its owner, or its subject. */
struct decider {
    enum pv_kind kind; /* NONE: of the subject, any that a part names */
    struct pv_id id;
    char subject[PV_ID_TEXT], actor[PV_ID_TEXT];
    bool there;
};

static int decide_by(struct conn *c, const struct model_kind *k, const struct pv_id *id,
                     struct decider *d, struct pv_err *err)
{
    bool subject = kind_fields(k)->subject != UINT16_MAX;
    /* Who asked for it, or for the task that caused it. */
    const char *actor = model_field_by_name(k, "actor_id") ? "\"actor_id\""
                        : model_field_by_name(k, "task")
                            ? "(SELECT a.\"actor_id\" FROM k_task a WHERE a.\"id\"=\"task\")"
                            : "NULL";
    QUERY_AUTO struct query q = { 0 };
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    int rc;

    *d = (struct decider){ .kind = k->number, .id = *id };
    query_init(&q);
    if (subject)
        query_printf(&q, "SELECT \"subject\",\"subject_id\",%s FROM %s WHERE \"id\"=",
                     actor, k->table);
    else
        query_printf(&q, "SELECT \"%s\" FROM %s WHERE \"id\"=",
                     k->owner != PV_KIND_NONE ? "owner" : "id", k->table);
    query_id(&q, id);
    rc = query_stmt(&q, c, &st, err);
    if (rc == PV_OK)
        rc = stmt_step(st, &d->there, err);
    if (rc != PV_OK || !d->there)
        return rc;
    memset(&d->id, 0, sizeof(d->id));
    col_id(st, 0, &d->id);
    if (k->owner != PV_KIND_NONE)
        d->kind = k->owner;
    if (!subject)
        return PV_OK;
    d->kind = PV_KIND_NONE;
    str_copy(d->subject, sizeof(d->subject), col_null(st, 1) ? "" : col_text(st, 1, NULL));
    str_copy(d->actor, sizeof(d->actor), col_null(st, 2) ? "" : col_text(st, 2, NULL));
    return PV_OK;
}

/* The subject is of the kind, or of one that belongs to it. */
static bool subject_is_of(const struct decider *d, enum pv_kind kind)
{
    const struct model_kind *k;
    struct pv_id id;

    return model_id_parse(d->subject, strlen(d->subject), &k, &id) &&
           (k->number == kind || k->owner == kind);
}

int store_visible(struct store *s, const struct store_view *view, enum pv_kind kind,
                  const struct pv_id *id, bool *out, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *a = NULL;
    const struct model_kind *k = model_kind(kind);
    struct decider d;
    struct conn *c;
    bool seen = false;
    int rc;

    if (!k || !kind_stored(k)) {
        *out = false;
        return PV_OK;
    }
    a = arena_new(ARENA_FIRST, ARENA_LIMIT);
    if (!a)
        return pv_fail(err, PV_ENOMEM, "no memory to look at rights");
    rc = store_reader(s, &c, err);
    if (rc == PV_OK)
        rc = decide_by(c, k, id, &d, err);
    if (rc != PV_OK)
        return rc;
    seen = d.there && (!view || (view->actor && strcmp(view->actor, d.actor) == 0));
    for (size_t i = 0; view && d.there && i < view->n && !seen && rc == PV_OK; i++) {
        const struct store_part *part = &view->parts[i];

        if (d.kind != PV_KIND_NONE && d.kind != part->kind)
            continue;
        if (part->filter)
            rc = within(c, part, &d.id, a, &seen, err);
        else
            seen = d.kind != PV_KIND_NONE || subject_is_of(&d, part->kind);
    }
    if (rc == PV_OK)
        *out = seen;
    return rc;
}
