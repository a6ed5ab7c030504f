/* SPDX-License-Identifier: Apache-2.0 */
#include <polyvisor/problem.h>

#include <string.h>

#include <polyvisor/err.h>
#include <polyvisor/jsonw.h>
#include <polyvisor/texts.h>

bool problem_retryable(const struct pv_err *err)
{
    const struct pv_problem *p = pv_err_problem(err);

    switch (p->rc) {
    case PV_EBUSY:
    case PV_EOFFLINE:
    case PV_ELIMIT:
    case PV_ETIMEOUT:
    case PV_ENOMEM:
        return strcmp(p->code, "driver-parked") != 0;
    default:
        return p->status == 429;
    }
}

static void write_errors(struct jsonw *w, const struct pv_err *err, const struct pv_problem *p)
{
    if (!err->pointer[0])
        return;
    jsonw_array(w, "errors");
    jsonw_object(w, NULL);
    jsonw_str(w, "pointer", err->pointer);
    jsonw_str(w, "code", p->code);
    jsonw_str(w, "detail", err->message);
    texts_write(w, "detail_text", err->message);
    jsonw_end(w);
    jsonw_end(w);
}

/* A state that does not allow it: native_code is the state, needs the actions it allows, "start,stop". */
static void write_state(struct jsonw *w, const struct pv_err *err)
{
    const char *from = err->needs;

    jsonw_str(w, "current", err->native_code);
    jsonw_array(w, "allowed_actions");
    while (*from) {
        size_t len = strcspn(from, ",");

        jsonw_strn(w, NULL, from, len);
        from += len;
        from += *from == ',';
    }
    jsonw_end(w);
}

static void write_provider(struct jsonw *w, const struct pv_err *err)
{
    if (!err->native_code[0] && !err->needs[0])
        return;
    jsonw_object(w, "provider");
    if (err->native_code[0])
        jsonw_str(w, "native_code", err->native_code);
    if (err->needs[0])
        jsonw_str(w, "needs", err->needs);
    jsonw_end(w);
}

void problem_members(struct jsonw *w, const struct pv_err *err)
{
    const struct pv_problem *p = pv_err_problem(err);

    jsonw_strf(w, "type", "/api/v1/problems/%s", p->code);
    jsonw_str(w, "title", p->title);
    jsonw_i64(w, "status", p->status);
    jsonw_str(w, "code", p->code);
    jsonw_str(w, "detail", err->message);
    texts_write(w, "detail_text", err->message);
    jsonw_str(w, "remedy", err->remedy[0] ? err->remedy : p->remedy);
    texts_write(w, "remedy_text", err->remedy[0] ? err->remedy : p->remedy);
    jsonw_bool(w, "retryable", problem_retryable(err));
    write_errors(w, err, p);
    if (strcmp(p->code, "vm-invalid-state") == 0)
        write_state(w, err);
    else
        write_provider(w, err);
}
