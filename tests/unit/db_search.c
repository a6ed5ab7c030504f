/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/db_store.h"

TestSuite(search);

static struct store_hit *found;
static size_t nfound;

static size_t search(struct fixture *f, const char *text)
{
    struct pv_err err = { 0 };

    cr_assert_eq(store_search(f->store, text, NULL, 0, NULL, 50, f->arena, &found, &nfound, &err), PV_OK,
                 "%s: %s", text, err.message);
    return nfound;
}

Test(search, exact_names_come_first_then_beginnings_then_parts)
{
    static const char *const names[] = { "my-web-2", "web-10", "Web", "another web", "db", "xweb" };
    struct fixture f = fixture_make();
    struct model_row *p;

    fixture_open(&f);
    p = provider_new(&f, "vc");
    insert(&f, p);
    for (size_t i = 0; i < PV_COUNT(names); i++)
        insert(&f, vm_new(&f, p, names[i]));
    cr_assert_eq(search(&f, "WEB"), 5);
    cr_assert_str_eq(found[0].name, "Web");
    cr_assert_str_eq(found[1].name, "web-10");
    cr_assert_eq(found[0].kind, PV_KIND_vm);
    cr_assert(id_eq(&found[0].provider, &p->id));
    cr_assert_eq(search(&f, "we"), 5, "two letters");
    cr_assert_eq(search(&f, "d"), 1);
    cr_assert_eq(search(&f, ""), 0);
    cr_assert_eq(search(&f, "   "), 0);
    cr_assert_eq(search(&f, "nothing"), 0);
    fixture_end(&f);
}

Test(search, all_words_must_be_in_the_object)
{
    struct fixture f = fixture_make();
    struct model_row *p, *vm;

    fixture_open(&f);
    p = provider_new(&f, "vc");
    insert(&f, p);
    vm = vm_new(&f, p, "web-1");
    model_set_text(vm, F(vm, notes), "Zuständig: Jürgen");
    model_set_text(vm, F(vm, guest_ip_addresses), "\n10.1.2.3\nfe80::1\n");
    insert(&f, vm);
    insert(&f, vm_new(&f, p, "web-2"));
    cr_assert_eq(search(&f, "jürgen"), 1);
    cr_assert(strstr(found[0].matched, "jürgen"));
    cr_assert_eq(search(&f, "JÜR web 10.1.2"), 1);
    cr_assert_eq(search(&f, "jürgen 10.9"), 0);
    cr_assert_eq(search(&f, "10.1.2.3"), 1);
    cr_assert_str_eq(found[0].matched, "10.1.2.3");
    fixture_end(&f);
}

Test(search, the_index_follows_the_rows)
{
    struct fixture f = fixture_make();
    struct model_row *p, *vm;

    fixture_open(&f);
    p = provider_new(&f, "vc");
    insert(&f, p);
    vm = vm_new(&f, p, "old-name");
    insert(&f, vm);
    model_set_text(vm, F(vm, name), "new-name");
    update(&f, vm, F(vm, name));
    cr_assert_eq(search(&f, "old-name"), 0);
    cr_assert_eq(search(&f, "new-name"), 1);
    cr_assert_str_eq(found[0].name, "new-name");
    model_set_number(vm, F(vm, presence), PV_PRESENCE_GONE);
    update(&f, vm, F(vm, presence));
    cr_assert_eq(search(&f, "new-name"), 0, "what is gone is not found");
    model_set_number(vm, F(vm, presence), PV_PRESENCE_PRESENT);
    update(&f, vm, F(vm, presence));
    cr_assert_eq(search(&f, "new-name"), 1);
    remove_row(&f, PV_KIND_vm, &vm->id);
    cr_assert_eq(search(&f, "new-name"), 0);
    fixture_end(&f);
}

Test(search, signs_have_no_meaning_of_their_own)
{
    static const char *const texts[] = {
        "\"",        "\"\"\"", "a\"b\"c",
        "*",         "web*",   "AND",
        "NOT web",   "(((",    "'; DROP TABLE search_doc",
        "words:web", "^web",   "a-b",
        "%",         "__",     "\\",
        "NEAR(a b)", "{x}:y",
    };
    struct fixture f = fixture_make();
    struct model_row *vm;

    fixture_open(&f);
    for (size_t i = 0; i < PV_COUNT(texts); i++) {
        vm = vm_new(&f, NULL, arena_printf(f.arena, "<%s>", texts[i]));
        insert(&f, vm);
    }
    for (size_t i = 0; i < PV_COUNT(texts); i++) {
        bool seen = false;

        search(&f, texts[i]);
        for (size_t j = 0; j < nfound; j++)
            seen = seen || strstr(found[j].name, texts[i]);
        cr_expect(seen, "%s", texts[i]);
    }
    fixture_end(&f);
}

Test(search, kinds_and_limits_narrow_it)
{
    struct fixture f = fixture_make();
    struct model_row *p, *host;
    enum pv_kind hosts = PV_KIND_host;
    struct pv_err err = { 0 };

    fixture_open(&f);
    p = provider_new(&f, "common");
    insert(&f, p);
    for (int i = 0; i < 10; i++)
        insert(&f, vm_new(&f, p, "common-vm"));
    host = row_new(&f, PV_KIND_host);
    model_set_text(host, F(host, name), "common-host");
    insert(&f, host);
    cr_assert_eq(search(&f, "common"), 12);
    cr_assert_eq(found[0].kind, PV_KIND_provider);
    cr_assert_eq(store_search(f.store, "common", &hosts, 1, NULL, 50, f.arena, &found, &nfound, &err),
                 PV_OK);
    cr_assert_eq(nfound, 1);
    cr_assert_eq(store_search(f.store, "common", NULL, 0, NULL, 3, f.arena, &found, &nfound, &err),
                 PV_OK);
    cr_assert_eq(nfound, 3);
    fixture_end(&f);
}
