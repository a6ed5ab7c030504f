/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of storage share: a store in a folder of its own, and writing from a test. */
#pragma once

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/id.h>
#include <polyvisor/model.h>

#include "db/store.h"

struct fixture {
    char dir[64], path[160];
    struct store *store;
    struct arena *arena;
};

static inline struct fixture fixture_make(void)
{
    struct fixture f = { .dir = "/tmp/polyvisor-db-XXXXXX" };

    cr_assert(mkdtemp(f.dir));
    snprintf(f.path, sizeof(f.path), "%s/db", f.dir);
    f.arena = arena_new(1u << 16, 1u << 28);
    cr_assert(f.arena);
    return f;
}

static inline void fixture_open(struct fixture *f)
{
    struct store_config config = { .path = f->path };
    struct pv_err err = { 0 };

    cr_assert_eq(store_open(&config, &f->store, &err), PV_OK, "%s", err.message);
}

static inline void fixture_end(struct fixture *f)
{
    DIR *dir = opendir(f->dir);
    const struct dirent *entry;
    char name[400];

    store_close(f->store);
    arena_free(f->arena);
    cr_assert(dir);
    while ((entry = readdir(dir))) {
        snprintf(name, sizeof(name), "%s/%s", f->dir, entry->d_name);
        unlink(name);
    }
    closedir(dir);
    cr_assert_eq(rmdir(f->dir), 0);
}

static inline int insert_fn(struct store_tx *tx, void *arg, struct pv_err *err)
{
    return tx_row_insert(tx, arg, err);
}

static inline void insert(struct fixture *f, struct model_row *row)
{
    struct pv_err err = { 0 };

    cr_assert_eq(store_write(f->store, insert_fn, row, &err), PV_OK, "%s", err.message);
}

/* A row with an id and what every kind has. */
static inline struct model_row *row_new(struct fixture *f, enum pv_kind kind)
{
    struct model_row *row = model_row_new(f->arena, kind);
    const struct model_kind *k = model_kind(kind);

    id_make(&row->id);
    model_set_number(row, model_field_by_name(k, "created_at")->index, 1000);
    model_set_number(row, model_field_by_name(k, "updated_at")->index, 1000);
    model_set_number(row, model_field_by_name(k, "version")->index, 1);
    return row;
}

static inline struct model_row *provider_new(struct fixture *f, const char *name)
{
    struct model_row *row = row_new(f, PV_KIND_provider);

    model_set_text(row, F(provider, name), name);
    model_set_text(row, F(provider, driver), "sim");
    model_set_number(row, F(provider, family), PV_FAMILY_VMWARE);
    model_set_number(row, F(provider, simulated), 0);
    model_set_number(row, F(provider, state), PV_PROVIDER_STATE_CONNECTED);
    return row;
}

static inline struct model_row *vm_new(struct fixture *f, const struct model_row *provider,
                                       const char *name)
{
    static unsigned number;
    struct model_row *row = row_new(f, PV_KIND_vm);

    model_set_text(row, F(vm, name), name);
    model_set_text(row, F(vm, native_id), arena_printf(f->arena, "vm-%u", ++number));
    if (provider)
        model_set_ref(row, F(vm, provider), &provider->id);
    return row;
}

/* All fields but computed and secret ones, without children. */
static inline const struct model_shape *shape_all(struct fixture *f, enum pv_kind kind)
{
    const struct model_kind *k = model_kind(kind);
    struct model_shape *s = arena_alloc(f->arena, sizeof(*s));

    s->kind = k;
    s->has_id = true;
    s->fields = arena_alloc(f->arena, k->nfields * sizeof(*s->fields));
    for (size_t i = 0; i < k->nfields; i++)
        if (!(k->fields[i].flags & MODEL_SECRET))
            s->fields[s->nfields++] = (uint16_t)i;
    return s;
}

struct update_arg {
    const struct model_row *row;
    uint16_t field;
};

static inline int update_fn(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct update_arg *u = arg;

    return tx_row_update(tx, u->row, &u->field, 1, err);
}

static inline void update(struct fixture *f, const struct model_row *row, uint16_t field)
{
    struct update_arg u = { row, field };
    struct pv_err err = { 0 };

    cr_assert_eq(store_write(f->store, update_fn, &u, &err), PV_OK, "%s", err.message);
}

struct confirm_arg {
    const struct pv_id *provider;
    int64_t ms;
};

static inline int confirm_fn(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct confirm_arg *c = arg;

    return tx_confirmed_put(tx, c->provider, c->ms, err);
}

static inline void confirm(struct fixture *f, const struct model_row *provider, int64_t ms)
{
    struct confirm_arg c = { &provider->id, ms };
    struct pv_err err = { 0 };

    cr_assert_eq(store_write(f->store, confirm_fn, &c, &err), PV_OK, "%s", err.message);
}

struct remove_arg {
    enum pv_kind kind;
    const struct pv_id *id;
};

static inline int remove_fn(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct remove_arg *r = arg;

    return tx_row_delete(tx, r->kind, r->id, err);
}

static inline void remove_row(struct fixture *f, enum pv_kind kind, const struct pv_id *id)
{
    struct remove_arg r = { kind, id };
    struct pv_err err = { 0 };

    cr_assert_eq(store_write(f->store, remove_fn, &r, &err), PV_OK, "%s", err.message);
}
