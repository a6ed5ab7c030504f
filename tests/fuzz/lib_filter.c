/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a filter: refused, or a tree within its bounds that can be matched. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>
#include <polyvisor/filter.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum pv_kind kinds[] = { PV_KIND_vm, PV_KIND_event, PV_KIND_provider,
                                          PV_KIND_disk };
    struct arena *a = arena_new(1u << 16, 1u << 24);
    const struct model_kind *kind = model_kind(kinds[size ? data[0] % 4 : 0]);
    const struct filter *f = NULL;
    struct pv_err err = { 0 };
    char *text;

    if (!a)
        return 0;
    text = arena_text(a, size ? (const char *)data + 1 : "", size ? size - 1 : 0);
    if (text && filter_parse(kind, text, 1769860800000, a, &f, &err) != PV_OK) {
        if (f || !err.message[0])
            abort();
    } else if (f) {
        struct model_row *row = model_row_new(a, kind->number);

        if (row && row->values) {
            for (size_t i = 0; i < kind->nfields; i++)
                if (kind->fields[i].type == MODEL_STR)
                    model_set_text(row, (unsigned)i, "Web-01");
                else if (kind->fields[i].type == MODEL_LIST)
                    model_set_text(row, (unsigned)i, "\na\nB\n");
            filter_match(f, row);
        }
    }
    arena_free(a);
    return 0;
}
