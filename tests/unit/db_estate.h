/* SPDX-License-Identifier: Apache-2.0 */
/* A random estate: providers, hosts, datastores, VMs with disks; values with gaps, ties and upper
 * case. */
#pragma once

#include "tests/unit/db_store.h"

#define ESTATE_VMS 400

struct estate {
    struct model_row *provider[2], *host[5], *datastore[3], *vm[ESTATE_VMS];
};

static uint32_t estate_seed = 12345;

static inline unsigned dice(unsigned sides)
{
    estate_seed = estate_seed * 1664525u + 1013904223u;
    return (estate_seed >> 8) % sides;
}

static inline const char *estate_text(struct fixture *f)
{
    static const char *const words[] = { "web",  "Web",    "DB",     "db_",   "50%",
                                         "a\\b", "Zürich", "zürich", "ÄRGER", "x" };

    return arena_printf(f->arena, "%s-%u", words[dice(10)], dice(20));
}

static inline void estate_fill(struct fixture *f, struct estate *e, struct model_row *row)
{
    for (size_t i = 0; i < row->kind->nfields; i++) {
        const struct model_field *field = &row->kind->fields[i];
        struct model_ref *refs;

        if ((field->flags & MODEL_COMPUTED) || row->values[i].set || dice(4) == 0 ||
            strcmp(field->name, "presence") == 0)
            continue;
        switch (field->type) {
        case MODEL_STR:
            model_set_text(row, field->index, estate_text(f));
            break;
        case MODEL_LIST:
            model_set_text(row, field->index,
                           arena_printf(f->arena, "\n%s\n%s\n", estate_text(f), estate_text(f)));
            break;
        case MODEL_JSON:
            model_set_text(row, field->index, "{\"a\":1}");
            break;
        case MODEL_U64:
        case MODEL_TIME:
            model_set_number(row, field->index, dice(10));
            break;
        case MODEL_BOOL:
            model_set_number(row, field->index, dice(2));
            break;
        case MODEL_ENUM:
            model_set_number(row, field->index, dice((unsigned)model_enum_count(field->enum_id)));
            break;
        case MODEL_REF:
            if (field->ref == PV_KIND_host)
                model_set_ref(row, field->index, &e->host[dice(5)]->id);
            break;
        case MODEL_REFS:
            if (field->ref != PV_KIND_datastore)
                break;
            refs = arena_alloc(f->arena, 2 * sizeof(*refs));
            refs[0].id = e->datastore[0]->id;
            refs[1].id = e->datastore[1 + dice(2)]->id;
            row->values[i] = (struct model_value){ .set = true, .refs = refs, .len = 2 };
            break;
        }
    }
}

struct estate_rows {
    struct model_row *rows[4096];
    size_t n;
};

static inline int estate_write(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct estate_rows *r = arg;
    int rc = PV_OK;

    for (size_t i = 0; i < r->n && rc == PV_OK; i++)
        rc = tx_row_insert(tx, r->rows[i], err);
    return rc;
}

static inline struct model_row *estate_native(struct fixture *f, struct estate *e,
                                              enum pv_kind kind, unsigned number)
{
    struct model_row *row = row_new(f, kind);

    model_set_ref(row, model_field_by_name(row->kind, "provider")->index,
                  &e->provider[dice(2)]->id);
    model_set_text(row, model_field_by_name(row->kind, "native_id")->index,
                   arena_printf(f->arena, "n-%u", number));
    return row;
}

static inline void estate_make(struct fixture *f, struct estate *e)
{
    static struct estate_rows r;
    struct pv_err err = { 0 };

    r.n = 0;
    for (unsigned i = 0; i < 2; i++)
        r.rows[r.n++] = e->provider[i] = provider_new(f, i ? "VC-two" : "vc-one");
    model_set_number(e->provider[1], F(provider, family), PV_FAMILY_HYPERV);
    model_set_number(e->provider[1], F(provider, state), PV_PROVIDER_STATE_DISCONNECTED);
    for (unsigned i = 0; i < 5; i++) {
        r.rows[r.n++] = e->host[i] = estate_native(f, e, PV_KIND_host, i);
        model_set_text(e->host[i], F(host, name), arena_printf(f->arena, "ESX0%u.example", i));
    }
    for (unsigned i = 0; i < 3; i++) {
        r.rows[r.n++] = e->datastore[i] = estate_native(f, e, PV_KIND_datastore, i);
        model_set_text(e->datastore[i], F(datastore, name), arena_printf(f->arena, "Store-%u", i));
    }
    for (unsigned i = 0; i < ESTATE_VMS; i++) {
        r.rows[r.n++] = e->vm[i] = estate_native(f, e, PV_KIND_vm, i);
        estate_fill(f, e, e->vm[i]);
        for (unsigned d = dice(4); d > 0; d--) {
            struct model_row *disk = estate_native(f, e, PV_KIND_disk, i * 10 + d);

            model_set_ref(disk, F(disk, owner), &e->vm[i]->id);
            estate_fill(f, e, disk);
            r.rows[r.n++] = disk;
        }
    }
    cr_assert_eq(store_write(f->store, estate_write, &r, &err), PV_OK, "%s", err.message);
}
