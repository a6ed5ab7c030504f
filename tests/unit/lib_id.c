/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/clock.h>
#include <polyvisor/id.h>

Test(id, ids_are_version_7_and_increase_strictly)
{
    struct pv_id last, id;
    int64_t before = clock_wall_ms(), ms = 0;

    id_make(&last);
    for (int i = 0; i < 6; i++)
        ms = ms << 8 | last.b[i];
    cr_assert(ms >= before && ms <= clock_wall_ms() + 1);
    for (int i = 0; i < 100000; i++) {
        id_make(&id);
        cr_assert_eq(id.b[6] >> 4, 7);
        cr_assert_eq(id.b[8] >> 6, 2);
        cr_assert_lt(memcmp(last.b, id.b, 16), 0);
        last = id;
    }
}

static void *make_many(void *arg)
{
    struct pv_id *ids = arg;

    for (int i = 0; i < 10000; i++)
        id_make(&ids[i]);
    return NULL;
}

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, 16);
}

Test(id, threads_never_make_the_same_moment_twice)
{
    static struct pv_id ids[40000];
    pthread_t threads[4];

    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, make_many, ids + 10000 * i);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    qsort(ids, 40000, sizeof(ids[0]), compare);
    for (int i = 1; i < 40000; i++)
        cr_assert_neq(memcmp(ids[i - 1].b, ids[i].b, 8), 0, "same time and counter");
}

Test(id, texts_go_there_and_back)
{
    struct pv_id id, back;
    char text[PV_ID_TEXT], last[PV_ID_TEXT] = "";

    for (int i = 0; i < 1000; i++) {
        id_make(&id);
        id_text("vm", &id, text);
        cr_assert_eq(strlen(text), 29);
        cr_assert_gt(strcmp(text, last), 0, "texts sort as ids do");
        cr_assert(id_parse("vm", text, strlen(text), &back));
        cr_assert(id_eq(&id, &back));
        memcpy(last, text, sizeof(last));
    }
    memset(id.b, 0xff, 16);
    id_text("host", &id, text);
    cr_assert_str_eq(text, "host_7zzzzzzzzzzzzzzzzzzzzzzzzz");
    cr_assert(id_parse("host", text, strlen(text), &back));
    cr_assert(id_eq(&id, &back));
    memset(id.b, 0, 16);
    cr_assert(id_is_zero(&id));
    cr_assert_not(id_is_zero(&back));
    id_text("vm", &id, text);
    cr_assert_str_eq(text, "vm_00000000000000000000000000");
    id.b[15] = 1;
    id.b[0] = 0x20;
    id_text("vm", &id, text);
    cr_assert_str_eq(text, "vm_10000000000000000000000001");
    cr_assert(id_parse("vm", "vm_01AAAAAAAAAAAAAAAAAAAAAAAA", 29, &id), "upper case");
}

Test(id, other_texts_are_refused)
{
    static const char *const bad[] = {
        "",
        "vm_",
        "vm",
        "vm_0000000000000000000000000",
        "vm_000000000000000000000000000",
        "vm_80000000000000000000000000",
        "vm_0000000000000000000000000i",
        "vm_0000000000000000000000000l",
        "vm_0000000000000000000000000o",
        "vm_0000000000000000000000000u",
        "vm_0000000000000000000000000-",
        "VM_00000000000000000000000000",
        "vn_00000000000000000000000000",
        "vm-00000000000000000000000000",
        " vm_0000000000000000000000000",
    };
    struct pv_id id = { .b = { 42 } };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_not(id_parse("vm", bad[i], strlen(bad[i]), &id), "%s", bad[i]);
    cr_assert_not(id_parse("vm", "vm_0000000000000\0000000000000000", 29, &id));
    cr_assert_eq(id.b[0], 42);
}
