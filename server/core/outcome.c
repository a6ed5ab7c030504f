/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/outcome.h"

#include <stdlib.h>
#include <string.h>

#include "server/core/args.h"
#include "server/core/expiry.h"

#define LIKE_MAX 1000 /* objects of one name that are looked through */

/* ---------------------------------------------------------------- did it happen? */

static int decide_power(const struct task *t, const struct model_row *row)
{
    int64_t now = model_number(row, F(vm, power_state));
    int64_t activity = model_number(row, F(vm, activity));

    /* What we show ourselves does not count. */
    if ((activity != PV_ACTIVITY_NONE && activity != (int64_t)t->op->activity) ||
        now == PV_POWER_STATE_UNKNOWN)
        return -1;
    /* An operation that ends where it began leaves no trace in the state. */
    if (t->op->from & (1u << (t->op->target - 1)))
        return -1;
    /* Guests take their time. */
    if (t->op->activity == PV_ACTIVITY_SHUTTING_DOWN && now != (int64_t)t->op->target)
        return -1;
    return now == (int64_t)t->op->target;
}

/* Is there one of this name that was not there before? *made: the last of *n. */
static int find_by_name(const struct task *t, const json_t *params, struct arena *a, struct pv_id *made, size_t *found)
{
    struct core *c = t->core;
    const struct kind_info *k = &c->kinds[t->op->result];
    const char *wanted = json_string_value(json_object_get(params, "name"));
    bool child = k->child >= 0;
    struct model_value key = child ? value_ref(&t->subject) : value_text(wanted);
    struct pv_id *ids;
    size_t n;

    if (k->name < 0 || !wanted ||
        store_find(c->store, t->op->result, (unsigned)(child ? k->owner : k->name), &key, LIKE_MAX,
                   a, &ids, &n, NULL) != PV_OK)
        return -1;
    for (size_t i = 0; i < n; i++) {
        struct model_row *row;

        if (store_row_get(c->store, k->shape, &ids[i], a, &row, NULL) == PV_OK &&
            str_eq(model_text(row, (unsigned)k->name), wanted) &&
            model_number(row, (unsigned)k->created_at) >= t->started_ms &&
            (k->provider < 0 || !t->provider ||
             id_eq(&model_get(row, (unsigned)k->provider)->id, &t->provider->id))) {
            *made = ids[i];
            (*found)++;
        }
    }
    return *found > 0;
}

static int decide_made(const struct task *t, const json_t *params, struct arena *a)
{
    struct pv_id made;
    size_t found = 0;

    return find_by_name(t, params, a, &made, &found);
}

static int decide_moved(const json_t *params, const struct model_row *row)
{
    const char *host = json_string_value(json_object_get(params, "host"));
    const struct model_kind *kind;
    struct pv_id id;

    /* Where the disks are is not told by a single field. */
    if (!host || !model_id_parse(host, strlen(host), &kind, &id))
        return -1;
    return id_eq(&model_get(row, F(vm, host))->id, &id);
}

int outcome_decide(const struct task *t)
{
    struct core *c = t->core;
    const struct kind_info *k = &c->kinds[t->kind];
    PV_AUTO(arena_free_p) struct arena *a = arena_new(16384, 8u << 20);
    PV_AUTO(json_decref_p) json_t *params = json_loads(t->params, 0, NULL);
    struct model_row *row;
    int rc;

    if (!a)
        return -1;
    if (t->op->result != PV_KIND_NONE)
        return decide_made(t, params, a);
    rc = store_row_get(c->store, k->shape, &t->subject, a, &row, NULL);
    if (t->op->removes)
        return rc == PV_ENOENT ? 1
               : rc != PV_OK   ? -1
                               : k->presence >= 0 &&
                                   model_number(row, (unsigned)k->presence) == PV_PRESENCE_GONE;
    if (rc != PV_OK)
        return -1;
    if (t->op->sets) {
        bool differ = true, known;

        json_decref(args_before(t->op->params, row, params, &differ, &known));
        return !differ;
    }
    if (t->op->goal)
        return subject_goal(t->op, row);
    if (str_eq(t->op->name, "vm.move"))
        return decide_moved(params, row);
    return t->kind == PV_KIND_vm && t->op->target != PV_POWER_STATE_UNKNOWN ? decide_power(t, row)
                                                                            : -1;
}

bool outcome_arrived(const struct task *t)
{
    const struct kind_info *k = &t->core->kinds[t->kind];
    PV_AUTO(arena_free_p) struct arena *a = NULL;
    struct model_row *row;

    if (!t->other || !str_eq(t->op->name, "vm.move"))
        return true;
    a = arena_new(16384, 8u << 20);
    return a && store_row_get(t->core->store, k->shape, &t->subject, a, &row, NULL) == PV_OK &&
           id_eq(&model_get(row, (unsigned)k->provider)->id, &t->other->id);
}

/* ---------------------------------------------------------------- what was made */

static bool find_made(const struct task *t, const json_t *object, struct arena *a,
                      enum pv_kind *kind, struct pv_id *id, const char **name)
{
    struct core *c = t->core;
    const char *word = json_string_value(json_object_get(object, "kind"));
    const char *native = json_string_value(json_object_get(object, "native_id"));
    const struct model_kind *m = word ? model_kind_by_name(word) : NULL;
    const struct provider *p =
        json_is_true(json_object_get(object, "abroad")) ? t->other : t->provider;
    const struct kind_info *k;
    struct model_value key = value_text(native);
    struct pv_id *ids;
    size_t n;

    if (!m || !native || !(m->flags & MODEL_SYNCED) || !p)
        return false;
    k = &c->kinds[m->number];
    /* Native ids of devices are unique within their owner alone. */
    if (k->child >= 0)
        key = value_ref(&t->subject);
    if (store_find(c->store, m->number, (unsigned)(k->child >= 0 ? k->owner : k->native_id), &key,
                   LIKE_MAX, a, &ids, &n, NULL) != PV_OK)
        return false;
    for (size_t i = 0; i < n; i++) {
        struct model_row *row;

        if (store_row_get(c->store, k->shape, &ids[i], a, &row, NULL) != PV_OK ||
            !str_eq(model_text(row, (unsigned)k->native_id), native) ||
            !id_eq(&model_get(row, (unsigned)k->provider)->id, &p->id))
            continue;
        *kind = m->number;
        *id = ids[i];
        *name = model_text(row, (unsigned)(k->name >= 0 ? k->name : k->native_id));
        return true;
    }
    return false;
}

int outcome_subject(const struct task *t, struct pv_id *out, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(16384, 8u << 20);
    PV_AUTO(json_decref_p) json_t *result = t->result ? json_loads(t->result, 0, NULL) : NULL;
    PV_AUTO(json_decref_p) json_t *params = json_loads(t->params, 0, NULL);
    const char *text = json_string_value(json_object_get(json_object_get(result, "ref"), "id"));
    const struct model_kind *kind;
    size_t found = 0;

    if (t->op->result == PV_KIND_NONE) {
        *out = t->subject;
        return PV_OK;
    }
    if (text && model_id_parse(text, strlen(text), &kind, out) && kind->number == t->op->result)
        return PV_OK;
    /* Nothing of ours to be put on it. */
    *out = (struct pv_id){ { 0 } };
    if (!own_params_given(t->op, params))
        return PV_OK;
    if (a && find_by_name(t, params, a, out, &found) == 1 && found == 1)
        return PV_OK;
    return pv_fail(err, PV_ENOENT, "it cannot be told which snapshot was made");
}

static char *dump(const json_t *json)
{
    return json ? json_dumps(json, JSON_COMPACT) : NULL;
}

/* As a user would ask for it. */
static json_t *undo_of_driver(const struct task *t, const json_t *undo)
{
    const char *name = json_string_value(json_object_get(undo, "operation"));
    const struct model_operation *op = name ? model_operation(name) : NULL;
    json_t *args = json_object_get(undo, "args");
    char id[PV_ID_TEXT];

    if (!op || op->core || op->live || op->place || op->kind != t->kind)
        return NULL;
    if (op->params && model_params_check(op->params, args, "", NULL) != PV_OK)
        return NULL;
    model_id_text(t->kind, &t->subject, id);
    return json_pack("{s:s, s:{s:s, s:s, s:s}, s:o}", "operation", name, "ref", "kind",
                     model_kind(t->kind)->name, "id", id, "name", t->name, "params",
                     args ? json_incref(args) : json_object());
}

void outcome_complete(struct task *t)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(16384, 8u << 20);
    PV_AUTO(json_decref_p) json_t *result = t->result ? json_loads(t->result, 0, NULL) : NULL;
    PV_AUTO(json_decref_p) json_t *undo = NULL;
    const json_t *object = json_object_get(result, "object");
    enum pv_kind kind;
    const char *name;
    struct pv_id id;
    char *text;

    if (!a || !result)
        return;
    if (object && find_made(t, object, a, &kind, &id, &name)) {
        char text_id[PV_ID_TEXT];

        model_id_text(kind, &id, text_id);
        json_object_set_new(result, "ref",
                            json_pack("{s:s, s:s, s:s}", "kind", model_kind(kind)->name, "id",
                                      text_id, "name", name));
        if (kind == t->op->result)
            undo = plan_undo_made(t->op, &id, name);
    }
    if (json_object_get(result, "undo")) {
        json_decref(undo);
        undo = undo_of_driver(t, json_object_get(result, "undo"));
        json_object_del(result, "undo");
    }
    text = dump(result);
    if (text) {
        free(t->result);
        t->result = text;
    }
    free(t->undo);
    t->undo = dump(undo);
}
