/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <string.h>

#include <jansson.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>
#include <polyvisor/jsonw.h>
#include <polyvisor/model.h>

/* A VM with a few values and one disk, written with this shape and parsed by somebody else's parser. */
static json_t *written(const char *fields, enum model_view view)
{
    struct arena *a = arena_new(65536, 1 << 20);
    struct model_row *vm = model_row_new(a, PV_KIND_vm);
    struct model_row *disk = model_row_new(a, PV_KIND_disk);
    struct model_children children[2] = { { .kind = model_kind(PV_KIND_disk), .rows = disk, .nrows = 1 } };
    const struct model_shape *shape = NULL;
    struct pv_err err = { 0 };
    struct buf out;
    struct jsonw w;
    json_t *json;

    model_set_text(vm, F(vm, name), "web \"01\"");
    model_set_number(vm, F(vm, memory_bytes), INT64_C(4) << 30);
    model_set_number(vm, F(vm, power_state), PV_POWER_STATE_RUNNING);
    model_set_text(vm, F(vm, guest_ip_addresses), "\n10.0.0.1\nfe80::1\n");
    model_set_number(disk, F(disk, capacity_bytes), 42);
    vm->children = children;
    buf_init(&out, 1 << 20);
    jsonw_init(&w, &out);
    cr_assert_eq(model_shape_make(vm->kind, fields, view, a, &shape, &err), PV_OK, "%s", err.message);
    model_write_json(&w, NULL, shape, vm);
    json = json_loads(out.data, JSON_REJECT_DUPLICATES, NULL);
    cr_assert(json, "not JSON: %s", out.data);
    buf_free(&out);
    arena_free(a);
    return json;
}

static const char *text_at(json_t *o, const char *a, const char *b)
{
    return json_string_value(json_object_get(json_object_get(o, a), b));
}

Test(lib_shape, the_full_view_is_json_without_doubled_members_for_every_kind)
{
    struct arena *a = arena_new(65536, 1 << 20);

    for (size_t i = 0; model_kind_at(i); i++) {
        const struct model_shape *shape = NULL;
        struct model_row *row = model_row_new(a, model_kind_at(i)->number);
        struct buf out;
        struct jsonw w;
        json_t *json;

        buf_init(&out, 1 << 20);
        jsonw_init(&w, &out);
        cr_assert_eq(model_shape_make(row->kind, NULL, MODEL_VIEW_FULL, a, &shape, NULL), PV_OK);
        model_write_json(&w, NULL, shape, row);
        json = json_loads(out.data, JSON_REJECT_DUPLICATES, NULL);
        cr_assert(json, "%s: %s", row->kind->name, out.data);
        json_decref(json);
        buf_free(&out);
    }
    arena_free(a);
}

Test(lib_shape, values_stand_at_their_paths)
{
    json_t *vm = written(NULL, MODEL_VIEW_FULL);

    cr_assert_str_eq(json_string_value(json_object_get(vm, "name")), "web \"01\"");
    cr_assert_eq(json_integer_value(json_object_get(json_object_get(vm, "memory"), "bytes")), INT64_C(4) << 30);
    cr_assert_str_eq(json_string_value(json_object_get(vm, "power_state")), "running");
    cr_assert_eq(json_array_size(json_object_get(json_object_get(vm, "guest"), "ip_addresses")), 2);
    cr_assert_eq(json_array_size(json_object_get(vm, "disks")), 1);
    cr_assert(json_is_null(json_object_get(vm, "host")));
    cr_assert_null(text_at(vm, "native", "id"));
    cr_assert(json_object_get(json_object_get(json_object_get(vm, "guest"), "tools"), "state"));
    json_decref(vm);
}

Test(lib_shape, secrets_are_in_no_view)
{
    struct arena *a = arena_new(65536, 1 << 20);
    const struct model_shape *shape = NULL;

    cr_assert_eq(model_shape_make(model_kind(PV_KIND_provider), NULL, MODEL_VIEW_FULL, a, &shape, NULL), PV_OK);
    cr_assert(!model_shape_wants(shape, F(provider, password)));
    cr_assert_neq(model_shape_make(model_kind(PV_KIND_provider), "password", MODEL_VIEW_FULL, a, &shape, NULL), PV_OK);
    arena_free(a);
}

Test(lib_shape, fields_choose_single_values_prefixes_and_children)
{
    json_t *vm = written("name,guest.tools,disks.capacity_bytes", MODEL_VIEW_SUMMARY);
    json_t *disk = json_array_get(json_object_get(vm, "disks"), 0);

    cr_assert_eq(json_object_size(vm), 5, "id, kind, name, guest, disks");
    cr_assert_eq(json_object_size(json_object_get(vm, "guest")), 1, "tools alone");
    cr_assert_eq(json_integer_value(json_object_get(disk, "capacity_bytes")), 42);
    cr_assert_eq(json_object_size(disk), 3, "id, kind, capacity_bytes");
    json_decref(vm);
}

Test(lib_shape, a_misspelt_field_is_refused_with_the_nearest_name)
{
    struct arena *a = arena_new(65536, 1 << 20);
    const struct model_shape *shape = NULL;
    struct pv_err err = { 0 };

    cr_assert_neq(model_shape_make(model_kind(PV_KIND_vm), "name,powr_state", MODEL_VIEW_FULL, a, &shape, &err), PV_OK);
    cr_assert_str_eq(err.problem, "unknown-field");
    cr_assert(strstr(err.message, "power_state"), "%s", err.message);
    cr_assert_null(shape);
    arena_free(a);
}

Test(lib_shape, a_single_value_is_a_member_like_any_other)
{
    const struct model_field *f = &model_kind(PV_KIND_user)->fields[F(user, preferences)];
    struct model_value v = { .set = true, .text = "{\"a\":1}", .len = 7 };
    struct buf out;
    struct jsonw w;

    buf_init(&out, 1024);
    jsonw_init(&w, &out);
    jsonw_object(&w, NULL);
    jsonw_bool(&w, "first", true);
    model_write_value(&w, "set", f, &v);
    v.set = false;
    model_write_value(&w, "unset", f, &v);
    jsonw_end(&w);
    cr_assert_str_eq(out.data, "{\"first\":true,\"set\":{\"a\":1},\"unset\":null}");
    buf_free(&out);
}
