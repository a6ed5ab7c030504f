/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>
#include <polyvisor/filter.h>

#define NOW 1769860800000 /* 2026-01-31T12:00:00Z */

static struct arena *arena;

static void set_up(void)
{
    arena = arena_new(1u << 16, 1u << 24);
    cr_assert(arena);
}

static void tear_down(void)
{
    arena_free(arena);
}

TestSuite(filter, .init = set_up, .fini = tear_down);

static const struct filter *parse(const char *text)
{
    const struct filter *f = NULL;
    struct pv_err err = { 0 };

    cr_assert_eq(filter_parse(model_kind(PV_KIND_vm), text, NOW, arena, &f, &err), PV_OK, "%s: %s",
                 text, err.message);
    return f;
}

static struct pv_err refused(const char *text)
{
    const struct filter *f = NULL;
    struct pv_err err = { 0 };

    cr_assert_neq(filter_parse(model_kind(PV_KIND_vm), text, NOW, arena, &f, &err), PV_OK,
                  "%s was taken", text);
    cr_assert_str_eq(pv_err_problem(&err)->code, "invalid-filter", "%s: %s", text, err.message);
    cr_assert_str_eq(err.pointer, "filter");
    cr_assert_null(f);
    return err;
}

Test(filter, an_empty_text_is_no_filter)
{
    cr_assert_null(parse(""));
    cr_assert_null(parse("  \t "));
}

Test(filter, operators_follow_the_type_of_the_field)
{
    cr_assert_eq(parse("name:web")->op, FILTER_HAS);
    cr_assert_eq(parse("tag:env=prod")->op, FILTER_HAS);
    cr_assert_str_eq(parse("tag:env=prod")->values[0].text, "env=prod");
    cr_assert_eq(parse("host:esx")->op, FILTER_HAS);
    cr_assert_eq(parse("power:running")->op, FILTER_EQ);
    cr_assert_eq(parse("power:running")->values[0].number, PV_POWER_STATE_RUNNING);
    cr_assert_eq(parse("name=web")->op, FILTER_EQ);
    cr_assert_eq(parse("name!=web")->op, FILTER_NE);
    cr_assert_eq(parse("name~w*b?")->op, FILTER_LIKE);
    cr_assert_eq(parse("cpu<4")->op, FILTER_LT);
    cr_assert_eq(parse("cpu<=4")->op, FILTER_LE);
    cr_assert_eq(parse("cpu>4")->op, FILTER_GT);
    cr_assert_eq(parse("cpu>=4")->op, FILTER_GE);
    cr_assert_eq(parse("cpu:2..4")->op, FILTER_RANGE);
    cr_assert_eq(parse("cpu:2..4")->values[1].number, 4);
    cr_assert_eq(parse("cpu:{1, 8}")->nvalues, 2);
    cr_assert_eq(parse("web")->type, FILTER_WORD);
    cr_assert_str_eq(parse("\"Two Words\"")->values[0].folded, "two words");
}

Test(filter, sizes_durations_and_times_are_numbers)
{
    cr_assert_eq(parse("memory>=8GiB")->values[0].number, 8LL << 30);
    cr_assert_eq(parse("memory>=1.5g")->values[0].number, 3LL << 29);
    cr_assert_eq(parse("memory>=1GB")->values[0].number, 1000000000);
    cr_assert_eq(parse("memory=4096")->values[0].number, 4096);
    cr_assert_eq(parse("disks.capacity_bytes>=1T")->values[0].number, 1LL << 40);
    cr_assert_eq(parse("cpu.limit_mhz<2.4GHz")->values[0].number, 2400);
    cr_assert_eq(parse("boot_time<now-7d")->values[0].number, NOW - 7LL * 86400000);
    cr_assert_eq(parse("boot_time>now")->values[0].number, NOW);
    cr_assert_eq(parse("boot_time>2026-01-31T12:00:00Z")->values[0].number, NOW);
}

Test(filter, a_bare_date_is_the_whole_day)
{
    const struct filter *f = parse("boot_time:2026-01-31");
    int64_t midnight = NOW - 12LL * 3600000;

    cr_assert_eq(f->op, FILTER_RANGE);
    cr_assert_eq(f->values[0].number, midnight);
    cr_assert_eq(f->values[1].number, midnight + 86400000 - 1);
    cr_assert_eq(parse("boot_time<=2026-01-31")->values[0].number, midnight + 86400000 - 1);
    cr_assert_eq(parse("boot_time>2026-01-31")->values[0].number, midnight + 86400000 - 1);
    cr_assert_eq(parse("boot_time<2026-01-31")->values[0].number, midnight);
}

Test(filter, or_binds_weaker_than_and)
{
    const struct filter *f = parse("a b or c and d");

    cr_assert_eq(f->type, FILTER_OR);
    cr_assert_eq(f->left->type, FILTER_AND);
    cr_assert_eq(f->right->type, FILTER_AND);
    f = parse("a (b or c) -d");
    cr_assert_eq(f->type, FILTER_AND);
    cr_assert_eq(f->right->type, FILTER_NOT);
    cr_assert_eq(f->left->right->type, FILTER_OR);
}

Test(filter, keywords_are_only_whole_words)
{
    cr_assert_eq(parse("order")->type, FILTER_WORD);
    cr_assert_eq(parse("notes:x")->field->index, F(vm, notes));
    cr_assert_eq(parse("not android")->type, FILTER_NOT);
    cr_assert_eq(parse("\"or\"")->type, FILTER_WORD);
}

Test(filter, addresses_are_words)
{
    cr_assert_eq(parse("10.0.0.1")->type, FILTER_WORD);
    cr_assert_eq(parse("fe80::1")->type, FILTER_WORD);
    cr_assert_eq(parse("00:50:56:aa:bb:cc")->type, FILTER_WORD);
}

Test(filter, fields_of_children_and_of_what_is_referred_to)
{
    const struct filter *f = parse("disks.capacity_bytes>1");

    cr_assert_eq(f->kind->number, PV_KIND_disk);
    cr_assert_null(f->through);
    f = parse("provider.family:hyperv");
    cr_assert_eq(f->kind->number, PV_KIND_provider);
    cr_assert_eq(f->through->index, F(vm, provider));
    cr_assert_eq(f->values[0].number, PV_FAMILY_HYPERV);
    cr_assert_eq(parse("host.name:x")->kind->number, PV_KIND_host);
}

Test(filter, a_reference_is_an_id_or_a_name)
{
    struct pv_id id;
    char text[PV_ID_TEXT], filter[64];

    id_make(&id);
    model_id_text(PV_KIND_host, &id, text);
    snprintf(filter, sizeof(filter), "host:%s", text);
    cr_assert(parse(filter)->values[0].is_id);
    cr_assert(id_eq(&parse(filter)->values[0].id, &id));
    cr_assert(!parse("host:esx01")->values[0].is_id);
    snprintf(filter, sizeof(filter), "provider:%s", text);
    cr_assert(strstr(refused(filter).message, "host"));
}

Test(filter, refusals_name_column_and_cause)
{
    static const struct {
        const char *text, *column, *word;
    } cases[] = {
        { "no_such_field:1", "column 1", "no_such_field" },
        { "power:off power_stat:running", "column 11", "power_state" },
        { "disks.capacity_byte>1", "column 1", "disks.capacity_bytes" },
        { "(", "column 2", "missing" },
        { "(a", "column 1", "closed" },
        { "a)", "column 2", "bracket" },
        { "power:", "column 7", "missing" },
        { "memory>=8XiB", "column 9", "8XiB" },
        { "power:flying", "column 7", "flying" },
        { "power:runing", "column 7", "running" },
        { "cpu>many", "column 5", "many" },
        { "cpu:-1", "column 5", "-1" },
        { "cpu:99999999999999999999", "column 5", "number" },
        { "memory>99999999PiB", "column 8", "number" },
        { "name~", "column 6", "missing" },
        { "a or", "column 5", "missing" },
        { "or a", "column 1", "missing" },
        { "\"open", "column 1", "closed" },
        { "cpu:1..", "column 8", "missing" },
        { "cpu>1..3", "column 5", "range" },
        { "power>off", "column 1", "order" },
        { "cpu~1*", "column 1", "pattern" },
        { "cpu:{1,2", "column 5", "closed" },
        { "cpu:{}", "column 6", "missing" },
        { "cpu>{1}", "column 5", "set" },
        { "template:perhaps", "column 10", "true or false" },
        { "boot_time>yesterday", "column 11", "time" },
        { "cpu>null", "column 5", "null" },
        { "question:x", "column 1", "cannot be filtered" },
        { "id:hst_00000000000000000000000001", "column 4", "id of a vm" },
        { "kind:nothing", "column 6", "nothing" },
        { "a \x01", "column 1", "UTF-8" },
        { "a \xff", "column 1", "UTF-8" },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct pv_err err = refused(cases[i].text);

        cr_expect(strstr(err.message, cases[i].column), "%s: %s", cases[i].text, err.message);
        cr_expect(strstr(err.message, cases[i].word), "%s: %s", cases[i].text, err.message);
    }
}

Test(filter, secrets_are_no_fields)
{
    const struct filter *f = NULL;
    struct pv_err err = { 0 };

    cr_assert_neq(filter_parse(model_kind(PV_KIND_provider), "password:x", NOW, arena, &f, &err),
                  PV_OK);
    refused("provider.password:x");
}

Test(filter, depth_terms_and_length_are_bounded)
{
    char text[8192] = "";

    memset(text, '(', 33);
    text[33] = 'a';
    memset(text + 34, ')', 33);
    text[67] = '\0';
    refused(text);
    text[66] = '\0';
    parse(text + 1);

    for (int i = 0; i < 201; i++)
        memcpy(text + 2 * i, "a ", 3);
    refused(text);
    text[400] = '\0';
    parse(text);

    memset(text, '-', 4000);
    memcpy(text + 4000, "a", 2);
    cr_assert_eq(parse(text)->type, FILTER_WORD);

    memset(text, 'a', 4097);
    text[4097] = '\0';
    refused(text);
}

Test(filter, the_short_form_is_an_equality)
{
    const struct filter *f = NULL;
    struct pv_err err = { 0 };

    cr_assert_eq(filter_equals(model_kind(PV_KIND_vm), "power_state", "off", NOW, arena, &f, &err),
                 PV_OK);
    cr_assert_eq(f->op, FILTER_EQ);
    cr_assert_eq(f->values[0].number, PV_POWER_STATE_OFF);
    cr_assert_neq(filter_equals(model_kind(PV_KIND_vm), "power_stat", "off", NOW, arena, &f, &err),
                  PV_OK);
    cr_assert(strstr(err.message, "power_state"));
    cr_assert_eq(filter_and(arena, NULL, f), f);
    cr_assert_eq(filter_or(arena, f, f)->type, FILTER_OR);
}

static struct model_row *sample(void)
{
    struct model_row *row = model_row_new(arena, PV_KIND_vm);
    static struct model_row disks[2];
    static struct model_children children[2];
    static struct model_provider provider = { .name = "vc1",
                                              .driver = "vapi",
                                              .family = PV_FAMILY_VMWARE };
    static struct model_ref refs[1] = { { .name = "ds-fast" } };

    id_make(&row->id);
    id_make(&provider.id);
    model_set_text(row, F(vm, name), "Web-01 Ärger");
    model_set_number(row, F(vm, power_state), PV_POWER_STATE_RUNNING);
    model_set_number(row, F(vm, cpu_count), 4);
    model_set_text(row, F(vm, tags), "\nenv=prod\nOwner=Ann\n");
    model_set_text(row, F(vm, guest_ip_addresses), "\n10.0.0.1\nfe80::1\n");
    model_set_ref(row, F(vm, provider), &provider.id);
    row->values[F(vm, provider)].text = "vc1";
    row->provider = &provider;
    id_make(&refs[0].id);
    row->values[F(vm, datastores)] = (struct model_value){ .set = true, .refs = refs, .len = 1 };
    for (int i = 0; i < 2; i++) {
        disks[i] = *model_row_new(arena, PV_KIND_disk);
        model_set_number(&disks[i], F(disk, capacity_bytes), (i + 1LL) << 30);
    }
    children[0] =
        (struct model_children){ .kind = model_kind(PV_KIND_disk), .rows = disks, .nrows = 2 };
    children[1].kind = NULL;
    row->children = children;
    return row;
}

Test(filter, a_row_in_memory_matches_like_a_stored_one)
{
    static const struct {
        const char *text;
        bool match;
    } cases[] = {
        { "name:web", true },
        { "name:\"web-01 ä\"", true },
        { "name=web", false },
        { "name=\"Web-01 Ärger\"", true },
        { "name=\"web-01 ärger\"", false },
        { "name~w*R", true },
        { "name~w?b*", true },
        { "name~eb*", false },
        { "power:running", true },
        { "-power:running", false },
        { "power!=off", true },
        { "power:{off,running}", true },
        { "cpu:2..4", true },
        { "cpu>4", false },
        { "cpu>=4", true },
        { "cpu:null", false },
        { "host:null", true },
        { "host!=null", false },
        { "host:esx", false },
        { "-host:esx", true },
        { "tag:env=prod", true },
        { "tag:env", false },
        { "tag:owner=ann", true },
        { "tag=owner=ann", false },
        { "tag~env=*", true },
        { "ip:10.0.0.1", true },
        { "ip~10.*1", true },
        { "ip~10.*fe80*", false },
        { "provider:VC1", true },
        { "provider=VC1", false },
        { "provider.family:vmware", true },
        { "provider.family:hyperv", false },
        { "datastores:ds-fast", true },
        { "datastores~ds-*", true },
        { "datastores:other", false },
        { "disks.capacity_bytes>1GiB", true },
        { "disks.capacity_bytes>2GiB", false },
        { "-disks.capacity_bytes>2GiB", true },
        { "web 10.0.0", true },
        { "\"env=pro\"", true },
        { "nothing or cpu:4", true },
        { "memory<1GiB", false },
        { "-memory<1GiB", true },
        { "kind:vm", true },
        { "kind:host", false },
        { "cpu:{null,8}", false },
        { "host:{null,x}", true },
    };
    struct model_row *row = sample();

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_expect_eq(filter_match(parse(cases[i].text), row), cases[i].match, "%s", cases[i].text);
}
