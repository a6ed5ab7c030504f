/* SPDX-License-Identifier: Apache-2.0 */
/* The suite finds what is wrong: a driver made of faults, each switched on alone. */
#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include <polyvisor/records.h>

#include "drivers/sdk/conformance.h"
#include "drivers/sdk/fail.h"

/* What is wrong with the driver of this test. */
static struct {
    bool orphan, twin, dangling, disorder, bad_value, partial, silent, other_each_time;
    bool accepts_anything, deaf, leaks, unknown_operation, refresh_always, dry_run_works;
} wrong;

static const struct pv_host *host_of;
static int state = PV_POWER_STATE_RUNNING, listings;

static int open_it(const struct pv_host *host, const char *config, void **session,
                   struct pv_failure *fail)
{
    json_t *all = json_loads(config, 0, NULL);
    json_t *settings = json_object_get(all, "settings");
    bool ok = json_is_object(all) && json_is_object(settings) && json_object_size(settings) == 0;

    json_decref(all);
    if (!ok && !wrong.accepts_anything)
        return sdk_failf(fail, PV_EINVAL, "these settings are wrong");
    if (wrong.leaks && dup(0) < 0)
        return sdk_failf(fail, PV_EIO, "no descriptor");
    host_of = host;
    *session = NULL;
    return PV_OK;
}

static void close_it(void *session)
{
    (void)session;
}

static void one_vm(struct pv_builder *b)
{
    pv_vm_begin(b, "vm-1", NULL);
    pv_vm_name(b, wrong.other_each_time && listings % 2 ? "two" : "one");
    pv_vm_power_state(b, wrong.bad_value ? (enum pv_power_state)99 : (enum pv_power_state)state);
    pv_vm_host(b, wrong.dangling ? "host-2" : "host-1");
    pv_disk_begin(b, "d", NULL);
}

static int list_all(struct pv_builder *b)
{
    int rc = pv_builder_mark(b, PV_MARK_FULL_BEGIN, NULL);

    listings++;
    if (wrong.disorder) {
        one_vm(b);
        pv_builder_send(b);
    }
    pv_host_begin(b, "host-1", NULL);
    pv_builder_send(b);
    if (!wrong.disorder)
        one_vm(b);
    if (wrong.twin) {
        pv_builder_send(b);
        one_vm(b);
    }
    if (wrong.orphan) {
        pv_builder_owner(b, PV_KIND_vm, "vm-9");
        pv_nic_begin(b, "n", NULL);
    }
    rc = rc ? rc : pv_builder_send(b);
    return rc ? rc : pv_builder_mark(b, wrong.partial ? PV_MARK_FULL_PARTIAL : PV_MARK_FULL_END, "c");
}

static int watch_it(void *session, uint64_t call, const char *cursor, struct pv_failure *fail)
{
    struct pv_builder *b = pv_builder_new(host_of);
    int rc = list_all(b);

    (void)session;
    (void)cursor;
    if (!wrong.silent)
        host_of->provider(host_of->ctx, "{\"state\":\"connected\"}");
    while (rc == PV_OK && !host_of->cancelled(host_of->ctx, call))
        usleep(1000);
    pv_builder_free(b);
    if (wrong.deaf && listings == 1)
        usleep(5200000);
    return sdk_failf(fail, PV_ECANCELED, "canceled");
}

static int refresh_it(void *session, uint64_t call, uint32_t kind, const char *native_id,
                      struct pv_failure *fail)
{
    struct pv_builder *b;

    (void)session;
    (void)call;
    if (!wrong.refresh_always && (kind != PV_KIND_vm || strcmp(native_id, "vm-1") != 0))
        return sdk_failf(fail, PV_ENOENT, "none");
    b = pv_builder_new(host_of);
    one_vm(b);
    pv_builder_send(b);
    pv_builder_free(b);
    return PV_OK;
}

static int call_it(void *session, uint64_t call, const char *operation, const char *subject,
                   const char *args, const char *native_ref, uint32_t flags, char **result,
                   struct pv_failure *fail)
{
    (void)session;
    (void)call;
    (void)args;
    (void)native_ref;
    if (!wrong.unknown_operation && strcmp(operation, "vm.stop") && strcmp(operation, "vm.start"))
        return sdk_failf(fail, PV_ENOTSUP, "cannot do that");
    if (!strstr(subject, "vm-1"))
        return sdk_failf(fail, PV_ENOENT, "none");
    if (!(flags & PV_CALL_DRY_RUN) || wrong.dry_run_works)
        state = PV_POWER_STATE_OFF;
    *result = strdup("{\"plan\":[]}");
    return PV_OK;
}

static void free_it(char *text)
{
    free(text);
}

/* Runs the suite; `name`: the check that has to fail, NULL: none may. */
static void expect_failure(const char *name)
{
    struct sdk_plugin plugin = { .driver = {
        .size = sizeof(struct pv_driver), .abi_major = PV_ABI_MAJOR, .name = "test",
        .version = "1", .config_schema = "{\"title\":\"T\",\"description\":\"D.\"}",
        .operations = "[\"vm.start\",\"vm.stop\"]", .open = open_it, .close = close_it,
        .watch = watch_it, .refresh = refresh_it, .call = call_it, .free_text = free_it } };
    char *text = NULL, *at;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct sdk_conformance suite = { .plugin = &plugin, .out = out, .listing_s = 10 };
    unsigned failed = sdk_conformance_run(&suite);

    fclose(out);
    if (!name) {
        cr_expect_eq(failed, 0, "%s", text);
    } else {
        at = strstr(text, name);
        cr_assert_not_null(at, "there is no check \"%s\"", name);
        while (at > text && at[-1] != '\n')
            at--;
        cr_expect(strncmp(at, "not ok", 6) == 0, "%s", text);
    }
    free(text);
}

#define FINDS(fault, check)                                                                        \
    Test(suite, finds_##fault, .timeout = 60)                                                      \
    {                                                                                              \
        wrong.fault = true;                                                                        \
        expect_failure(check);                                                                     \
    }

Test(suite, is_content_with_a_driver_that_keeps_the_rules, .timeout = 60)
{
    expect_failure(NULL);
}

FINDS(orphan, "children come after their owner")
FINDS(twin, "native ids are unique")
FINDS(dangling, "every reference leads somewhere")
FINDS(disorder, "referred-to kinds come first")
FINDS(bad_value, "every value is as the model says")
FINDS(partial, "watch lists everything")
FINDS(silent, "it says what the provider is")
FINDS(other_each_time, "a second listing says the same")
FINDS(accepts_anything, "a setting it does not know is refused")
FINDS(deaf, "watch ends when it is cancelled")
FINDS(leaks, "no descriptor stays open")
FINDS(unknown_operation, "an unknown operation is not supported")
FINDS(refresh_always, "refresh of an unknown VM says that there is none")
FINDS(dry_run_works, "a dry run changes nothing")
