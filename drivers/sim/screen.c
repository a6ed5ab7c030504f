/* SPDX-License-Identifier: Apache-2.0 */
/* What is answered at once: the screen, the keyboard, and how to connect to both. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/buf.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/clock.h>
#include <polyvisor/str.h>

#include "drivers/sim/doc.h"
#include "drivers/sim/job.h"

#define WIDTH 320
#define HEIGHT 200

/* ------------------------------------------------------------------ PNG, uncompressed */

static uint32_t crc32_of(const uint8_t *data, size_t len)
{
    uint32_t crc = 0xffffffffu;

    for (size_t i = 0; i < len; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

static void put32(uint8_t *at, uint32_t v)
{
    at[0] = (uint8_t)(v >> 24);
    at[1] = (uint8_t)(v >> 16);
    at[2] = (uint8_t)(v >> 8);
    at[3] = (uint8_t)v;
}

static void put_chunk(struct buf *out, const char *type, const uint8_t *data, size_t len)
{
    uint8_t head[4], tail[4];
    size_t at;

    put32(head, (uint32_t)len);
    buf_append(out, (const char *)head, 4);
    at = out->len;
    buf_append(out, type, 4);
    buf_append(out, (const char *)data, len);
    put32(tail, buf_ok(out) ? crc32_of((const uint8_t *)out->data + at, len + 4) : 0);
    buf_append(out, (const char *)tail, 4);
}

/* A screen with a bar for each running thing it shows; the brightness tells VMs apart. */
static void draw(uint8_t *row, unsigned y, uint64_t seed)
{
    row[0] = 0; /* no filter */
    for (unsigned x = 0; x < WIDTH; x++) {
        bool bar = y / 16 % 2 == 1 && y < HEIGHT - 24 && x > 16 &&
                   x < 16 + 16 * (1 + (seed >> (y / 16 * 3)) % 18);

        row[1 + x] = (uint8_t)(bar ? 200 : y >= HEIGHT - 16 ? 90 : 24 + seed % 40);
    }
}

static void png(struct buf *out, uint64_t seed)
{
    static const uint8_t magic[] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };
    const uint32_t raw = (uint32_t)(WIDTH + 1) * HEIGHT;
    uint8_t head[13] = { 0 }, *data = malloc(raw + 11);
    uint32_t a = 1, b = 0;

    if (!data)
        return;
    put32(head, WIDTH);
    put32(head + 4, HEIGHT);
    head[8] = 8; /* bits; grey */
    data[0] = 0x78;
    data[1] = 0x01;
    data[2] = 1; /* one stored block */
    data[3] = (uint8_t)(raw & 0xff);
    data[4] = (uint8_t)(raw >> 8);
    data[5] = (uint8_t)~data[3];
    data[6] = (uint8_t)~data[4];
    for (unsigned y = 0; y < HEIGHT; y++)
        draw(data + 7 + (size_t)y * (WIDTH + 1), y, seed);
    for (uint32_t i = 0; i < raw; i++) {
        a = (a + data[7 + i]) % 65521;
        b = (b + a) % 65521;
    }
    put32(data + 7 + raw, b << 16 | a);
    buf_append(out, (const char *)magic, sizeof(magic));
    put_chunk(out, "IHDR", head, sizeof(head));
    put_chunk(out, "IDAT", data, raw + 11);
    put_chunk(out, "IEND", NULL, 0);
    free(data);
}

int sim_apply_screenshot(struct job *j, struct pv_err *err)
{
    struct buf image, text;
    int rc = PV_OK;

    buf_init(&image, 1u << 20);
    buf_init(&text, 2u << 20);
    png(&image, sim_roll(j->e, SIM_LOAD, j->vm.number) ^ (uint64_t)(clock_wall_ms() / 20000));
    str_base64(&text, (const uint8_t *)image.data, image.len);
    if (buf_ok(&image) && buf_ok(&text) && image.len > 0)
        json_object_set_new(
            j->answer, "data",
            json_pack("{s:s, s:s}", "content_type", "image/png", "base64", text.data));
    else
        rc = pv_fail(err, PV_ENOMEM, "no memory for the screen");
    buf_free(&image);
    buf_free(&text);
    return rc;
}

/* ------------------------------------------------------------------ keyboard */

static bool key_known(const char *name, size_t len)
{
    static const char *const keys[] = {
        "ctrl",   "alt",  "shift", "win", "enter", "esc",  "tab",   "space",  "backspace", "delete",
        "insert", "home", "end",   "up",  "down",  "left", "right", "pageup", "pagedown",  "del",
    };

    if (len == 1)
        return true;
    if ((len == 2 || len == 3) && name[0] == 'f' && name[1] >= '1' && name[1] <= '9')
        return true;
    for (size_t i = 0; i < PV_COUNT(keys); i++)
        if (strlen(keys[i]) == len && strncmp(keys[i], name, len) == 0)
            return true;
    return false;
}

int sim_check_keystrokes(struct job *j, struct pv_err *err)
{
    const json_t *one;
    size_t i;

    if (json_object_size(j->args) == 0)
        return pv_fail(err, PV_EINVAL, "say what to type: text, keys or ctrl_alt_del");
    json_array_foreach(json_object_get(j->args, "keys"), i, one)
    {
        const char *at = json_string_value(one);

        while (at && *at) {
            size_t len = strcspn(at + 1, "+") + 1;

            if (!key_known(at, len)) {
                pv_fail(err, PV_EINVAL, "there is no key \"%.*s\"", (int)len, at);
                pv_err_pointer(err, "/keys/%zu", i);
                return PV_EINVAL;
            }
            at += len + (at[len] == '+');
        }
    }
    return PV_OK;
}

/* ------------------------------------------------------------------ console */

int sim_apply_console(struct job *j, struct pv_err *err)
{
    const char *wanted = job_text(j, "protocol");
    bool vmware = sim_is_vmware(j->e);
    char host[128], ticket[37];

    if (wanted[0] && strcmp(wanted, vmware ? "webmks" : "rdp") != 0) {
        int rc = pv_fail(err, PV_ENOTSUP, "protocol: %s",
                         vmware ? "the simulation of vSphere speaks webmks" : "Hyper-V speaks rdp");

        pv_err_pointer(err, "/protocol");
        return job_native(j, err, rc, "NotSupported", "32775");
    }
    sim_host_name(j->e, j->e->vms[j->index].host, host, sizeof(host));
    if (vmware) {
        sim_uuid(j->e, SIM_UUID, ++j->e->jobs, 0, ticket);
        json_object_set_new(j->answer, "data",
                            json_pack("{s:s, s:s, s:i, s:s}", "protocol", "webmks", "host", host,
                                      "port", 443, "ticket", ticket));
    } else {
        json_object_set_new(j->answer, "data",
                            json_pack("{s:s, s:s, s:i, s:s}", "protocol", "rdp", "host", host,
                                      "port", 2179, "preconnection_blob", j->vm_id));
    }
    return PV_OK;
}
