/* SPDX-License-Identifier: Apache-2.0 */
/* Screen, keyboard, console, and data for the guest. */
#include "drivers/vapi/op.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/buf.h>
#include <polyvisor/str.h>

#include "drivers/vapi/encode.h"
#include "drivers/vapi/op_keys.h"
#include "drivers/vapi/op_place.h"
#include "drivers/vapi/vapi.h"

#define PICTURE_MOST (8u << 20)
#define PATH_MOST 1800
#define HTTPS_PORT 443
#define HID_PAGE 0x07 /* keyboard */

/* ------------------------------------------------------------------ screenshot */

static void escape(struct buf *out, const char *text, bool slashes)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (isalnum(c) || strchr("-_.~", c) || (slashes && c == '/'))
            buf_char(out, (char)c);
        else
            buf_printf(out, "%%%02X", c);
    }
}

static const char *const name_paths[] = { "name" };
static const struct prop_table name_table = { "ManagedEntity", name_paths, 1 };

static int on_name(void *ctx, const struct moref *ref, const xmlNode *object, struct pv_err *err)
{
    struct prop_values v;

    (void)ref;
    (void)err;
    props_read(&name_table, object, &v);
    (void)str_copy(ctx, 256, value_text(v.val[0]) ? value_text(v.val[0]) : "");
    return PV_OK;
}

/* The datacenter's path in the inventory: "folder/dc". */
static int datacenter_path(struct operation *o, const struct moref *datacenter, char *out,
                           size_t cap, struct pv_err *err)
{
    struct moref at = *datacenter, up;
    int rc = PV_OK;

    out[0] = '\0';
    for (unsigned i = 0; i < 64 && rc == PV_OK; i++) {
        char name[256] = "", whole[1400];

        rc = place_parent(o, &at, &up, err);
        if (rc || !up.id[0])
            break; /* the root has no part in it */
        rc = op_read(o, &at, &name_table, on_name, name, err);
        (void)snprintf(whole, sizeof(whole), "%s%s%s", name, out[0] ? "/" : "", out);
        if (!str_copy(out, cap, whole))
            return pv_fail(err, PV_EINVAL, "the path of the datacenter is too long");
        at = up;
    }
    return rc;
}

/* The VM's own datacenter, by its folder or its host. */
static int vm_datacenter(struct operation *o, struct moref *out, struct pv_err *err)
{
    struct moref at = o->vm, up;
    int rc = PV_OK;

    place_datacenter(o, o->vm.id, out);
    for (unsigned i = 0; rc == PV_OK && !out->id[0] && i < 64; i++) {
        rc = place_parent(o, &at, &up, err);
        if (rc == PV_OK && !up.id[0])
            rc = pv_fail(err, PV_ENOENT, "%s %s: it belongs to no datacenter", o->method->verb,
                         o->name);
        if (strcmp(up.type, "Datacenter") == 0)
            *out = up;
        at = up;
    }
    return rc;
}

/* "[store] folder/file.png": where the file can be had. */
static int file_url(struct operation *o, const char *file, const struct moref *datacenter,
                    struct buf *url, struct pv_err *err)
{
    const char *end = file[0] == '[' ? strchr(file, ']') : NULL;
    char dc[1024], store[256];
    int rc = datacenter_path(o, datacenter, dc, sizeof(dc), err);

    if (rc)
        return rc;
    if (!end || !str_copy_n(store, sizeof(store), file + 1, (size_t)(end - file - 1)))
        return pv_fail(err, PV_EIO, "%s %s: the server names no picture", o->method->verb, o->name);
    for (end++; *end == ' '; end++)
        ;
    buf_text(url, "/folder/");
    escape(url, end, true);
    buf_text(url, "?dcPath=");
    escape(url, dc, true);
    buf_text(url, "&dsName=");
    escape(url, store, false);
    return buf_ok(url) ? PV_OK : pv_fail(err, PV_EINVAL, "the path of the picture is too long");
}

static void put_picture(struct operation *o, const struct buf *png)
{
    struct buf text;

    buf_init(&text, 2 * PICTURE_MOST);
    str_base64(&text, (const uint8_t *)png->data, png->len);
    json_object_set_new(o->result, "data",
                        json_pack("{s:s, s:s?}", "content_type", "image/png", "base64", text.data));
    buf_free(&text);
    if (op_member(o->args, "width") || op_member(o->args, "height"))
        op_warn(o, "vSphere gives the screen as large as it is");
}

static int fetch(struct operation *o, const char *file, struct pv_err *err)
{
    const struct content *content = &o->v->session->content;
    struct moref datacenter;
    struct buf url, png;
    struct enc *e;
    int rc = vm_datacenter(o, &datacenter, err);

    buf_init(&url, PATH_MOST);
    buf_init(&png, PICTURE_MOST);
    if (rc == PV_OK)
        rc = file_url(o, file, &datacenter, &url, err);
    if (rc == PV_OK)
        rc = session_download(o->v->session, &o->c, url.data, PICTURE_MOST, &png, err);
    if (rc == PV_OK)
        put_picture(o, &png);
    buf_free(&url);
    buf_free(&png);
    e = datacenter.id[0] && content->files.id[0]
            ? enc_new("DeleteDatastoreFile_Task", content->files.type, content->files.id)
            : NULL;
    if (e) {
        enc_text(enc_root(e), "name", file);
        enc_ref(enc_root(e), "datacenter", datacenter.type, datacenter.id);
        op_clean(o, e, "the picture's file is still there");
    }
    return rc;
}

int op_screenshot(struct operation *o, struct pv_err *err)
{
    char file[sizeof(o->text)];
    int rc = op_run_task(o, enc_new("CreateScreenshot_Task", o->vm.type, o->vm.id), err);

    if (rc || o->dry_run)
        return rc;
    (void)str_copy(file, sizeof(file), o->text);
    return fetch(o, file, err);
}

/* ------------------------------------------------------------------ keyboard */

static void put_key(struct enc_object *spec, const struct key_press *k)
{
    struct enc_object *event = enc_child(spec, "keyEvents", "UsbScanCodeSpecKeyEvent"), *held;

    enc_int(event, "usbHidCode", (int64_t)k->usage << 16 | HID_PAGE);
    if (!k->held)
        return;
    held = enc_child(event, "modifiers", "UsbScanCodeSpecModifierType");
    if (k->held & KEY_CTRL)
        enc_bool(held, "leftControl", true);
    if (k->held & KEY_SHIFT)
        enc_bool(held, "leftShift", true);
    if (k->held & KEY_ALT)
        enc_bool(held, "leftAlt", true);
    if (k->held & KEY_GUI)
        enc_bool(held, "leftGui", true);
}

static int put_keys(struct operation *o, struct enc_object *spec, struct pv_err *err)
{
    const char *text = op_arg_str(o, "text");
    const json_t *keys = op_member(o->args, "keys"), *one;
    struct key_press k;
    size_t i;

    for (; text && *text; text++) {
        if (!keys_char(*text, &k))
            return op_bad(o, "text", "a US keyboard does not have all of it", err);
        put_key(spec, &k);
    }
    json_array_foreach(keys, i, one)
    {
        char member[32];

        (void)snprintf(member, sizeof(member), "keys.%zu", i);
        if (!json_is_string(one) || !keys_parse(json_string_value(one), &k))
            return op_bad(o, member, "it is no key", err);
        put_key(spec, &k);
    }
    if (op_arg_true(o, "ctrl_alt_del") && keys_parse("ctrl+alt+del", &k))
        put_key(spec, &k);
    return PV_OK;
}

int op_keystrokes(struct operation *o, struct pv_err *err)
{
    struct enc *e = enc_new("PutUsbScanCodes", o->vm.type, o->vm.id);
    int rc;

    if (!e)
        return pv_fail(err, PV_ENOMEM, "no memory");
    if (!op_arg_str(o, "text") && !json_array_size(op_member(o->args, "keys")) &&
        !op_arg_true(o, "ctrl_alt_del"))
        rc = op_bad(o, "text", "say what to type: text, keys or ctrl_alt_del", err);
    else
        rc = put_keys(o, enc_child(enc_root(e), "spec", "UsbScanCodeSpec"), err);
    if (rc == PV_OK)
        return op_ask(o, e, err);
    enc_free(e);
    return rc;
}

/* ------------------------------------------------------------------ console */

static int on_ticket(void *ctx, const xmlNode *value, struct pv_err *err)
{
    struct operation *o = ctx;
    const char *ticket = value_field(value, "ticket"), *host = value_field(value, "host");
    const char *url = value_field(value, "url"), *thumb = value_field(value, "sslThumbprint");
    uint64_t port = HTTPS_PORT;
    char made[1024];
    json_t *data;

    if (!ticket)
        return pv_fail(err, PV_EIO, "%s %s: the server gave no ticket", o->method->verb, o->name);
    /* No host: the one that was asked. */
    if (!host)
        host = o->v->session->config.at.host;
    (void)value_field_u64(value, "port", &port);
    (void)snprintf(made, sizeof(made), "wss://%s:%u/ticket/%s", host, (unsigned)port, ticket);
    data = json_pack("{s:s, s:s, s:i, s:s, s:s}", "protocol", "webmks", "host", host, "port",
                     (int)port, "ticket", ticket, "url", url ? url : made);
    if (thumb)
        json_object_set_new(data, "thumbprint", json_string(thumb));
    json_object_set_new(o->result, "data", data);
    return PV_OK;
}

/* VMware Remote Console signs in with a copy of our login, for one use. */
static int on_clone_ticket(void *ctx, const xmlNode *value, struct pv_err *err)
{
    struct operation *o = ctx;
    const struct endpoint *at = &o->v->session->config.at;
    const char *ticket = value_text(value);
    char url[1024];

    if (!ticket)
        return pv_fail(err, PV_EIO, "%s %s: the server gave no ticket", o->method->verb, o->name);
    (void)snprintf(url, sizeof(url), "vmrc://clone:%s@%s:%u/?moid=%s", ticket, at->host,
                   (unsigned)at->port, o->vm.id);
    json_object_set_new(o->result, "data",
                        json_pack("{s:s, s:s, s:i, s:s, s:s}", "protocol", "vmrc", "host", at->host,
                                  "port", (int)at->port, "ticket", ticket, "url", url));
    return PV_OK;
}

int op_console(struct operation *o, struct pv_err *err)
{
    const struct moref *sessions = &o->v->session->content.sessions;
    const char *protocol = op_arg_str(o, "protocol");
    struct enc *e;

    if (protocol && strcmp(protocol, "vmrc") == 0) {
        e = enc_new("AcquireCloneTicket", sessions->type, sessions->id);
        if (!o->dry_run)
            return op_query(o, e, on_clone_ticket, o, err);
    } else if (protocol && strcmp(protocol, "webmks") != 0) {
        return op_no_such(o, "protocol", "vSphere has webmks and vmrc", err);
    } else {
        if (o->state != PV_POWER_STATE_RUNNING)
            return op_wrong_state(o, err, "webmks needs a VM that runs; vmrc does not");
        e = enc_new("AcquireTicket", o->vm.type, o->vm.id);
        if (e)
            enc_text(enc_root(e), "ticketType", "webmks");
        if (!o->dry_run)
            return op_query(o, e, on_ticket, o, err);
    }
    op_plan(o, e);
    enc_free(e);
    return PV_OK;
}

/* ------------------------------------------------------------------ guest data */

int op_guest_data(struct operation *o, struct pv_err *err)
{
    const json_t *data = op_member(o->args, "data"), *value;
    struct enc *e = enc_new("ReconfigVM_Task", o->vm.type, o->vm.id);
    struct enc_object *spec;
    const char *key;

    if (!e)
        return pv_fail(err, PV_ENOMEM, "no memory");
    spec = enc_child(enc_root(e), "spec", "VirtualMachineConfigSpec");
    json_object_foreach((json_t *)(uintptr_t)data, key, value)
    {
        struct enc_object *option;
        char name[300];

        if (!json_is_string(value) && !json_is_null(value)) {
            enc_free(e);
            return op_bad(o, "data", "the values are texts, or null to remove a key", err);
        }
        if (!*key || strlen(key) > 200 || strpbrk(key, "=\r\n\"")) {
            enc_free(e);
            return op_bad(o, "data", "a key is a short text without = and quotes", err);
        }
        (void)snprintf(name, sizeof(name), "%s%s",
                       str_starts(key, "guestinfo.") ? "" : "guestinfo.", key);
        option = enc_child(spec, "extraConfig", "OptionValue");
        enc_text(option, "key", name);
        enc_text(option, "value", json_is_null(value) ? "" : json_string_value(value));
    }
    return op_run_task(o, e, err);
}
