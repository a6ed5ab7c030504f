/* SPDX-License-Identifier: Apache-2.0 */
/* Cursors come back from strangers: garbage, cut ones, and ones of other queries must be refused, ours accepted. */
#include <stdlib.h>
#include <string.h>

#include <polyvisor/err.h>

#include "server/api/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct api api = { .cursor_key = { 1, 2, 3 } };
    struct list_query l = { .hash = "0123456789abcdef" };
    struct store_position at = { .len = 0 }, back = { .len = 0 };
    char text[CURSOR_TEXT];
    struct pv_err err = { 0 };

    /* As it comes. */
    if (size < sizeof(text)) {
        memcpy(text, data, size);
        text[size] = '\0';
        if (cursor_read(&api, text, l.hash, &back, &err) == PV_OK && back.len > sizeof(back.bytes))
            abort();
    }
    /* As we write it: it reads back the same, and belongs to its query. */
    at.len = size < sizeof(at.bytes) ? size : sizeof(at.bytes);
    memcpy(at.bytes, data, at.len);
    cursor_write(&api, &l, &at, text, sizeof(text));
    if (cursor_read(&api, text, l.hash, &back, &err) != PV_OK || back.len != at.len ||
        memcmp(back.bytes, at.bytes, at.len) != 0)
        abort();
    if (cursor_read(&api, text, "fedcba9876543210", &back, &err) == PV_OK)
        abort();
    return 0;
}
