/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report_mask - pseudonyms for a report.
 *
 * Names of classes, types, states, versions stay; identifiers keep their shape
 * (a GUID stays a GUID, a path keeps its depth and extension, an address is
 * another address), so that a masked report can be replayed; all other texts
 * become "~" and some digits of a keyed hash. Threads: any, once made.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <polyvisor/buf.h>

struct mask {
    bool on;
    uint8_t key[16]; /* random, of this report */
};

void mask_init(struct mask *m, bool on);
/* Appends `text`, the value of property `name`, as the report may show it. */
void mask_put(const struct mask *m, struct buf *out, const char *name, const char *text);
