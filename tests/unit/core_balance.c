/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of clusters, and advice on moves: small clusters, looked at by hand. */
#include <criterion/criterion.h>

#include "server/core/balance.h"

#define HOSTS 3
#define VMS 8

static struct balance_host hosts[HOSTS];
static struct balance_vm vms[VMS];
static struct balance_in in;
static struct balance_out out;
static enum balance_why left_out[VMS];
static double after[BALANCE_BOUNDS][HOSTS];

/* Three hosts of 100 units of both; the load of each is that of its VMs. */
static void open_cluster(void)
{
    for (size_t h = 0; h < HOSTS; h++)
        hosts[h] = (struct balance_host){ .capacity = { 100, 100 }, .counts = true, .takes = true };
    for (size_t v = 0; v < VMS; v++)
        vms[v] = (struct balance_vm){ .fixed = BALANCE_FREE };
    in = (struct balance_in){
        .hosts = hosts, .nhosts = HOSTS, .vms = vms, .nvms = 0, .threshold = 0.10
    };
    out = (struct balance_out){ .left_out = left_out, .used_after = { after[0], after[1] } };
}

static void put(size_t host, double cpu, double memory)
{
    vms[in.nvms++] = (struct balance_vm){ .host = host, .used = { cpu, memory } };
    hosts[host].used[BALANCE_CPU] += cpu;
    hosts[host].used[BALANCE_MEMORY] += memory;
}

static void plan(void)
{
    cr_assert(balance_plan(&in, &out));
}

TestSuite(core_balance, .init = open_cluster);

Test(core_balance, brings_a_busy_host_near_the_mean)
{
    for (size_t i = 0; i < 4; i++)
        put(0, 20, 10);
    put(1, 10, 10);
    plan();
    cr_expect_eq(out.nmoves, 2, "%zu moves", out.nmoves);
    cr_expect(out.balanced);
    cr_expect_lt(out.after.deviation[BALANCE_CPU], out.now.deviation[BALANCE_CPU]);
    cr_expect_float_eq(out.now.range[BALANCE_CPU], 0.8, 1e-9);
    cr_expect_eq(out.moves[0].bound, BALANCE_CPU);
    cr_expect_float_eq(out.moves[0].load, 0.8, 1e-9);
    cr_expect_float_eq(out.moves[0].mean, 0.3, 1e-9);
    cr_expect_eq(out.moves[0].to, 2, "the emptiest host first");
    cr_expect_float_eq(after[BALANCE_CPU][0], 40, 1e-9);
}

Test(core_balance, leaves_be_what_is_within_the_threshold)
{
    put(0, 38, 10);
    put(1, 30, 10);
    put(2, 25, 10);
    plan();
    cr_expect_eq(out.nmoves, 0);
    cr_expect(out.balanced);
}

Test(core_balance, memory_counts_as_much_as_processors)
{
    put(0, 1, 40);
    put(0, 1, 40);
    plan();
    cr_assert_eq(out.nmoves, 1);
    cr_expect_eq(out.moves[0].bound, BALANCE_MEMORY);
}

Test(core_balance, moves_no_vm_twice_and_nothing_back)
{
    put(0, 90, 90);
    plan();
    cr_expect_eq(out.nmoves, 0, "the next host would be as busy as this one is");
    cr_expect_not(out.balanced);
    cr_expect_eq(left_out[0], BALANCE_NO_GAIN);
    open_cluster();
    for (size_t i = 0; i < 7; i++)
        put(0, 13, 13);
    plan();
    for (size_t i = 0; i < out.nmoves; i++) {
        cr_expect_eq(out.moves[i].from, 0);
        for (size_t k = 0; k < i; k++)
            cr_expect_neq(out.moves[i].vm, out.moves[k].vm);
    }
    cr_expect(out.balanced);
}

Test(core_balance, says_the_same_each_time)
{
    struct balance_out again = { .left_out = NULL };

    for (size_t i = 0; i < 6; i++)
        put(0, 12, 12);
    plan();
    cr_assert(balance_plan(&in, &again));
    cr_assert_eq(again.nmoves, out.nmoves);
    for (size_t i = 0; i < out.nmoves; i++) {
        cr_expect_eq(again.moves[i].vm, out.moves[i].vm);
        cr_expect_eq(again.moves[i].to, out.moves[i].to);
    }
}

Test(core_balance, vms_that_belong_apart_stay_apart)
{
    static const size_t apart[] = { 0, 2, 3 };
    const struct balance_rule rule = { .type = PV_RULE_TYPE_SEPARATE, .vms = apart, .nvms = 3 };

    put(0, 40, 10);
    put(0, 40, 10);
    put(1, 5, 5);
    put(2, 5, 5);
    in.rules = &rule;
    in.nrules = 1;
    plan();
    cr_assert_eq(out.nmoves, 1);
    cr_expect_eq(out.moves[0].vm, 1, "the other one is free to go");
}

Test(core_balance, rules_tell_why_a_vm_stays)
{
    static const size_t both[] = { 0, 1 }, here[] = { 0 };
    const struct balance_rule rules[] = {
        { .type = PV_RULE_TYPE_KEEP_TOGETHER, .vms = both, .nvms = 2 },
        { .type = PV_RULE_TYPE_VM_HOST,
          .placement = PV_RULE_PLACEMENT_ON_HOSTS,
          .vms = (const size_t[]){ 2 },
          .nvms = 1,
          .hosts = here,
          .nhosts = 1 },
    };

    put(0, 25, 10);
    put(0, 25, 10);
    put(0, 25, 10);
    in.rules = rules;
    in.nrules = 2;
    plan();
    cr_expect_eq(out.nmoves, 0);
    for (size_t v = 0; v < 3; v++)
        cr_expect_eq(left_out[v], BALANCE_RULE, "VM %zu: %s", v, balance_why_text(left_out[v]));
}

Test(core_balance, hosts_that_are_forbidden_get_nothing)
{
    static const size_t bad[] = { 1 };
    const struct balance_rule rule = { .type = PV_RULE_TYPE_VM_HOST,
                                       .placement = PV_RULE_PLACEMENT_NOT_ON_HOSTS,
                                       .vms = (const size_t[]){ 0, 1 },
                                       .nvms = 2,
                                       .hosts = bad,
                                       .nhosts = 1 };

    put(0, 40, 10);
    put(0, 40, 10);
    in.rules = &rule;
    in.nrules = 1;
    plan();
    cr_assert_eq(out.nmoves, 1);
    cr_expect_eq(out.moves[0].to, 2);
    hosts[2].takes = false;
    plan();
    cr_expect_eq(out.nmoves, 0);
}

Test(core_balance, hosts_in_maintenance_or_without_the_datastore_get_nothing)
{
    static const enum balance_why lacks[] = { BALANCE_FREE, BALANCE_STORAGE, BALANCE_STORAGE };

    put(0, 40, 10);
    put(0, 40, 10);
    vms[0].to = vms[1].to = lacks;
    plan();
    cr_expect_eq(out.nmoves, 0);
    cr_expect_eq(left_out[0], BALANCE_STORAGE);
    vms[0].to = vms[1].to = NULL;
    hosts[1].takes = hosts[2].takes = false;
    plan();
    cr_expect_eq(out.nmoves, 0);
    cr_expect_eq(left_out[0], BALANCE_NO_HOST);
}

Test(core_balance, what_may_not_move_says_why)
{
    put(0, 40, 10);
    put(0, 40, 10);
    vms[0].fixed = BALANCE_PASSTHROUGH;
    plan();
    cr_assert_eq(out.nmoves, 1);
    cr_expect_eq(out.moves[0].vm, 1);
    cr_expect_eq(left_out[0], BALANCE_PASSTHROUGH);
    cr_expect_eq(left_out[1], BALANCE_FREE, "it is in the plan");
}

Test(core_balance, one_host_and_none_are_balanced)
{
    put(0, 90, 90);
    in.nhosts = 1;
    plan();
    cr_expect_eq(out.nmoves, 0);
    cr_expect(out.balanced);
    in.nhosts = in.nvms = 0;
    plan();
    cr_expect_eq(out.nmoves, 0);
    cr_expect(out.balanced);
    cr_expect_float_eq(out.now.deviation[BALANCE_CPU], 0, 1e-9);
}

Test(core_balance, suggests_no_more_than_twenty)
{
    static struct balance_host many[2];
    static struct balance_vm small[400];

    many[0] = many[1] =
        (struct balance_host){ .capacity = { 4000, 4000 }, .counts = true, .takes = true };
    for (size_t v = 0; v < 400; v++)
        small[v] = (struct balance_vm){ .used = { 10, 1 } };
    many[0].used[BALANCE_CPU] = 4000;
    many[0].used[BALANCE_MEMORY] = 400;
    in = (struct balance_in){
        .hosts = many, .nhosts = 2, .vms = small, .nvms = 400, .threshold = 0.05
    };
    out = (struct balance_out){ .left_out = NULL };
    /* A quarter of a percent each: less than what a move has to bring. */
    plan();
    cr_expect_eq(out.nmoves, 0);
    for (size_t v = 0; v < 400; v++)
        small[v].used[BALANCE_CPU] = 22;
    many[0].used[BALANCE_CPU] = 8800;
    plan();
    cr_expect_eq(out.nmoves, BALANCE_MOVES_MAX);
    cr_expect_not(out.balanced);
}

/* ------------------------------------------------------------------ rules */

static struct rule_vm at(unsigned vm, unsigned host)
{
    struct rule_vm r = { 0 };

    r.id.b[15] = (unsigned char)vm;
    r.host.b[15] = (unsigned char)host;
    return r;
}

Test(core_balance, both_of_two_on_one_host_break_a_rule_to_be_apart)
{
    struct rule_vm where[] = { at(1, 1), at(2, 1), at(3, 2) };
    struct rule_look r = { .type = PV_RULE_TYPE_SEPARATE, .vms = where, .nvms = 3 };

    cr_expect(rule_judged(&r));
    cr_expect(rule_breaks(&r, 0));
    cr_expect(rule_breaks(&r, 1));
    cr_expect_not(rule_breaks(&r, 2));
}

Test(core_balance, who_is_elsewhere_breaks_a_rule_to_be_together)
{
    struct rule_vm where[] = { at(1, 2), at(2, 1), at(3, 1) };
    struct rule_look r = { .type = PV_RULE_TYPE_KEEP_TOGETHER, .vms = where, .nvms = 3 };

    cr_expect(rule_breaks(&r, 0));
    cr_expect_not(rule_breaks(&r, 1));
    cr_expect_not(rule_breaks(&r, 2));
}

Test(core_balance, a_rule_of_hosts_looks_at_hosts_alone)
{
    struct rule_vm where[] = { at(1, 1), at(2, 2) };
    struct pv_id list[1] = { at(0, 1).host };
    struct rule_look r = { .type = PV_RULE_TYPE_VM_HOST,
                           .placement = PV_RULE_PLACEMENT_ON_HOSTS,
                           .vms = where,
                           .nvms = 2,
                           .hosts = list,
                           .nhosts = 1 };

    cr_expect_not(rule_breaks(&r, 0));
    cr_expect(rule_breaks(&r, 1));
    r.placement = PV_RULE_PLACEMENT_NOT_ON_HOSTS;
    cr_expect(rule_breaks(&r, 0));
    cr_expect_not(rule_breaks(&r, 1));
    r.nhosts = 0; /* hosts that nobody here knows */
    cr_expect_not(rule_judged(&r));
    r.type = PV_RULE_TYPE_DEPENDENCY;
    cr_expect_not(rule_judged(&r));
}
