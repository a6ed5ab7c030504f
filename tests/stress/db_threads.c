/* SPDX-License-Identifier: Apache-2.0 */
/* Writers, readers and short-lived threads on one store; for ThreadSanitizer. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>

#include "db/store.h"

#define WRITERS 4
#define READERS 4
#define ROUNDS 100

static struct store *store;
static atomic_uint hooks, later;

static void check(int rc, const struct pv_err *err)
{
    if (rc == PV_OK)
        return;
    fprintf(stderr, "%s\n", err->message);
    abort();
}

static void hook(void *arg)
{
    (void)arg;
    atomic_fetch_add(&hooks, 1);
}

static int write_fn(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct model_row *row = model_row_new(tx_arena(tx), PV_KIND_vm);
    char native[40];
    int rc;

    (void)arg;
    id_make(&row->id);
    snprintf(native, sizeof(native), "%02x%02x%02x%02x%02x", row->id.b[11], row->id.b[12],
             row->id.b[13], row->id.b[14], row->id.b[15]);
    model_set_text(row, F(vm, name), "stress");
    model_set_text(row, F(vm, native_id), native);
    rc = tx_row_insert(tx, row, err);
    return rc == PV_OK ? tx_after_commit(tx, hook, NULL, err) : rc;
}

static void done(void *arg, int rc, const struct pv_err *err)
{
    (void)arg;
    check(rc, err);
    atomic_fetch_add(&later, 1);
}

static void *writer(void *arg)
{
    struct pv_err err = { 0 };

    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        check(store_write_later(store, write_fn, NULL, done, &err), &err);
        check(store_write(store, write_fn, NULL, &err), &err);
    }
    return NULL;
}

static int see(void *ctx, const struct model_row *row, struct pv_err *err)
{
    (void)err;
    *(size_t *)ctx += row != NULL;
    return 0;
}

static void *reader(void *arg)
{
    struct arena *a = arena_new(1u << 16, 1u << 24);
    struct store_query q = { .limit = 100 };
    struct pv_err err = { 0 };

    (void)arg;
    check(model_shape_make(model_kind(PV_KIND_vm), NULL, MODEL_VIEW_FULL, a, &q.shape, &err), &err);
    for (int i = 0; i < ROUNDS / 4; i++) {
        struct store_hit *hits;
        size_t n = 0;

        store_kind_changes(store, PV_KIND_vm);
        check(store_list(store, &q, see, &n, NULL, &err), &err);
        check(store_search(store, "stress", NULL, 0, NULL, 10, a, &hits, &n, &err), &err);
    }
    arena_free(a);
    return NULL;
}

/* The database's files, and the folder they were in. */
static bool remove_files(const char *path, const char *dir)
{
    static const char *const suffixes[] = { "", "-wal", "-shm" };
    char name[700];

    for (size_t i = 0; i < PV_COUNT(suffixes); i++) {
        snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
        unlink(name);
    }
    return rmdir(dir) == 0;
}

int main(void)
{
    char dir[] = "/tmp/polyvisor-stress-XXXXXX", path[64];
    pthread_t threads[WRITERS + READERS];
    struct store_config config = { .path = path };
    struct pv_err err = { 0 };

    if (!mkdtemp(dir))
        return 1;
    snprintf(path, sizeof(path), "%s/db", dir);
    check(store_open(&config, &store, &err), &err);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < WRITERS + READERS; i++)
            if (pthread_create(&threads[i], NULL, i < WRITERS ? writer : reader, NULL) != 0)
                return 1;
        for (int i = 0; i < WRITERS + READERS; i++)
            pthread_join(threads[i], NULL);
    }
    store_close(store);
    if (hooks != 2 * 2 * WRITERS * ROUNDS || later != 2 * WRITERS * ROUNDS) {
        fprintf(stderr, "%u hooks, %u later\n", hooks, later);
        return 1;
    }
    return remove_files(path, dir) ? 0 : 1;
}
