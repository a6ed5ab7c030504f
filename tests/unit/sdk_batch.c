/* SPDX-License-Identifier: Apache-2.0 */
/* What the builder sends arrives as it was meant; what a hostile batch claims does not get through. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/err.h>
#include <polyvisor/records.h>

#include "drivers/sdk/check.h"

#define BATCHES_MAX 64

/* A host that keeps checked copies of what was emitted. */
struct sink {
    struct pv_host host;
    struct sdk_batch *batches[BATCHES_MAX];
    size_t count;
    unsigned faults, marks, lines;
    int answer;
};

static int keep_batch(void *ctx, const struct pv_batch *batch)
{
    struct sink *s = ctx;
    struct sdk_batch_faults faults;
    struct pv_err err = { 0 };

    if (s->answer != PV_OK)
        return s->answer;
    cr_assert_lt(s->count, BATCHES_MAX);
    cr_assert_eq(sdk_batch_check(batch, &faults, &s->batches[s->count], &err), PV_OK, "%s",
                 err.message);
    s->faults += faults.values + faults.records;
    s->count++;
    return PV_OK;
}

static int keep_mark(void *ctx, uint32_t mark, const char *cursor)
{
    struct sink *s = ctx;

    (void)mark;
    (void)cursor;
    s->marks++;
    return PV_OK;
}

static void keep_line(void *ctx, int level, const char *message)
{
    struct sink *s = ctx;

    (void)level;
    (void)message;
    s->lines++;
}

static void sink_init(struct sink *s)
{
    memset(s, 0, sizeof(*s));
    s->host = (struct pv_host){ .size = sizeof(s->host), .ctx = s, .emit = keep_batch,
                                .mark = keep_mark, .log = keep_line };
}

static void sink_free(struct sink *s)
{
    for (size_t i = 0; i < s->count; i++)
        sdk_batch_free(s->batches[i]);
}

Test(builder, marks_what_others_report_too_but_only_with_an_identity)
{
    struct sink s;
    struct pv_builder *b;

    sink_init(&s);
    b = pv_builder_new(&s.host);
    pv_put_shared(b, PV_KIND_cluster);
    pv_cluster_begin(b, "c1", "identity of c1");
    pv_put_shared(b, PV_KIND_cluster);
    pv_cluster_begin(b, "c2", "identity of c2");
    pv_cluster_begin(b, "c3", NULL);
    pv_put_shared(b, PV_KIND_cluster);
    cr_assert_eq(pv_builder_send(b), PV_OK);
    cr_assert_eq(s.count, 1);
    cr_expect(sdk_record_shared(s.batches[0], 0));
    cr_expect_not(sdk_record_shared(s.batches[0], 1));
    cr_expect_not(sdk_record_shared(s.batches[0], 2), "without an identity nobody finds it again");
    pv_builder_free(b);
    sink_free(&s);
}

Test(builder, sends_kinds_in_model_order_and_children_with_their_owner)
{
    struct sink s;
    struct pv_builder *b;

    sink_init(&s);
    b = pv_builder_new(&s.host);
    pv_vm_begin(b, "vm-1", "uuid-1");
    pv_vm_name(b, "web");
    pv_disk_begin(b, "2000", NULL);
    pv_disk_capacity_bytes(b, 40ull << 30);
    pv_nic_none(b);
    pv_vm_memory_bytes(b, 1ull << 30);
    cr_expect_eq(pv_builder_room(b), PV_OK);
    pv_host_begin(b, "host-1", NULL);
    cr_expect_eq(pv_builder_mark(b, PV_MARK_FULL_END, "c1"), PV_OK);
    cr_assert_eq(s.count, 4);
    cr_expect_eq(s.faults, 0);
    cr_expect_eq(s.marks, 1);
    cr_expect_eq(s.batches[0]->kind->number, PV_KIND_host);
    cr_expect_eq(s.batches[1]->kind->number, PV_KIND_vm);
    cr_expect_eq(s.batches[2]->kind->number, PV_KIND_disk);
    cr_expect_eq(s.batches[3]->kind->number, PV_KIND_nic);
    cr_expect_str_eq(sdk_record_native_id(s.batches[1], 0), "vm-1");
    cr_expect_str_eq(sdk_record_identity(s.batches[1], 0), "uuid-1");
    cr_expect_str_eq(sdk_record_text(s.batches[1], 0, PV_SLOT(vm, name), NULL), "web");
    cr_expect_eq(sdk_record_number(s.batches[1], 0, PV_SLOT(vm, memory_bytes)), 1ll << 30);
    cr_expect_eq(sdk_record_has(s.batches[1], 0, PV_SLOT(vm, host)), SDK_UNKNOWN);
    cr_expect(s.batches[2]->owned);
    cr_expect_str_eq(sdk_record_owner(s.batches[2], 0), "vm-1");
    cr_expect_str_eq(sdk_record_native_id(s.batches[3], 0), "");
    pv_builder_free(b);
    sink_free(&s);
}

Test(builder, cleans_and_cuts_what_the_model_does_not_allow)
{
    struct sink s;
    struct pv_builder *b;
    char longname[400], longid[600];
    const char *items[] = { "a", "b\nc", "", "d" };
    const char *pos, *item;
    size_t len;

    memset(longname, 'x', sizeof(longname) - 1);
    longname[sizeof(longname) - 1] = '\0';
    memset(longid, 'y', sizeof(longid) - 1);
    longid[sizeof(longid) - 1] = '\0';
    sink_init(&s);
    b = pv_builder_new(&s.host);
    pv_vm_begin(b, "1", NULL);
    pv_vm_name(b, longname);
    pv_vm_uuid(b, "bad\xff\x01");
    pv_vm_host(b, longid);
    PV_CLEAR(b, vm, cluster);
    pv_vm_guest_ip_addresses(b, items, 4);
    pv_vm_native_extra(b, "{\"a\":1}");
    cr_expect_eq(pv_builder_send(b), PV_OK);
    cr_assert_eq(s.count, 1);
    cr_expect_eq(s.faults, 0);
    cr_expect_not_null(sdk_record_text(s.batches[0], 0, PV_SLOT(vm, name), &len));
    cr_expect_eq(len, 256);
    cr_expect_str_eq(sdk_record_text(s.batches[0], 0, PV_SLOT(vm, uuid), NULL),
                     "bad\xef\xbf\xbd\xef\xbf\xbd");
    cr_expect_eq(sdk_record_has(s.batches[0], 0, PV_SLOT(vm, host)), SDK_UNKNOWN);
    cr_expect_eq(sdk_record_has(s.batches[0], 0, PV_SLOT(vm, cluster)), SDK_NULL);
    pos = sdk_record_text(s.batches[0], 0, PV_SLOT(vm, guest_ip_addresses), NULL);
    cr_assert_str_eq(pos, "\na\nb c\nd\n");
    cr_assert(sdk_list_next(&pos, &item, &len));
    cr_expect_eq(len, 1);
    cr_assert(sdk_list_next(&pos, &item, &len));
    cr_expect(len == 3 && memcmp(item, "b c", 3) == 0);
    cr_assert(sdk_list_next(&pos, &item, &len));
    cr_expect_not(sdk_list_next(&pos, &item, &len));
    pv_builder_free(b);
    sink_free(&s);
}

Test(builder, reports_a_setter_without_begin_once_and_loses_nothing_else)
{
    struct sink s;
    struct pv_builder *b;

    sink_init(&s);
    b = pv_builder_new(&s.host);
    pv_vm_name(b, "nobody's");
    pv_vm_memory_bytes(b, 1);
    pv_disk_begin(b, "1", NULL);
    pv_disk_capacity_bytes(b, 1);
    cr_expect_eq(s.lines, 2, "one line for vm, one for disk, not %u", s.lines);
    pv_vm_begin(b, "1", NULL);
    pv_builder_room(b);
    pv_vm_name(b, "late");
    pv_builder_send(b);
    cr_assert_eq(s.count, 1);
    cr_expect_eq(sdk_record_has(s.batches[0], 0, PV_SLOT(vm, name)), SDK_UNKNOWN);
    pv_builder_free(b);
    sink_free(&s);
}

Test(builder, keeps_batches_small_and_owners_whole)
{
    struct sink s;
    struct pv_builder *b;
    unsigned vms = 0, disks = 0;

    sink_init(&s);
    b = pv_builder_new(&s.host);
    for (unsigned i = 0; i < 2000; i++) {
        char id[32];

        snprintf(id, sizeof(id), "vm-%u", i);
        pv_vm_begin(b, id, NULL);
        pv_disk_begin(b, "a", NULL);
        pv_disk_begin(b, "b", NULL);
        pv_disk_begin(b, "c", NULL);
        cr_assert_eq(pv_builder_room(b), PV_OK);
    }
    pv_builder_send(b);
    for (size_t i = 0; i < s.count; i++) {
        cr_expect_leq(s.batches[i]->count, 502u);
        if (s.batches[i]->kind->number == PV_KIND_vm)
            vms += s.batches[i]->count;
        else
            disks += s.batches[i]->count;
        cr_expect_leq(disks, 3 * vms, "children come after their owners");
        cr_expect(disks % 3 == 0);
    }
    cr_expect_eq(vms, 2000);
    cr_expect_eq(disks, 6000);
    pv_builder_free(b);
    sink_free(&s);
}

Test(builder, keeps_the_order_of_gone_and_back_again)
{
    struct sink s;
    struct pv_builder *b;

    sink_init(&s);
    b = pv_builder_new(&s.host);
    pv_vm_begin(b, "1", NULL);
    pv_builder_room(b);
    pv_builder_gone(b, PV_KIND_vm, "1");
    pv_vm_begin(b, "1", NULL);
    pv_builder_send(b);
    cr_assert_eq(s.count, 3);
    cr_expect_not(s.batches[0]->gone);
    cr_expect(s.batches[1]->gone);
    cr_expect_not(s.batches[2]->gone);
    pv_builder_free(b);
    sink_free(&s);
}

Test(builder, sends_children_alone_and_keeps_the_first_failure)
{
    struct sink s;
    struct pv_builder *b;

    sink_init(&s);
    b = pv_builder_new(&s.host);
    pv_builder_owner(b, PV_KIND_vm, "vm-7");
    pv_snapshot_begin(b, "s1", NULL);
    pv_snapshot_name(b, "before");
    pv_builder_send(b);
    cr_assert_eq(s.count, 1);
    cr_expect_str_eq(sdk_record_owner(s.batches[0], 0), "vm-7");
    s.answer = PV_ECANCELED;
    pv_vm_begin(b, "1", NULL);
    cr_expect_eq(pv_builder_send(b), PV_ECANCELED);
    s.answer = PV_OK;
    pv_vm_begin(b, "1", NULL);
    cr_expect_eq(pv_builder_mark(b, PV_MARK_CHANGES, NULL), PV_ECANCELED);
    cr_expect_eq(s.marks, 0);
    pv_builder_free(b);
    sink_free(&s);
}

/* ---------------------------------------------------------------- hostile batches, written by hand */

#define STRIDE (PV_RECORD_HEAD + 8 * 128)

struct raw {
    char records[2 * STRIDE];
    char blob[64];
    struct pv_batch batch;
};

static struct pv_record *raw_record(struct raw *r, unsigned i)
{
    return (struct pv_record *)(void *)(r->records + i * STRIDE);
}

static void raw_slot(struct raw *r, unsigned i, unsigned slot, uint64_t v)
{
    memcpy(r->records + i * STRIDE + PV_RECORD_HEAD + 8 * (size_t)slot, &v, sizeof(v));
    raw_record(r, i)->have[slot / 64] |= 1ull << (slot % 64);
}

static uint64_t raw_ref(uint32_t off, uint32_t len)
{
    pv_ref ref = { off, len };
    uint64_t v;

    memcpy(&v, &ref, sizeof(v));
    return v;
}

static void raw_init(struct raw *r)
{
    memset(r, 0, sizeof(*r));
    memcpy(r->blob, "abcdefgh\n\xff{\"a\":[1]}", 19);
    r->batch = (struct pv_batch){ .size = sizeof(r->batch), .kind = PV_KIND_vm, .stride = STRIDE,
                                  .count = 1, .blob_len = sizeof(r->blob),
                                  .records = r->records, .blob = r->blob };
    raw_record(r, 0)->native_id = (pv_ref){ 0, 2 };
    raw_record(r, 1)->native_id = (pv_ref){ 2, 2 };
}

static int check(const struct raw *r, struct sdk_batch_faults *faults, struct sdk_batch **out)
{
    return sdk_batch_check(&r->batch, faults, out, NULL);
}

Test(check, refuses_a_batch_whose_structure_is_wrong)
{
    struct sdk_batch *out = NULL;
    struct sdk_batch_faults faults;
    struct raw good, r;

    raw_init(&good);
#define REFUSED(member, value, rc)                                                                 \
    r = good;                                                                                      \
    r.batch.records = r.records;                                                                   \
    r.batch.blob = r.blob;                                                                         \
    r.batch.member = (value);                                                                      \
    cr_expect_eq(check(&r, &faults, &out), rc, #member " = " #value)
    REFUSED(size, 8, PV_EFORMAT);
    REFUSED(stride, 56, PV_EFORMAT);
    REFUSED(stride, 68, PV_EFORMAT);
    REFUSED(stride, 64 + 8 * 257, PV_EFORMAT);
    REFUSED(count, 0, PV_EFORMAT);
    REFUSED(count, 4097, PV_EFORMAT);
    REFUSED(blob_len, (16u << 20) + 1, PV_EFORMAT);
    REFUSED(records, NULL, PV_EFORMAT);
    REFUSED(blob, NULL, PV_EFORMAT);
    REFUSED(kind, 0, PV_ENOTSUP);
    REFUSED(kind, 31, PV_ENOTSUP);
    REFUSED(kind, 4000000000u, PV_ENOTSUP);
    REFUSED(kind, PV_KIND_user, PV_ENOTSUP);
    REFUSED(kind, PV_KIND_disk, PV_EFORMAT);
    REFUSED(flags, PV_BATCH_OWNED, PV_EFORMAT);
    cr_expect_null(out);
}

Test(check, drops_bad_values_counts_them_and_keeps_the_rest)
{
    struct sdk_batch *out = NULL;
    struct sdk_batch_faults faults;
    struct raw r;

    raw_init(&r);
    raw_slot(&r, 0, PV_SLOT(vm, name), raw_ref(60, 8));                 /* past the end */
    raw_slot(&r, 0, PV_SLOT(vm, uuid), raw_ref(UINT32_MAX - 1, 4));     /* wraps */
    raw_slot(&r, 0, PV_SLOT(vm, bios_uuid), raw_ref(7, 3));             /* not UTF-8 */
    raw_slot(&r, 0, PV_SLOT(vm, power_state), 200);
    raw_slot(&r, 0, PV_SLOT(vm, tpm), 2);
    raw_slot(&r, 0, PV_SLOT(vm, memory_bytes), (1ull << 53) + 1);
    raw_slot(&r, 0, PV_SLOT(vm, boot_time), 1ull << 63);
    raw_slot(&r, 0, PV_SLOT(vm, guest_ip_addresses), raw_ref(0, 4));    /* no list */
    raw_slot(&r, 0, PV_SLOT(vm, native_extra), raw_ref(10, 8));         /* cut JSON */
    raw_slot(&r, 0, PV_SLOT(vm, question), raw_ref(10, 9));             /* whole JSON */
    raw_slot(&r, 0, PV_SLOT(vm, cpu_count), 1ull << 53);
    raw_slot(&r, 0, 120, 5);                                            /* a slot we do not know */
    cr_assert_eq(check(&r, &faults, &out), PV_OK);
    cr_expect_eq(faults.values, 9, "%u", faults.values);
    cr_expect_eq(faults.by_slot[PV_SLOT(vm, name)], 1);
    cr_expect_eq(faults.records, 0);
    cr_expect_str_eq(faults.first, "vm record 0: name lies outside the batch");
    cr_expect_eq(sdk_record_has(out, 0, PV_SLOT(vm, name)), SDK_UNKNOWN);
    cr_expect_eq(sdk_record_has(out, 0, 71), SDK_UNKNOWN);
    cr_expect_str_eq(sdk_record_text(out, 0, PV_SLOT(vm, question), NULL), "{\"a\":[1]}");
    cr_expect_eq(sdk_record_number(out, 0, PV_SLOT(vm, cpu_count)), 1ll << 53);
    sdk_batch_free(out);
}

Test(check, drops_records_without_a_usable_key)
{
    struct sdk_batch *out = NULL;
    struct sdk_batch_faults faults;
    struct raw r;

    raw_init(&r);
    r.batch.count = 2;
    raw_record(&r, 0)->native_id = (pv_ref){ 0, 0 };
    cr_assert_eq(check(&r, &faults, &out), PV_OK);
    cr_expect_eq(faults.records, 1);
    cr_assert_eq(out->count, 1);
    cr_expect_str_eq(sdk_record_native_id(out, 0), "cd");
    sdk_batch_free(out);
}

Test(check, refuses_children_that_do_not_stand_together_and_drops_twins)
{
    struct sdk_batch *out = NULL;
    struct sdk_batch_faults faults;
    struct raw r;
    char three[3 * STRIDE];

    raw_init(&r);
    r.batch.kind = PV_KIND_disk;
    r.batch.flags = PV_BATCH_OWNED;
    r.batch.count = 2;
    raw_record(&r, 0)->owner = raw_record(&r, 1)->owner = (pv_ref){ 4, 1 };
    raw_record(&r, 1)->native_id = (pv_ref){ 0, 2 };
    cr_assert_eq(check(&r, &faults, &out), PV_OK);
    cr_expect_eq(out->count, 1);
    cr_expect_eq(faults.records, 1);
    sdk_batch_free(out);
    out = NULL;
    memcpy(three, r.records, sizeof(r.records));
    memcpy(three + 2 * STRIDE, r.records, STRIDE);
    ((struct pv_record *)(void *)(three + STRIDE))->owner = (pv_ref){ 5, 1 };
    r.batch.records = three;
    r.batch.count = 3;
    cr_expect_eq(check(&r, &faults, &out), PV_EFORMAT);
}

Test(check, refuses_a_batch_that_names_the_same_text_without_end)
{
    struct sdk_batch *out = NULL;
    struct sdk_batch_faults faults;
    size_t count = 4096, blob_len = 16384;
    char *records = calloc(count, STRIDE), *blob = malloc(blob_len);
    uint64_t v = raw_ref(0, (uint32_t)blob_len);
    struct pv_batch batch = { .size = sizeof(batch), .kind = PV_KIND_vm, .stride = STRIDE,
                              .count = 16, .blob_len = (uint32_t)blob_len, .records = records,
                              .blob = blob };

    memset(blob, 'a', blob_len);
    for (size_t i = 0; i < blob_len; i += 16)
        blob[i] = '\n';
    blob[blob_len - 1] = '\n';
    for (size_t i = 0; i < count; i++) {
        struct pv_record *rec = (struct pv_record *)(void *)(records + i * STRIDE);

        rec->native_id = (pv_ref){ 1, 8 };
        rec->have[PV_SLOT(vm, networks) / 64] |= 1ull << (PV_SLOT(vm, networks) % 64);
        memcpy((char *)rec + PV_RECORD_HEAD + 8 * PV_SLOT(vm, networks), &v, sizeof(v));
    }
    cr_expect_eq(sdk_batch_check(&batch, &faults, &out, NULL), PV_OK, "a little is no harm");
    cr_expect_eq(faults.values, 0);
    sdk_batch_free(out);
    out = NULL;
    batch.count = (uint32_t)count;
    cr_expect_eq(sdk_batch_check(&batch, &faults, &out, NULL), PV_EFORMAT);
    cr_expect_null(out);
    free(records);
    free(blob);
}

Test(check, reads_records_of_older_and_newer_drivers)
{
    struct sdk_batch *out = NULL;
    struct sdk_batch_faults faults;
    struct raw r;
    char small[PV_RECORD_HEAD + 8] = { 0 }, big[PV_RECORD_HEAD + 8 * 256] = { 0 };

    raw_init(&r);
    raw_slot(&r, 0, PV_SLOT(vm, name), raw_ref(0, 3));
    raw_slot(&r, 0, PV_SLOT(vm, memory_bytes), 77);
    memcpy(small, r.records, sizeof(small));
    r.batch.records = small;
    r.batch.stride = sizeof(small);
    cr_assert_eq(check(&r, &faults, &out), PV_OK);
    cr_expect_str_eq(sdk_record_text(out, 0, PV_SLOT(vm, name), NULL), "abc");
    cr_expect_eq(sdk_record_has(out, 0, PV_SLOT(vm, memory_bytes)), SDK_UNKNOWN);
    sdk_batch_free(out);
    memcpy(big, r.records, STRIDE);
    memset(big, 0xff, 32);      /* says that it has every slot there may ever be */
    r.batch.records = big;
    r.batch.stride = sizeof(big);
    cr_assert_eq(check(&r, &faults, &out), PV_OK);
    cr_expect_eq(sdk_record_number(out, 0, PV_SLOT(vm, memory_bytes)), 77);
    sdk_batch_free(out);
}

Test(hash, depends_on_content_and_not_on_places)
{
    static const uint64_t key[2] = { 1, 2 }, other[2] = { 1, 3 };
    struct sink s;
    struct pv_builder *b;
    uint64_t first;

    sink_init(&s);
    b = pv_builder_new(&s.host);
    pv_vm_begin(b, "1", NULL);
    pv_vm_name(b, "web");
    pv_vm_annotation(b, "note");
    pv_builder_send(b);
    pv_vm_begin(b, "0", NULL);
    pv_vm_begin(b, "1", NULL);
    pv_vm_annotation(b, "note");
    pv_vm_name(b, "web");
    pv_vm_begin(b, "1", NULL);
    pv_vm_name(b, "webn");
    pv_vm_annotation(b, "ote");
    pv_vm_begin(b, "1", NULL);
    pv_vm_name(b, "web");
    pv_vm_annotation(b, "note");
    PV_CLEAR(b, vm, host);
    pv_builder_send(b);
    cr_assert_eq(s.count, 2);
    first = sdk_record_hash(s.batches[0], 0, key);
    cr_expect_eq(sdk_record_hash(s.batches[1], 1, key), first);
    cr_expect_neq(sdk_record_hash(s.batches[1], 0, key), first);
    cr_expect_neq(sdk_record_hash(s.batches[1], 2, key), first);
    cr_expect_neq(sdk_record_hash(s.batches[1], 3, key), first);
    cr_expect_neq(sdk_record_hash(s.batches[0], 0, other), first);
    pv_builder_free(b);
    sink_free(&s);
}

Test(hash, tells_lengths_apart)
{
    /* Different lengths of zero bytes differ although their words are the same. */
    static const uint64_t key[2] = { 0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull };
    static const char zeros[32];

    for (size_t i = 0; i < sizeof(zeros); i++)
        for (size_t k = 0; k < i; k++)
            cr_expect_neq(sdk_hash(zeros, i, key), sdk_hash(zeros, k, key));
}
