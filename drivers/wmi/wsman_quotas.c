/* SPDX-License-Identifier: Apache-2.0 */
/* winrm/config: what the host's WinRM allows. */
#include "drivers/wmi/wsman.h"

#include <string.h>

#include <polyvisor/xml.h>

#include "drivers/wmi/names.h"
#include "drivers/wmi/wsman_inner.h"

static void number(const xmlNode *node, const char *name, uint64_t *out)
{
    (void)xml_u64(xml_child(node, NULL, name), out);
}

static void flag(const xmlNode *node, const char *name, bool *out)
{
    (void)xml_bool(xml_child(node, NULL, name), out);
}

int wsman_quotas(struct wsman *w, const struct call *c, struct wsman_quotas *out,
                 struct pv_err *err)
{
    struct message m = {
        .action = NS_TRANSFER "/Get", .uri = NS_CONFIG, .body = "", .what = "reading winrm/config"
    };
    const xmlNode *service, *auth, *shells;
    struct wsman_quotas q = { 0 };
    struct reply reply = { 0 };
    int rc = wsman_exchange(w, c, NULL, &m, &reply, err);

    if (rc == PV_OK)
        rc = reply_check(&reply, &m, err);
    if (rc == PV_OK && !xml_is(reply.body, NULL, "Config"))
        rc = pv_fail(err, PV_EIO, "reading winrm/config: the answer holds no configuration");
    if (rc == PV_OK) {
        service = xml_child(reply.body, NULL, "Service");
        auth = xml_child(service, NULL, "Auth");
        shells = xml_child(reply.body, NULL, "Winrs");
        number(reply.body, "MaxEnvelopeSizekb", &q.max_envelope_kb);
        number(reply.body, "MaxTimeoutms", &q.max_timeout_ms);
        number(reply.body, "MaxBatchItems", &q.max_batch_items);
        number(service, "MaxConcurrentOperationsPerUser", &q.max_operations_per_user);
        number(service, "MaxConnections", &q.max_connections);
        number(service, "EnumerationTimeoutms", &q.enumeration_timeout_ms);
        number(shells, "MaxShellsPerUser", &q.max_shells_per_user);
        number(shells, "MaxMemoryPerShellMB", &q.max_memory_per_shell_mb);
        flag(service, "AllowUnencrypted", &q.allow_unencrypted);
        flag(auth, "Basic", &q.basic);
        flag(auth, "Negotiate", &q.negotiate);
        flag(auth, "Kerberos", &q.kerberos);
        flag(auth, "Certificate", &q.certificate);
        q.known_auth = auth != NULL;
        *out = q;
    }
    reply_free(&reply);
    return rc;
}
