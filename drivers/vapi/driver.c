/* SPDX-License-Identifier: Apache-2.0 */
/* The entry table: from the ABI's calls to the driver's parts. */
#include <polyvisor/driver.h>

#include <stdlib.h>

#include "drivers/sdk/fail.h"
#include "drivers/vapi/feed.h"
#include "drivers/vapi/inventory.h"
#include "drivers/vapi/operations.h"
#include "drivers/vapi/probe.h"
#include "drivers/vapi/vapi.h"

/* A login that is renewed all the time: that code never leaves the driver. */
static int answer(int rc, const struct pv_err *err, struct pv_failure *fail)
{
    return sdk_result(rc == SESSION_RENEWED ? PV_EAUTH : rc, err, fail);
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
    struct vapi *v = NULL;
    int rc = vapi_new(host, config, &v, &err);

    if (rc == PV_OK)
        *session = v;
    return answer(rc, &err, fail);
}

static void close_session(void *session)
{
    vapi_free(session);
}

static int watch(void *session, uint64_t call, const char *cursor, struct pv_failure *fail)
{
    struct pv_err err = { 0 };

    return answer(feed_watch(session, call, cursor, &err), &err, fail);
}

static int refresh(void *session, uint64_t call, uint32_t kind, const char *native_id,
                   struct pv_failure *fail)
{
    struct vapi *v = session;
    struct call c = { .host = v->session->host, .number = call };
    struct pv_err err = { 0 };

    return answer(inventory_refresh(v, &c, kind, native_id, &err), &err, fail);
}

static int call(void *session, uint64_t number, const char *operation, const char *subject,
                const char *args, const char *native_ref, uint32_t flags, char **result,
                struct pv_failure *fail)
{
    struct pv_err err = { 0 };

    return answer(
        operations_call(session, number, operation, subject, args, native_ref, flags, result, &err),
        &err, fail);
}

static void free_text(char *text)
{
    free(text);
}

static const struct pv_driver driver = {
    .size = sizeof(driver),
    .abi_major = PV_ABI_MAJOR,
    .abi_minor = PV_ABI_MINOR,
    .name = "vapi",
    .version = PV_VERSION,
    .config_schema = config_schema,
    .operations = operations_list,
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
