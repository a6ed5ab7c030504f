/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op_png - the picture of a screen as PNG.
 *
 * Pure; any thread.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct buf;
struct pv_err;

/* Pixels of 16 bits (five red, six green, five blue), little-endian, top-down, as Hyper-V gives
 * them. */
int png_from_rgb565(const uint8_t *pixels, size_t len, unsigned width, unsigned height,
                    struct buf *out, struct pv_err *err);
