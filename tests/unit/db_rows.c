/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/db_estate.h"

TestSuite(rows);

/* A value for every field, or none at all where `empty`. */
static struct model_row *filled(struct fixture *f, const struct model_kind *k, bool empty)
{
    struct model_row *row = row_new(f, k->number);

    for (size_t i = 0; i < k->nfields && !empty; i++) {
        const struct model_field *field = &k->fields[i];
        struct model_ref *refs;
        struct pv_id id;

        switch (field->type) {
        case MODEL_STR:
            model_set_text(row, field->index, i % 2 ? "Ä \"quoted\" 'text' \\ \n %_" : "");
            break;
        case MODEL_LIST:
            model_set_text(row, field->index, i % 2 ? "\nOne\ntwo\n" : "");
            break;
        case MODEL_JSON:
            model_set_text(row, field->index, "{\"a\":[1,null,\"Ä\"]}");
            break;
        case MODEL_U64:
        case MODEL_TIME:
            model_set_number(row, field->index, (1LL << 53) - (int64_t)i);
            break;
        case MODEL_BOOL:
            model_set_number(row, field->index, i % 2);
            break;
        case MODEL_ENUM:
            model_set_number(row, field->index, (int64_t)model_enum_count(field->enum_id) - 1);
            break;
        case MODEL_REF:
            id_make(&id);
            model_set_ref(row, field->index, &id);
            break;
        case MODEL_REFS:
            refs = arena_alloc(f->arena, 3 * sizeof(*refs));
            for (int r = 0; r < 3; r++)
                id_make(&refs[r].id);
            row->values[i] = (struct model_value){ .set = true, .refs = refs, .len = 3 };
            break;
        }
    }
    return row;
}

struct get {
    const struct model_row *row;
    struct arena *a;
    struct model_row *got;
};

static int get_fn(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct get *g = arg;

    return tx_rows_get(tx, g->row->kind->number, &g->row->id, 1, true, g->a, &g->got, err);
}

static void same_values(const struct model_row *want, const struct model_row *got, bool secrets)
{
    for (size_t i = 0; i < want->kind->nfields; i++) {
        const struct model_field *field = &want->kind->fields[i];
        struct model_value v = want->values[i];

        if (field->flags & MODEL_COMPUTED)
            continue;
        if ((field->flags & MODEL_SECRET) && !secrets) {
            cr_expect(!got->values[i].set, "%s.%s was read", want->kind->name, field->path);
            continue;
        }
        /* A set is empty, never null. */
        if (field->type == MODEL_REFS)
            v.set = true;
        cr_expect(model_value_equal(field, &v, &got->values[i]), "%s.%s differs", want->kind->name,
                  field->path);
    }
}

Test(rows, every_kind_comes_back_as_it_was_written)
{
    struct fixture f = fixture_make();
    struct pv_err err = { 0 };

    fixture_open(&f);
    for (size_t i = 0; model_kind_at(i); i++) {
        const struct model_kind *k = model_kind_at(i);

        if (k->flags & MODEL_MEMORY)
            continue;
        for (int empty = 0; empty < 2; empty++) {
            struct model_row *row = filled(&f, k, empty), *got = NULL;
            struct get get = { row, f.arena, NULL };

            cr_assert_eq(store_write(f.store, insert_fn, row, &err), PV_OK, "%s: %s", k->name,
                         err.message);
            cr_assert_eq(
                store_row_get(f.store, shape_all(&f, k->number), &row->id, f.arena, &got, &err),
                PV_OK, "%s: %s", k->name, err.message);
            same_values(row, got, false);
            cr_assert_eq(store_write(f.store, get_fn, &get, &err), PV_OK, "%s: %s", k->name,
                         err.message);
            cr_assert_not_null(get.got);
            same_values(row, get.got, true);
        }
    }
    fixture_end(&f);
}

struct rewrite {
    const struct model_row *row;
    uint16_t fields[256];
    size_t n;
};

static int rewrite_fn(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct rewrite *r = arg;

    return tx_row_update(tx, r->row, r->fields, r->n, err);
}

Test(rows, every_field_of_every_kind_can_be_changed_and_emptied)
{
    struct fixture f = fixture_make();
    struct pv_err err = { 0 };

    fixture_open(&f);
    for (size_t i = 0; model_kind_at(i); i++) {
        const struct model_kind *k = model_kind_at(i);
        struct model_row *first, *then, *got;
        struct rewrite rewrite = { .n = 0 };

        if (k->flags & MODEL_MEMORY)
            continue;
        first = filled(&f, k, true);
        insert(&f, first);
        for (size_t j = 0; j < k->nfields; j++)
            if (!(k->fields[j].flags & MODEL_COMPUTED))
                rewrite.fields[rewrite.n++] = (uint16_t)j;
        for (int empty = 0; empty < 2; empty++) {
            then = filled(&f, k, empty);
            then->id = first->id;
            rewrite.row = then;
            cr_assert_eq(store_write(f.store, rewrite_fn, &rewrite, &err), PV_OK, "%s: %s", k->name,
                         err.message);
            cr_assert_eq(
                store_row_get(f.store, shape_all(&f, k->number), &first->id, f.arena, &got, &err),
                PV_OK);
            same_values(then, got, false);
        }
        remove_row(&f, k->number, &first->id);
        cr_assert_eq(
            store_row_get(f.store, shape_all(&f, k->number), &first->id, f.arena, &got, &err),
            PV_ENOENT);
    }
    fixture_end(&f);
}

Test(rows, names_and_the_providers_summary_come_with_references)
{
    struct fixture f = fixture_make();
    struct estate e;
    struct model_row *got;
    struct pv_err err = { 0 };
    bool seen = false;

    fixture_open(&f);
    estate_make(&f, &e);
    for (int i = 0; i < 20; i++) {
        const struct pv_id *provider = &e.vm[i]->values[F(vm, provider)].id;
        const struct model_row *expected =
            id_eq(provider, &e.provider[0]->id) ? e.provider[0] : e.provider[1];

        cr_assert_eq(
            store_row_get(f.store, shape_all(&f, PV_KIND_vm), &e.vm[i]->id, f.arena, &got, &err),
            PV_OK);
        cr_assert(id_eq(&got->provider->id, provider));
        cr_assert_str_eq(got->provider->name, model_text(expected, F(provider, name)));
        cr_assert_str_eq(got->provider->driver, "sim");
        cr_assert_eq(got->provider->family,
                     (enum pv_family)model_number(expected, F(provider, family)));
        if (got->values[F(vm, host)].set) {
            seen = true;
            cr_assert(strstr(got->values[F(vm, host)].text, "ESX0"));
        }
    }
    cr_assert(seen);
    fixture_end(&f);
}

Test(rows, secrets_are_read_only_by_who_asks_for_them)
{
    struct fixture f = fixture_make();
    struct model_row *p;
    struct pv_err err = { 0 };
    const char *secret = NULL;

    fixture_open(&f);
    p = provider_new(&f, "vc");
    model_set_text(p, F(provider, password), "sealed");
    insert(&f, p);
    cr_assert_eq(store_secret_get(f.store, PV_KIND_provider, &p->id, F(provider, password), f.arena,
                                  &secret, &err),
                 PV_OK);
    cr_assert_str_eq(secret, "sealed");
    cr_assert_neq(store_secret_get(f.store, PV_KIND_provider, &p->id, F(provider, name), f.arena,
                                   &secret, &err),
                  PV_OK);
    id_make(&p->id);
    cr_assert_eq(store_secret_get(f.store, PV_KIND_provider, &p->id, F(provider, password), f.arena,
                                  &secret, &err),
                 PV_ENOENT);
    fixture_end(&f);
}

Test(rows, ids_are_found_by_an_exact_value)
{
    struct fixture f = fixture_make();
    struct estate e;
    struct model_value v = { .set = true };
    struct pv_id *ids;
    struct pv_err err = { 0 };
    size_t n;

    fixture_open(&f);
    estate_make(&f, &e);
    v.text = "ESX03.example";
    v.len = strlen(v.text);
    cr_assert_eq(store_find(f.store, PV_KIND_host, F(host, name), &v, 10, f.arena, &ids, &n, &err),
                 PV_OK);
    cr_assert_eq(n, 1);
    cr_assert(id_eq(&ids[0], &e.host[3]->id));
    v.text = "esx03.example";
    cr_assert_eq(store_find(f.store, PV_KIND_host, F(host, name), &v, 10, f.arena, &ids, &n, &err),
                 PV_OK);
    cr_assert_eq(n, 0, "exact is with upper and lower case");
    v.text = "n-17";
    v.len = 4;
    cr_assert_eq(store_find(f.store, PV_KIND_vm, F(vm, native_id), &v, 10, f.arena, &ids, &n, &err),
                 PV_OK);
    cr_assert_eq(n, 1);
    cr_assert(id_eq(&ids[0], &e.vm[17]->id));
    v.id = e.provider[0]->id;
    cr_assert_eq(store_find(f.store, PV_KIND_vm, F(vm, provider), &v, 3, f.arena, &ids, &n, &err),
                 PV_OK);
    cr_assert_eq(n, 3, "at most as many as asked for");
    cr_assert(memcmp(ids[0].b, ids[1].b, 16) < 0 && memcmp(ids[1].b, ids[2].b, 16) < 0,
              "oldest first");
    fixture_end(&f);
}

struct bindings {
    size_t n, owned;
};

static int binding(void *ctx, const struct store_binding *b, struct pv_err *err)
{
    struct bindings *s = ctx;

    (void)err;
    s->n++;
    s->owned += !id_is_zero(&b->owner);
    cr_assert(strncmp(b->native_id, "n-", 2) == 0);
    cr_assert_not_null(b->identity);
    return 0;
}

Test(rows, bindings_are_what_a_provider_has)
{
    struct fixture f = fixture_make();
    struct estate e;
    struct bindings vms = { 0 }, disks = { 0 };
    struct pv_err err = { 0 };

    fixture_open(&f);
    estate_make(&f, &e);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(store_bindings(f.store, PV_KIND_vm, &e.provider[i]->id, binding, &vms, &err),
                     PV_OK, "%s", err.message);
        cr_assert_eq(
            store_bindings(f.store, PV_KIND_disk, &e.provider[i]->id, binding, &disks, &err),
            PV_OK);
    }
    cr_assert_eq(vms.n, ESTATE_VMS);
    cr_assert_eq(vms.owned, 0);
    cr_assert_eq(disks.owned, disks.n);
    cr_assert_gt(disks.n, 0);
    fixture_end(&f);
}
