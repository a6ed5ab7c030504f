/* SPDX-License-Identifier: Apache-2.0 */
/* The audit: whether its chain is whole. */
#include "server/api/access.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

static enum req_result verify_audit(struct req *r)
{
    uint64_t checked = 0, bad = 0;
    struct pv_err err = { 0 };
    struct jsonw *w;

    if (audit_verify(api_of(r)->store, &checked, &bad, &err) != PV_OK)
        return reply_problem(r, &err);
    w = reply_json(r, 200);
    jsonw_object(w, NULL);
    jsonw_bool(w, "ok", bad == 0);
    jsonw_u64(w, "checked", checked);
    if (bad)
        jsonw_u64(w, "first_broken", bad);
    else
        jsonw_null(w, "first_broken");
    jsonw_end(w);
    return reply_send(r);
}


const struct route audit_routes[] = {
    { .method = "GET", .pattern = API_BASE "/audit/verify", .permission = PERM_AUDIT_READ, .handler = verify_audit,
      .answer = ANSWER_JSON, .schema = "AuditCheck", .doc = "Walk the chain of audit records." },
    { 0 },
};
