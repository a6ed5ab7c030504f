/* SPDX-License-Identifier: Apache-2.0 */
/* Gate, routes and query on the bytes of a request, cut into lines as tolerantly as the HTTP
 * library does it. What is let in must hold what the rest relies on. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "server/net/inside.h"

#define MAX_INPUT 16384

static enum req_result handler(struct req *r)
{
    (void)r;
    return REQ_DONE;
}

static const struct route table[] = {
    { .method = "GET", .pattern = "/", .handler = handler },
    { .method = "GET", .pattern = "/api/v1/vms", .handler = handler },
    { .method = "GET", .pattern = "/api/v1/vms/{id}", .handler = handler },
    { .method = "PATCH", .pattern = "/api/v1/vms/{id}", .handler = handler },
    { .method = "POST", .pattern = "/api/v1/vms/{id}/actions/start", .handler = handler },
    { .method = "GET", .pattern = "/api/v1/vms/{id}/disks/{disk}", .handler = handler },
    { .method = "GET", .pattern = "/api/v1/vms/special/disks", .handler = handler },
    { .pattern = NULL },
};

static struct routes *routes;
static struct request *request;

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* The end of a line: NULs over CR LF or LF. NULL: there is none. */
static char *cut_line(char *at, char *end, char **next)
{
    char *lf = memchr(at, '\n', (size_t)(end - at));

    if (!lf)
        return NULL;
    *next = lf + 1;
    *lf = 0;
    if (lf > at && lf[-1] == '\r')
        lf[-1] = 0;
    return at;
}

static bool cut_request_line(char *line, struct gate_head *head)
{
    char *space = strchr(line, ' '), *last;

    if (!space)
        return false;
    *space = 0;
    head->method = line;
    head->target = space + 1 + strspn(space + 1, " ");
    last = strrchr(head->target, ' ');
    if (!last)
        return false;
    *last = 0;
    head->version = last + 1;
    head->target_len = strlen(head->target);
    return true;
}

/* False: the library itself would refuse it. */
static bool cut(char *text, size_t len, struct gate_head *head,
                struct gate_header headers[GATE_MAX_HEADERS + 1], size_t *size)
{
    char *end = text + len, *at = text, *next = text;
    char *line = cut_line(at, end, &next);

    if (!line || !cut_request_line(line, head))
        return false;
    head->headers = headers;
    for (;;) {
        char *colon;

        line = cut_line(next, end, &next);
        if (!line)
            return false;
        if (!*line)
            break;
        colon = strchr(line, ':');
        if (!colon || head->nheaders > GATE_MAX_HEADERS)
            return false;
        *colon++ = 0;
        colon += strspn(colon, " \t");
        headers[head->nheaders++] =
            (struct gate_header){ line, colon, strlen(line), strlen(colon) };
    }
    *size = (size_t)(next - head->method);
    return true;
}

static void check_match(const struct route_match *m)
{
    for (unsigned i = 0; i < m->nparams; i++) {
        must(str_utf8_ok(m->values[i], strlen(m->values[i]), false));
        must(!strchr(m->values[i], '/') && m->values[i][0]);
        must(strcmp(m->values[i], ".") != 0 && strcmp(m->values[i], "..") != 0);
    }
    must(!m->route || m->allowed);
}

static void each(void *ctx, const char *name, const char *value)
{
    (void)ctx;
    must(str_utf8_ok(name, strlen(name), false) && str_utf8_ok(value, strlen(value), false));
}

static void go_through(const struct gate_head *head, const struct gate_verdict *v)
{
    struct request *r = request;
    struct pv_err err = { 0 };
    char *target;

    must(v->status == 0 && v->method < GATE_METHODS);
    must(v->path_len >= 1 && head->target[0] == '/' && !memmem(head->target, v->path_len, "//", 2));
    must(!(v->chunked && v->has_length));
    arena_reset(r->pub.arena);
    target = arena_text(r->pub.arena, head->target, head->target_len);
    r->nquery = 0;
    r->pub.query = target[v->path_len] ? target + v->path_len + 1 : "";
    if (request_parse_query(r, &err))
        req_query_each(&r->pub, each, NULL);
    if (routes_find(routes, v->method, target, v->path_len, r->pub.arena, &r->match))
        check_match(&r->match);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    must(routes_new(table, &routes, NULL) == PV_OK);
    request = calloc(1, sizeof(*request));
    must(request);
    request->pub.arena = arena_new(4096, 1 << 20);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct gate_header headers[GATE_MAX_HEADERS + 1];
    struct gate_head head = { .nheaders = 0 };
    struct gate_verdict v;
    size_t size;
    char *text;

    if (len > MAX_INPUT)
        return 0;
    text = malloc(len + 1);
    must(text);
    memcpy(text, data, len);
    text[len] = 0;
    if (cut(text, len, &head, headers, &size)) {
        bool whole = gate_contiguous(&head, size), ok = gate_check(&head, &v);

        must(ok == (v.status == 0));
        if (whole && ok)
            go_through(&head, &v);
    }
    free(text);
    return 0;
}
