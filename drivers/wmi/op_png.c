/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/wmi/op_png.h"

#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include <polyvisor/buf.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>

#define SIDE_MOST 4096u

static void put_u32(uint8_t out[4], uint32_t v)
{
    out[0] = (uint8_t)(v >> 24);
    out[1] = (uint8_t)(v >> 16);
    out[2] = (uint8_t)(v >> 8);
    out[3] = (uint8_t)v;
}

/* Length, type, data, CRC of type and data. */
static void put_chunk(struct buf *out, const char *type, const uint8_t *data, size_t len)
{
    uint8_t number[4];
    uLong crc = crc32(0, (const Bytef *)type, 4);

    put_u32(number, (uint32_t)len);
    buf_append(out, number, 4);
    buf_append(out, type, 4);
    if (len)
        buf_append(out, data, len);
    crc = len ? crc32(crc, data, (uInt)len) : crc;
    put_u32(number, (uint32_t)crc);
    buf_append(out, number, 4);
}

/* Rows of three octets a pixel, each with its filter (none) in front. */
static void fill_rows(const uint8_t *pixels, unsigned width, unsigned height, uint8_t *rows)
{
    for (unsigned y = 0; y < height; y++) {
        *rows++ = 0;
        for (unsigned x = 0; x < width; x++, pixels += 2) {
            unsigned p = pixels[0] | (unsigned)pixels[1] << 8;
            unsigned r = p >> 11, g = p >> 5 & 0x3F, b = p & 0x1F;

            /* The top bits once more below: white stays white. */
            *rows++ = (uint8_t)(r << 3 | r >> 2);
            *rows++ = (uint8_t)(g << 2 | g >> 4);
            *rows++ = (uint8_t)(b << 3 | b >> 2);
        }
    }
}

int png_from_rgb565(const uint8_t *pixels, size_t len, unsigned width, unsigned height,
                    struct buf *out, struct pv_err *err)
{
    static const uint8_t signature[] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n' };
    PV_AUTO_FREE uint8_t *rows = NULL, *packed = NULL;
    uint8_t head[13] = { 0 };
    size_t raw;
    uLongf size;

    if (!width || !height || width > SIDE_MOST || height > SIDE_MOST ||
        len != (size_t)width * height * 2)
        return pv_fail(err, PV_EIO, "the picture does not have the size that was asked for");
    raw = (size_t)height * (1 + (size_t)width * 3);
    size = compressBound((uLong)raw);
    rows = malloc(raw);
    packed = malloc(size);
    if (!rows || !packed)
        return pv_fail(err, PV_ENOMEM, "no memory for the picture");
    fill_rows(pixels, width, height, rows);
    if (compress2(packed, &size, rows, (uLong)raw, 6) != Z_OK)
        return pv_fail(err, PV_ENOMEM, "no memory for the picture");
    put_u32(head, width);
    put_u32(head + 4, height);
    head[8] = 8; /* bits of a sample */
    head[9] = 2; /* colour */
    buf_append(out, signature, sizeof(signature));
    put_chunk(out, "IHDR", head, sizeof(head));
    put_chunk(out, "IDAT", packed, size);
    put_chunk(out, "IEND", NULL, 0);
    return buf_ok(out) ? PV_OK : pv_fail(err, PV_ELIMIT, "the picture is too large");
}
