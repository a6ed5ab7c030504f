/* SPDX-License-Identifier: Apache-2.0 */
#include <polyvisor/buf.h>
#include <polyvisor/filter.h>

#include "tests/unit/db_estate.h"

#define NOW 1769860800000

TestSuite(filter);

struct found {
    struct pv_id ids[1000];
    size_t n;
};

static int collect(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct found *f = ctx;

    (void)err;
    f->ids[f->n++] = row->id;
    return 0;
}

struct expected {
    const struct filter *filter;
    struct found found;
};

static int check_row(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct expected *e = ctx;

    (void)err;
    if (!e->filter || filter_match(e->filter, row))
        e->found.ids[e->found.n++] = row->id;
    return 0;
}

static const struct filter *parse(struct fixture *f, const char *text)
{
    const struct filter *filter = NULL;
    struct pv_err err = { 0 };

    cr_assert_eq(filter_parse(model_kind(PV_KIND_vm), text, NOW, f->arena, &filter, &err), PV_OK,
                 "%s: %s", text, err.message);
    return filter;
}

/* What storage finds is what filter_match() says of every row. Answers how many. */
static size_t same(struct fixture *f, const char *text)
{
    static struct expected expected;
    static struct found found;
    const struct model_shape *shape;
    struct pv_err err = { 0 };
    struct store_query q = { .limit = 1000, .with_gone = true };
    uint64_t count = 0;

    cr_assert_eq(
        model_shape_make(model_kind(PV_KIND_vm), NULL, MODEL_VIEW_FULL, f->arena, &shape, &err),
        PV_OK);
    q.shape = shape;
    expected.filter = parse(f, text);
    expected.found.n = found.n = 0;
    cr_assert_eq(store_list(f->store, &q, check_row, &expected, NULL, &err), PV_OK, "%s",
                 err.message);
    q.filter = expected.filter;
    cr_assert_eq(store_list(f->store, &q, collect, &found, NULL, &err), PV_OK, "%s: %s", text,
                 err.message);
    cr_assert_eq(store_count(f->store, &q, &count, &err), PV_OK, "%s", err.message);
    cr_expect_eq(found.n, expected.found.n, "%s: %zu found, %zu expected", text, found.n,
                 expected.found.n);
    cr_expect_eq(count, found.n, "%s", text);
    for (size_t i = 0; i < found.n && i < expected.found.n; i++)
        cr_assert(id_eq(&found.ids[i], &expected.found.ids[i]), "%s: row %zu differs", text, i);
    return found.n;
}

Test(filter, storage_finds_what_the_filter_means)
{
    static const char *const texts[] = {
        "name:web",
        "name:WEB-1",
        "name=web-1",
        "name=Web-1",
        "name!=Web-1",
        "-name:web",
        "name~web*",
        "name~*-1?",
        "name~*",
        "name:zürich",
        "name:ÄR",
        "name=Zürich-3",
        "name<m",
        "name>=web",
        "name:{web-1,\"DB-2\",x-3}",
        "name!={web-1,db-2}",
        "name:null",
        "name!=null",
        "notes:null",
        "-notes:null",
        "power:running",
        "power!=running",
        "-power:running",
        "power:{off,suspended}",
        "power:null",
        "power:{null,off}",
        "cpu:4",
        "cpu!=4",
        "cpu>4",
        "cpu<=2",
        "cpu:2..5",
        "cpu!=2..5",
        "cpu:{1,3,5}",
        "cpu:null",
        "-cpu>4",
        "memory<5",
        "memory<=0",
        "memory>=5",
        "memory:3",
        "memory!=3",
        "memory:1..4",
        "memory:null",
        "template:true",
        "template:false",
        "-template:true",
        "boot_time<1970-01-02",
        "boot_time:1970-01-01",
        "boot_time>now",
        "boot_time<now-1d",
        "tag:web-1",
        "tag:WEB-1",
        "tag=web-1",
        "tag~db_*",
        "tag~*5",
        "tag:{x-1,x-2}",
        "tag!=x-1",
        "tag:null",
        "ip~web*1*",
        "native.id:n-1",
        "native.id=n-12",
        "native.id:{n-1,n-2}",
        "host:esx01.example",
        "host=esx01.example",
        "host=ESX01.example",
        "host~esx0?.ex*",
        "host!=ESX01.example",
        "host:null",
        "-host:null",
        "host:{esx01.example,esx02.example}",
        "host:nothing",
        "provider:VC-ONE",
        "provider=vc-one",
        "provider.family:hyperv",
        "-provider.family:hyperv",
        "provider.name:two",
        "provider.driver:sim",
        "provider.simulated:null",
        "datastores:store-1",
        "datastores=Store-1",
        "datastores~store-*",
        "datastores!=Store-2",
        "datastores:null",
        "disks.capacity_bytes>5",
        "disks.capacity_bytes<=2",
        "-disks.capacity_bytes>5",
        "disks.capacity_bytes!=5",
        "disks.label:web",
        "disks.label:null",
        "disks.mode:dependent",
        "web",
        "WEB",
        "we",
        "w",
        "zürich",
        "\"web-1\"",
        "x-1 web",
        "-web",
        "web or db_",
        "50%",
        "a\\b",
        "esx",
        "power:running cpu>4 or -template:true memory<5",
        "-(power:off or cpu>=4)",
        "not (web and (cpu:4 or host:null))",
        "kind:vm",
        "kind:host",
        "-kind:host web",
        "stale_reason:null web",
        "health:ok",
        "presence:present",
    };
    struct fixture f = fixture_make();
    struct estate e;
    size_t matched = 0;

    fixture_open(&f);
    estate_make(&f, &e);
    for (size_t i = 0; i < PV_COUNT(texts); i++)
        matched += same(&f, texts[i]) > 0;
    cr_expect_gt(matched, PV_COUNT(texts) * 3 / 4, "only %zu filters found anything", matched);
    fixture_end(&f);
}

Test(filter, every_field_that_can_be_filtered_by_can)
{
    struct fixture f = fixture_make();
    struct estate e;
    const struct model_kind *k = model_kind(PV_KIND_vm);

    fixture_open(&f);
    estate_make(&f, &e);
    for (size_t i = 0; i < k->nfields; i++) {
        const struct model_field *field = &k->fields[i];
        const char *value = "1";

        if (!(field->flags & MODEL_SEARCH) || (field->flags & MODEL_COMPUTED))
            continue;
        if (field->type == MODEL_ENUM)
            value = model_enum_text(field->enum_id, 1);
        if (field->type == MODEL_TIME)
            value = "1970-01-01";
        same(&f, arena_printf(f.arena, "%s:%s", field->path, value));
        same(&f, arena_printf(f.arena, "-%s=%s", field->path, value));
        same(&f, arena_printf(f.arena, "%s:null", field->path));
    }
    fixture_end(&f);
}

Test(filter, an_object_is_found_by_its_id)
{
    struct fixture f = fixture_make();
    struct estate e;
    char id[PV_ID_TEXT];

    fixture_open(&f);
    estate_make(&f, &e);
    model_id_text(PV_KIND_vm, &e.vm[7]->id, id);
    cr_assert_eq(same(&f, arena_printf(f.arena, "id:%s", id)), 1);
    cr_assert_eq(same(&f, arena_printf(f.arena, "-id:%s", id)), ESTATE_VMS - 1);
    model_id_text(PV_KIND_host, &e.host[1]->id, id);
    cr_assert_gt(same(&f, arena_printf(f.arena, "host:%s", id)), 0);
    fixture_end(&f);
}

Test(filter, hostile_values_stay_values)
{
    static const char *const texts[] = {
        "\"'; DROP TABLE k_vm; --\"",
        "name:\"' OR 1=1 --\"",
        "name=\"\\\"; DELETE FROM k_vm\"",
        "name~\"%' OR '1'='1\"",
        "tag:\"x') OR 1=1 --\"",
        "\"\\\" OR search_index MATCH \\\"a\"",
        "\"AND OR NOT NEAR\"",
        "\"a* OR b\"",
        "\"((((\"",
        "\"*\"",
        "\"^abc\"",
        "\"{a b}:c\"",
        "\"$1 $2 ?\"",
        "name:\"$1\"",
        "host:\"x') --\"",
        "\"%\"",
        "\"_\"",
        "\"\\\\\"",
    };
    struct fixture f = fixture_make();
    struct estate e;

    fixture_open(&f);
    estate_make(&f, &e);
    for (size_t i = 0; i < PV_COUNT(texts); i++)
        same(&f, texts[i]);
    cr_assert_eq(same(&f, "kind:vm"), ESTATE_VMS);
    fixture_end(&f);
}

/* ((( ... a or b) c) or d) ... as deep and as wide as the language allows. */
Test(filter, the_deepest_and_the_widest_filter_compile)
{
    struct fixture f = fixture_make();
    struct estate e;
    struct buf text;

    fixture_open(&f);
    estate_make(&f, &e);
    buf_init(&text, 8192);
    for (int i = 0; i < 32; i++)
        buf_text(&text, "cpu:1 -(web or ");
    buf_text(&text, "x");
    for (int i = 0; i < 32; i++)
        buf_text(&text, ")");
    same(&f, text.data);
    buf_reset(&text);
    for (int i = 0; i < 32; i++)
        buf_text(&text, "(");
    buf_text(&text, "x");
    for (int i = 0; i < 32; i++)
        buf_text(&text, i % 2 ? " or cpu:3)" : " web)");
    same(&f, text.data);
    buf_reset(&text);
    for (int i = 0; i < 130; i++)
        buf_text(&text, i % 2 ? "or (name:q cpu:2) " : "or -datastores:x ");
    same(&f, text.data + strlen("or "));
    buf_reset(&text);
    for (int i = 0; i < 200; i++)
        buf_text(&text, i % 2 ? "zürich-longer " : "or disks.label:w ");
    same(&f, text.data + strlen("or "));
    buf_free(&text);
    fixture_end(&f);
}

Test(filter, staleness_follows_the_provider)
{
    struct fixture f = fixture_make();
    struct model_row *p, *vm, *got;
    struct pv_err err = { 0 };
    struct store_query q = { .limit = 10 };
    uint64_t n;

    fixture_open(&f);
    p = provider_new(&f, "vc");
    insert(&f, p);
    vm = vm_new(&f, p, "a");
    insert(&f, vm);
    q.shape = shape_all(&f, PV_KIND_vm);
    q.filter = parse(&f, "stale:true");
    cr_assert_eq(store_count(f.store, &q, &n, &err), PV_OK, "%s", err.message);
    cr_assert_eq(n, 1, "never confirmed");
    confirm(&f, p, 5000);
    cr_assert_eq(store_count(f.store, &q, &n, &err), PV_OK);
    cr_assert_eq(n, 0);
    cr_assert_eq(store_row_get(f.store, q.shape, &vm->id, f.arena, &got, &err), PV_OK);
    cr_assert_eq(model_number(got, F(vm, observed_at)), 5000);
    cr_assert_eq(model_number(got, F(vm, stale)), 0);
    cr_assert(got->values[F(vm, stale)].set);
    model_set_number(p, F(provider, state), PV_PROVIDER_STATE_DISCONNECTED);
    update(&f, p, F(provider, state));
    cr_assert_eq(store_count(f.store, &q, &n, &err), PV_OK);
    cr_assert_eq(n, 1);
    q.filter = parse(&f, "observed_at>1970-01-02");
    cr_assert_eq(store_count(f.store, &q, &n, &err), PV_OK);
    cr_assert_eq(n, 0);
    q.filter = parse(&f, "observed_at:1970-01-01");
    cr_assert_eq(store_count(f.store, &q, &n, &err), PV_OK);
    cr_assert_eq(n, 1);
    model_set_text(vm, F(vm, stale_reason), "permission");
    update(&f, vm, F(vm, stale_reason));
    cr_assert_eq(store_row_get(f.store, q.shape, &vm->id, f.arena, &got, &err), PV_OK);
    cr_assert_eq(model_number(got, F(vm, observed_at)), 1000,
                 "an object that cannot be read keeps its own time");
    fixture_end(&f);
}
