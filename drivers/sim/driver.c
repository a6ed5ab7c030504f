/* SPDX-License-Identifier: Apache-2.0 */
#include "sim.h"

#include <stdlib.h>

#include <polyvisor/err.h>

#include "drivers/sdk/fail.h"

static int sim_probe(const struct pv_host *host, const char *config, uint64_t call, char **report,
                     struct pv_failure *fail)
{
    struct sim_settings set;
    struct pv_err err = { 0 };
    char *text;
    int rc;

    if (host->cancelled(host->ctx, call))
        return sdk_failf(fail, PV_ECANCELED, "canceled");
    rc = sim_settings_read(config, &set, &err);
    if (rc != PV_OK)
        return sdk_fail(fail, &err);
    text = sim_probe_json(&set);
    if (!text)
        return sdk_failf(fail, PV_ENOMEM, "no memory for the findings");
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
        return sdk_fail(fail, &err);
    e = sim_estate_new(&set, host);
    if (!e)
        return sdk_failf(fail, PV_ENOMEM, "no memory for %u VMs", set.vms);
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

    return rc == PV_OK ? PV_OK : sdk_fail(fail, &err);
}

static int refresh(void *session, uint64_t call, uint32_t kind, const char *native_id,
                   struct pv_failure *fail)
{
    struct pv_err err = { 0 };
    int rc = sim_refresh(session, call, (enum pv_kind)kind, native_id, &err);

    return rc == PV_OK ? PV_OK : sdk_fail(fail, &err);
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
    return rc == PV_OK ? PV_OK : sdk_fail(fail, &err);
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
        .operations = sim_operations,
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
