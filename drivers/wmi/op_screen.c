/* SPDX-License-Identifier: Apache-2.0 */
/* Screen, keyboard, console. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/buf.h>
#include <polyvisor/str.h>

#include "drivers/wmi/op.h"
#include "drivers/wmi/op_keys.h"
#include "drivers/wmi/op_png.h"

/* An octet of the picture takes some thirty in the answer: this is what fits the envelope hosts
 * have by themselves. */
#define RELEASE_TRIES 3
#define SAFE_PIXELS 7500u
#define USUAL_WIDTH 160u
#define USUAL_HEIGHT 120u
#define PNG_MOST (1u << 20)
#define RDP_PORT 2179u

/* ------------------------------------------------------------------ screenshot */

static int ask_picture(struct op *o, unsigned width, unsigned height, const uint8_t **pixels,
                       size_t *len, struct pv_err *err)
{
    struct cim_instance *in =
        cim_call(o->a, M(Msvm_VirtualSystemManagementService, GetVirtualSystemThumbnailImage));
    struct cim_instance *answer = NULL;
    const struct cim_ref *service = NULL;
    uint32_t value = 0;
    int rc = op_service(o, CIM(Msvm_VirtualSystemManagementService), &service, err);

    if (rc)
        return rc;
    cim_set_ref(
        in, A(Msvm_VirtualSystemManagementService, GetVirtualSystemThumbnailImage, TargetSystem),
        op_settings_ref(o, o->vm));
    cim_set_uint(
        in, A(Msvm_VirtualSystemManagementService, GetVirtualSystemThumbnailImage, WidthPixels),
        width);
    cim_set_uint(
        in, A(Msvm_VirtualSystemManagementService, GetVirtualSystemThumbnailImage, HeightPixels),
        height);
    if (o->dry_run) {
        op_plan_call(o, service, in);
        *pixels = NULL;
        return PV_OK;
    }
    rc = wsman_invoke(o->w->client, &o->c, service, in, o->a, &answer, err);
    if (rc)
        return rc;
    if (!cim_return_value(answer, &value) || value != 0)
        return wsman_fail_return(value, op_what(o, o->def->verb, o->name), err);
    *pixels = cim_octets(
        answer, A(Msvm_VirtualSystemManagementService, GetVirtualSystemThumbnailImage, ImageData),
        len, o->a);
    return *pixels ? PV_OK
                   : pv_fail(err, PV_ESTATE, "%s %s: the host has no picture of it now",
                             o->def->verb, o->name);
}

/* The same shape, smaller. */
static void shrink(unsigned *width, unsigned *height)
{
    unsigned w = *width, h = *height;

    while ((uint64_t)*width * *height > SAFE_PIXELS && *width > 16) {
        *width -= *width / 16;
        *height = h * *width / w;
        if (*height == 0)
            *height = 1;
    }
}

static int run_screenshot(struct op *o, struct pv_err *err)
{
    uint64_t w = USUAL_WIDTH, h = USUAL_HEIGHT;
    unsigned width, height;
    const uint8_t *pixels = NULL;
    size_t len = 0;
    struct buf png, text;
    int rc;

    (void)op_arg_u64(o, "width", &w);
    if (!op_arg_u64(o, "height", &h) && op_arg(o, "width"))
        h = w * 3 / 4;
    else if (!op_arg(o, "width") && op_arg(o, "height"))
        w = h * 4 / 3;
    width = (unsigned)w;
    height = (unsigned)h;
    rc = ask_picture(o, width, height, &pixels, &len, err);
    if (rc == PV_ELIMIT && (uint64_t)width * height > SAFE_PIXELS) {
        shrink(&width, &height);
        rc = ask_picture(o, width, height, &pixels, &len, err);
        if (rc == PV_OK)
            op_warn(o, "the host's answers are limited; this is as large a picture as fits "
                       "(raise winrm/config MaxEnvelopeSizekb for larger ones)");
    }
    if (rc || o->dry_run)
        return rc;
    buf_init(&png, PNG_MOST);
    buf_init(&text, 2 * PNG_MOST);
    rc = png_from_rgb565(pixels, len, width, height, &png, err);
    if (rc == PV_OK) {
        str_base64(&text, (const uint8_t *)png.data, png.len);
        json_object_set_new(
            o->result, "data",
            json_pack("{s:s, s:s?}", "content_type", "image/png", "base64", text.data));
    }
    buf_free(&png);
    buf_free(&text);
    return rc;
}

/* ------------------------------------------------------------------ keyboard */

static int find_keyboard(struct op *o, const struct cim_ref **out, struct pv_err *err)
{
    int rc = op_component(o, CIM(Msvm_Keyboard), out, err);

    return rc == PV_ENOENT
               ? op_wrong_state(o, err, "it has no keyboard now; it has one while it runs")
               : rc;
}

/* Not through op_do: keys that were pressed cannot be looked for, and no task is behind it. */
static int press(struct op *o, const struct cim_ref *keyboard, const struct cim_instance *in,
                 struct pv_err *err)
{
    struct cim_instance *answer = NULL;
    struct call whole = o->c;
    uint32_t value = 0;
    int rc;

    if (o->dry_run) {
        op_plan_call(o, keyboard, in);
        return PV_OK;
    }
    whole.must_finish = true;
    rc = wsman_invoke(o->w->client, &whole, keyboard, in, o->a, &answer, err);
    if (rc == PV_OK && cim_return_value(answer, &value) && value != 0)
        return wsman_fail_return(value, op_what(o, o->def->verb, o->name), err);
    o->changed |= rc == PV_OK;
    return rc;
}

static const struct cim_instance *key_call(struct op *o, const struct cim_class *method,
                                           struct cim_p_uint p, unsigned code)
{
    struct cim_instance *in = cim_call(o->a, method);

    cim_set_uint(in, p, code);
    return in;
}

/* Letting go twice does no harm, so this is the one thing that is asked again when its answer is
 * lost. */
static int release(struct op *o, const struct cim_ref *keyboard, unsigned code, struct pv_err *err)
{
    int rc = PV_OK;

    for (unsigned tries = 0; tries < RELEASE_TRIES; tries++) {
        rc = press(
            o, keyboard,
            key_call(o, M(Msvm_Keyboard, ReleaseKey), A(Msvm_Keyboard, ReleaseKey, keyCode), code),
            err);
        if (rc != PV_EUNKNOWN && rc != PV_ETIMEOUT)
            break;
    }
    return rc;
}

static int chord(struct op *o, const struct cim_ref *keyboard, const char *text, struct pv_err *err)
{
    unsigned codes[KEYS_HELD_MOST];
    size_t n, held = 0;
    int rc = PV_OK;

    if (!keys_parse(text, codes, &n))
        return pv_fail(err, PV_EINVAL, "%s %s: %s is no key", o->def->verb, o->name, text);
    for (; rc == PV_OK && held + 1 < n; held++)
        rc = press(o, keyboard,
                   key_call(o, M(Msvm_Keyboard, PressKey), A(Msvm_Keyboard, PressKey, keyCode),
                            codes[held]),
                   err);
    if (rc == PV_OK)
        rc = press(o, keyboard,
                   key_call(o, M(Msvm_Keyboard, TypeKey), A(Msvm_Keyboard, TypeKey, keyCode),
                            codes[n - 1]),
                   err);
    /* What is held is let go, whatever came: a guest with Ctrl held down is of no use. */
    while (held-- > 0) {
        struct pv_err why = { 0 };
        int released = release(o, keyboard, codes[held], &why);

        if (rc == PV_OK && released) {
            rc = released;
            if (err)
                *err = why;
        }
    }
    return rc;
}

static int check_keys(struct op *o, struct pv_err *err)
{
    const json_t *keys = op_arg(o, "keys");
    const char *text = op_arg_str(o, "text");
    unsigned codes[KEYS_HELD_MOST];
    size_t n;

    for (; text && *text; text++)
        if ((unsigned char)*text >= 0x80)
            return pv_fail(err, PV_EINVAL, "%s %s: text: Hyper-V's keyboard types ASCII only",
                           o->def->verb, o->name);
    for (size_t i = 0; i < json_array_size(keys); i++) {
        const char *key = json_string_value(json_array_get(keys, i));

        if (!key || !keys_parse(key, codes, &n))
            return pv_fail(err, PV_EINVAL, "%s %s: keys: %s is no key", o->def->verb, o->name,
                           key ? key : "this");
    }
    return PV_OK;
}

static int run_keystrokes(struct op *o, struct pv_err *err)
{
    const json_t *keys = op_arg(o, "keys");
    const char *text = op_arg_str(o, "text");
    const struct cim_ref *keyboard = NULL;
    int rc = check_keys(o, err);

    if (rc == PV_OK)
        rc = find_keyboard(o, &keyboard, err);
    if (rc == PV_OK && text && *text) {
        struct cim_instance *in = cim_call(o->a, M(Msvm_Keyboard, TypeText));

        cim_set_str(in, A(Msvm_Keyboard, TypeText, asciiText), text);
        rc = press(o, keyboard, in, err);
    }
    for (size_t i = 0; rc == PV_OK && i < json_array_size(keys); i++)
        rc = chord(o, keyboard, json_string_value(json_array_get(keys, i)), err);
    if (rc == PV_OK && op_arg_bool(o, "ctrl_alt_del"))
        rc = press(o, keyboard, cim_call(o->a, M(Msvm_Keyboard, TypeCtrlAltDel)), err);
    return rc;
}

/* ------------------------------------------------------------------ console */

static int run_console(struct op *o, struct pv_err *err)
{
    struct wsman_query q = { .cls = CIM(Msvm_TerminalServiceSettingData) };
    const char *protocol = op_arg_str(o, "protocol");
    struct cim_instance *terminal = NULL, *vm = NULL;
    uint64_t port = 0;
    int rc;

    if (protocol && strcmp(protocol, "rdp") != 0)
        return pv_fail(err, PV_ENOTSUP, "%s %s: Hyper-V's console is rdp", o->def->verb, o->name);
    rc = op_vm_get(o, o->vm, &vm, err);
    if (rc)
        return rc;
    rc = wsman_first(o->w->client, &o->c, &q, o->a, &terminal, err);
    if (rc && rc != PV_ENOENT && rc != PV_ENOTSUP)
        return rc;
    (void)cim_get_uint(terminal, P(Msvm_TerminalServiceSettingData, ListenerPort), &port);
    json_object_set_new(o->result, "data",
                        json_pack("{s:s, s:s, s:i, s:s}", "protocol", "rdp", "host",
                                  o->w->config.at.host, "port", (int)(port ? port : RDP_PORT),
                                  "preconnection_blob", o->vm));
    return PV_OK;
}

const struct op_def op_screen_defs[] = {
    { "vm.screenshot", "taking a screenshot of", run_screenshot, 0, 0 },
    { "vm.keystrokes", "typing on the keyboard of", run_keystrokes, 0, 0 },
    { "vm.console", "opening the console of", run_console, 0, 0 },
    { NULL, NULL, NULL, 0, 0 },
};
