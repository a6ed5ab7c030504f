/* SPDX-License-Identifier: Apache-2.0 */
/* The entry table: from the ABI's calls to the driver's parts. */
#include <polyvisor/driver.h>

#include <stdlib.h>

#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "drivers/wmi/probe.h"
#include "drivers/wmi/wmi.h"

static int answer(int rc, const struct pv_err *err, struct pv_failure *fail)
{
    if (rc == PV_OK || !fail)
        return rc;
    fail->code = rc;
    (void)str_copy(fail->native_code, sizeof(fail->native_code), err->native_code);
    (void)str_copy(fail->needs, sizeof(fail->needs), err->needs);
    (void)str_copy(fail->message, sizeof(fail->message), err->message);
    if (PV_HAS(fail, problem))
        (void)str_copy(fail->problem, sizeof(fail->problem), err->problem ? err->problem : "");
    if (PV_HAS(fail, remedy))
        (void)str_copy(fail->remedy, sizeof(fail->remedy), err->remedy);
    return rc;
}

static int probe(const struct pv_host *host, const char *config, uint64_t call, char **report,
                 struct pv_failure *fail)
{
    struct pv_err err = { 0 };

    return answer(probe_run(host, config, call, report, &err), &err, fail);
}

static int open_session(const struct pv_host *host, const char *config, void **session,
                        struct pv_failure *fail)
{
    struct pv_err err = { 0 };
    struct wmi *w = NULL;
    int rc = wmi_new(host, config, &w, &err);

    if (rc == PV_OK)
        *session = w;
    return answer(rc, &err, fail);
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

    return answer(wmi_watch(w, &c, cursor, &err), &err, fail);
}

static int refresh(void *session, uint64_t number, uint32_t kind, const char *native_id,
                   struct pv_failure *fail)
{
    struct wmi *w = session;
    struct call c = { .host = w->host, .number = number };
    struct pv_err err = { 0 };

    return answer(wmi_refresh(w, &c, kind, native_id, &err), &err, fail);
}

static int call(void *session, uint64_t number, const char *operation, const char *subject,
                const char *args, const char *native_ref, uint32_t flags, char **result,
                struct pv_failure *fail)
{
    struct wmi *w = session;
    struct call c = { .host = w->host, .number = number };
    struct pv_err err = { 0 };

    return answer(wmi_call(w, &c, operation, subject, args, native_ref, flags, result, &err), &err,
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
