/* SPDX-License-Identifier: Apache-2.0 */
/* Any filter that is accepted compiles to SQL that the engine accepts; any bytes as a position are
 * refused or harmless. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>
#include <polyvisor/filter.h>

#include "db/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct store *store;

static int ignore(void *ctx, const struct model_row *row, struct pv_err *err)
{
    (void)ctx;
    (void)row;
    (void)err;
    return 0;
}

static int one_vm(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct model_row *row = model_row_new(tx_arena(tx), PV_KIND_vm);

    (void)arg;
    id_make(&row->id);
    model_set_text(row, F(vm, name), "Web-01");
    return tx_row_insert(tx, row, err);
}

static char path[] = "/tmp/polyvisor-fuzz-XXXXXX";

static void remove_files(void)
{
    static const char *const suffixes[] = { "", "-wal", "-shm" };
    char name[64];

    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
        unlink(name);
    }
}

static void open_once(void)
{
    struct store_config config = { .path = path };
    struct pv_err err = { 0 };
    int fd;

    if (store)
        return;
    fd = mkstemp(path);
    if (fd < 0 || store_open(&config, &store, &err) != PV_OK ||
        store_write(store, one_vm, NULL, &err) != PV_OK) {
        fprintf(stderr, "%s\n", err.message);
        abort();
    }
    close(fd);
    atexit(remove_files);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new(1u << 16, 1u << 24);
    struct store_sort sort = { F(vm, name), false };
    struct store_position after = { .len = 0 };
    struct model_shape shape = { .kind = model_kind(PV_KIND_vm) };
    struct store_query q = { .shape = &shape, .limit = 10, .sort = &sort, .nsort = 1 };
    struct pv_err err = { 0 };
    char *text;
    int rc = PV_OK;

    open_once();
    if (!a)
        return 0;
    if (size > 0 && data[0] == 'p') {
        after.len = size - 1 < sizeof(after.bytes) ? size - 1 : sizeof(after.bytes);
        memcpy(after.bytes, data + 1, after.len);
        q.after = &after;
        rc = store_list(store, &q, ignore, NULL, NULL, &err);
    } else {
        text = arena_text(a, (const char *)data, size);
        if (text && filter_parse(shape.kind, text, 1769860800000, a, &q.filter, &err) == PV_OK)
            rc = store_list(store, &q, ignore, NULL, NULL, &err);
    }
    if (rc == PV_EINTERNAL) {
        fprintf(stderr, "%s\n", err.message);
        abort();
    }
    arena_free(a);
    return 0;
}
