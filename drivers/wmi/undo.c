/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/wmi/undo.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/clock.h>
#include <polyvisor/str.h>

#include "drivers/wmi/op.h"

#define TEXT_MOST 16384u
#define MADE_MOST 256u

/* ------------------------------------------------------------------ the journal */

int journal_new(struct journal *j, struct pv_err *err)
{
    j->root = json_pack("{s:I, s:[], s:{}, s:[]}", "t", (json_int_t)clock_wall_ms(), "d", "n", "m");
    return j->root ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory");
}

int journal_parse(struct journal *j, const char *text, struct pv_err *err)
{
    j->root = json_loads(text, 0, NULL);
    if (!json_is_object(j->root))
        return pv_fail(err, PV_EUNKNOWN, "what was done before the restart was not kept whole");
    if (!json_is_object(json_object_get(j->root, "n")))
        json_object_set_new(j->root, "n", json_object());
    if (!json_is_array(json_object_get(j->root, "m")))
        json_object_set_new(j->root, "m", json_array());
    if (!json_is_array(json_object_get(j->root, "d")))
        json_object_set_new(j->root, "d", json_array());
    return PV_OK;
}

void journal_free(struct journal *j)
{
    json_decref(j->root);
    j->root = NULL;
}

/* All but the mark, without which nobody knows what is ours. */
static bool shorten_notes(json_t *notes)
{
    const char *key;
    json_t *value;
    void *next;

    json_object_foreach_safe(notes, next, key, value)
    {
        if (strcmp(key, "mark") != 0)
            return json_object_del(notes, key) == 0;
    }
    return false;
}

/* Files are what can be found again by other means (they hang on the VM), so they go first. */
static bool shorten(json_t *root)
{
    json_t *made = json_object_get(root, "m"), *notes = json_object_get(root, "n");
    size_t n = json_array_size(made);

    for (size_t i = 0; i < n; i++) {
        const char *text = json_string_value(json_array_get(made, i));

        if (text && text[0] == UNDO_FILE)
            return json_array_remove(made, i) == 0;
    }
    if (n > 1) /* the first one is what holds the others */
        return json_array_remove(made, n - 1) == 0;
    return shorten_notes(notes);
}

char *journal_text(const struct journal *j)
{
    char *text = json_dumps(j->root, JSON_COMPACT);
    json_t *copy = NULL;

    if (text && strlen(text) <= TEXT_MOST - 1)
        return text;
    copy = json_deep_copy(j->root);
    while (text && strlen(text) > TEXT_MOST - 1) {
        free(text);
        text = copy && shorten(copy) ? json_dumps(copy, JSON_COMPACT) : NULL;
    }
    json_decref(copy);
    return text;
}

void journal_note(struct journal *j, const char *key, const char *value)
{
    json_t *notes = json_object_get(j->root, "n");

    if (value && *value)
        json_object_set_new(notes, key, json_string(value));
    else
        json_object_del(notes, key);
}

const char *journal_get(const struct journal *j, const char *key)
{
    return json_string_value(json_object_get(json_object_get(j->root, "n"), key));
}

void journal_step(struct journal *j, const char *step, const char *job)
{
    json_object_set_new(j->root, "s", json_string(step));
    if (job)
        json_object_set_new(j->root, "j", json_string(job));
    else
        json_object_del(j->root, "j");
    if (!job)
        json_object_set_new(j->root, "a", json_integer((json_int_t)clock_wall_ms()));
}

const char *journal_step_of(const struct journal *j)
{
    return json_string_value(json_object_get(j->root, "s"));
}

const char *journal_job(const struct journal *j)
{
    return json_string_value(json_object_get(j->root, "j"));
}

int64_t journal_began(const struct journal *j)
{
    return json_integer_value(json_object_get(j->root, "t"));
}

int64_t journal_step_began(const struct journal *j)
{
    return json_integer_value(json_object_get(j->root, "a"));
}

bool journal_is_done(const struct journal *j, const char *step)
{
    json_t *item;
    size_t i;

    json_array_foreach(json_object_get(j->root, "d"), i, item)
    {
        if (str_eq(json_string_value(item), step))
            return true;
    }
    return false;
}

void journal_step_done(struct journal *j, const char *step)
{
    if (!journal_is_done(j, step))
        json_array_append_new(json_object_get(j->root, "d"), json_string(step));
}

/* ------------------------------------------------------------------ what was made */

static json_t *made_of(const struct op *o)
{
    return json_object_get(o->journal.root, "m");
}

bool undo_has(const struct op *o, enum undo_kind kind, const char *id)
{
    json_t *item;
    size_t i;

    json_array_foreach(made_of(o), i, item)
    {
        const char *text = json_string_value(item);

        if (text && text[0] == (char)kind && text[1] == ':' && op_same(text + 2, id))
            return true;
    }
    return false;
}

const char *undo_nth(const struct op *o, enum undo_kind kind, unsigned n)
{
    json_t *item;
    size_t i;

    json_array_foreach(made_of(o), i, item)
    {
        const char *text = json_string_value(item);

        if (text && text[0] == (char)kind && text[1] == ':' && n-- == 0)
            return text + 2;
    }
    return NULL;
}

void undo_made(struct op *o, enum undo_kind kind, const char *id)
{
    char head[3] = { (char)kind, ':', '\0' };

    if (o->dry_run || !id || undo_has(o, kind, id) || json_array_size(made_of(o)) >= MADE_MOST)
        return;
    json_array_append_new(made_of(o), json_sprintf("%s%s", head, id));
}

void undo_forget(struct op *o, enum undo_kind kind, const char *id)
{
    json_t *item;
    size_t i;

    json_array_foreach(made_of(o), i, item)
    {
        const char *text = json_string_value(item);

        if (text && text[0] == (char)kind && text[1] == ':' && op_same(text + 2, id)) {
            json_array_remove(made_of(o), i);
            return;
        }
    }
}

void undo_restore(struct op *o, const char *what, const struct cim_ref *on,
                  const struct cim_instance *in,
                  int (*look)(struct op *o, void *ctx, bool *there, struct pv_err *err), void *ctx)
{
    struct undo_call *u = arena_alloc(o->a, sizeof(*u));

    if (o->dry_run || !u || !on || !in)
        return;
    u->after = json_array_size(made_of(o));
    u->what = what;
    u->on = on;
    u->in = in;
    u->look = look;
    u->ctx = ctx;
    u->next = o->journal.restore;
    o->journal.restore = u;
}

void undo_keep(struct op *o)
{
    json_array_clear(made_of(o));
    o->journal.restore = NULL;
}

/* ------------------------------------------------------------------ taking back */

struct gone {
    const struct cim_ref *ref;
};

static int is_gone(struct op *o, void *ctx, bool *there, struct pv_err *err)
{
    struct gone *g = ctx;
    struct cim_instance *found;
    int rc = wsman_get(o->w->client, &o->c, g->ref, o->a, &found, err);

    if (rc && rc != PV_ENOENT)
        return rc;
    *there = rc == PV_ENOENT;
    return PV_OK;
}

static int send_back(struct op *o, const char *what, const struct cim_class *service,
                     struct cim_instance *in, const struct cim_ref *ref, struct pv_err *err)
{
    struct gone g = { ref };
    struct op_step s = { .key = "undo", .what = what, .in = in, .look = is_gone, .ctx = &g };
    bool gone = false;
    int rc = is_gone(o, &g, &gone, err);

    if (rc || gone)
        return rc;
    rc = op_service(o, service, &s.on, err);
    return rc ? rc : op_do(o, &s, NULL, err);
}

static int take_system(struct op *o, const struct cim_ref *ref, const struct cim_class *service,
                       struct pv_err *err)
{
    struct cim_instance *in;

    if (service == CIM(Msvm_VirtualEthernetSwitchManagementService)) {
        in = cim_call(o->a, M(Msvm_VirtualEthernetSwitchManagementService, DestroySystem));
        cim_set_ref(
            in, A(Msvm_VirtualEthernetSwitchManagementService, DestroySystem, AffectedSystem), ref);
    } else {
        in = cim_call(o->a, M(Msvm_VirtualSystemManagementService, DestroySystem));
        cim_set_ref(in, A(Msvm_VirtualSystemManagementService, DestroySystem, AffectedSystem), ref);
    }
    return send_back(o, "taking back what was made", service, in, ref, err);
}

static int take_resource(struct op *o, const char *id, struct pv_err *err)
{
    struct cim_instance *in =
        cim_call(o->a, M(Msvm_VirtualSystemManagementService, RemoveResourceSettings));
    const struct cim_class *cls = CIM(Msvm_ResourceAllocationSettingData);
    const char *colon = strchr(id, '|');
    const struct cim_ref *ref;

    /* "Class|InstanceID" for those that are no plain resource settings */
    if (colon) {
        const char *name = arena_text(o->a, id, (size_t)(colon - id));
        const struct cim_class *named = name ? cim_class_find(CIM_NS_VIRTUALIZATION, name) : NULL;

        cls = named ? named : cls;
        id = colon + 1;
    }
    ref = op_by_id(o, cls, id);
    cim_add_ref(
        in, A(Msvm_VirtualSystemManagementService, RemoveResourceSettings, ResourceSettings), ref);
    return send_back(o, "taking back what was made", CIM(Msvm_VirtualSystemManagementService), in,
                     ref, err);
}

static int take_switch(struct op *o, const char *guid, struct pv_err *err)
{
    struct cim_ref *ref = cim_ref_new(o->a, CIM(Msvm_VirtualEthernetSwitch));

    cim_ref_add(ref, P(Msvm_VirtualEthernetSwitch, CreationClassName),
                "Msvm_VirtualEthernetSwitch");
    cim_ref_add(ref, P(Msvm_VirtualEthernetSwitch, Name), guid);
    return take_system(o, ref, CIM(Msvm_VirtualEthernetSwitchManagementService), err);
}

static int take_made(struct op *o, const char *text, struct pv_err *err)
{
    const char *id = text + 2;

    switch ((enum undo_kind)text[0]) {
    case UNDO_FILE:
        return op_file_delete(o, id, err);
    case UNDO_RESOURCE:
        return take_resource(o, id, err);
    case UNDO_VM:
        return take_system(o, op_vm_ref(o, id), CIM(Msvm_VirtualSystemManagementService), err);
    case UNDO_PLANNED:
        return take_system(o, op_planned_ref(o, id), CIM(Msvm_VirtualSystemManagementService), err);
    case UNDO_SWITCH:
        return take_switch(o, id, err);
    case UNDO_TODO:
        break;
    }
    return PV_OK;
}

static int put_back(struct op *o, const struct undo_call *u, struct pv_err *err)
{
    struct op_step s = {
        .key = "undo", .what = u->what, .on = u->on, .in = u->in, .look = u->look, .ctx = u->ctx
    };

    return op_do(o, &s, NULL, err);
}

static bool is_away(int rc)
{
    return rc == PV_EOFFLINE || rc == PV_EAUTH || rc == PV_ECERT || rc == PV_ETIMEOUT ||
           rc == PV_EUNKNOWN;
}

static enum undo_end take_all(struct op *o)
{
    json_t *made = made_of(o);
    enum undo_end end = UNDO_WHOLE;

    while (json_array_size(made) > 0 || o->journal.restore) {
        size_t n = json_array_size(made);
        struct undo_call *u = o->journal.restore;
        const char *text = n ? json_string_value(json_array_get(made, n - 1)) : NULL;
        bool settings = u && u->after >= n;
        struct pv_err err = { 0 };
        int rc = settings ? put_back(o, u, &err) : text ? take_made(o, text, &err) : PV_OK;

        if (is_away(rc))
            return UNDO_LATER;
        if (rc) {
            wmi_log(o->w, PV_LOG_LEVEL_WARN, "%s: cannot take back %s: %s", o->def->name,
                    settings ? u->what : text, err.message);
            end = UNDO_PARTLY;
        }
        if (settings)
            o->journal.restore = u->next;
        else
            json_array_remove(made, n - 1);
    }
    return end;
}

enum undo_end undo_run(struct op *o)
{
    bool was_finishing = o->c.must_finish;
    enum undo_end end;

    o->c.must_finish = true;
    o->resumed = false;
    end = take_all(o);
    o->c.must_finish = was_finishing;
    return end;
}
