/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <string.h>

#include <jansson.h>

#include <polyvisor/err.h>
#include <polyvisor/model.h>

Test(lib_model, every_slot_is_used_once_and_fits_a_record)
{
    for (size_t i = 0; model_kind_at(i); i++) {
        const struct model_kind *k = model_kind_at(i);
        bool used[PV_RECORD_SLOTS] = { false };

        for (size_t f = 0; f < k->nfields; f++) {
            int slot = k->fields[f].slot;

            cr_assert_eq(k->fields[f].index, f);
            if (slot < 0)
                continue;
            cr_assert_lt(slot, PV_RECORD_SLOTS);
            cr_assert(!used[slot], "%s: slot %d twice", k->name, slot);
            used[slot] = true;
        }
    }
}

Test(lib_model, no_path_stands_twice_or_is_the_beginning_of_another)
{
    for (size_t i = 0; model_kind_at(i); i++) {
        const struct model_kind *k = model_kind_at(i);

        for (size_t a = 0; a < k->nfields; a++)
            for (size_t b = 0; b < k->nfields; b++) {
                const char *pa = k->fields[a].path, *pb = k->fields[b].path;
                size_t len = strlen(pa);

                if (a != b)
                    cr_assert(strncmp(pa, pb, len) != 0 || (pb[len] != '\0' && pb[len] != '.'),
                              "%s: %s and %s", k->name, pa, pb);
            }
    }
}

Test(lib_model, what_is_referred_to_by_its_owner_comes_first)
{
    for (size_t i = 0; model_kind_at(i); i++) {
        bool found = model_kind_at(i)->owner == PV_KIND_NONE;

        for (size_t j = 0; j < i; j++)
            found = found || model_kind_at(j)->number == model_kind_at(i)->owner;
        cr_assert(found, "%s before its owner", model_kind_at(i)->name);
    }
}

Test(lib_model, aliases_lead_to_fields)
{
    const struct model_kind *vm = model_kind(PV_KIND_vm);

    cr_assert_eq(model_field(vm, "memory", 6), model_field(vm, "memory.bytes", 12));
    cr_assert_null(model_field(vm, "memor", 5));
    cr_assert_str_eq(model_field_nearest(vm, "memory.byte", 11), "memory.bytes");
    cr_assert_str_eq(model_field_nearest(model_kind(PV_KIND_host), "cores", 5), "hardware.cores");
    cr_assert_str_eq(model_field_nearest(vm, "powr", 4), "power");
    cr_assert_null(model_field_nearest(vm, "zzzz", 4));
    for (size_t i = 0; model_kind_at(i); i++)
        for (const struct model_alias *a = model_kind_at(i)->aliases; a->alias; a++)
            cr_assert(model_field(model_kind_at(i), a->alias, strlen(a->alias)), "%s", a->alias);
}

Test(lib_model, ids_say_their_kind)
{
    const struct model_kind *kind = NULL;
    struct pv_id made, read;
    char text[PV_ID_TEXT];

    id_make(&made);
    model_id_text(PV_KIND_resource_pool, &made, text);
    cr_assert(model_id_parse(text, strlen(text), &kind, &read));
    cr_assert_eq(kind->number, PV_KIND_resource_pool);
    cr_assert(id_eq(&made, &read));
    cr_assert(!model_id_parse("vm", 2, &kind, &read));
    cr_assert(!model_id_parse("zz_01jd3w5m2k8z9q4r7t6y1x0abc", 29, &kind, &read));
}

Test(lib_model, a_viewer_reads_and_an_operator_acts)
{
    cr_assert(model_role_may(PV_ROLE_VIEWER, PERM_VM_READ));
    cr_assert(!model_role_may(PV_ROLE_VIEWER, PERM_VM_POWER));
    cr_assert(model_role_may(PV_ROLE_OPERATOR, PERM_VM_POWER));
    cr_assert(!model_role_may(PV_ROLE_OPERATOR, PERM_ACCESS_MANAGE));
    cr_assert(!model_role_may(PV_ROLE_NONE, PERM_VM_READ));
    cr_assert(!model_role_may(PV_ROLE_MONITOR, PERM_VM_READ));
    for (int p = 0; p < PERM_COUNT; p++)
        cr_assert(model_role_may(PV_ROLE_ADMIN, p));
    cr_assert(!model_role_may(PV_ROLE_ADMIN, PERM_COUNT));
}

static int check(const char *operation, const char *body, struct pv_err *err)
{
    json_t *json = json_loads(body, JSON_DECODE_ANY, NULL);
    int rc = model_params_check(model_operation(operation)->params, json, "/params", err);

    json_decref(json);
    return rc;
}

Test(lib_model, a_body_is_checked_against_the_operation)
{
    struct pv_err err = { 0 };

    cr_assert_eq(check("vm.snapshot.create", "{\"name\":\"before\",\"memory\":true}", &err), PV_OK);
    cr_assert_neq(check("vm.snapshot.create", "{}", &err), PV_OK);
    cr_assert_str_eq(err.pointer, "/params/name");
    cr_assert_neq(check("vm.snapshot.create", "{\"name\":\"\"}", &err), PV_OK);
    cr_assert_neq(check("vm.snapshot.create", "{\"name\":\"a\\u0000b\"}", &err), PV_OK);
    cr_assert_neq(check("vm.snapshot.create", "{\"nam\":\"x\"}", &err), PV_OK);
    cr_assert_str_eq(err.problem, "unknown-field");
    cr_assert(strstr(err.message, "name"), "%s", err.message);
    cr_assert_neq(check("vm.shutdown", "{\"timeout_s\":0}", &err), PV_OK);
    cr_assert_str_eq(err.pointer, "/params/timeout_s");
    cr_assert_neq(check("vm.shutdown", "{\"timeout_s\":\"5\"}", &err), PV_OK);
    cr_assert_neq(check("vm.shutdown", "{\"on_timeout\":\"panic\"}", &err), PV_OK);
    cr_assert_neq(check("vm.shutdown", "[]", &err), PV_OK);
    cr_assert_neq(check("vm.start", "{\"x\":1}", &err), PV_OK,
                  "an operation without parameters takes none");
}

Test(lib_model, native_names_are_of_fields_that_are_there)
{
    enum pv_kind kind;
    const char *path;
    size_t n = 0;

    for (; model_native_at(n, &kind, &path); n++) {
        const struct model_native *native = model_native_of(kind, path);

        cr_assert_not_null(model_field(model_kind(kind), path, strlen(path)), "%s has no %s",
                           model_kind(kind)->name, path);
        cr_assert(native && (native->hyperv || native->vmware), "%s says nothing", path);
        /* Twice in the list: the first would hide the second. */
        for (size_t i = 0; i < n; i++) {
            enum pv_kind other;
            const char *twin;

            cr_assert(model_native_at(i, &other, &twin));
            cr_assert(other != kind || strcmp(twin, path) != 0, "%s stands twice", path);
        }
    }
    cr_assert_gt(n, 40);
    cr_assert_null(model_native_of(PV_KIND_vm, "notes"));
}

static const struct model_param *param(const struct model_param *table, const char *name)
{
    for (const struct model_param *p = table; p->name; p++)
        if (strcmp(p->name, name) == 0)
            return p;
    cr_assert(false, "there is no parameter %s", name);
    return NULL;
}

Test(lib_model, what_a_family_lacks_is_told_unless_the_value_says_what_is_so_there)
{
    const struct model_param *disk = model_operation("vm.disk.attach")->params, *mode;
    json_t *dependent = json_string("dependent"), *other = json_string("independent_persistent");

    mode = param(disk, "mode");
    cr_assert_eq(mode->lacks, PV_FAMILY_HYPERV);
    cr_assert_null(model_param_lacking(mode, PV_FAMILY_VMWARE, other));
    cr_assert_null(model_param_lacking(mode, PV_FAMILY_HYPERV, dependent));
    cr_assert_null(model_param_lacking(mode, PV_FAMILY_HYPERV, json_null()));
    cr_assert_not_null(model_param_lacking(mode, PV_FAMILY_HYPERV, other));
    cr_assert_not_null(model_param_lacking(mode, PV_FAMILY_HYPERV, NULL));
    cr_assert_null(model_param_lacking(param(disk, "capacity_bytes"), PV_FAMILY_HYPERV, NULL));
    json_decref(dependent);
    json_decref(other);
}

Test(lib_model, a_family_lacks_single_values_of_a_parameter)
{
    const struct model_param *disk = model_operation("vm.disk.attach")->params, *sharing = param(disk, "sharing");
    json_t *shared = json_string("multi_writer"), *set = json_string("vhd_set"), *none = json_string("none"),
           *part = json_string("multi");

    cr_assert_null(model_param_lacking(sharing, PV_FAMILY_VMWARE, shared));
    cr_assert_null(model_param_lacking(sharing, PV_FAMILY_VMWARE, none));
    cr_assert_str_eq(model_param_lacking(sharing, PV_FAMILY_VMWARE, set), "vSphere has none and multi_writer");
    cr_assert_not_null(model_param_lacking(sharing, PV_FAMILY_VMWARE, part), "a part of a word is none");
    cr_assert_null(model_param_lacking(sharing, PV_FAMILY_HYPERV, set));
    cr_assert_not_null(model_param_lacking(sharing, PV_FAMILY_HYPERV, shared));
    cr_assert_null(model_param_lacking(sharing, PV_FAMILY_VMWARE, NULL), "the parameter itself is there");
    cr_assert_null(model_param_lacking(sharing, PV_FAMILY_VMWARE, json_null()));
    cr_assert_null(model_param_lacking(sharing, PV_FAMILY_LOCAL, set));
    json_decref(shared);
    json_decref(set);
    json_decref(none);
    json_decref(part);
}
