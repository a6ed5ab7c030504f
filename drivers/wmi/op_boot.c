/* SPDX-License-Identifier: Apache-2.0 */
/* The order in which devices are tried at start. */
#include <string.h>
#include <strings.h>

#include <polyvisor/str.h>

#include "drivers/wmi/op.h"
#include "drivers/wmi/op_modify.h"

#define ENTRIES_MOST 64

/* One device that can be started from, in the order it has now. */
struct entry {
    const char *text;   /* as the setting holds it: path of the boot source */
    const char *device; /* InstanceID of the device; NULL: a file */
    const char *word;
    bool taken;
};

struct order {
    struct entry items[ENTRIES_MOST];
    size_t n;
    const char *out[ENTRIES_MOST];
    size_t nout;
};

static const char *word_of(struct op *o, const char *device, const struct cim_list *resources)
{
    for (size_t i = 0; i < resources->count; i++) {
        const struct cim_instance *r = resources->items[i];
        uint64_t type = cim_uint(r, P(Msvm_ResourceAllocationSettingData, ResourceType));

        if (op_same(cim_str(r, P(Msvm_ResourceAllocationSettingData, InstanceID)), device))
            return type == 15 || type == 16 ? "cdrom" : type == 14 ? "floppy" : "disk";
    }
    (void)o;
    return "network"; /* ports are no plain resource settings */
}

/* A source is named after its device, with "\B" behind it. Others are files of the EFI. */
static const char *device_of(struct op *o, const char *path, const struct cim_list *sources,
                             bool *is_file)
{
    const char *id = op_path_id(o, path);
    size_t len = id ? strlen(id) : 0;

    *is_file = false;
    for (size_t i = 0; id && i < sources->count; i++)
        if (op_same(cim_str(sources->items[i], P(Msvm_BootSourceSettingData, InstanceID)), id))
            *is_file =
                cim_uint(sources->items[i], P(Msvm_BootSourceSettingData, BootSourceType)) == 3;
    if (len > 2 && strcasecmp(id + len - 2, "\\B") == 0)
        return arena_text(o->a, id, len - 2);
    return id;
}

static int read_sources(struct op *o, const struct cim_instance *settings, struct order *order,
                        struct pv_err *err)
{
    struct cim_list resources = { 0 }, sources = { 0 };
    unsigned n = cim_count(settings, P(Msvm_VirtualSystemSettingData, BootSourceOrder));
    int rc = op_list(o, CIM(Msvm_ResourceAllocationSettingData), o->vm, &resources, err);

    if (rc == PV_OK)
        rc = op_list(o, CIM(Msvm_BootSourceSettingData), o->vm, &sources, err);
    for (unsigned i = 0; rc == PV_OK && i < n && order->n < ENTRIES_MOST; i++) {
        struct entry *e = &order->items[order->n];
        bool is_file;

        e->text = cim_str_at(settings, P(Msvm_VirtualSystemSettingData, BootSourceOrder), i);
        if (!e->text)
            continue;
        e->device = device_of(o, e->text, &sources, &is_file);
        e->word = is_file ? "file" : word_of(o, e->device, &resources);
        order->n++;
    }
    return rc;
}

static void take(struct order *order, struct entry *e)
{
    e->taken = true;
    order->out[order->nout++] = e->text;
}

/* A word means the first of its kind that is left when the list names the kind again, else all of
 * it. */
static bool take_word(struct order *order, const char *word, bool again)
{
    bool any = false;

    for (size_t i = 0; i < order->n; i++) {
        if (order->items[i].taken || strcmp(order->items[i].word, word) != 0)
            continue;
        take(order, &order->items[i]);
        any = true;
        if (again)
            break;
    }
    return any;
}

static bool take_named(struct order *order, const char *text)
{
    for (size_t i = 0; i < order->n; i++) {
        struct entry *e = &order->items[i];

        if (e->taken || (!op_same(e->device, text) && !op_same(e->text, text)))
            continue;
        take(order, e);
        return true;
    }
    return false;
}

static bool is_word(const char *text)
{
    return strcmp(text, "disk") == 0 || strcmp(text, "cdrom") == 0 ||
           strcmp(text, "network") == 0 || strcmp(text, "floppy") == 0 || strcmp(text, "file") == 0;
}

static bool named_again(const json_t *wish, size_t after, const char *text)
{
    for (size_t i = after + 1; i < json_array_size(wish); i++)
        if (str_eq(json_string_value(json_array_get(wish, i)), text))
            return true;
    return false;
}

static int order_sources(struct op *o, const json_t *wish, struct order *order, struct pv_err *err)
{
    for (size_t i = 0; i < json_array_size(wish); i++) {
        const char *text = json_string_value(json_array_get(wish, i));

        if (!text)
            return pv_fail(err, PV_EINVAL, "boot.order holds something that is no text");
        if (is_word(text) ? take_word(order, text, named_again(wish, i, text))
                          : take_named(order, text))
            continue;
        if (is_word(text))
            continue; /* it has no such device, or all of them are named */
        return pv_fail(err, PV_EINVAL, "%s %s: boot.order: it has no device %s to start from",
                       o->def->verb, o->name, text);
    }
    /* The host wants them all; those not named come last, as they were. */
    for (size_t i = 0; i < order->n; i++)
        if (!order->items[i].taken)
            take(order, &order->items[i]);
    return PV_OK;
}

/* ------------------------------------------------------------------ generation 1 */

static int order_words(struct op *o, const json_t *wish, const struct cim_instance *settings,
                       struct cim_instance *want, struct pv_err *err)
{
    static const struct {
        const char *word;
        unsigned code;
    } words[] = { { "floppy", 0 }, { "cdrom", 1 }, { "disk", 2 }, { "network", 3 }, { "disk", 4 } };
    bool taken[5] = { false };

    for (size_t i = 0; i < json_array_size(wish); i++) {
        const char *text = json_string_value(json_array_get(wish, i));
        bool known = false;

        for (size_t k = 0; text && k < 4 && !known; k++) {
            known = strcmp(words[k].word, text) == 0;
            if (!known || taken[words[k].code])
                continue;
            taken[words[k].code] = true;
            cim_add_uint(want, P(Msvm_VirtualSystemSettingData, BootOrder), words[k].code);
        }
        if (!known)
            return pv_fail(err, PV_EINVAL,
                           "%s %s: boot.order: generation 1 knows disk, cdrom, network and floppy",
                           o->def->verb, o->name);
    }
    for (unsigned i = 0; settings; i++) {
        uint64_t code;

        if (!cim_uint_at(settings, P(Msvm_VirtualSystemSettingData, BootOrder), i, &code))
            break;
        if (code < 5 && !taken[code]) {
            taken[code] = true;
            cim_add_uint(want, P(Msvm_VirtualSystemSettingData, BootOrder), code);
        }
    }
    return PV_OK;
}

int op_boot_apply(struct op *o, const json_t *wish, struct pv_err *err)
{
    struct cim_instance *settings = NULL, *want = cim_new(o->a, CIM(Msvm_VirtualSystemSettingData));
    struct order *order = arena_alloc(o->a, sizeof(*order));
    const char *type;
    int rc = PV_OK;

    if (!order)
        return pv_fail(err, PV_ENOMEM, "no memory");
    if (!o->vm[0]) {
        op_plan(o, "Msvm_VirtualSystemManagementService.ModifySystemSettings",
                json_pack("{s:{s:O}}", "SystemSettings", "BootSourceOrder", wish));
        return PV_OK;
    }
    rc = op_settings_get(o, o->vm, &settings, err);
    if (rc)
        return rc;
    cim_set_str(want, P(Msvm_VirtualSystemSettingData, InstanceID), op_settings_id(o, o->vm));
    type = cim_str(settings, P(Msvm_VirtualSystemSettingData, VirtualSystemSubType));
    if (type && str_ends(type, ":2")) {
        rc = read_sources(o, settings, order, err);
        if (rc == PV_OK)
            rc = order_sources(o, wish, order, err);
        for (size_t i = 0; i < order->nout; i++)
            cim_add_str(want, P(Msvm_VirtualSystemSettingData, BootSourceOrder), order->out[i]);
        if (order->nout == 0)
            return rc; /* nothing to start from, nothing to order */
    } else {
        rc = order_words(o, wish, settings, want, err);
    }
    return rc ? rc
              : op_modify(o, "boot", want, settings,
                          op_what(o, "ordering the boot devices of", o->name), err);
}
