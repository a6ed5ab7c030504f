/* SPDX-License-Identifier: Apache-2.0 */
#include <polyvisor/str.h>

#include <polyvisor/buf.h>
#include <polyvisor/filter.h>

#include "tests/unit/db_estate.h"

TestSuite(list);

struct found {
    struct pv_id ids[1000];
    size_t n, stop_at;
};

static int collect(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct found *f = ctx;

    if (f->stop_at && f->n == f->stop_at)
        return pv_fail(err, PV_ECANCELED, "enough");
    f->ids[f->n++] = row->id;
    return 0;
}

static const struct model_shape *ids_only(struct fixture *f, enum pv_kind kind)
{
    struct model_shape *s = arena_alloc(f->arena, sizeof(*s));

    s->kind = model_kind(kind);
    s->has_id = true;
    s->fields = arena_alloc(f->arena, sizeof(*s->fields));
    return s;
}

/* All pages of `limit`, one after the other. */
static void pages(struct fixture *f, struct store_query q, unsigned limit, struct found *all)
{
    struct store_position at = { .len = 0 };
    struct pv_err err = { 0 };

    all->n = 0;
    q.limit = limit;
    q.after = &at;
    for (int i = 0; i < 1000; i++) {
        size_t before = all->n;
        struct store_position last = { .len = 0 };

        cr_assert_eq(store_list(f->store, &q, collect, all, &last, &err), PV_OK, "%s", err.message);
        if (last.len == 0)
            return;
        cr_assert_eq(all->n - before, limit, "a page that is not the last is full");
        at = last;
    }
    cr_assert_fail("the list does not end");
}

static const char *ref_name(const struct estate *e, const struct pv_id *id)
{
    for (int i = 0; i < 5; i++)
        if (id_eq(&e->host[i]->id, id))
            return model_text(e->host[i], F(host, name));
    for (int i = 0; i < 2; i++)
        if (id_eq(&e->provider[i]->id, id))
            return model_text(e->provider[i], F(provider, name));
    return "";
}

static const struct estate *sorted_estate;
static struct store_sort sorted_by[STORE_SORT_MAX];
static size_t sorted_keys;

static int compare_folded(const char *a, const char *b)
{
    struct buf x, y;
    int diff;

    buf_init(&x, 4096);
    buf_init(&y, 4096);
    buf_text(&x, "");
    buf_text(&y, "");
    str_fold(&x, a, strlen(a));
    str_fold(&y, b, strlen(b));
    diff = strcmp(x.data, y.data);
    buf_free(&x);
    buf_free(&y);
    return diff;
}

static int compare_rows(const void *a, const void *b)
{
    const struct model_row *x = *(struct model_row *const *)a, *y = *(struct model_row *const *)b;
    bool descending = false;
    int diff = 0;

    for (size_t i = 0; i < sorted_keys && diff == 0; i++) {
        const struct model_field *f = &x->kind->fields[sorted_by[i].field];
        const struct model_value *v = &x->values[f->index], *w = &y->values[f->index];

        descending = sorted_by[i].descending;
        if (f->type == MODEL_STR) {
            diff = compare_folded(model_text(x, f->index), model_text(y, f->index));
        } else if (f->type == MODEL_REF) {
            diff = compare_folded(v->set ? ref_name(sorted_estate, &v->id) : "",
                                  w->set ? ref_name(sorted_estate, &w->id) : "");
        } else {
            int64_t m = v->set ? v->number : -1, n = w->set ? w->number : -1;

            diff = m < n ? -1 : m > n;
        }
        diff = descending ? -diff : diff;
    }
    if (diff == 0)
        diff = descending ? memcmp(y->id.b, x->id.b, 16) : memcmp(x->id.b, y->id.b, 16);
    return diff;
}

/* Pages of odd sizes give what sorting in memory gives. */
static void check_sort(struct fixture *f, const struct estate *e, const struct store_sort *sort,
                       size_t n)
{
    static struct model_row *rows[ESTATE_VMS];
    static struct found found;
    static const unsigned limits[] = { 1000, 37, 101 };
    struct store_query q = { .shape = ids_only(f, PV_KIND_vm), .sort = sort, .nsort = n };

    memcpy(rows, e->vm, sizeof(rows));
    sorted_estate = e;
    sorted_keys = n;
    memcpy(sorted_by, sort, n * sizeof(*sort));
    qsort(rows, ESTATE_VMS, sizeof(struct model_row *), compare_rows);
    for (size_t i = 0; i < PV_COUNT(limits); i++) {
        pages(f, q, limits[i], &found);
        cr_assert_eq(found.n, ESTATE_VMS);
        for (size_t j = 0; j < found.n; j++)
            cr_assert(id_eq(&found.ids[j], &rows[j]->id), "sorted by %s, pages of %u: row %zu",
                      model_kind(PV_KIND_vm)->fields[sort[0].field].path, limits[i], j);
    }
}

Test(list, pages_by_every_sortable_field_are_the_sorted_list, .timeout = 120)
{
    struct fixture f = fixture_make();
    struct estate e;
    const struct model_kind *k = model_kind(PV_KIND_vm);

    fixture_open(&f);
    estate_make(&f, &e);
    for (size_t i = 0; i < k->nfields; i++) {
        struct store_sort sort = { .field = (uint16_t)i };

        if (!(k->fields[i].flags & MODEL_SORT))
            continue;
        check_sort(&f, &e, &sort, 1);
        sort.descending = true;
        check_sort(&f, &e, &sort, 1);
    }
    fixture_end(&f);
}

Test(list, several_sort_fields_in_mixed_directions, .timeout = 120)
{
    static const struct store_sort sorts[][4] = {
        { { F(vm, power_state), false },
          { F(vm, name), true },
          { F(vm, cpu_count), false },
          { F(vm, host), true } },
        { { F(vm, activity), true },
          { F(vm, name), false },
          { F(vm, memory_bytes), true },
          { F(vm, health), false } },
        { { F(vm, name), true },
          { F(vm, provider), false },
          { F(vm, cpu_count), true },
          { F(vm, version), true } },
    };
    struct fixture f = fixture_make();
    struct estate e;

    fixture_open(&f);
    estate_make(&f, &e);
    for (size_t i = 0; i < PV_COUNT(sorts); i++)
        for (size_t n = 2; n <= 4; n++)
            check_sort(&f, &e, sorts[i], n);
    fixture_end(&f);
}

Test(list, without_a_sort_the_oldest_come_first)
{
    struct fixture f = fixture_make();
    struct estate e;
    struct found found;
    struct store_query q = { 0 };

    fixture_open(&f);
    estate_make(&f, &e);
    q.shape = ids_only(&f, PV_KIND_vm);
    pages(&f, q, 64, &found);
    cr_assert_eq(found.n, ESTATE_VMS);
    for (size_t i = 0; i < found.n; i++)
        cr_assert(id_eq(&found.ids[i], &e.vm[i]->id));
    fixture_end(&f);
}

Test(list, a_page_goes_on_where_a_deleted_row_was)
{
    struct fixture f = fixture_make();
    struct estate e;
    struct found found = { .n = 0 };
    struct store_sort sort = { F(vm, name), false };
    struct store_position last;
    struct store_query q = { .sort = &sort, .nsort = 1, .limit = 50 };
    struct pv_err err = { 0 };
    struct model_row *row;
    size_t all;

    fixture_open(&f);
    estate_make(&f, &e);
    q.shape = ids_only(&f, PV_KIND_vm);
    cr_assert_eq(store_list(f.store, &q, collect, &found, &last, &err), PV_OK);
    cr_assert_gt(last.len, 0);
    row = model_row_new(f.arena, PV_KIND_vm);
    row->id = found.ids[49];
    remove_row(&f, PV_KIND_vm, &row->id);
    q.after = &last;
    q.limit = 1000;
    all = found.n;
    cr_assert_eq(store_list(f.store, &q, collect, &found, &last, &err), PV_OK);
    cr_assert_eq(found.n, ESTATE_VMS);
    cr_assert_eq(last.len, 0);
    for (size_t i = all; i < found.n; i++)
        for (size_t j = 0; j < all; j++)
            cr_assert(!id_eq(&found.ids[i], &found.ids[j]));
    fixture_end(&f);
}

Test(list, given_ids_come_in_their_order_and_missing_ones_are_left_out)
{
    struct fixture f = fixture_make();
    struct estate e;
    struct found found = { .n = 0 };
    struct store_query q = { 0 };
    struct pv_id ids[5];
    struct pv_err err = { 0 };

    fixture_open(&f);
    estate_make(&f, &e);
    ids[0] = e.vm[9]->id;
    ids[1] = e.vm[2]->id;
    id_make(&ids[2]);
    ids[3] = e.vm[300]->id;
    ids[4] = e.vm[9]->id;
    q = (struct store_query){ .shape = ids_only(&f, PV_KIND_vm), .ids = ids, .nids = 5 };
    cr_assert_eq(store_list(f.store, &q, collect, &found, NULL, &err), PV_OK, "%s", err.message);
    cr_assert_eq(found.n, 4);
    cr_assert(id_eq(&found.ids[0], &ids[0]));
    cr_assert(id_eq(&found.ids[1], &ids[1]));
    cr_assert(id_eq(&found.ids[2], &ids[3]));
    cr_assert(id_eq(&found.ids[3], &ids[0]));
    fixture_end(&f);
}

Test(list, what_is_gone_is_left_out_unless_asked_for)
{
    struct fixture f = fixture_make();
    struct model_row *p, *here, *gone;
    struct found found = { .n = 0 };
    struct store_query q = { .limit = 10 };
    struct pv_err err = { 0 };
    uint64_t n;

    fixture_open(&f);
    p = provider_new(&f, "vc");
    insert(&f, p);
    here = vm_new(&f, p, "here");
    gone = vm_new(&f, p, "gone");
    model_set_number(gone, F(vm, presence), PV_PRESENCE_GONE);
    insert(&f, here);
    insert(&f, gone);
    q.shape = ids_only(&f, PV_KIND_vm);
    cr_assert_eq(store_list(f.store, &q, collect, &found, NULL, &err), PV_OK);
    cr_assert_eq(found.n, 1);
    cr_assert(id_eq(&found.ids[0], &here->id));
    q.with_gone = true;
    cr_assert_eq(store_count(f.store, &q, &n, &err), PV_OK);
    cr_assert_eq(n, 2);
    fixture_end(&f);
}

struct children_seen {
    const struct estate *e;
    size_t rows, disks;
};

static int see_children(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct children_seen *seen = ctx;

    (void)err;
    seen->rows++;
    for (const struct model_children *c = row->children; c && c->kind; c++) {
        if (c->kind->number != PV_KIND_disk)
            continue;
        for (size_t i = 0; i < c->nrows; i++) {
            seen->disks++;
            cr_assert(id_eq(&c->rows[i].values[F(disk, owner)].id, &row->id));
        }
    }
    if (row->values[F(vm, host)].set)
        cr_assert_str_eq(row->values[F(vm, host)].text,
                         ref_name(seen->e, &row->values[F(vm, host)].id));
    for (size_t i = 0; i < row->values[F(vm, datastores)].len; i++)
        cr_assert(str_starts(row->values[F(vm, datastores)].refs[i].name, "Store-"));
    return 0;
}

Test(list, children_and_names_come_with_the_rows)
{
    struct fixture f = fixture_make();
    struct estate e;
    struct children_seen seen = { .e = &e };
    struct store_query q = { .limit = 1000 };
    struct pv_err err = { 0 };
    uint64_t disks;

    fixture_open(&f);
    estate_make(&f, &e);
    cr_assert_eq(
        model_shape_make(model_kind(PV_KIND_vm), NULL, MODEL_VIEW_FULL, f.arena, &q.shape, &err),
        PV_OK);
    cr_assert_eq(store_list(f.store, &q, see_children, &seen, NULL, &err), PV_OK, "%s",
                 err.message);
    q.shape = ids_only(&f, PV_KIND_disk);
    cr_assert_eq(store_count(f.store, &q, &disks, &err), PV_OK);
    cr_assert_eq(seen.rows, ESTATE_VMS);
    cr_assert_eq(seen.disks, disks);
    cr_assert_gt(disks, ESTATE_VMS / 2);
    q.owner = &e.vm[3]->id;
    cr_assert_eq(store_count(f.store, &q, &disks, &err), PV_OK);
    cr_assert_lt(disks, 4);
    fixture_end(&f);
}

Test(list, a_reader_that_stops_is_answered_its_own_error)
{
    struct fixture f = fixture_make();
    struct estate e;
    struct found found = { .stop_at = 3 };
    struct store_query q = { .limit = 100 };
    struct pv_err err = { 0 };

    fixture_open(&f);
    estate_make(&f, &e);
    q.shape = ids_only(&f, PV_KIND_vm);
    cr_assert_eq(store_list(f.store, &q, collect, &found, NULL, &err), PV_ECANCELED);
    cr_assert_eq(found.n, 3);
    found.stop_at = found.n = 0;
    cr_assert_eq(store_list(f.store, &q, collect, &found, NULL, &err), PV_OK,
                 "and the next list works");
    fixture_end(&f);
}

Test(list, a_position_of_another_list_is_refused)
{
    struct fixture f = fixture_make();
    struct estate e;
    struct found found = { .n = 0 };
    struct store_sort sort = { F(vm, name), false };
    struct store_position last, bad;
    struct store_query q = { .limit = 10, .sort = &sort, .nsort = 1 };
    struct pv_err err = { 0 };

    fixture_open(&f);
    estate_make(&f, &e);
    q.shape = ids_only(&f, PV_KIND_vm);
    cr_assert_eq(store_list(f.store, &q, collect, &found, &last, &err), PV_OK);
    q.nsort = 0;
    q.after = &last;
    cr_assert_neq(store_list(f.store, &q, collect, &found, NULL, &err), PV_OK);
    cr_assert_str_eq(pv_err_problem(&err)->code, "cursor-mismatch");
    q.nsort = 1;
    q.after = &bad;
    for (size_t i = 0; i <= last.len; i++) {
        bad = last;
        bad.len = i;
        if (i > 0 && i < last.len)
            cr_assert_neq(store_list(f.store, &q, collect, &found, NULL, &err), PV_OK, "cut to %zu",
                          i);
        found.n = 0;
    }
    for (size_t i = 0; i < last.len; i++) {
        bad = last;
        bad.bytes[i] ^= 0xff;
        found.n = 0;
        store_list(f.store, &q, collect, &found, NULL, &err);
    }
    bad.len = SIZE_MAX;
    cr_assert_neq(store_list(f.store, &q, collect, &found, NULL, &err), PV_OK);
    fixture_end(&f);
}

struct facets {
    char text[20][64];
    uint64_t count[20];
    size_t n;
};

static int facet(void *ctx, const char *text, const char *name, uint64_t count)
{
    struct facets *f = ctx;

    cr_assert_lt(f->n, 20);
    snprintf(f->text[f->n], sizeof(f->text[0]), "%s|%s", text, name ? name : "");
    f->count[f->n++] = count;
    return 0;
}

Test(list, facets_count_rows_per_value)
{
    struct fixture f = fixture_make();
    struct estate e;
    struct facets facets = { .n = 0 };
    struct store_query q = { 0 };
    struct pv_err err = { 0 };
    uint64_t sum = 0, running = 0;

    fixture_open(&f);
    estate_make(&f, &e);
    q.shape = ids_only(&f, PV_KIND_vm);
    cr_assert_eq(store_facet(f.store, &q, F(vm, power_state), facet, &facets, &err), PV_OK, "%s",
                 err.message);
    for (int i = 0; i < ESTATE_VMS; i++)
        running += e.vm[i]->values[F(vm, power_state)].set &&
                   model_number(e.vm[i], F(vm, power_state)) == PV_POWER_STATE_RUNNING;
    for (size_t i = 0; i < facets.n; i++) {
        if (strcmp(facets.text[i], "running|") == 0)
            cr_assert_eq(facets.count[i], running);
        cr_assert(i == 0 || facets.count[i] <= facets.count[i - 1], "most first");
    }
    facets.n = 0;
    cr_assert_eq(store_facet(f.store, &q, F(vm, provider), facet, &facets, &err), PV_OK, "%s",
                 err.message);
    cr_assert_eq(facets.n, 2);
    for (size_t i = 0; i < facets.n; i++)
        sum += facets.count[i];
    cr_assert_eq(sum, ESTATE_VMS);
    cr_assert(str_starts(facets.text[0], "prv_"));
    cr_assert(strstr(facets.text[0], "|vc-one") || strstr(facets.text[0], "|VC-two"));
    cr_assert_neq(store_facet(f.store, &q, F(vm, question), facet, &facets, &err), PV_OK);
    fixture_end(&f);
}

Test(list, tallies_and_sums_are_per_provider)
{
    struct fixture f = fixture_make();
    struct estate e;
    struct store_tally *t;
    struct pv_err err = { 0 };
    uint64_t rows = 0;
    int64_t sum = 0, expected = 0;
    size_t n;

    fixture_open(&f);
    estate_make(&f, &e);
    cr_assert_eq(store_tally(f.store, PV_KIND_vm, F(vm, power_state), NULL, f.arena, &t, &n, &err),
                 PV_OK);
    for (size_t i = 0; i < n; i++)
        rows += t[i].count;
    cr_assert_eq(rows, ESTATE_VMS);
    cr_assert_eq(store_tally(f.store, PV_KIND_vm, UINT16_MAX, NULL, f.arena, &t, &n, &err), PV_OK);
    cr_assert_eq(n, 2);
    cr_assert_eq(store_sum(f.store, PV_KIND_vm, F(vm, memory_bytes), NULL, f.arena, &t, &n, &err), PV_OK);
    for (size_t i = 0; i < n; i++)
        sum += t[i].value;
    for (int i = 0; i < ESTATE_VMS; i++)
        expected += model_number(e.vm[i], F(vm, memory_bytes));
    cr_assert_eq(sum, expected);
    fixture_end(&f);
}

/* More VMs than are counted of a filter's value, most of them running. */
#define CROWD 1200

struct crowd {
    struct fixture *f;
    struct model_row *provider;
    size_t running;
};

static int crowd_fn(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct crowd *c = arg;
    int rc = PV_OK;

    for (unsigned i = 0; i < CROWD && rc == PV_OK; i++) {
        struct model_row *vm = vm_new(c->f, c->provider,
                                      arena_printf(c->f->arena, "crowd-%04u", (i * 7) % CROWD));

        model_set_number(vm, F(vm, power_state),
                         i % 5 ? PV_POWER_STATE_RUNNING : PV_POWER_STATE_OFF);
        c->running += i % 5 != 0;
        rc = tx_row_insert(tx, vm, err);
    }
    return rc;
}

static int rising(void *ctx, const struct model_row *row, struct pv_err *err)
{
    char *last = ctx;

    (void)err;
    cr_assert_lt(strcmp(last, model_text(row, F(vm, name))), 0);
    str_copy(last, 64, model_text(row, F(vm, name)));
    return 0;
}

Test(list, a_filter_that_most_rows_match_gives_all_of_them_in_order, .timeout = 120)
{
    static const char *const filters[] = { "power:running", "power:running provider:vc",
                                           "power:running NOT power:off" };
    struct fixture f = fixture_make();
    struct crowd crowd = { .f = &f };
    struct store_sort by = { F(vm, name), false };
    struct pv_err err = { 0 };
    struct found found;

    fixture_open(&f);
    crowd.provider = provider_new(&f, "vc");
    insert(&f, crowd.provider);
    cr_assert_eq(store_write(f.store, crowd_fn, &crowd, &err), PV_OK, "%s", err.message);
    cr_assert_gt(crowd.running, 500);
    for (size_t i = 0; i < PV_COUNT(filters); i++) {
        struct store_query q = { .limit = 1000, .sort = &by, .nsort = 1 };
        char last[64] = "";

        cr_assert_eq(
            filter_parse(model_kind(PV_KIND_vm), filters[i], 0, f.arena, &q.filter, &err), PV_OK,
            "%s", err.message);
        q.shape = shape_all(&f, PV_KIND_vm);
        cr_assert_eq(store_list(f.store, &q, rising, last, NULL, &err), PV_OK, "%s", err.message);
        q.shape = ids_only(&f, PV_KIND_vm);
        pages(&f, q, 97, &found);
        cr_assert_eq(found.n, crowd.running, "%s: %zu", filters[i], found.n);
    }
    fixture_end(&f);
}

static int see_host_name(void *ctx, const struct model_row *row, struct pv_err *err)
{
    (void)err;
    str_copy(ctx, 64, row->values[F(vm, host)].text ? row->values[F(vm, host)].text : "(none)");
    return 0;
}

Test(list, a_new_name_of_what_is_referred_to_is_seen_at_once)
{
    struct fixture f = fixture_make();
    struct store_query q = { .limit = 10 };
    struct model_row *provider, *host, *vm;
    struct pv_err err = { 0 };
    char name[64];

    fixture_open(&f);
    provider = provider_new(&f, "vc");
    host = row_new(&f, PV_KIND_host);
    model_set_ref(host, F(host, provider), &provider->id);
    model_set_text(host, F(host, native_id), "host-1");
    model_set_text(host, F(host, name), "before");
    vm = vm_new(&f, provider, "vm");
    model_set_ref(vm, F(vm, host), &host->id);
    insert(&f, vm);
    q.shape = shape_all(&f, PV_KIND_vm);
    cr_assert_eq(store_list(f.store, &q, see_host_name, name, NULL, &err), PV_OK);
    cr_assert_str_eq(name, "(none)");
    insert(&f, host);
    cr_assert_eq(store_list(f.store, &q, see_host_name, name, NULL, &err), PV_OK);
    cr_assert_str_eq(name, "before");
    model_set_text(host, F(host, name), "after");
    update(&f, host, F(host, name));
    cr_assert_eq(store_list(f.store, &q, see_host_name, name, NULL, &err), PV_OK);
    cr_assert_str_eq(name, "after");
    remove_row(&f, PV_KIND_host, &host->id);
    cr_assert_eq(store_list(f.store, &q, see_host_name, name, NULL, &err), PV_OK);
    cr_assert_str_eq(name, "(none)");
    fixture_end(&f);
}
