/* SPDX-License-Identifier: Apache-2.0 */
/* One message of hostile bytes: the head, and every way to read a payload. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/sdk/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile size_t sink;

/* The readers that a payload may meet, in an order that the input chooses. */
static void read_fields(struct frame_reader *r, unsigned order)
{
    struct pv_failure failure;
    struct pv_progress progress;
    struct pv_batch batch;
    const char *text;

    for (int i = 0; i < 6; i++, order /= 5) {
        switch (order % 5) {
        case 0:
            sink += frame_get_u64(r, UINT32_MAX);
            break;
        case 1:
            text = frame_get_text_or_null(r, 4096);
            sink += text ? strlen(text) : 0;
            break;
        case 2:
            frame_get_failure(r, &failure);
            sink += strlen(failure.message);
            break;
        case 3:
            frame_get_progress(r, &progress);
            sink += progress.native_ref ? strlen(progress.native_ref) : 0;
            break;
        default:
            frame_get_batch(r, &batch);
            if (r->bad)
                break;
            for (size_t k = 0; k < (size_t)batch.stride * batch.count; k++)
                sink += ((const unsigned char *)batch.records)[k];
            for (size_t k = 0; k < batch.blob_len; k++)
                sink += (unsigned char)batch.blob[k];
            break;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct frame f = { 0 };
    struct frame_reader r;
    uint64_t shared;
    unsigned order;

    if (size < 2)
        return 0;
    order = data[0] | (unsigned)data[1] << 8;
    if (frame_decode(data + 2, size - 2, order & 0x8000, &f, &shared, NULL) != PV_OK || shared)
        return 0;
    f.has_fd = false;   /* the descriptor is made up */
    f.len = size - 2 - FRAME_HEAD;
    f.data = malloc(f.len);
    memcpy(f.data, data + 2 + FRAME_HEAD, f.len);
    frame_read(&r, &f);
    read_fields(&r, order);
    if (frame_done(&r) && r.pos != f.len)
        abort();
    frame_free(&f);
    return 0;
}
