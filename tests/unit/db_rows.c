/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/db_store.h"

TestSuite(rows);

Test(rows, a_vm_comes_back_as_it_was_written)
{
    struct fixture f = fixture_make();
    struct model_row *p, *vm, *got;
    struct pv_err err = { 0 };

    fixture_open(&f);
    p = provider_new(&f, "vc1");
    insert(&f, p);
    vm = vm_new(&f, p, "Web-01");
    model_set_number(vm, F(vm, memory_bytes), 1LL << 33);
    model_set_text(vm, F(vm, guest_ip_addresses), "\n10.0.0.1\n10.0.0.2\n");
    insert(&f, vm);
    cr_assert_eq(store_row_get(f.store, shape_all(&f, PV_KIND_vm), &vm->id, f.arena, &got, &err), PV_OK, "%s",
                 err.message);
    cr_assert_str_eq(model_text(got, F(vm, name)), "Web-01");
    cr_assert_eq(model_number(got, F(vm, memory_bytes)), 1LL << 33);
    cr_assert_str_eq(got->provider->name, "vc1");
    cr_assert(!got->values[F(vm, host)].set);
    fixture_end(&f);
}
