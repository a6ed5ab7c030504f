/* SPDX-License-Identifier: Apache-2.0 */
/* A batch made of hostile bytes: 24 bytes of head, then records, then text. What passes the check is read in full. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/sdk/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint64_t sink;

static void read_all(const struct sdk_batch *b)
{
    static const uint64_t key[2] = { 1, 2 };

    for (uint32_t i = 0; i < b->count; i++) {
        sink += strlen(sdk_record_native_id(b, i)) + strlen(sdk_record_owner(b, i)) +
                strlen(sdk_record_identity(b, i)) + sdk_record_hash(b, i, key);
        for (unsigned slot = 0; slot < PV_RECORD_SLOTS; slot++) {
            const struct model_field *f = model_field_by_slot(b->kind, slot);
            const char *item, *text;
            size_t len = 0;

            if (sdk_record_has(b, i, slot) != SDK_VALUE)
                continue;
            if (!f)
                abort();    /* a slot that we do not know must not come through */
            if (f->type == MODEL_U64 || f->type == MODEL_BOOL || f->type == MODEL_ENUM ||
                f->type == MODEL_TIME) {
                sink += (uint64_t)sdk_record_number(b, i, slot);
                continue;
            }
            text = sdk_record_text(b, i, slot, &len);
            if (strlen(text) != len)
                abort();    /* NUL-terminated, and no NUL inside */
            if (f->type == MODEL_LIST || f->type == MODEL_REFS)
                while (sdk_list_next(&text, &item, &len))
                    sink += len;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pv_batch batch = { .size = sizeof(batch) };
    uint32_t head[5];
    struct sdk_batch_faults faults;
    struct sdk_batch *out = NULL;
    size_t area;

    if (size < sizeof(head))
        return 0;
    memcpy(head, data, sizeof(head));
    batch.kind = head[0] % 64;
    batch.stride = head[1] % 4096;
    batch.count = head[2] % 64;
    batch.flags = head[3];
    area = (size_t)batch.stride * batch.count;
    if (area > size - sizeof(head))
        return 0;
    batch.records = data + sizeof(head);
    batch.blob = (const char *)data + sizeof(head) + area;
    batch.blob_len = (uint32_t)(size - sizeof(head) - area);
    if (sdk_batch_check(&batch, &faults, &out, NULL) == PV_OK)
        read_all(out);
    sdk_batch_free(out);
    return 0;
}
