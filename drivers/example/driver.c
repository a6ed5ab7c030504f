/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The example driver: a tutorial that runs. Read it from the bottom up.
 *
 * A driver is a shared object that answers a table of functions
 * (pv_driver_entry, at the end). Polyvisor loads it into a process of its own,
 * calls open() for each provider, then watch(), which reports what there is
 * and what changes until it is cancelled. refresh() and call() come from other
 * threads meanwhile. docs/drivers.md tells the whole story; the exact
 * rules are in <polyvisor/driver.h> and <polyvisor/records.h>.
 *
 * To write your own: copy this folder to drivers/<name>, rename, add <name> to
 * the list in CMakeLists.txt, replace estate.c by what speaks to your
 * hypervisor, and run
 *
 *     polyvisor-driverhost --conformance <name> --config FILE
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/clock.h>
#include <polyvisor/records.h>

#include "drivers/example/estate.h"
#include "drivers/sdk/fail.h"

#define POLL_MS 100             /* how often watch() looks; cancelled() has to be asked once a second */
#define QUIET_MS 30000          /* a sign of life when nothing changes; once a minute is the rule */
#define HOST_ID "host-1"

PV_DEFINE_AUTO(json_decref, json_t *)

/* Everything about one provider. There may be many at once, so nothing is global. */
struct session {
    const struct pv_host *host; /* what we may ask of the process around us; valid until close() */
    struct estate *estate;
};

/* ------------------------------------------------------------------ reporting
 *
 * Objects are reported through a builder with one setter per field of the model. Report what you know and nothing
 * else: a field that is not set stays as it was, which is different from a field that is empty (PV_CLEAR). */

static void report_host(struct pv_builder *b, const struct session *s)
{
    pv_host_begin(b, HOST_ID, NULL);
    pv_host_name(b, s->estate->host);
    pv_host_connection_state(b, PV_CONNECTION_STATE_CONNECTED);
    pv_host_product_name(b, "Polyvisor example");
}

static void report_vm(struct pv_builder *b, const struct example_vm *vm, bool running)
{
    char key[8];

    /* The native id is the hypervisor's own key. It comes back in refresh() and call(). */
    pv_vm_begin(b, vm->id, NULL);
    pv_vm_name(b, vm->name);
    pv_vm_power_state(b, running ? PV_POWER_STATE_RUNNING : PV_POWER_STATE_OFF);
    pv_vm_memory_bytes(b, vm->memory_mb << 20);
    /* References are native ids too; Polyvisor finds out which of its objects that is. */
    pv_vm_host(b, HOST_ID);

    /* Devices belong to the VM that is open. Report all of them, always: what is not named is gone. */
    snprintf(key, sizeof(key), "%d", 2000);
    pv_disk_begin(b, key, NULL);
    pv_disk_label(b, "Disk 1");
    pv_disk_capacity_bytes(b, 10ull << 30);
    /* "It has none" must be said; saying nothing means "not asked". */
    pv_nic_none(b);
}

/* ------------------------------------------------------------------ sessions */

static int example_open(const struct pv_host *host, const char *config, void **session,
                        struct pv_failure *fail)
{
    struct session *s = calloc(1, sizeof(*s));
    struct pv_err err = { 0 };

    if (!s)
        return sdk_failf(fail, PV_ENOMEM, "no memory for a session");
    /* Only look at the settings here; whether the other side answers is watch()'s business. Secrets are asked for
     * by name when they are needed: host->secret(host->ctx, "password", buf, sizeof(buf)). */
    if (estate_open(config, &s->estate, &err) != PV_OK) {
        free(s);
        return sdk_fail(fail, &err);
    }
    s->host = host;
    *session = s;
    return PV_OK;
}

/* Nothing else of this session runs any more. Log out here. */
static void example_close(void *session)
{
    struct session *s = session;

    estate_free(s->estate);
    free(s);
}

/* Facts about the provider: its state, what it is, what can be done with it and why not. */
static int report_provider(const struct session *s)
{
    return s->host->provider(s->host->ctx,
                             "{\"state\":\"connected\","
                             "\"product\":{\"name\":\"Polyvisor example\",\"version\":\"1.0\"},"
                             "\"capabilities\":["
                             "{\"name\":\"vm.start\",\"state\":\"yes\"},"
                             "{\"name\":\"vm.stop\",\"state\":\"yes\"}],"
                             "\"sync\":{\"mode\":\"push\"}}");
}

/* Everything, between two marks: what a complete listing does not name has disappeared. */
static int report_all(const struct session *s, struct pv_builder *b)
{
    int rc = pv_builder_mark(b, PV_MARK_FULL_BEGIN, NULL);

    if (rc != PV_OK)
        return rc;
    report_host(b, s);      /* referred-to objects first: the order of lib/model/kinds.def */
    for (unsigned i = 0; i < s->estate->count; i++) {
        bool changed, running = estate_look(s->estate, i, &changed);

        report_vm(b, &s->estate->vms[i], running);
        /* After each object: sends what has become a full batch. May wait until the server has caught up. */
        rc = pv_builder_room(b);
        if (rc != PV_OK)
            return rc;
    }
    /* The cursor is handed back at the next start. We have nothing to go on from, so it says so little that a
     * complete listing follows anyway; drivers with a change feed put its position there. */
    return pv_builder_mark(b, PV_MARK_FULL_END, "example");
}

static int report_changes(const struct session *s, struct pv_builder *b, int64_t *told_ms)
{
    bool any = false;
    int rc;

    for (unsigned i = 0; i < s->estate->count; i++) {
        bool changed, running = estate_look(s->estate, i, &changed);

        if (!changed)
            continue;
        any = true;
        /* A record may be a patch: only what has changed. */
        pv_vm_begin(b, s->estate->vms[i].id, NULL);
        pv_vm_power_state(b, running ? PV_POWER_STATE_RUNNING : PV_POWER_STATE_OFF);
        rc = pv_builder_room(b);
        if (rc != PV_OK)
            return rc;
    }
    if (!any && clock_mono_ms() - *told_ms < QUIET_MS)
        return PV_OK;
    *told_ms = clock_mono_ms();
    return pv_builder_mark(b, PV_MARK_CHANGES, "example");
}

/* Has a thread to itself until it is cancelled or fails. A failure ends with fail filled in; Polyvisor shows it and
 * calls watch() again after a while. */
static int example_watch(void *session, uint64_t call, const char *cursor, struct pv_failure *fail)
{
    const struct session *s = session;
    struct pv_builder *b = pv_builder_new(s->host);
    int64_t told_ms = clock_mono_ms();
    int rc;

    (void)cursor;
    if (!b)
        return sdk_failf(fail, PV_ENOMEM, "no memory for batches");
    rc = report_provider(s);
    if (rc == PV_OK)
        rc = report_all(s, b);
    while (rc == PV_OK && !s->host->cancelled(s->host->ctx, call)) {
        /* A real driver waits for its provider here, with a time-out of at most a second. */
        clock_sleep_ms(POLL_MS);
        rc = report_changes(s, b, &told_ms);
    }
    pv_builder_free(b);
    if (rc == PV_OK || rc == PV_ECANCELED)
        return sdk_failf(fail, PV_ECANCELED, "Canceled.");
    return sdk_failf(fail, rc, "The server did not take what was reported.");
}

/* One object, as it is now. "It is not there" is an answer too: PV_ENOENT. */
static int example_refresh(void *session, uint64_t call, uint32_t kind, const char *native_id,
                           struct pv_failure *fail)
{
    const struct session *s = session;
    const struct example_vm *vm = NULL;
    struct pv_builder *b;
    bool changed;
    int rc;

    (void)call;
    if (kind == PV_KIND_vm)
        vm = estate_find(s->estate, native_id);
    else if (kind != PV_KIND_host)
        return sdk_failf(fail, PV_ENOTSUP, "The example has hosts and VMs only.");
    if (kind == PV_KIND_vm ? !vm : strcmp(native_id, HOST_ID) != 0)
        return sdk_failf(fail, PV_ENOENT, "There is no %s.", native_id);
    b = pv_builder_new(s->host);
    if (!b)
        return sdk_failf(fail, PV_ENOMEM, "no memory for batches");
    if (vm)
        report_vm(b, vm, estate_look(s->estate, (unsigned)(vm - s->estate->vms), &changed));
    else
        report_host(b, s);
    rc = pv_builder_send(b);
    pv_builder_free(b);
    return rc == PV_OK ? PV_OK : sdk_failf(fail, rc, "The server did not take what was reported.");
}

/* ------------------------------------------------------------------ operations
 *
 * Names, parameters and meaning are in lib/model/operations.c; arguments have been checked against it. */

static int switch_vm(struct session *s, struct example_vm *vm, bool running, uint32_t flags,
                     char **result)
{
    const char *answer;
    bool changed;

    if (flags & PV_CALL_DRY_RUN) {
        /* Change nothing; say what would be done at the provider. */
        bool ignored;

        changed = estate_look(s->estate, (unsigned)(vm - s->estate->vms), &ignored) != running;
        answer = !changed ? "{\"changed\":false,\"plan\":[]}"
                 : running ? "{\"changed\":true,\"plan\":[{\"call\":\"start\"}]}"
                           : "{\"changed\":true,\"plan\":[{\"call\":\"stop\"}]}";
    } else {
        changed = estate_switch(s->estate, vm, running);
        answer = changed ? "{\"changed\":true}" : "{\"changed\":false}";
    }
    *result = strdup(answer);
    return *result ? PV_OK : PV_ENOMEM;
}

static int vm_start(struct session *s, struct example_vm *vm, uint32_t flags, char **result)
{
    return switch_vm(s, vm, true, flags, result);
}

static int vm_stop(struct session *s, struct example_vm *vm, uint32_t flags, char **result)
{
    return switch_vm(s, vm, false, flags, result);
}

static const struct {
    const char *name;
    int (*run)(struct session *s, struct example_vm *vm, uint32_t flags, char **result);
} operations[] = {
    { "vm.start", vm_start },
    { "vm.stop", vm_stop },
};

static int example_call(void *session, uint64_t call, const char *operation, const char *subject,
                        const char *args, const char *native_ref, uint32_t flags, char **result,
                        struct pv_failure *fail)
{
    struct session *s = session;
    PV_AUTO(json_decref_p) json_t *what = json_loads(subject, 0, NULL);
    const char *id = json_string_value(json_object_get(what, "native_id"));
    struct example_vm *vm;
    int rc;

    (void)call;
    (void)args;
    /* A job of ours that outlived a restart would be found again by this. Ours end at once. */
    (void)native_ref;
    for (size_t i = 0; i < PV_COUNT(operations); i++) {
        if (strcmp(operations[i].name, operation) != 0)
            continue;
        vm = id ? estate_find(s->estate, id) : NULL;
        if (!vm)
            return sdk_failf(fail, PV_ENOENT, "There is no VM %s.", id ? id : "without an id");
        rc = operations[i].run(s, vm, flags, result);
        return rc == PV_OK ? PV_OK : sdk_failf(fail, rc, "%s of %s failed.", operation, vm->name);
    }
    return sdk_failf(fail, PV_ENOTSUP, "The example cannot do %s.", operation);
}

/* Before a provider is added: does it work with these settings, and if not, what is to be done? One finding per step,
 * in the order they were tried. */
static int example_probe(const struct pv_host *host, const char *config, uint64_t call,
                         char **report, struct pv_failure *fail)
{
    struct estate *e = NULL;
    struct pv_err err = { 0 };

    (void)host;
    (void)call;
    if (estate_open(config, &e, &err) != PV_OK)
        return sdk_fail(fail, &err);
    if (asprintf(report,
                 "[{\"step\":\"settings\",\"ok\":true,\"detail\":\"%u VMs are described.\"}]",
                 e->count) < 0)
        *report = NULL;
    estate_free(e);
    return *report ? PV_OK : sdk_failf(fail, PV_ENOMEM, "no memory for the report");
}

/* Texts that we answered are freed by the allocator they came from: ours. */
static void example_free_text(char *text)
{
    free(text);
}

/* ------------------------------------------------------------------ the table */

static const struct pv_driver example_driver = {
    .size = sizeof(struct pv_driver),   /* so that older and newer programs know what is in it */
    .abi_major = PV_ABI_MAJOR,
    .abi_minor = PV_ABI_MINOR,
    .name = "example",                  /* as the file: example.so */
    .version = PV_VERSION,
    /* What `settings` of a provider may hold. The user interface makes its form from it. */
    .config_schema =
        "{\"type\":\"object\",\"title\":\"Example\","
        "\"description\":\"A pretended host, for people who write drivers.\","
        "\"additionalProperties\":false,\"properties\":{"
        "\"host\":{\"type\":\"string\",\"title\":\"Name of the host\",\"maxLength\":127},"
        "\"vms\":{\"type\":\"array\",\"title\":\"VMs\",\"maxItems\":64,\"items\":{"
        "\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"name\"],"
        "\"properties\":{\"name\":{\"type\":\"string\",\"maxLength\":127},"
        "\"memory_mb\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":16777216},"
        "\"running\":{\"type\":\"boolean\"}}}}}}",
    .operations = "[\"vm.start\",\"vm.stop\"]",
    .probe = example_probe,
    .open = example_open,
    .close = example_close,
    .watch = example_watch,
    .refresh = example_refresh,
    .call = example_call,
    .free_text = example_free_text,
};

const struct pv_driver *pv_driver_entry(uint16_t host_abi_major)
{
    return host_abi_major == PV_ABI_MAJOR ? &example_driver : NULL;
}
