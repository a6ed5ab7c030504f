/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of our own whose members are plain fields: saved views, rules of
 * alerts, channels. One way to make, change and delete them all; what is particular to a
 * kind stands in its record_rules.
 */
#include "server/core/records.h"

#include <stdlib.h>
#include <string.h>

#define LIST_BYTES 65536
#define REFS_MAX 200

struct record_change {
    struct core *core;
    const struct record_rules *rules;
    const struct core_actor *by;
    const struct core_options *options;
    const void *who;
    const json_t *body;
    struct pv_id id;
    bool create, remove;
    bool changes;               /* it would change, or has changed something */
    bool rehearsed;             /* everything held, and was taken back */
    struct event_set events;
};

static int refuse(struct pv_err *err, const struct model_field *f, const char *what)
{
    int rc = pv_fail(err, PV_EINVAL, "%s: %s", f->path, what);

    pv_err_pointer(err, "/%s", f->path);
    return rc;
}

static int list_value(const struct model_field *f, const json_t *list, struct arena *a,
                      struct model_value *out, struct pv_err *err)
{
    struct buf text;
    const json_t *one;
    size_t i;

    if (!json_is_array(list) || json_array_size(list) > f->max)
        return refuse(err, f, "it must be a list of texts, and not too long");
    buf_init(&text, LIST_BYTES);
    json_array_foreach (list, i, one) {
        const char *word = json_string_value(one);

        if (!word || !*word || strchr(word, '\n')) {
            buf_free(&text);
            return refuse(err, f, "it must be a list of texts");
        }
        buf_printf(&text, i == 0 ? "\n%s\n" : "%s\n", word);
    }
    *out = value_text(buf_ok(&text) ? arena_text(a, text.data ? text.data : "", text.len) : NULL);
    buf_free(&text);
    return out->set ? PV_OK : refuse(err, f, "it is too long");
}

static int ref_id(const struct model_field *f, const json_t *v, struct pv_id *out, struct pv_err *err)
{
    const char *text = json_string_value(json_is_object(v) ? json_object_get(v, "id") : v);

    if (!text || !id_parse(model_kind(f->ref)->prefix, text, strlen(text), out))
        return refuse(err, f, "it must be an id");
    return PV_OK;
}

static int ref_value(const struct model_field *f, const json_t *v, struct model_value *out, struct pv_err *err)
{
    struct pv_id id;
    int rc = ref_id(f, v, &id, err);

    if (rc == PV_OK)
        *out = value_ref(&id);
    return rc;
}

static int compare_refs(const void *a, const void *b)
{
    const struct model_ref *x = a, *y = b;

    return memcmp(x->id.b, y->id.b, sizeof(x->id.b));
}

static int refs_value(const struct model_field *f, const json_t *list, struct arena *a, struct model_value *out,
                      struct pv_err *err)
{
    size_t n = json_array_size(list), kept = 0;
    struct model_ref *refs;

    if (!json_is_array(list) || n > REFS_MAX)
        return refuse(err, f, "it must be a list of ids, and not too long");
    refs = arena_alloc(a, (n + 1) * sizeof(*refs));
    if (!refs)
        return pv_fail(err, PV_ENOMEM, "no memory for a record");
    for (size_t i = 0; i < n; i++) {
        int rc = ref_id(f, json_array_get(list, i), &refs[i].id, err);

        if (rc != PV_OK)
            return rc;
        refs[i].name = NULL;
    }
    qsort(refs, n, sizeof(*refs), compare_refs);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || !id_eq(&refs[kept - 1].id, &refs[i].id))
            refs[kept++] = refs[i];
    *out = (struct model_value){ .set = true, .refs = refs, .len = kept };
    return PV_OK;
}

static int text_value(const struct model_field *f, const char *text, struct arena *a, struct model_value *out,
                      struct pv_err *err)
{
    if (!text)
        return refuse(err, f, "it must be a text");
    if (strlen(text) > f->max)
        return refuse(err, f, "it is too long");
    *out = value_text(arena_strdup(a, text));
    return PV_OK;
}

static int value_of(const struct model_field *f, const json_t *v, struct arena *a, struct model_value *out,
                    struct pv_err *err)
{
    int64_t number;

    *out = value_null();
    if (json_is_null(v))
        return PV_OK;
    switch (f->type) {
    case MODEL_STR:
        return text_value(f, json_string_value(v), a, out, err);
    case MODEL_LIST:
        return list_value(f, v, a, out, err);
    case MODEL_JSON:
        return text_value(f, core_json_text(a, v), a, out, err);
    case MODEL_BOOL:
        *out = value_number(json_is_true(v));
        return json_is_boolean(v) ? PV_OK : refuse(err, f, "it must be true or false");
    case MODEL_U64:
        *out = value_number(json_integer_value(v));
        return json_is_integer(v) && json_integer_value(v) >= 0 ? PV_OK : refuse(err, f, "it must be a number");
    case MODEL_ENUM:
        number = json_is_string(v) ? model_enum_value(f->enum_id, json_string_value(v), json_string_length(v)) : -1;
        *out = value_number(number);
        return number >= 0 ? PV_OK : refuse(err, f, "there is no such value");
    case MODEL_REF:
        return ref_value(f, v, out, err);
    case MODEL_TIME:
        *out = value_number(0);
        return json_is_string(v) && clock_parse(json_string_value(v), json_string_length(v), &out->number)
                   ? PV_OK
                   : refuse(err, f, "a time: 2026-01-31T12:00:00Z");
    case MODEL_REFS:
        return refs_value(f, v, a, out, err);
    }
    return refuse(err, f, "it cannot be set");
}

/* The members of the body are fields; params of the route have checked their names. */
static int set_members(struct record_change *ch, struct row_diff *d, struct arena *a, struct pv_err *err)
{
    const char *name;
    json_t *v;
    int rc = PV_OK;

    json_object_foreach ((json_t *)ch->body, name, v) {
        const struct model_field *f = model_field(d->row->kind, name, strlen(name));
        struct model_value value;

        if (!f)
            return pv_fail_as(err, "unknown-field", "%s is no field of a %s", name, d->row->kind->name);
        rc = value_of(f, v, a, &value, err);
        if (rc != PV_OK)
            return rc;
        /* Sealed or not: what is secret is in no event. */
        if (f->flags & MODEL_SECRET)
            diff_set_quiet(d, f->index, &value);
        else
            diff_set(d, f->index, &value);
    }
    return rc;
}

static int tell(struct record_change *ch, struct store_tx *tx, const struct model_row *row, const char *what,
                uint64_t version, const char *changes, struct pv_err *err)
{
    const struct kind_info *k = &ch->core->kinds[row->kind->number];
    char type[64];
    struct event_draft e = { .type = type, .kind = row->kind->number, .subject = row->id,
                             .name = k->name >= 0 ? model_text(row, (unsigned)k->name) : "",
                             .object_version = version, .changes = changes };

    event_by(&e, ch->by);
    snprintf(type, sizeof(type), "%s.%s", row->kind->name, what);
    return events_add(&ch->events, tx, &e, err);
}

static int check(struct record_change *ch, struct store_tx *tx, struct row_diff *d, struct arena *a,
                 struct pv_err *err)
{
    struct record_check c = { .core = ch->core, .tx = tx, .arena = a, .by = ch->by, .who = ch->who,
                              .created = ch->create, .removed = ch->remove };

    return ch->rules->check ? ch->rules->check(&c, d, err) : PV_OK;
}

static int create(struct record_change *ch, struct store_tx *tx, struct arena *a, struct pv_err *err)
{
    const struct kind_info *k = &ch->core->kinds[ch->rules->kind];
    struct model_row *row = model_row_new(a, ch->rules->kind);
    int64_t now = clock_wall_ms();
    struct row_diff d;
    int rc;

    if (!row)
        return pv_fail(err, PV_ENOMEM, "no memory for a row");
    row->id = ch->id;
    rc = diff_init(&d, row, false, a, err);
    if (rc == PV_OK)
        rc = set_members(ch, &d, a, err);
    if (rc == PV_OK)
        rc = check(ch, tx, &d, a, err);
    diff_free(&d);
    if (rc != PV_OK)
        return rc;
    model_set_number(row, (unsigned)k->created_at, now);
    model_set_number(row, (unsigned)k->updated_at, now);
    model_set_number(row, (unsigned)k->version, 1);
    rc = tx_row_insert(tx, row, err);
    /* What comes with the product is no news. */
    if (rc == PV_OK && ch->by->type != PV_ACTOR_TYPE_SYSTEM)
        rc = tell(ch, tx, row, "created", 1, NULL, err);
    return rc == PV_OK ? core_put_idempotency(tx, ch->options, ch->rules->kind, &ch->id, err) : rc;
}

static int change(struct record_change *ch, struct store_tx *tx, struct model_row *row, struct arena *a,
                  struct pv_err *err)
{
    const struct kind_info *k = &ch->core->kinds[ch->rules->kind];
    struct row_diff d;
    uint64_t version;
    int rc = diff_init(&d, row, true, a, err);

    if (rc != PV_OK)
        return rc;
    if (ch->body)
        rc = set_members(ch, &d, a, err);
    if (rc == PV_OK)
        rc = check(ch, tx, &d, a, err);
    ch->changes = ch->remove || d.n > 0;
    if (rc == PV_OK && ch->remove) {
        rc = tx_row_delete(tx, ch->rules->kind, &ch->id, err);
        if (rc == PV_OK)
            rc = tell(ch, tx, row, "gone", 0, NULL, err);
    } else if (rc == PV_OK && d.n > 0) {
        const char *changes = diff_changes(&d, a);

        rc = diff_write(&d, tx, k, clock_wall_ms(), &version, err);
        if (rc == PV_OK)
            rc = tell(ch, tx, row, "updated", version, changes, err);
    }
    diff_free(&d);
    return rc;
}

static int in_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct record_change *ch = arg;
    struct arena *a = tx_arena(tx);
    struct model_row *row = NULL;
    int rc = events_begin(&ch->events, tx, err);

    if (rc != PV_OK || ch->create)
        return rc == PV_OK ? create(ch, tx, a, err) : rc;
    rc = tx_rows_get(tx, ch->rules->kind, &ch->id, 1, false, a, &row, err);
    if (rc == PV_OK && !row)
        rc = pv_fail(err, PV_ENOENT, "there is no such %s", model_kind(ch->rules->kind)->name);
    if (rc == PV_OK)
        rc = core_check_version(ch->options,
                                (uint64_t)model_number(row, (unsigned)ch->core->kinds[ch->rules->kind].version), err);
    return rc == PV_OK ? change(ch, tx, row, a, err) : rc;
}

/* A rehearsal does it all, and then fails: the transaction takes its own work back. */
static int maybe_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct record_change *ch = arg;
    int rc = in_tx(tx, arg, err);

    ch->rehearsed = rc == PV_OK && ch->options && ch->options->dry_run;
    return ch->rehearsed ? PV_ECANCELED : rc;
}

static int run(struct record_change *ch, struct pv_err *err)
{
    int rc;

    events_init(&ch->events, ch->core);
    rc = store_write(ch->core->store, maybe_tx, ch, err);
    events_free(&ch->events);
    return ch->rehearsed ? PV_OK : rc;
}

int record_create(struct core *c, const struct record_rules *rules, const struct core_actor *by, const void *who,
                  const json_t *body, const struct core_options *o, struct pv_id *id, struct pv_err *err)
{
    struct record_change ch = { .core = c, .rules = rules, .by = by, .options = o, .who = who, .body = body,
                                .create = true };
    int rc;

    id_make(&ch.id);
    rc = run(&ch, err);
    if (rc == PV_OK)
        *id = ch.id;
    return rc;
}

int record_make(struct core *c, const struct record_rules *rules, const struct core_actor *by, const struct pv_id *id,
                const json_t *body, const struct core_options *o, struct pv_err *err)
{
    struct record_change ch = { .core = c, .rules = rules, .by = by, .options = o, .body = body, .create = true,
                                .id = *id };

    return run(&ch, err);
}

int record_alter(struct core *c, const struct record_rules *rules, const struct core_actor *by, const struct pv_id *id,
                 const json_t *body, const struct core_options *o, bool *changed, struct pv_err *err)
{
    struct record_change ch = { .core = c, .rules = rules, .by = by, .options = o, .body = body, .id = *id,
                                .remove = body == NULL };
    int rc = run(&ch, err);

    if (rc == PV_OK)
        *changed = ch.changes;
    return rc;
}

int record_change(struct core *c, const struct record_rules *rules, const struct core_actor *by, const void *who,
                  const struct pv_id *id, const json_t *body, const struct core_options *o, struct pv_err *err)
{
    struct record_change ch = { .core = c, .rules = rules, .by = by, .options = o, .who = who, .body = body,
                                .id = *id, .remove = body == NULL };

    return run(&ch, err);
}
