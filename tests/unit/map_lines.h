/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a driver's mapping emits, as lines of text. One test program includes it
 * once; on_emit is the host's emit, nlines = 0 begins anew.
 */
#pragma once

#include <stdio.h>
#include <string.h>

#include <polyvisor/driver.h>
#include <polyvisor/err.h>
#include <polyvisor/model.h>
#include <polyvisor/records.h>

#define LINES 600

/* Every field of every record as "kind/native id/path=value". */
static char lines[LINES][512];
static size_t nlines;

static void keep_value(const struct model_kind *k, const char *id, const struct model_field *f,
                       uint64_t v, const struct pv_batch *b)
{
    char text[256];

    if (v == PV_NULL) {
        snprintf(text, sizeof(text), "null");
    } else if (f->type == MODEL_ENUM) {
        snprintf(text, sizeof(text), "%s", model_enum_text(f->enum_id, (int64_t)v));
    } else if (f->type == MODEL_U64 || f->type == MODEL_BOOL || f->type == MODEL_TIME) {
        snprintf(text, sizeof(text), "%llu", (unsigned long long)v);
    } else {
        pv_ref ref;

        memcpy(&ref, &v, sizeof(ref));
        snprintf(text, sizeof(text), "%.*s", (int)ref.len, b->blob + ref.off);
        for (char *p = text; *p; p++)
            *p = *p == '\n' ? ',' : *p;
    }
    if (nlines < LINES)
        snprintf(lines[nlines++], sizeof(lines[0]), "%s/%s/%s=%s", k->name, id, f->path, text);
}

static int on_emit(void *ctx, const struct pv_batch *b)
{
    const struct model_kind *k = model_kind((enum pv_kind)b->kind);

    (void)ctx;
    for (uint32_t i = 0; i < b->count; i++) {
        const char *at = (const char *)b->records + (size_t)i * b->stride;
        struct pv_record r;
        char id[200];

        memcpy(&r, at, sizeof(r));
        snprintf(id, sizeof(id), "%.*s", (int)r.native_id.len, b->blob + r.native_id.off);
        if (r.native_id.len == 0 && nlines < LINES)
            snprintf(lines[nlines++], sizeof(lines[0]), "%s/none", k->name);
        for (size_t f = 0; f < k->nfields; f++) {
            const struct model_field *field = &k->fields[f];
            uint64_t v;

            if (field->slot < 0 || !(r.have[field->slot / 64] >> (field->slot % 64) & 1))
                continue;
            memcpy(&v, at + PV_RECORD_HEAD + 8 * field->slot, 8);
            keep_value(k, id, field, v, b);
        }
    }
    return PV_OK;
}
