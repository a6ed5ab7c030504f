/* SPDX-License-Identifier: Apache-2.0 */
/* The entry table: from the ABI's calls to the driver's parts. */
#include <polyvisor/driver.h>

#include <stdlib.h>

#include <polyvisor/err.h>

#include "drivers/sdk/fail.h"
#include "drivers/wmi/probe.h"
#include "drivers/wmi/wmi.h"

static int probe(const struct pv_host *host, const char *config, uint64_t call, char **report,
                 struct pv_failure *fail)
{
    struct pv_err err = { 0 };

    return sdk_result(probe_run(host, config, call, report, &err), &err, fail);
}

static int open_session(const struct pv_host *host, const char *config, void **session,
                        struct pv_failure *fail)
{
    struct pv_err err = { 0 };
    struct wmi *w = NULL;
    int rc = wmi_new(host, config, &w, &err);

    if (rc == PV_OK)
        *session = w;
    return sdk_result(rc, &err, fail);
}

static void close_session(void *session)
{
    wmi_free(session);
}

static int watch(void *session, uint64_t number, const char *cursor, struct pv_failure *fail)
{
    struct wmi *w = session;
    struct call c = { .host = w->host, .number = number };
    struct pv_err err = { 0 };

    return sdk_result(wmi_watch(w, &c, cursor, &err), &err, fail);
}

static int refresh(void *session, uint64_t number, uint32_t kind, const char *native_id,
                   struct pv_failure *fail)
{
    struct wmi *w = session;
    struct call c = { .host = w->host, .number = number };
    struct pv_err err = { 0 };

    return sdk_result(wmi_refresh(w, &c, kind, native_id, &err), &err, fail);
}

static int call(void *session, uint64_t number, const char *operation, const char *subject,
                const char *args, const char *native_ref, uint32_t flags, char **result,
                struct pv_failure *fail)
{
    struct wmi *w = session;
    struct call c = { .host = w->host, .number = number };
    struct pv_err err = { 0 };

    return sdk_result(wmi_call(w, &c, operation, subject, args, native_ref, flags, result, &err), &err,
                  fail);
}

static void free_text(char *text)
{
    free(text);
}

static const struct pv_driver driver = {
    .size = sizeof(driver),
    .abi_major = PV_ABI_MAJOR,
    .abi_minor = PV_ABI_MINOR,
    .name = "wmi",
    .version = PV_VERSION,
    .config_schema = config_schema,
    .operations = wmi_operations,
    .probe = probe,
    .open = open_session,
    .close = close_session,
    .watch = watch,
    .refresh = refresh,
    .call = call,
    .free_text = free_text,
};

const struct pv_driver *pv_driver_entry(uint16_t host_abi_major)
{
    return host_abi_major == PV_ABI_MAJOR ? &driver : NULL;
}
