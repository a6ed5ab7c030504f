/* SPDX-License-Identifier: Apache-2.0 */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/err.h>
#include <polyvisor/str.h>

/* The host's struct may be shorter than ours (an older host) or longer. */
static int answer(struct pv_failure *fail, int rc, const struct pv_err *err)
{
    struct pv_failure f = { .size = sizeof(f), .code = rc };
    uint32_t size;

    if (rc == PV_OK || !fail || fail->size < sizeof(fail->size))
        return rc;
    str_copy(f.native_code, sizeof(f.native_code), err->native_code);
    str_copy(f.needs, sizeof(f.needs), err->needs);
    str_copy(f.message, sizeof(f.message), err->message);
    str_copy(f.problem, sizeof(f.problem), err->problem ? err->problem : "");
    str_copy(f.remedy, sizeof(f.remedy), err->remedy);
    size = fail->size;
    memcpy(fail, &f, size < sizeof(f) ? size : sizeof(f));
    fail->size = size;
    return rc;
}

static int sim_probe(const struct pv_host *host, const char *config, uint64_t call, char **report,
                     struct pv_failure *fail)
{
    struct sim_settings set;
    struct pv_err err = { 0 };
    char *text;
    int rc;

    if (host->cancelled(host->ctx, call))
        return answer(fail, pv_fail(&err, PV_ECANCELED, "canceled"), &err);
    rc = sim_settings_read(config, &set, &err);
    if (rc != PV_OK)
        return answer(fail, rc, &err);
    text = sim_probe_json(&set);
    if (!text)
        return answer(fail, pv_fail(&err, PV_ENOMEM, "no memory for the findings"), &err);
    *report = text;
    return PV_OK;
}

static int sim_open(const struct pv_host *host, const char *config, void **session,
                    struct pv_failure *fail)
{
    struct sim_settings set;
    struct sim_estate *e;
    struct pv_err err = { 0 };
    int rc = sim_settings_read(config, &set, &err);

    if (rc != PV_OK)
        return answer(fail, rc, &err);
    e = sim_estate_new(&set, host);
    if (!e)
        return answer(fail, pv_fail(&err, PV_ENOMEM, "no memory for %u VMs", set.vms), &err);
    *session = e;
    return PV_OK;
}

static void close_session(void *session)
{
    sim_estate_free(session);
}

static int watch(void *session, uint64_t call, const char *cursor, struct pv_failure *fail)
{
    struct pv_err err = { 0 };
    int rc = sim_watch(session, call, cursor, &err);

    return answer(fail, rc, &err);
}

static int refresh(void *session, uint64_t call, uint32_t kind, const char *native_id,
                   struct pv_failure *fail)
{
    struct pv_err err = { 0 };
    int rc = sim_refresh(session, call, (enum pv_kind)kind, native_id, &err);

    return answer(fail, rc, &err);
}

static int call(void *session, uint64_t number, const char *operation, const char *subject,
                const char *args, const char *native_ref, uint32_t flags, char **result,
                struct pv_failure *fail)
{
    struct sim_call c = {
        .call = number,
        .operation = operation,
        .subject = subject,
        .args = args,
        .native_ref = native_ref,
        .dry_run = flags & PV_CALL_DRY_RUN,
    };
    struct pv_err err = { 0 };
    int rc;

    *result = NULL;
    rc = sim_call(session, &c, result, &err);
    return answer(fail, rc, &err);
}

static void free_text(char *text)
{
    free(text);
}

const struct pv_driver *pv_driver_entry(uint16_t host_abi_major)
{
    static const struct pv_driver driver = {
        .size = sizeof(driver),
        .abi_major = PV_ABI_MAJOR,
        .abi_minor = PV_ABI_MINOR,
        .name = "sim",
        .version = PV_VERSION,
        .config_schema = sim_settings_schema,
        .operations = "[\"vm.start\",\"vm.shutdown\",\"vm.stop\",\"vm.reboot\",\"vm.reset\","
                      "\"vm.pause\",\"vm.resume\",\"vm.suspend\",\"vm.snapshot.create\","
                      "\"vm.snapshot.revert\",\"vm.snapshot.delete\"]",
        .probe = sim_probe,
        .open = sim_open,
        .close = close_session,
        .watch = watch,
        .refresh = refresh,
        .call = call,
        .free_text = free_text,
    };

    return host_abi_major == PV_ABI_MAJOR ? &driver : NULL;
}
