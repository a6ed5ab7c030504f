/* SPDX-License-Identifier: Apache-2.0 */
/* Everything at once: search, summary, health; raw requests; the model explained; versions;
 * completion. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/str.h>

#include "server/cli/client.h"
#include "server/cli/output.h"

static const char *joined_args(struct cli *c)
{
    struct buf out;
    const char *kept;

    buf_init(&out, 64u << 10);
    for (size_t i = 0; i < c->nargs; i++)
        buf_printf(&out, "%s%s", i ? " " : "", c->args[i]);
    kept = cli_keep(c, &out);
    return kept ? kept : "";
}

static const struct model_param search_flags[] = {
    { .name = "limit",
      .type = PARAM_INT,
      .min = 1,
      .max = 100,
      .doc = "At most so many; 20 unless given." },
    { 0 },
};

static int search(struct cli *c, struct pv_err *err)
{
    static const struct column columns[] = {
        { .path = "kind", .title = "KIND" },
        { .path = "name", .title = "NAME" },
        { .path = "matched", .title = "FOUND_IN" },
        { .path = "provider", .title = "PROVIDER" },
        { .path = "id", .title = "ID" },
    };
    struct buf path;
    json_t *answer = NULL;
    int rc;

    buf_init(&path, 8192);
    buf_text(&path, API "/search");
    client_query(&path, "q", joined_args(c));
    if (cli_flag(c, "limit"))
        client_query(&path, "limit", cli_flag(c, "limit"));
    rc = client_get(c, path.data, &answer, err);
    buf_free(&path);
    if (rc != PV_OK)
        return rc;
    rc = output_items(c, answer, columns, PV_COUNT(columns), "name", err);
    if (json_array_size(json_object_get(answer, "items")) == 0)
        term_note(c, "Nothing is found.");
    json_decref(answer);
    return rc;
}

/* Counts by a word, as one line: "vms: 500, 429 running, 71 off". */
static void put_counts(const char *key, const json_t *group, struct buf *line)
{
    const char *word, *inner_word;
    json_t *value, *inner;
    struct buf text, *out = &text;

    buf_init(&text, 64u << 10);
    buf_printf(out, "%-18s %" JSON_INTEGER_FORMAT, key,
               json_integer_value(json_object_get(group, "total")));
    json_object_foreach((json_t *)group, word, value)
    {
        if (json_is_integer(value) && strcmp(word, "total") != 0 && json_integer_value(value) > 0)
            buf_printf(out, ", %" JSON_INTEGER_FORMAT " %s", json_integer_value(value), word);
        json_object_foreach(value, inner_word, inner) if (json_integer_value(inner) > 0)
            buf_printf(out, ", %" JSON_INTEGER_FORMAT " %s", json_integer_value(inner), inner_word);
    }
    term_clean(line, text.data ? text.data : "", text.len);
    buf_char(line, '\n');
    buf_free(&text);
}

/* Groups of counts first, then what else there is. */
static int print_overview(struct cli *c, const json_t *answer, struct pv_err *err)
{
    json_t *rest;
    struct buf out;
    const char *key;
    json_t *value;
    int rc;

    if (c->output != OUT_TABLE && c->output != OUT_WIDE)
        return output_object(c, answer, NULL, err);
    rest = json_object();
    buf_init(&out, 1u << 20);
    json_object_foreach((json_t *)answer, key,
                        value) if (json_is_integer(json_object_get(value, "total")))
        put_counts(key, value, &out);
    else json_object_set(rest, key, value);
    if (out.len > 0)
        buf_char(&out, '\n');
    output_members(c, rest, NULL, &out);
    rc = term_out(out.data ? out.data : "", out.len, err);
    buf_free(&out);
    json_decref(rest);
    return rc;
}

static int summary(struct cli *c, struct pv_err *err)
{
    json_t *answer = NULL;
    int rc = client_get(c, API "/summary", &answer, err);

    if (rc != PV_OK)
        return rc;
    rc = print_overview(c, answer, err);
    json_decref(answer);
    return rc;
}

static int health(struct cli *c, struct pv_err *err)
{
    json_t *answer = NULL;
    int rc = client_get(c, API "/health", &answer, err);

    if (rc != PV_OK)
        return rc;
    if (str_eq(json_string_value(json_object_get(answer, "status")), "CRITICAL"))
        c->exit_code = CLI_ERROR;
    rc = print_overview(c, answer, err);
    json_decref(answer);
    return rc;
}

/* ------------------------------------------------------------------ raw requests */

static int read_body(struct cli *c, const char *text, json_t **out, struct pv_err *err)
{
    char *file = NULL;
    json_error_t why;
    int rc = PV_OK;

    if (strcmp(text, "-") == 0)
        rc = file_read(c, text, 16u << 20, &file, err);
    if (rc != PV_OK)
        return rc;
    *out = json_loads(file ? file : text, JSON_DECODE_ANY, &why);
    free(file);
    return *out ? PV_OK
                : cli_usage(c, err, "the body is not JSON (line %d: %s)", why.line, why.text);
}

static int raw(struct cli *c, struct pv_err *err)
{
    char method[16] = "";
    const char *path = c->args[1];
    struct call call = { .accept = "*/*" };
    json_t *body = NULL, *answer = NULL;
    struct buf clean;
    int rc = PV_OK;

    str_copy(method, sizeof(method), c->args[0]);
    for (char *p = method; *p; p++)
        if (*p >= 'a' && *p <= 'z')
            *p = (char)(*p - 32);
    if (path[0] != '/')
        path = arena_printf(c->arena, "/%s", path);
    if (!str_starts(path, "/api") && !str_starts(path, "/metrics") &&
        !str_starts(path, "/healthz") && !str_starts(path, "/readyz"))
        path = arena_printf(c->arena, API "%s", path);
    if (c->nargs == 3)
        rc = read_body(c, c->args[2], &body, err);
    if (rc == PV_OK)
        rc = client_call(c, method, path, body, &call, &answer, err);
    json_decref(body);
    if (rc != PV_OK && c->problem && c->output != OUT_JSON) {
        /* Whoever asks raw wants the raw answer, too. */
        (void)output_object(
            &(struct cli){ .output = OUT_JSON, .out_tty = c->out_tty, .arena = c->arena },
            c->problem, NULL, &(struct pv_err){ 0 });
    }
    if (rc == PV_OK && answer) {
        if (c->output != OUT_YAML && c->output != OUT_JSONL)
            c->output = OUT_JSON;
        rc = output_object(c, answer, NULL, err);
    } else if (rc == PV_OK && call.text) {
        buf_init(&clean, 512u << 20);
        if (c->out_tty)
            term_clean_lines(&clean, call.text, strlen(call.text));
        else
            buf_text(&clean, call.text);
        rc = term_out(clean.data ? clean.data : "", clean.len, err);
        buf_free(&clean);
    }
    free(call.text);
    json_decref(answer);
    return rc;
}

/* ------------------------------------------------------------------ the model explained */

static const char *type_text(struct cli *c, const struct model_field *f)
{
    static const char *const units[] = { "", "", " (bytes)", " (MHz)", " (%)", " (ms)", " (s)" };

    switch (f->type) {
    case MODEL_STR:
        return "text";
    case MODEL_LIST:
        return "texts";
    case MODEL_JSON:
        return "object";
    case MODEL_U64:
        return arena_printf(c->arena, "number%s", units[f->unit]);
    case MODEL_BOOL:
        return "yes/no";
    case MODEL_ENUM:
        return "word";
    case MODEL_TIME:
        return "time";
    case MODEL_REF:
    case MODEL_REFS:
        return arena_printf(c->arena, "%s%s", model_kind(f->ref)->name,
                            f->type == MODEL_REFS ? "s" : "");
    }
    return "";
}

static json_t *field_of(struct cli *c, const struct model_kind *kind, const struct model_field *f)
{
    json_t *field = json_pack("{s:s, s:s}", "field", f->path, "type", type_text(c, f)), *words;

    for (const struct model_alias *alias = kind->aliases; alias && alias->alias; alias++)
        if (strcmp(alias->path, f->path) == 0)
            json_object_set_new(field, "short", json_string(alias->alias));
    json_object_set_new(field, "filter", json_boolean(f->flags & MODEL_SEARCH));
    json_object_set_new(field, "sort", json_boolean(f->flags & MODEL_SORT));
    json_object_set_new(field, "doc", json_string(f->doc));
    if (f->type == MODEL_ENUM) {
        words = json_array();
        for (size_t i = 0; i < model_enum_count(f->enum_id); i++)
            json_array_append_new(words, json_string(model_enum_text(f->enum_id, (int64_t)i)));
        json_object_set_new(field, "words", words);
    }
    return field;
}

static int explain_all(struct cli *c, struct pv_err *err)
{
    static const struct column columns[] = { { .path = "name", .title = "KIND" },
                                             { .path = "doc", .title = "WHAT" } };
    json_t *items = json_array();
    int rc;

    for (size_t i = 0; model_kind_at(i); i++)
        if (!(model_kind_at(i)->flags & MODEL_MEMORY))
            json_array_append_new(items, json_pack("{s:s, s:s}", "name", model_kind_at(i)->name,
                                                   "doc", model_kind_at(i)->doc));
    rc = output_items(c, items, columns, PV_COUNT(columns), "name", err);
    json_decref(items);
    return rc;
}

static int explain(struct cli *c, struct pv_err *err)
{
    static const struct column columns[] = {
        { .path = "field", .title = "FIELD" },
        { .path = "short", .title = "SHORT" },
        { .path = "type", .title = "TYPE" },
        { .path = "doc", .title = "WHAT" },
        { .path = "words", .title = "WORDS", .type = MODEL_LIST },
    };
    static const struct column op_columns[] = {
        { .path = "operation", .title = "OPERATION" },
        { .path = "doc", .title = "WHAT" },
        { .path = "parameters", .title = "PARAMETERS" },
    };
    char name[64];
    const struct model_kind *kind;
    json_t *fields, *ops;
    size_t n;
    int rc;

    if (c->nargs == 0)
        return explain_all(c, err);
    str_copy(name, sizeof(name), c->args[0]);
    for (char *p = name; *p; p++)
        *p = *p == '-' ? '_' : *p;
    kind = model_kind_by_name(name);
    if (!kind)
        kind = model_kind_by_plural(c->args[0]);
    if (!kind)
        return cli_usage(c, err, "there is no kind \"%s\"; polyvisor explain lists them",
                         c->args[0]);
    fields = json_array();
    ops = json_array();
    n = c->nargs > 1 ? strlen(c->args[1]) : 0;
    for (size_t i = 0; i < kind->nfields; i++) {
        const struct model_field *f = &kind->fields[i];
        const struct model_field *asked = n ? model_field(kind, c->args[1], n) : NULL;

        if (!(f->flags & MODEL_SECRET) &&
            (n == 0 || f == asked || strncmp(f->path, c->args[1], n) == 0))
            json_array_append_new(fields, field_of(c, kind, f));
    }
    for (const struct model_operation *op = model_operations; n == 0 && op->name; op++)
        if (op->kind == kind->number) {
            struct buf params;

            buf_init(&params, 4096);
            buf_text(&params, "");
            for (const struct model_param *p = op->params; p && p->name; p++)
                buf_printf(&params, "%s%s", params.len ? ", " : "", p->name);
            json_array_append_new(ops,
                                  json_pack("{s:s, s:s, s:s}", "operation", op->name, "doc",
                                            op->doc, "parameters", params.data ? params.data : ""));
            buf_free(&params);
        }
    if (n && json_array_size(fields) == 0) {
        const char *near = model_field_nearest(kind, c->args[1], n);

        rc = cli_usage(c, err, "a %s has no field \"%s\"%s%s%s", kind->name, c->args[1],
                       near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    } else if (c->output == OUT_JSON || c->output == OUT_YAML) {
        json_t *all = json_pack("{s:s, s:s, s:O, s:O}", "kind", kind->name, "doc", kind->doc,
                                "fields", fields, "operations", ops);

        rc = output_object(c, all, NULL, err);
        json_decref(all);
    } else {
        rc = output_items(c, fields, columns, PV_COUNT(columns), "field", err);
        if (rc == PV_OK && json_array_size(ops) > 0 &&
            (c->output == OUT_TABLE || c->output == OUT_WIDE)) {
            rc = term_out("\n", 1, err);
            if (rc == PV_OK)
                rc = output_items(c, ops, op_columns, PV_COUNT(op_columns), "operation", err);
        }
    }
    json_decref(fields);
    json_decref(ops);
    return rc;
}

/* ------------------------------------------------------------------ ourselves */

static int completion(struct cli *c, struct pv_err *err)
{
    const char *script = complete_script(c->args[0]);

    if (!script)
        return cli_usage(c, err, "there is completion for bash, zsh and fish, not for \"%s\"",
                         c->args[0]);
    return term_out(script, strlen(script), err);
}

static const struct model_param version_flags[] = {
    { .name = "server", .type = PARAM_BOOL, .doc = "The server's version, too." },
    { 0 },
};

static int version(struct cli *c, struct pv_err *err)
{
    json_t *answer = json_pack("{s:s}", "client", PV_VERSION), *server = NULL;
    int rc = PV_OK;

    if (cli_flag_on(c, "server", false))
        rc = client_get(c, API "/version", &server, err);
    if (server)
        json_object_set_new(answer, "server", server);
    if (rc == PV_OK && (c->output == OUT_JSON || c->output == OUT_YAML || c->output == OUT_JSONL)) {
        rc = output_object(c, answer, NULL, err);
    } else if (rc == PV_OK) {
        const char *theirs = json_string_value(json_object_get(server, "version"));

        printf("polyvisor %s\n", PV_VERSION);
        if (theirs)
            printf("server %s\n", theirs);
    }
    json_decref(answer);
    return rc;
}

const struct command system_commands[] = {
    { .words = "search",
      .args = "WORD...",
      .doc = "Find objects of all kinds by words.",
      .flags = search_flags,
      .run = search,
      .least = 1 },
    { .words = "summary",
      .args = "",
      .doc = "Show the numbers of the whole estate.",
      .run = summary },
    { .words = "health",
      .args = "",
      .doc = "Show what is not well; ends with 1 if something is critical.",
      .run = health },
    { .words = "explain",
      .args = "[KIND [FIELD]]",
      .doc = "Explain kinds, their fields and operations.",
      .run = explain,
      .most = 2,
      .more = "  polyvisor explain vm\n  polyvisor explain vm guest" },
    { .words = "api",
      .args = "METHOD PATH [BODY]",
      .doc = "Send a request of your own.",
      .run = raw,
      .least = 2,
      .most = 3,
      .more = "  polyvisor api GET '/vms?limit=2&fields=name'\n"
              "  echo '{\"name\":\"lab\"}' | polyvisor api POST /folders -" },
    { .words = "completion",
      .args = "SHELL",
      .doc = "Print the completion script for bash, zsh or fish.",
      .run = completion,
      .least = 1,
      .most = 1,
      .more = "  source <(polyvisor completion bash)" },
    { .words = "version",
      .args = "",
      .doc = "Print the version.",
      .flags = version_flags,
      .run = version },
    { 0 },
};
