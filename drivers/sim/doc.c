/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/sim/doc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/model.h>
#include <polyvisor/records.h>

#include "drivers/sdk/check.h"

#define ITEMS_MAX 64 /* of a list in a record */
#define PATH_CAP 128

const enum pv_kind sim_device_kinds[SIM_DEVICE_KINDS] = { PV_KIND_controller, PV_KIND_disk,
                                                          PV_KIND_nic, PV_KIND_cdrom };

json_t *sim_doc_new(void)
{
    json_t *doc = json_pack("{s:{}}", "fields");

    for (size_t i = 0; doc && i < SIM_DEVICE_KINDS; i++)
        json_object_set_new(doc, model_kind(sim_device_kinds[i])->plural, json_array());
    return doc;
}

const char *sim_doc_text(const json_t *fields, const char *path)
{
    const char *text = json_string_value(json_object_get(fields, path));

    return text ? text : "";
}

int64_t sim_doc_number(const json_t *fields, const char *path)
{
    return json_integer_value(json_object_get(fields, path));
}

/* ------------------------------------------------------------------ reading what the seed says */

static json_t *list_json(const char *text)
{
    json_t *out = json_array();
    const char *pos = text, *item;
    size_t len;

    while (out && sdk_list_next(&pos, &item, &len))
        json_array_append_new(out, json_stringn(item, len));
    return out;
}

static json_t *value_json(const struct sdk_batch *b, uint32_t i, const struct model_field *f)
{
    unsigned slot = (unsigned)f->slot;

    if (sdk_record_has(b, i, slot) == SDK_NULL)
        return json_null();
    switch (f->type) {
    case MODEL_BOOL:
        return json_boolean(sdk_record_number(b, i, slot) != 0);
    case MODEL_ENUM:
        return json_string(model_enum_text(f->enum_id, sdk_record_number(b, i, slot)));
    case MODEL_U64:
    case MODEL_TIME:
        return json_integer(sdk_record_number(b, i, slot));
    case MODEL_LIST:
    case MODEL_REFS:
        return list_json(sdk_record_text(b, i, slot, NULL));
    default:
        return json_string(sdk_record_text(b, i, slot, NULL));
    }
}

static json_t *record_json(const struct sdk_batch *b, uint32_t i)
{
    json_t *fields = json_object();

    for (size_t n = 0; fields && n < b->kind->nfields; n++) {
        const struct model_field *f = &b->kind->fields[n];

        if (f->slot >= 0 && sdk_record_has(b, i, (unsigned)f->slot) != SDK_UNKNOWN)
            json_object_set_new(fields, f->path, value_json(b, i, f));
    }
    return fields;
}

/* A host that keeps what it is given. */
static int capture_emit(void *ctx, const struct pv_batch *batch)
{
    json_t *doc = ctx;
    struct sdk_batch *b = NULL;
    json_t *list;

    if (sdk_batch_check(batch, NULL, &b, NULL) != PV_OK)
        return PV_EINVAL;
    list = json_object_get(doc, b->kind->plural);
    for (uint32_t i = 0; i < b->count; i++) {
        if (b->kind->number == PV_KIND_vm) {
            json_object_set_new(doc, "fields", record_json(b, i));
            json_object_set_new(doc, "native_id", json_string(sdk_record_native_id(b, i)));
            json_object_set_new(doc, "identity", json_string(sdk_record_identity(b, i)));
        } else if (list && *sdk_record_native_id(b, i)) {
            json_array_append_new(list, json_pack("{s:s, s:o}", "key", sdk_record_native_id(b, i),
                                                  "fields", record_json(b, i)));
        }
    }
    sdk_batch_free(b);
    return PV_OK;
}

static void capture_log(void *ctx, int level, const char *message)
{
    (void)ctx;
    (void)level;
    (void)message;
}

json_t *sim_doc_capture(struct sim_estate *e, uint32_t index)
{
    json_t *doc = sim_doc_new();
    struct pv_host host = {
        .size = sizeof(host), .ctx = doc, .log = capture_log, .emit = capture_emit
    };
    struct pv_builder *b = doc ? pv_builder_new(&host) : NULL;

    if (b) {
        sim_emit_vm(e, b, index, SIM_PART_ALL);
        if (pv_builder_send(b) == PV_OK) {
            pv_builder_free(b);
            return doc;
        }
        pv_builder_free(b);
    }
    json_decref(doc);
    return NULL;
}

json_t *sim_doc_of(struct sim_estate *e, uint32_t index)
{
    struct sim_vm_state *s = &e->vms[index];

    if (!s->doc)
        s->doc = json_pack("{s:{}}", "fields");
    return s->doc;
}

json_t *sim_doc_devices(struct sim_estate *e, uint32_t index, const struct model_kind *kind)
{
    json_t *doc = sim_doc_of(e, index), *all;

    if (!doc)
        return NULL;
    if (!json_object_get(doc, kind->plural)) {
        all = sim_doc_capture(e, index);
        if (!all)
            return NULL;
        json_object_set(doc, kind->plural, json_object_get(all, kind->plural));
        json_decref(all);
    }
    return json_object_get(doc, kind->plural);
}

/* ------------------------------------------------------------------ writing into it */

/* Both families' words are understood; each shows its own. */
static json_t *own_word(const struct sim_estate *e, const struct model_field *f, json_t *v)
{
    static const struct {
        enum pv_enum_id id;
        const char *hyperv, *vmware;
    } pairs[] = {
        { PV_ENUM_adapter, "synthetic", "vmxnet3" },
        { PV_ENUM_adapter, "legacy", "e1000" },
        { PV_ENUM_provisioning, "dynamic", "thin" },
        { PV_ENUM_provisioning, "fixed", "thick_eager" },
        { PV_ENUM_disk_format, "vhdx", "vmdk" },
    };
    const char *word = json_string_value(v);

    for (size_t i = 0; word && f->type == MODEL_ENUM && i < PV_COUNT(pairs); i++)
        if (pairs[i].id == f->enum_id &&
            (strcmp(word, pairs[i].hyperv) == 0 || strcmp(word, pairs[i].vmware) == 0))
            return json_string(sim_is_vmware(e) ? pairs[i].vmware : pairs[i].hyperv);
    return json_incref(v);
}

static void merge(const struct sim_estate *e, const struct model_kind *kind, json_t *fields,
                  const json_t *args, const char *prefix)
{
    const char *name;
    json_t *v;

    json_object_foreach((json_t *)(uintptr_t)args, name, v)
    {
        const struct model_field *f;
        char path[PATH_CAP];

        snprintf(path, sizeof(path), "%s%s%s", prefix, prefix[0] ? "." : "", name);
        f = model_field(kind, path, strlen(path));
        if (f && strcmp(f->path, path) != 0) /* a short name: here it is an object's */
            f = NULL;
        if (f && f->type == MODEL_REF && json_is_object(v))
            json_object_set(fields, f->path, json_object_get(v, "native_id"));
        else if (f)
            json_object_set_new(fields, f->path, own_word(e, f, v));
        else if (json_is_object(v) && !json_object_get(v, "native_id"))
            merge(e, kind, fields, v, path);
    }
}

void sim_doc_merge(const struct sim_estate *e, const struct model_kind *kind, json_t *fields,
                   const json_t *args)
{
    merge(e, kind, fields, args, "");
}

/* ------------------------------------------------------------------ as records */

static void put_list(struct pv_builder *b, enum pv_kind kind, unsigned slot, const json_t *v)
{
    const char *items[ITEMS_MAX];
    size_t n = 0;

    for (size_t i = 0; i < json_array_size(v) && n < ITEMS_MAX; i++)
        if (json_is_string(json_array_get(v, i)))
            items[n++] = json_string_value(json_array_get(v, i));
    pv_put_list(b, kind, slot, items, n);
}

void sim_doc_put(struct pv_builder *b, const struct model_kind *kind, const json_t *fields)
{
    const char *path;
    json_t *v;

    json_object_foreach((json_t *)(uintptr_t)fields, path, v)
    {
        const struct model_field *f = model_field(kind, path, strlen(path));
        unsigned slot;

        if (!f || f->slot < 0)
            continue;
        slot = (unsigned)f->slot;
        if (json_is_null(v))
            pv_put_number(b, kind->number, slot, PV_NULL);
        else if (f->type == MODEL_LIST || f->type == MODEL_REFS)
            put_list(b, kind->number, slot, v);
        else if (f->type == MODEL_ENUM)
            pv_put_number(b, kind->number, slot,
                          (uint64_t)model_enum_value(f->enum_id, json_string_value(v),
                                                     json_string_length(v)));
        else if (json_is_string(v))
            pv_put_text(b, kind->number, slot, json_string_value(v));
        else
            pv_put_number(b, kind->number, slot,
                          json_is_boolean(v) ? json_is_true(v) : (uint64_t)json_integer_value(v));
    }
}

bool sim_doc_put_devices(struct pv_builder *b, const struct model_kind *kind, const json_t *doc)
{
    const json_t *list = json_object_get(doc, kind->plural), *one;
    size_t i;

    if (!list)
        return false;
    if (json_array_size(list) == 0)
        pv_put_none(b, kind->number);
    json_array_foreach(list, i, one)
    {
        pv_put_begin(b, kind->number, sim_doc_text(one, "key"), NULL);
        sim_doc_put(b, kind, json_object_get(one, "fields"));
    }
    return true;
}
