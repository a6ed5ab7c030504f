/* SPDX-License-Identifier: Apache-2.0 */
/* What went wrong, in words on stderr and as an exit code. */
#include "server/cli/cli.h"

#include <stdio.h>
#include <string.h>

#include <polyvisor/jsonw.h>
#include <polyvisor/str.h>

#include "server/cli/term.h"

static int exit_of_status(long status)
{
    switch (status) {
    case 404:
        return CLI_NOT_FOUND;
    case 401:
    case 403:
        return CLI_DENIED;
    case 409:
    case 412:
        return CLI_CONFLICT;
    case 408:
    case 504:
        return CLI_TIMEOUT;
    default:
        return CLI_ERROR;
    }
}

int failure_exit(const struct cli *c, const struct pv_err *err)
{
    if (c->exit_code >= 0)
        return c->exit_code;
    if (json_is_integer(json_object_get(c->problem, "status")))
        return exit_of_status((long)json_integer_value(json_object_get(c->problem, "status")));
    return exit_of_status(pv_err_problem(err)->status);
}

int failure_take(struct cli *c, json_t *problem, long status, struct pv_err *err)
{
    const char *code = json_string_value(json_object_get(problem, "code"));
    const char *detail = json_string_value(json_object_get(problem, "detail"));
    const char *remedy = json_string_value(json_object_get(problem, "remedy"));
    const struct pv_problem *known = code ? pv_problem_find(code) : NULL;

    if (!detail)
        detail = json_string_value(json_object_get(problem, "title"));
    if (known)
        pv_fail_as(err, known->code, "%s", detail ? detail : known->title);
    else if (detail)
        pv_fail(err, PV_EIO, "%s", detail);
    else
        pv_fail(err, PV_EIO, "the server answered with status %ld", status);
    if (remedy)
        pv_err_remedy(err, "%s", remedy);
    json_decref(c->problem);
    c->problem = json_is_object(problem) ? json_incref(problem) : json_object();
    if (!json_object_get(c->problem, "status"))
        json_object_set_new(c->problem, "status", json_integer(status));
    return err->rc;
}

/* The problem codes of lib speak of providers; here it was the server itself that could not be
 * asked. */
static const char *own_code(const struct cli *c, const struct pv_err *err)
{
    if (c->exit_code == CLI_USAGE)
        return "usage";
    switch (err->rc) {
    case PV_EOFFLINE:
        return "server-offline";
    case PV_ECERT:
        return "server-certificate";
    case PV_ETIMEOUT:
        return "timeout";
    case PV_EUNKNOWN:
        return "outcome-unknown";
    case PV_EIO:
        return "error";
    default:
        return pv_err_problem(err)->code;
    }
}

/* lib's usual remedies speak of providers, too. */
static const char *remedy_of(const struct cli *c, const struct pv_err *err)
{
    if (err->remedy[0] || c->problem)
        return err->remedy[0] ? err->remedy : pv_err_problem(err)->remedy;
    switch (err->rc) {
    case PV_EIO:
        return "Try again; if it stays so, the server's log tells more.";
    case PV_EUNKNOWN:
        return "Look at the object, or at polyvisor task list, before trying again.";
    case PV_ETIMEOUT:
        return "The server is slow or the network is; try again.";
    default:
        return "";
    }
}

static void print_json(const struct cli *c, const struct pv_err *err)
{
    struct buf out;
    struct jsonw w;
    char *text;

    if (json_object_size(c->problem) > 1) {
        text = json_dumps(c->problem, JSON_INDENT(2));
        fprintf(stderr, "%s\n", text ? text : "{}");
        free(text);
        return;
    }
    buf_init(&out, 64u << 10);
    jsonw_init(&w, &out);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "code", own_code(c, err));
    jsonw_str(&w, "detail", err->message);
    jsonw_str(&w, "remedy", remedy_of(c, err));
    jsonw_end(&w);
    fprintf(stderr, "%s\n", buf_ok(&out) && out.data ? out.data : "{}");
    buf_free(&out);
}

/* A sentence's end is not ours to decide, its control characters are. */
static void print_text(const char *before, const char *text)
{
    struct buf out;

    buf_init(&out, 64u << 10);
    term_clean(&out, text, strlen(text));
    fprintf(stderr, "%s%s\n", before, out.data ? out.data : "");
    buf_free(&out);
}

void failure_print(const struct cli *c, const struct pv_err *err)
{
    const json_t *errors = json_object_get(c->problem, "errors");
    const json_t *provider = json_object_get(c->problem, "provider");
    const char *native = json_string_value(json_object_get(provider, "native_message"));
    const char *remedy = remedy_of(c, err);
    const json_t *one;
    size_t i;

    if (c->output == OUT_JSON || c->output == OUT_JSONL) {
        print_json(c, err);
        return;
    }
    print_text("polyvisor: ", err->message[0] ? err->message : "something went wrong");
    json_array_foreach(errors, i, one)
    {
        const char *detail = json_string_value(json_object_get(one, "detail"));

        if (detail && !strstr(err->message, detail))
            print_text("  ", detail);
    }
    if (native && !strstr(err->message, native))
        print_text("  The provider says: ", native);
    if (remedy[0])
        print_text("  ", remedy);
}
