/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of operations that need no host: journal, comparing settings, keys, pictures, paths. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <zlib.h>

#include <polyvisor/arena.h>
#include <polyvisor/buf.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>

#include "drivers/wmi/op.h"
#include "drivers/wmi/op_keys.h"
#include "drivers/wmi/op_modify.h"
#include "drivers/wmi/op_png.h"

static struct arena *a;
static struct op o;

static const struct op_def def = { "vm.test", "testing", NULL, 0, 0 };

static void setup(void)
{
    a = arena_new(65536, 1 << 22);
    memset(&o, 0, sizeof(o));
    o.a = a;
    o.def = &def;
    o.name = "web";
    cr_assert_eq(journal_new(&o.journal, NULL), PV_OK);
}

static void teardown(void)
{
    journal_free(&o.journal);
    arena_free(a);
}

TestSuite(wmi_op_parts, .init = setup, .fini = teardown);

/* ------------------------------------------------------------------ the journal */

Test(wmi_op_parts, a_journal_is_the_same_after_a_restart)
{
    struct op again = { .a = a };
    char *text;

    journal_step(&o.journal, "disk 0", "Msvm_ConcreteJob:1");
    journal_note(&o.journal, "slot", "s,3|X");
    undo_made(&o, UNDO_VM, "A");
    undo_made(&o, UNDO_FILE, "D:\\x.vhdx");
    text = journal_text(&o.journal);
    cr_assert_eq(journal_parse(&again.journal, text, NULL), PV_OK);
    cr_assert_str_eq(journal_step_of(&again.journal), "disk 0");
    cr_assert_str_eq(journal_job(&again.journal), "Msvm_ConcreteJob:1");
    cr_assert_str_eq(journal_get(&again.journal, "slot"), "s,3|X");
    cr_assert(undo_has(&again, UNDO_FILE, "d:\\X.VHDX"), "paths compare without case");
    cr_assert_str_eq(undo_nth(&again, UNDO_VM, 0), "A");
    cr_assert_eq(journal_began(&again.journal), journal_began(&o.journal));
    journal_free(&again.journal);
    free(text);
}

Test(wmi_op_parts, a_journal_fits_a_native_reference_however_much_was_made)
{
    struct op again = { .a = a };
    char path[200];
    char *text;

    undo_made(&o, UNDO_VM, "THE-VM");
    for (int i = 0; i < 250; i++) {
        (void)snprintf(path, sizeof(path),
                       "D:\\a folder with a name that is rather long, as long as they come\\disk %d.vhdx",
                       i);
        undo_made(&o, UNDO_FILE, path);
    }
    journal_step(&o.journal, "disk 59", "Msvm_StorageJob:1");
    text = journal_text(&o.journal);
    cr_assert_not_null(text);
    cr_assert_leq(strlen(text), 16383u);
    cr_assert_eq(journal_parse(&again.journal, text, NULL), PV_OK);
    cr_assert_str_eq(undo_nth(&again, UNDO_VM, 0), "THE-VM", "what holds the others is kept");
    cr_assert_str_eq(journal_job(&again.journal), "Msvm_StorageJob:1");
    journal_free(&again.journal);
    free(text);
}

Test(wmi_op_parts, a_journal_knows_the_steps_that_are_done_and_since_when_one_is_under_way)
{
    struct op again = { .a = a };
    int64_t before = clock_wall_ms();
    char *text;

    journal_step(&o.journal, "copy 0", NULL);
    journal_step_done(&o.journal, "copy 0");
    journal_step_done(&o.journal, "copy 0");
    journal_step(&o.journal, "copy 1", NULL);
    text = journal_text(&o.journal);
    cr_assert_eq(journal_parse(&again.journal, text, NULL), PV_OK);
    cr_assert(journal_is_done(&again.journal, "copy 0"));
    cr_assert_not(journal_is_done(&again.journal, "copy 1"));
    cr_assert_geq(journal_step_began(&again.journal), before);
    cr_assert_leq(journal_step_began(&again.journal), clock_wall_ms());
    journal_free(&again.journal);
    free(text);
}

Test(wmi_op_parts, a_reference_that_is_no_journal_means_that_nobody_knows)
{
    struct journal j = { 0 };

    cr_assert_eq(journal_parse(&j, "shutdown:17", NULL), PV_EUNKNOWN);
    journal_free(&j);
}

Test(wmi_op_parts, nothing_is_noted_as_made_in_a_dry_run)
{
    o.dry_run = true;
    undo_made(&o, UNDO_FILE, "D:\\x");
    cr_assert_null(undo_nth(&o, UNDO_FILE, 0));
}

/* ------------------------------------------------------------------ comparing */

static struct cim_instance *memory(bool dynamic, uint64_t mb)
{
    struct cim_instance *m = cim_new(a, CIM(Msvm_MemorySettingData));

    cim_set_bool(m, P(Msvm_MemorySettingData, DynamicMemoryEnabled), dynamic);
    cim_set_uint(m, P(Msvm_MemorySettingData, VirtualQuantity), mb);
    return m;
}

Test(wmi_op_parts, settings_match_when_everything_wished_is_there)
{
    struct cim_instance *have = memory(false, 2048), *want = memory(false, 2048);

    cim_set_str(have, P(Msvm_MemorySettingData, ElementName), "Memory");
    cim_set_str(want, P(Msvm_MemorySettingData, InstanceID), "any");
    cr_assert(op_matches(want, have));
    cr_assert_not(op_matches(memory(true, 2048), have));
    cr_assert_not(op_matches(memory(false, 4096), have));
}

Test(wmi_op_parts, lengths_of_time_match_in_either_form)
{
    struct cim_instance *want = cim_new(a, CIM(Msvm_VirtualSystemSettingData)), *have = NULL;
    const char *xml =
        "<INSTANCE CLASSNAME=\"Msvm_VirtualSystemSettingData\"><PROPERTY "
        "NAME=\"AutomaticStartupActionDelay\" TYPE=\"datetime\"><VALUE>00000000000030.000000:000"
        "</VALUE></PROPERTY></INSTANCE>";

    cr_assert_eq(cim_parse_xml(a, xml, CIM_NS_VIRTUALIZATION, &have, NULL), PV_OK);
    cim_set_interval(want, P(Msvm_VirtualSystemSettingData, AutomaticStartupActionDelay), 30000);
    cr_assert(op_matches(want, have));
    cim_set_interval(want, P(Msvm_VirtualSystemSettingData, AutomaticStartupActionDelay), 31000);
    cr_assert_not(op_matches(want, have));
}

Test(wmi_op_parts, paths_of_objects_match_with_and_without_the_host)
{
    struct cim_instance *want = cim_new(a, CIM(Msvm_ResourceAllocationSettingData));
    struct cim_instance *have = cim_new(a, CIM(Msvm_ResourceAllocationSettingData));

    cim_set_str(want, P(Msvm_ResourceAllocationSettingData, Parent),
                "root/virtualization/"
                "v2:Msvm_ResourceAllocationSettingData.InstanceID=\"Microsoft:A\\\\B\"");
    cim_set_str(have, P(Msvm_ResourceAllocationSettingData, Parent),
                "\\\\HV01\\root\\virtualization\\v2:Msvm_ResourceAllocationSettingData.InstanceID="
                "\"microsoft:a\\\\b\"");
    cr_assert(op_matches(want, have));
}

Test(wmi_op_parts, an_empty_list_and_one_empty_text_are_the_same)
{
    struct cim_instance *want = cim_new(a, CIM(Msvm_VirtualSystemSettingData));
    struct cim_instance *have = cim_new(a, CIM(Msvm_VirtualSystemSettingData));

    cim_add_str(want, P(Msvm_VirtualSystemSettingData, Notes), "");
    cr_assert(op_matches(want, have));
    cim_add_str(have, P(Msvm_VirtualSystemSettingData, Notes), "text");
    cr_assert_not(op_matches(want, have));
}

Test(wmi_op_parts, order_counts_in_lists)
{
    struct cim_instance *want = cim_new(a, CIM(Msvm_VirtualSystemSettingData));
    struct cim_instance *have = cim_new(a, CIM(Msvm_VirtualSystemSettingData));

    cim_add_uint(want, P(Msvm_VirtualSystemSettingData, BootOrder), 1);
    cim_add_uint(want, P(Msvm_VirtualSystemSettingData, BootOrder), 2);
    cim_add_uint(have, P(Msvm_VirtualSystemSettingData, BootOrder), 2);
    cim_add_uint(have, P(Msvm_VirtualSystemSettingData, BootOrder), 1);
    cr_assert_not(op_matches(want, have));
}

/* ------------------------------------------------------------------ texts and paths */

Test(wmi_op_parts, a_guid_is_found_in_every_form_ids_have)
{
    char guid[40];

    cr_assert(op_guid("Microsoft:3a50a74a-fd6b-4562-a21f-8100047fee45\\x\\0", guid));
    cr_assert_str_eq(guid, "3A50A74A-FD6B-4562-A21F-8100047FEE45");
    cr_assert(op_guid("{3A50A74A-FD6B-4562-A21F-8100047FEE45}", guid));
    cr_assert(op_guid("3A50A74A-FD6B-4562-A21F-8100047FEE45.20", guid));
    cr_assert_not(op_guid("HV01", guid));
    cr_assert_not(op_guid("3A50A74A-FD6B-4562-A21F-8100047FEE4", guid));
    cr_assert_not(op_guid(NULL, guid));
}

Test(wmi_op_parts, files_are_the_same_whatever_their_case_and_prefix)
{
    cr_assert(op_same_path("\\\\?\\D:\\VMs\\A.vhdx", "d:/vms/a.VHDX"));
    cr_assert_not(op_same_path("D:\\VMs\\A.vhdx", "D:\\VMs\\A.vhdx2"));
    cr_assert_not(op_same_path(NULL, "D:\\"));
}

Test(wmi_op_parts, relative_paths_go_below_their_folder_and_absolute_ones_stay)
{
    cr_assert_str_eq(op_windows_path(&o, "D:\\", "iso/a.iso"), "D:\\iso\\a.iso");
    cr_assert_str_eq(op_windows_path(&o, "D:\\VMs", "/iso/a.iso"), "D:\\VMs\\iso\\a.iso");
    cr_assert_str_eq(op_windows_path(&o, "D:\\", "E:\\a.iso"), "E:\\a.iso");
    cr_assert_str_eq(op_windows_path(&o, "D:\\", "//nas/iso/a.iso"), "\\\\nas\\iso\\a.iso");
}

Test(wmi_op_parts, names_become_names_of_files)
{
    cr_assert_str_eq(op_file_name(&o, "a/b:c"), "a_b_c");
    cr_assert_str_eq(op_file_name(&o, "end. "), "end");
    cr_assert_str_eq(op_file_name(&o, "..."), "vm");
}

Test(wmi_op_parts, a_path_cannot_leave_its_folder)
{
    json_t *object = json_pack("{s:s}", "path", "D:\\VMs\\..\\secret.vhdx");
    const char *out = NULL;
    struct pv_err err = { 0 };

    cr_assert_eq(op_file_path(&o, object, "path", &out, &err), PV_EINVAL);
    json_decref(object);
    object = json_pack("{s:s}", "path", "relative.vhdx");
    cr_assert_eq(op_file_path(&o, object, "path", &out, &err), PV_EINVAL,
                 "without a datastore it is nowhere");
    json_decref(object);
}

/* ------------------------------------------------------------------ keys and pictures */

Test(wmi_op_parts, keys_that_are_held_together_come_in_order)
{
    unsigned codes[KEYS_HELD_MOST];
    size_t n;

    cr_assert(keys_parse("Ctrl+Alt+F4", codes, &n));
    cr_assert_eq(n, 3u);
    cr_assert_eq(codes[0], 0x11u);
    cr_assert_eq(codes[1], 0x12u);
    cr_assert_eq(codes[2], 0x73u);
    cr_assert(keys_parse("a", codes, &n) && codes[0] == 0x41);
}

Test(wmi_op_parts, what_is_no_key_is_refused)
{
    static const char *const bad[] = { "",   "+",     "ctrl+",
                                       "+a", "hello", "f25",
                                       "f0", "a+a+a+a+a+a+a+a+a" };
    unsigned codes[KEYS_HELD_MOST];
    size_t n;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_not(keys_parse(bad[i], codes, &n), "'%s'", bad[i]);
}

static uint32_t number_at(const char *p)
{
    const uint8_t *u = (const uint8_t *)p;

    return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

Test(wmi_op_parts, a_picture_becomes_a_png_with_its_colours)
{
    /* red, green, blue, white */
    const uint8_t pixels[] = { 0x00, 0xF8, 0xE0, 0x07, 0x1F, 0x00, 0xFF, 0xFF };
    uint8_t rows[2 * 7];
    uLongf size = sizeof(rows);
    struct buf out;
    const char *at;
    static const uint8_t wanted[] = { 0, 255, 0, 0, 0, 255, 0, 0, 0, 0, 255, 255, 255, 255 };

    buf_init(&out, 1 << 16);
    cr_assert_eq(png_from_rgb565(pixels, sizeof(pixels), 2, 2, &out, NULL), PV_OK);
    cr_assert_eq(memcmp(out.data, "\x89PNG\r\n\x1a\n", 8), 0);
    at = out.data + 8;
    cr_assert_eq(number_at(at), 13u);
    cr_assert_eq(memcmp(at + 4, "IHDR", 4), 0);
    cr_assert_eq(number_at(at + 8), 2u);
    cr_assert_eq(number_at(at + 12), 2u);
    cr_assert_eq(number_at(at + 21), (uint32_t)crc32(0, (const Bytef *)at + 4, 17));
    at += 25;
    cr_assert_eq(memcmp(at + 4, "IDAT", 4), 0);
    cr_assert_eq(uncompress(rows, &size, (const Bytef *)at + 8, number_at(at)), Z_OK);
    cr_assert_eq(size, sizeof(wanted));
    cr_assert_eq(memcmp(rows, wanted, sizeof(wanted)), 0);
    buf_free(&out);
}

Test(wmi_op_parts, a_picture_of_another_size_is_refused)
{
    const uint8_t pixels[7] = { 0 };
    struct buf out;

    buf_init(&out, 1 << 16);
    cr_assert_eq(png_from_rgb565(pixels, sizeof(pixels), 2, 2, &out, NULL), PV_EIO);
    cr_assert_eq(png_from_rgb565(pixels, 0, 0, 5, &out, NULL), PV_EIO);
    buf_free(&out);
}
