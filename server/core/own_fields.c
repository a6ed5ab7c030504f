/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is ours: tags, attributes, notes and folder of an object, the folders
 * and the tags themselves. No provider is asked.
 */
#include "server/core/internal.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 32
#define TAGS_MAX 64
#define TAG_BYTES 128
#define ATTRIBUTES_MAX 128

struct own_change {
    struct core *core;
    const struct core_actor *by;
    const struct core_options *options;
    enum pv_kind kind;
    struct pv_id id;
    const json_t *patch;
    bool create, remove, changed;
    struct event_set events;
};

static int refuse(struct pv_err *err, const char *pointer, const char *what)
{
    int rc = pv_fail(err, PV_EINVAL, "%s", what);

    pv_err_pointer(err, "%s", pointer);
    return rc;
}

static int set_text(struct row_diff *d, unsigned field, const json_t *v, struct arena *a,
                    struct pv_err *err)
{
    const struct model_field *f = &d->row->kind->fields[field];
    struct model_value value = value_null();
    char pointer[80];

    if (!v)
        return PV_OK;
    snprintf(pointer, sizeof(pointer), "/%s", f->path);
    if (!json_is_null(v) && !json_is_string(v))
        return refuse(err, pointer, "it must be a text");
    if (json_is_string(v) && json_string_length(v) > f->max)
        return refuse(err, pointer, "it is too long");
    if (json_is_string(v) && json_string_length(v) > 0)
        value = value_text(arena_strdup(a, json_string_value(v)));
    diff_set(d, field, &value);
    return PV_OK;
}

static bool tag_ok(const char *text)
{
    size_t len = text ? strlen(text) : 0;

    return len > 0 && len <= TAG_BYTES && str_utf8_ok(text, len, false) && text[0] != '=';
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int set_tags(struct row_diff *d, unsigned field, const json_t *list, struct arena *a,
                    struct pv_err *err)
{
    const char *texts[TAGS_MAX];
    struct model_value v = value_null();
    struct buf out;
    const json_t *one;
    size_t i, n = 0;

    if (!list)
        return PV_OK;
    if (!json_is_null(list) && !json_is_array(list))
        return refuse(err, "/tags", "it must be a list of texts");
    json_array_foreach (list, i, one) {
        if (n == TAGS_MAX)
            return refuse(err, "/tags", "an object has at most 64 tags");
        if (!tag_ok(json_string_value(one)))
            return refuse(err, "/tags", "a tag is key or key=value of up to 128 bytes");
        texts[n++] = json_string_value(one);
    }
    qsort(texts, n, sizeof(texts[0]), compare_texts);
    buf_init(&out, TAGS_MAX * (TAG_BYTES + 2));
    for (i = 0; i < n; i++) {
        if (i > 0 && strcmp(texts[i], texts[i - 1]) == 0)
            continue;
        if (out.len == 0)
            buf_char(&out, '\n');
        buf_printf(&out, "%s\n", texts[i]);
    }
    if (n > 0)
        v = value_text(arena_text(a, out.data, out.len));
    buf_free(&out);
    diff_set(d, field, &v);
    return PV_OK;
}

/* A merge patch of key to text. */
static int set_attributes(struct row_diff *d, unsigned field, const json_t *patch, struct arena *a,
                          struct pv_err *err)
{
    const char *old = model_text(d->row, field);
    PV_AUTO(json_decref_p) json_t *merged = old[0] ? json_loads(old, 0, NULL) : json_object();
    struct model_value v = value_null();
    const char *key, *text;
    json_t *one;

    if (!patch)
        return PV_OK;
    if (!json_is_null(patch) && !json_is_object(patch))
        return refuse(err, "/attributes", "it must be an object of texts");
    if (json_is_null(patch) || !merged)
        json_object_clear(merged);
    json_object_foreach ((json_t *)patch, key, one) {
        if (json_is_null(one))
            json_object_del(merged, key);
        else if (!json_is_string(one))
            return refuse(err, "/attributes", "values of attributes are texts");
        else
            json_object_set(merged, key, one);
    }
    if (json_object_size(merged) > ATTRIBUTES_MAX)
        return refuse(err, "/attributes", "an object has at most 128 attributes");
    if (json_object_size(merged) > 0) {
        PV_AUTO_FREE char *sorted = json_dumps(merged, JSON_COMPACT | JSON_SORT_KEYS);

        text = sorted ? arena_strdup(a, sorted) : NULL;
        if (!text || strlen(text) > d->row->kind->fields[field].max)
            return refuse(err, "/attributes", "the attributes are too long");
        v = value_text(text);
    }
    diff_set(d, field, &v);
    return PV_OK;
}

static int set_folder(struct store_tx *tx, struct row_diff *d, unsigned field, const char *pointer,
                      const json_t *v, struct arena *a, struct pv_err *err)
{
    const char *text = json_is_object(v) ? json_string_value(json_object_get(v, "id"))
                                         : json_string_value(v);
    struct model_value value = value_null();
    struct model_row *row;
    struct pv_id id;
    int rc;

    if (!v)
        return PV_OK;
    if (!json_is_null(v)) {
        if (!text || !id_parse(model_kind(PV_KIND_folder)->prefix, text, strlen(text), &id))
            return refuse(err, pointer, "it must be the id of a folder");
        rc = tx_rows_get(tx, PV_KIND_folder, &id, 1, false, a, &row, err);
        if (rc != PV_OK)
            return rc;
        if (!row)
            return refuse(err, pointer, "there is no such folder");
        value = value_ref(&id);
    }
    diff_set(d, field, &value);
    return PV_OK;
}

/* A folder must not end up inside itself. */
static int check_parent(struct store_tx *tx, const struct model_row *row, struct arena *a,
                        struct pv_err *err)
{
    struct pv_id at = model_get(row, F(folder, parent))->id;

    for (unsigned depth = 0; !id_is_zero(&at); depth++) {
        struct model_row *parent;
        int rc;

        if (id_eq(&at, &row->id))
            return refuse(err, "/parent", "a folder cannot be inside itself");
        if (depth == DEPTH_MAX)
            return refuse(err, "/parent", "folders are nested too deeply");
        rc = tx_rows_get(tx, PV_KIND_folder, &at, 1, false, a, &parent, err);
        if (rc != PV_OK)
            return rc;
        if (!parent)
            return PV_OK;
        at = model_get(parent, F(folder, parent))->set ? model_get(parent, F(folder, parent))->id
                                                       : (struct pv_id){ { 0 } };
    }
    return PV_OK;
}

static int check_folder_name(struct store_tx *tx, const struct model_row *row, struct arena *a,
                             struct pv_err *err)
{
    const struct model_value *name = model_get(row, F(folder, name));
    const struct model_value *parent = model_get(row, F(folder, parent));
    struct pv_id *ids;
    size_t n;
    int rc;

    if (!name->set)
        return refuse(err, "/name", "a folder needs a name");
    rc = tx_find(tx, PV_KIND_folder, F(folder, name), name, 1000, a, &ids, &n, err);
    for (size_t i = 0; rc == PV_OK && i < n; i++) {
        struct model_row *other;

        if (id_eq(&ids[i], &row->id))
            continue;
        rc = tx_rows_get(tx, PV_KIND_folder, &ids[i], 1, false, a, &other, err);
        if (rc == PV_OK && other &&
            model_value_equal(&row->kind->fields[F(folder, parent)],
                              model_get(other, F(folder, parent)), parent)) {
            rc = pv_fail(err, PV_EEXIST, "there is a folder %s here", name->text);
            pv_err_pointer(err, "/name");
        }
    }
    return rc;
}

static int check_tag_name(struct store_tx *tx, const struct model_row *row, struct arena *a,
                          struct pv_err *err)
{
    const struct model_value *name = model_get(row, F(tag, name));
    struct pv_id *ids;
    size_t n;
    int rc;

    if (!tag_ok(model_text(row, F(tag, name))))
        return refuse(err, "/name", "a tag is key or key=value of up to 128 bytes");
    rc = tx_find(tx, PV_KIND_tag, F(tag, name), name, 2, a, &ids, &n, err);
    for (size_t i = 0; rc == PV_OK && i < n; i++) {
        if (id_eq(&ids[i], &row->id))
            continue;
        rc = pv_fail(err, PV_EEXIST, "there is a tag %s", name->text);
        pv_err_pointer(err, "/name");
    }
    return rc;
}

static int diff_own(struct own_change *o, struct store_tx *tx, struct row_diff *d, struct arena *a,
                    struct pv_err *err)
{
    const struct kind_info *k = &o->core->kinds[o->kind];
    const json_t *p = o->patch;
    int rc;

    if (o->kind == PV_KIND_folder) {
        rc = set_text(d, F(folder, name), json_object_get(p, "name"), a, err);
        if (rc == PV_OK)
            rc = set_text(d, F(folder, notes), json_object_get(p, "notes"), a, err);
        if (rc == PV_OK)
            rc = set_folder(tx, d, F(folder, parent), "/parent", json_object_get(p, "parent"), a, err);
        if (rc == PV_OK)
            rc = check_parent(tx, d->row, a, err);
        return rc == PV_OK ? check_folder_name(tx, d->row, a, err) : rc;
    }
    if (o->kind == PV_KIND_tag) {
        rc = set_text(d, F(tag, name), json_object_get(p, "name"), a, err);
        if (rc == PV_OK)
            rc = set_text(d, F(tag, description), json_object_get(p, "description"), a, err);
        return rc == PV_OK ? check_tag_name(tx, d->row, a, err) : rc;
    }
    rc = set_text(d, (unsigned)k->notes, json_object_get(p, "notes"), a, err);
    if (rc == PV_OK)
        rc = set_tags(d, (unsigned)k->tags, json_object_get(p, "tags"), a, err);
    if (rc == PV_OK)
        rc = set_attributes(d, (unsigned)k->attributes, json_object_get(p, "attributes"), a, err);
    if (rc == PV_OK)
        rc = set_folder(tx, d, (unsigned)k->folder, "/folder", json_object_get(p, "folder"), a, err);
    return rc;
}

static int tell(struct own_change *o, struct store_tx *tx, const struct model_row *row,
                const char *what, uint64_t version, const char *changes, struct pv_err *err)
{
    const struct kind_info *k = &o->core->kinds[o->kind];
    char type[64];
    struct event_draft e = { .type = type, .kind = o->kind, .subject = row->id,
                             .name = k->name >= 0 ? model_text(row, (unsigned)k->name) : "",
                             .object_version = version, .changes = changes };

    if (k->provider >= 0)
        e.provider = model_get(row, (unsigned)k->provider)->id;
    event_by(&e, o->by);
    snprintf(type, sizeof(type), "%s.%s", k->kind->name, what);
    return events_add(&o->events, tx, &e, err);
}

static int create_row(struct own_change *o, struct store_tx *tx, struct arena *a, struct pv_err *err)
{
    const struct kind_info *k = &o->core->kinds[o->kind];
    struct model_row *row = model_row_new(a, o->kind);
    int64_t now = clock_wall_ms();
    struct row_diff d;
    int rc;

    if (!row)
        return pv_fail(err, PV_ENOMEM, "no memory for a row");
    row->id = o->id;
    rc = diff_init(&d, row, false, a, err);
    if (rc == PV_OK)
        rc = diff_own(o, tx, &d, a, err);
    diff_free(&d);
    if (rc != PV_OK)
        return rc;
    model_set_number(row, (unsigned)k->created_at, now);
    model_set_number(row, (unsigned)k->updated_at, now);
    model_set_number(row, (unsigned)k->version, 1);
    rc = tx_row_insert(tx, row, err);
    o->changed = true;
    return rc == PV_OK ? tell(o, tx, row, "created", 1, NULL, err) : rc;
}

static int change_row(struct own_change *o, struct store_tx *tx, struct model_row *row,
                      struct arena *a, struct pv_err *err)
{
    const struct kind_info *k = &o->core->kinds[o->kind];
    struct row_diff d;
    uint64_t version;
    int rc = diff_init(&d, row, true, a, err);

    if (rc != PV_OK)
        return rc;
    rc = diff_own(o, tx, &d, a, err);
    o->changed = d.n > 0;
    if (rc == PV_OK && d.n > 0 && !(o->options && o->options->dry_run)) {
        const char *changes = diff_changes(&d, a);

        rc = diff_write(&d, tx, k, clock_wall_ms(), &version, err);
        if (rc == PV_OK)
            rc = tell(o, tx, row, "updated", version, changes, err);
    }
    diff_free(&d);
    return rc;
}

/* An empty folder only. */
static int check_empty(struct own_change *o, struct store_tx *tx, struct arena *a, struct pv_err *err)
{
    struct model_value v = value_ref(&o->id);
    struct pv_id *ids;
    size_t n = 0;
    int rc = tx_find(tx, PV_KIND_folder, F(folder, parent), &v, 1, a, &ids, &n, err);

    for (size_t i = 0; rc == PV_OK && n == 0 && i < KINDS; i++)
        if (o->core->kinds[i].kind && o->core->kinds[i].folder >= 0)
            rc = tx_find(tx, (enum pv_kind)i, (unsigned)o->core->kinds[i].folder, &v, 1, a, &ids, &n,
                         err);
    if (rc == PV_OK && n > 0)
        rc = pv_fail_as(err, "conflict", "the folder is not empty");
    return rc;
}

static int remove_row(struct own_change *o, struct store_tx *tx, const struct model_row *row,
                      struct arena *a, struct pv_err *err)
{
    int rc = o->kind == PV_KIND_folder ? check_empty(o, tx, a, err) : PV_OK;

    o->changed = true;
    if (rc != PV_OK || (o->options && o->options->dry_run))
        return rc;
    rc = tx_row_delete(tx, o->kind, &o->id, err);
    return rc == PV_OK ? tell(o, tx, row, "gone", 0, NULL, err) : rc;
}

static int own_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct own_change *o = arg;
    const struct kind_info *k = &o->core->kinds[o->kind];
    struct arena *a = tx_arena(tx);
    struct model_row *row;
    int rc = events_begin(&o->events, tx, err);

    if (rc == PV_OK && o->create) {
        rc = create_row(o, tx, a, err);
        return rc == PV_OK ? core_put_idempotency(tx, o->options, o->kind, &o->id, err) : rc;
    }
    if (rc == PV_OK)
        rc = tx_rows_get(tx, o->kind, &o->id, 1, false, a, &row, err);
    if (rc == PV_OK && !row)
        rc = pv_fail(err, PV_ENOENT, "there is no such %s", k->kind->name);
    if (rc == PV_OK)
        rc = core_check_version(o->options, (uint64_t)model_number(row, (unsigned)k->version), err);
    if (rc == PV_OK)
        rc = o->remove ? remove_row(o, tx, row, a, err) : change_row(o, tx, row, a, err);
    return rc;
}

static int run(struct own_change *o, struct pv_err *err)
{
    int rc;

    events_init(&o->events, o->core);
    rc = store_write(o->core->store, own_tx, o, err);
    events_free(&o->events);
    return rc;
}

int core_object_patch(struct core *c, const struct core_actor *by, enum pv_kind kind,
                      const struct pv_id *id, const json_t *patch, const struct core_options *o,
                      bool *changed, struct pv_err *err)
{
    struct own_change ch = { .core = c, .by = by, .options = o, .kind = kind, .id = *id,
                             .patch = patch };
    int rc;

    if ((unsigned)kind >= KINDS || !c->kinds[kind].kind || c->kinds[kind].tags < 0)
        return pv_fail(err, PV_ENOTSUP, "nothing of this can be changed here");
    rc = run(&ch, err);
    if (rc == PV_OK)
        *changed = ch.changed;
    return rc;
}

static int make(struct core *c, const struct core_actor *by, enum pv_kind kind, const json_t *body,
                const struct core_options *o, struct pv_id *id, struct pv_err *err)
{
    struct own_change ch = { .core = c, .by = by, .options = o, .kind = kind, .patch = body,
                             .create = true };
    int rc;

    id_make(&ch.id);
    if (o && o->dry_run)
        return PV_OK;
    rc = run(&ch, err);
    if (rc == PV_OK)
        *id = ch.id;
    return rc;
}

static int alter(struct core *c, const struct core_actor *by, enum pv_kind kind,
                 const struct pv_id *id, const json_t *patch, bool remove,
                 const struct core_options *o, struct pv_err *err)
{
    struct own_change ch = { .core = c, .by = by, .options = o, .kind = kind, .id = *id,
                             .patch = patch, .remove = remove };

    return run(&ch, err);
}

int core_folder_create(struct core *c, const struct core_actor *by, const json_t *body,
                       const struct core_options *o, struct pv_id *id, struct pv_err *err)
{
    return make(c, by, PV_KIND_folder, body, o, id, err);
}

int core_folder_change(struct core *c, const struct core_actor *by, const struct pv_id *id,
                       const json_t *patch, const struct core_options *o, struct pv_err *err)
{
    return alter(c, by, PV_KIND_folder, id, patch, false, o, err);
}

int core_folder_delete(struct core *c, const struct core_actor *by, const struct pv_id *id,
                       const struct core_options *o, struct pv_err *err)
{
    return alter(c, by, PV_KIND_folder, id, NULL, true, o, err);
}

int core_tag_create(struct core *c, const struct core_actor *by, const json_t *body,
                    const struct core_options *o, struct pv_id *id, struct pv_err *err)
{
    return make(c, by, PV_KIND_tag, body, o, id, err);
}

int core_tag_change(struct core *c, const struct core_actor *by, const struct pv_id *id,
                    const json_t *patch, const struct core_options *o, struct pv_err *err)
{
    return alter(c, by, PV_KIND_tag, id, patch, false, o, err);
}

int core_tag_delete(struct core *c, const struct core_actor *by, const struct pv_id *id,
                    const struct core_options *o, struct pv_err *err)
{
    return alter(c, by, PV_KIND_tag, id, NULL, true, o, err);
}
