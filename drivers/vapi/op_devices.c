/* SPDX-License-Identifier: Apache-2.0 */
/* Devices that come, change and go. */
#include "drivers/vapi/op.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/str.h>

#include "drivers/vapi/encode.h"
#include "drivers/vapi/hw.h"

/* A change of the VM's devices: read, asked for, followed. */
struct change {
    struct operation *o;
    struct hw hw;
    struct enc *e;
    struct enc_object *spec;
};

static int begin(struct operation *o, struct change *c, struct pv_err *err)
{
    int rc;

    memset(c, 0, sizeof(*c));
    c->o = o;
    rc = hw_read(o, &c->hw, err);
    if (rc)
        return rc;
    c->e = enc_new("ReconfigVM_Task", o->vm.type, o->vm.id);
    if (!c->e) {
        hw_free(&c->hw);
        return pv_fail(err, PV_ENOMEM, "no memory");
    }
    c->spec = enc_child(enc_root(c->e), "spec", "VirtualMachineConfigSpec");
    return PV_OK;
}

static int finish(struct change *c, int rc, struct pv_err *err)
{
    if (rc == PV_OK)
        rc = op_run_task(c->o, c->e, err);
    else
        enc_free(c->e);
    hw_free(&c->hw);
    return rc;
}

/* ------------------------------------------------------------------ making */

static enum hw_class class_made(const struct operation *o)
{
    const char *name = o->method->operation;

    return strstr(name, ".disk.")         ? HW_DISK
           : strstr(name, ".nic.")        ? HW_NIC
           : strstr(name, ".cdrom.")      ? HW_CDROM
           : strstr(name, ".controller.") ? HW_CONTROLLER
                                          : HW_OTHER;
}

/* What was there before is told with the task: what is there afterwards beside it was made. */
static void note_keys(struct operation *o, const struct hw *hw)
{
    size_t len = 0;

    o->note[len++] = '.';
    for (size_t i = 0; i < hw->count; i++) {
        int n;

        if (hw->list[i].cls != class_made(o))
            continue;
        n = snprintf(o->note + len, sizeof(o->note) - len, "%d.", (int)hw->list[i].key);
        if (n < 0 || (size_t)n >= sizeof(o->note) - len)
            break;
        len += (size_t)n;
    }
    o->note[len] = '\0';
}

static int attach(struct operation *o,
                  int (*add)(struct operation *, struct hw *, struct enc_object *, const json_t *,
                             struct pv_err *),
                  struct pv_err *err)
{
    struct change c;
    int rc = begin(o, &c, err);

    if (rc)
        return rc;
    note_keys(o, &c.hw);
    rc = add(o, &c.hw, c.spec, o->args, err);
    if (rc == PV_OK && o->dry_run) {
        struct hw made = { .list = c.hw.list, .count = c.hw.count };

        /* Only what is new is of interest. */
        while (made.count > 0 && made.list->key > 0) {
            made.list++;
            made.count--;
        }
        hw_put_devices(o, &made);
    }
    return finish(&c, rc, err);
}

int op_disk_attach(struct operation *o, struct pv_err *err)
{
    return attach(o, hw_add_disk, err);
}

int op_nic_attach(struct operation *o, struct pv_err *err)
{
    return attach(o, hw_add_nic, err);
}

int op_cdrom_attach(struct operation *o, struct pv_err *err)
{
    return attach(o, hw_add_cdrom, err);
}

int op_controller_attach(struct operation *o, struct pv_err *err)
{
    return attach(o, hw_add_controller, err);
}

int op_device_made(struct operation *o, struct pv_err *err)
{
    static const char *const kinds[] = { NULL, "controller", "disk", "cdrom", "nic", NULL };
    enum hw_class cls = class_made(o);
    char key[16], mark[20];
    struct hw hw;
    int rc;

    if (o->dry_run || !kinds[cls])
        return PV_OK;
    rc = hw_read(o, &hw, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < hw.count; i++) {
        if (hw.list[i].cls != cls)
            continue;
        (void)snprintf(key, sizeof(key), "%d", (int)hw.list[i].key);
        (void)snprintf(mark, sizeof(mark), ".%s.", key);
        if (!strstr(o->note, mark))
            op_put_made(o, kinds[cls], key, o->vm.id);
    }
    hw_free(&hw);
    return PV_OK;
}

/* ------------------------------------------------------------------ changing */

static int move_disk(struct operation *o, struct change *c, struct hw_device *d, struct pv_err *err)
{
    const json_t *where = op_member(o->args, "controller");
    int32_t key = d->key, controller, unit, was = d->controller;
    int rc;

    if (!where)
        return PV_OK;
    d->controller = 0; /* its own place is free to itself */
    rc = hw_place(o, &c->hw, c->spec, where, HW_DISK, &controller, &unit, err);
    d = hw_find(&c->hw, key);
    if (rc == PV_OK && d) {
        d->controller = controller;
        d->unit = unit;
    } else if (d) {
        d->controller = was;
    }
    return rc;
}

int op_disk_update(struct operation *o, struct pv_err *err)
{
    struct change c;
    struct hw_device *d = NULL;
    int rc = begin(o, &c, err);

    if (rc)
        return rc;
    rc = hw_subject(o, &c.hw, HW_DISK, &d, err);
    if (rc == PV_OK)
        rc = move_disk(o, &c, d, err);
    if (rc == PV_OK)
        rc = hw_subject(o, &c.hw, HW_DISK, &d, err);
    if (rc == PV_OK)
        rc = hw_edit_disk(o, d, c.spec, o->args, err);
    return finish(&c, rc, err);
}

int op_nic_update(struct operation *o, struct pv_err *err)
{
    struct change c;
    struct hw_device *d = NULL;
    int rc = begin(o, &c, err);

    if (rc)
        return rc;
    rc = hw_subject(o, &c.hw, HW_NIC, &d, err);
    if (rc == PV_OK)
        rc = hw_edit_nic(o, d, c.spec, o->args, err);
    return finish(&c, rc, err);
}

static int put_in(struct operation *o, const json_t *image, struct pv_err *err)
{
    struct change c;
    struct hw_device *d = NULL;
    char path[512] = "";
    int rc = begin(o, &c, err);

    if (rc)
        return rc;
    rc = hw_subject(o, &c.hw, HW_CDROM, &d, err);
    if (rc == PV_OK && image)
        rc = hw_file(o, &c.hw, image, "image.path", path, sizeof(path), err);
    if (rc == PV_OK && !image && !d->path[0]) {
        /* Nothing is in it. */
        enc_free(c.e);
        hw_free(&c.hw);
        return PV_OK;
    }
    if (rc == PV_OK) {
        d->at_start = image != NULL;
        d->connected = image && c.hw.running;
        hw_edit_cdrom(d, c.spec, path);
    }
    return finish(&c, rc, err);
}

int op_iso_mount(struct operation *o, struct pv_err *err)
{
    return put_in(o, op_member(o->args, "image"), err);
}

int op_iso_eject(struct operation *o, struct pv_err *err)
{
    return put_in(o, NULL, err);
}

/* ------------------------------------------------------------------ removing */

static int detach(struct operation *o, enum hw_class cls, bool with_file, struct pv_err *err)
{
    struct change c;
    struct hw_device *d = NULL;
    int rc = begin(o, &c, err);

    if (rc)
        return rc;
    rc = hw_subject(o, &c.hw, cls, &d, err);
    if (rc == PV_ENOENT) {
        /* It is gone already. */
        enc_free(c.e);
        hw_free(&c.hw);
        return PV_OK;
    }
    for (size_t i = 0; rc == PV_OK && d->cls == HW_CONTROLLER && i < c.hw.count; i++)
        if (c.hw.list[i].cls != HW_CONTROLLER && c.hw.list[i].controller == d->key)
            rc = pv_fail(err, PV_ESTATE, "%s %s: %s hangs on it", o->method->verb, o->name,
                         c.hw.list[i].label[0] ? c.hw.list[i].label : "a device");
    if (rc == PV_OK && d->cls == HW_CONTROLLER && d->bus == HW_IDE)
        rc = op_no_such(o, "bus", "the IDE controllers of a VM are always there", err);
    if (rc == PV_OK)
        hw_remove(d, c.spec, with_file);
    return finish(&c, rc, err);
}

int op_disk_detach(struct operation *o, struct pv_err *err)
{
    const char *file = op_arg_str(o, "file");

    return detach(o, HW_DISK, file && strcmp(file, "delete") == 0, err);
}

int op_device_detach(struct operation *o, struct pv_err *err)
{
    return detach(o, class_made(o), false, err);
}
