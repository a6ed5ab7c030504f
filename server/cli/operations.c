/* SPDX-License-Identifier: Apache-2.0 */
/* Operations of the model on one object, on many, on all that a filter finds. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/clock.h>
#include <polyvisor/str.h>

#include "server/cli/client.h"
#include "server/cli/output.h"

/* Short work is done when the first answer comes; longer work is followed. */
#define FIRST_WAIT_S 1

static unsigned first_wait(const struct cli *c)
{
    return cli_flag_on(c, "wait", true) && !cli_flag_on(c, "dry_run", false) ? FIRST_WAIT_S : 0;
}

/* ------------------------------------------------------------------ dry run */

static void put_side(struct buf *out, const json_t *value)
{
    struct column plain = { .type = MODEL_STR };

    if (!value || json_is_null(value))
        buf_text(out, "nothing");
    else
        cell_write(out, &plain, value, true);
}

static void put_difference(struct buf *out, const json_t *before, const json_t *after)
{
    const char *key;
    json_t *to;
    bool any = false;

    json_object_foreach((json_t *)after, key, to)
    {
        const json_t *from = json_object_get(before, key);

        if (json_equal(from, to))
            continue;
        buf_printf(out, "%s%s ", any ? ", " : ": ", key);
        put_side(out, from);
        buf_text(out, " -> ");
        put_side(out, to);
        any = true;
    }
}

static int print_plan(struct cli *c, const json_t *plan, struct pv_err *err)
{
    json_int_t skipped = json_integer_value(json_at(plan, "counts.skipped")),
               total = json_integer_value(json_object_get(plan, "count"));
    const json_t *one;
    struct buf out, clean;
    size_t i;
    int rc;

    /* As the run would end. */
    if (!json_is_true(json_object_get(plan, "ok")))
        c->exit_code = skipped > 0 && skipped < total ? CLI_PARTLY : CLI_ERROR;
    if (c->output == OUT_JSON || c->output == OUT_JSONL || c->output == OUT_YAML)
        return output_object(c, plan, NULL, err);
    buf_init(&out, 16u << 20);
    buf_init(&clean, 64u << 20);
    json_array_foreach(json_object_get(plan, "plan"), i, one)
    {
        const char *operation = json_string_value(json_object_get(one, "operation"));
        const struct model_operation *op = operation ? model_operation(operation) : NULL;
        const char *name = json_string_value(json_at(one, "ref.name")),
                   *id = json_string_value(json_at(one, "ref.id"));

        buf_printf(&out, "would do: %s %s",
                   op          ? op->title
                   : operation ? operation
                               : "?",
                   name ? name
                   : id ? id
                        : "");
        put_difference(&out, json_object_get(one, "before"), json_object_get(one, "after"));
        buf_char(&out, '\n');
    }
    json_array_foreach(json_object_get(plan, "findings"), i, one)
    {
        const char *detail = json_string_value(json_object_get(one, "detail"));
        const char *name = json_string_value(json_at(one, "ref.name")),
                   *id = json_string_value(json_at(one, "ref.id"));

        if (skipped > 0 && id)
            buf_printf(&out, "would skip %s: ", name && *name ? name : id);
        buf_printf(&out, "%s\n",
                   detail                ? detail
                   : json_is_string(one) ? json_string_value(one)
                                         : "a finding without words");
    }
    if (skipped > 0)
        buf_printf(&out, "%" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT " would be done\n",
                   total - skipped, total);
    if (json_is_false(json_object_get(plan, "changed")))
        buf_text(&out, "Nothing would change.\n");
    term_clean_lines(&clean, out.data ? out.data : "", out.len);
    rc = term_out(clean.data ? clean.data : "", clean.len, err);
    buf_free(&out);
    buf_free(&clean);
    return rc;
}

/* Sends the request that makes a task; tells the plan or follows the task. */
static int submit(struct cli *c, const char *method, const char *path, const json_t *body,
                  struct pv_err *err)
{
    bool dry = cli_flag_on(c, "dry_run", false);
    struct call call = { .once = strcmp(method, "POST") == 0 && !dry, .wait_s = first_wait(c) };
    json_t *answer = NULL;
    int rc;

    if (dry)
        path = arena_printf(c->arena, "%s%cdry_run=true", path, strchr(path, '?') ? '&' : '?');
    rc = client_call(c, method, path, body, &call, &answer, err);
    if (rc != PV_OK)
        return rc;
    if (!answer)
        return pv_fail(err, PV_EIO, "the server answered nothing to %s %s", method, path);
    if (!dry)
        return task_finish(c, answer, err);
    rc = print_plan(c, answer, err);
    json_decref(answer);
    return rc;
}

/* ------------------------------------------------------------------ one object */

/* The snapshot of this VM: by id, or by the name that is unique in this VM. */
static int child_id(struct cli *c, const struct model_kind *kind, const char *owner,
                    const char *text, const char **id, struct pv_err *err)
{
    const struct model_kind *of = NULL;
    struct pv_id parsed;
    struct buf filter, path;
    json_t *answer = NULL, *items;
    size_t n;
    int rc;

    if (model_id_parse(text, strlen(text), &of, &parsed)) {
        *id = text;
        return object_segment(c, kind, text, err) ? PV_OK : err->rc;
    }
    buf_init(&filter, 8192);
    buf_init(&path, 32768);
    buf_printf(&filter, "%s=\"", model_field(kind, "name", 4) ? "name" : "label");
    for (const char *p = text; *p; p++)
        buf_printf(&filter, "%s%c", *p == '"' || *p == '\\' ? "\\" : "", *p);
    buf_char(&filter, '"');
    buf_printf(&path, API "/%s/%s/%s", model_kind(kind->owner)->plural, owner, kind->plural);
    client_query(&path, "filter", filter.data ? filter.data : "");
    rc = client_get(c, path.data, &answer, err);
    buf_free(&filter);
    buf_free(&path);
    if (rc != PV_OK)
        return rc;
    items = json_object_get(answer, "items");
    n = json_array_size(items);
    if (n == 1) {
        const char *found = json_string_value(json_object_get(json_array_get(items, 0), "id"));

        *id = found ? arena_strdup(c->arena, found) : NULL;
        rc = *id ? PV_OK : pv_fail(err, PV_EIO, "the server's answer has no id");
    } else if (n == 0) {
        rc = pv_fail(err, PV_ENOENT, "%s has no %s \"%s\"", c->args[0], kind->name, text);
        pv_err_remedy(err, "See polyvisor %s list %s.", kind->name, c->args[0]);
    } else {
        rc = pv_fail_as(err, "ambiguous-name", "%s has %zu %s with the name \"%s\": %s, %s ...",
                        c->args[0], n, kind->plural, text,
                        json_string_value(json_object_get(json_array_get(items, 0), "id")),
                        json_string_value(json_object_get(json_array_get(items, 1), "id")));
    }
    json_decref(answer);
    return rc;
}

/* The operation's path with its {owner}, {id} and {plural} filled in. */
static const char *operation_path(struct cli *c, const struct model_operation *op,
                                  const struct model_kind *kind, const char *owner, const char *id)
{
    const char *pattern = op->path && op->kind != PV_KIND_NONE ? op->path : NULL;
    struct buf out;

    if (!pattern)
        return arena_printf(c->arena, API "/%s/%s/actions/%s", kind->plural, id,
                            model_operation_verb(op));
    buf_init(&out, 65536);
    buf_text(&out, API);
    while (*pattern) {
        if (str_starts(pattern, "{owner}"))
            buf_text(&out, owner ? owner : "");
        else if (str_starts(pattern, "{id}"))
            buf_text(&out, id);
        else {
            buf_char(&out, *pattern++);
            continue;
        }
        pattern = strchr(pattern, '}') + 1;
    }
    return cli_keep(c, &out);
}

/* DELETE has no body: its parameters stand in the query. */
static const char *with_query(struct cli *c, const char *path, const json_t *params)
{
    struct buf out;
    const char *key;
    json_t *value;

    buf_init(&out, 65536);
    buf_text(&out, path);
    json_object_foreach((json_t *)params, key, value)
    {
        struct buf cell;
        struct column plain = { .type = MODEL_STR };

        buf_init(&cell, 4096);
        cell_write(&cell, &plain, value, false);
        client_query(&out, key, cell.data ? cell.data : "");
        buf_free(&cell);
    }
    return cli_keep(c, &out);
}

static int run_one(struct cli *c, const struct model_operation *op, const struct model_kind *kind,
                   const json_t *params, const char *owner, const char *id, struct pv_err *err)
{
    const char *method = op->method ? op->method : "POST";
    const char *path = operation_path(c, op, kind, owner, id);

    if (!path)
        return pv_fail(err, PV_ENOMEM, "no memory for the request");
    if (strcmp(method, "DELETE") == 0)
        return submit(c, method, with_query(c, path, params), NULL, err);
    return submit(c, method, path, params, err);
}

/* ------------------------------------------------------------------ many objects */

static bool may_go_on(struct cli *c, struct pv_err *err, const char *what)
{
    if (cli_flag_on(c, "yes", false) || cli_flag_on(c, "dry_run", false))
        return true;
    if (!c->in_tty || !c->err_tty) {
        cli_usage(c, err, "%s, and nobody can be asked here: say --yes", what);
        return false;
    }
    if (term_confirm(c, "%s. Go on?", what))
        return true;
    c->exit_code = CLI_ERROR;
    term_note(c, "Nothing was done.");
    return false;
}

static json_t *bulk_body(struct cli *c, const struct model_operation *op, json_t *params)
{
    static const char *const names[] = { "max_parallel", "per_provider" };
    json_t *body = json_pack("{s:s}", "action", op->name), *options = json_object();

    if (json_object_size(params) > 0)
        json_object_set(body, "params", params);
    for (size_t i = 0; i < PV_COUNT(names); i++)
        if (cli_flag(c, names[i]))
            json_object_set_new(options, names[i],
                                json_integer((json_int_t)cli_flag_number(c, names[i], 1)));
    if (cli_flag(c, "on_error"))
        json_object_set_new(options, "on_error", json_string(cli_flag(c, "on_error")));
    if (json_object_size(options) > 0)
        json_object_set(body, "options", options);
    json_decref(options);
    return body;
}

static int count_matches(struct cli *c, const struct model_kind *kind, const char *filter,
                         json_int_t *count, struct pv_err *err)
{
    struct buf path;
    json_t *answer = NULL;
    int rc;

    buf_init(&path, 64u << 10);
    buf_printf(&path, API "/%s", kind->plural);
    client_query(&path, "filter", filter);
    client_query(&path, "limit", "1");
    client_query(&path, "count", "exact");
    rc = client_get(c, path.data, &answer, err);
    buf_free(&path);
    if (rc != PV_OK)
        return rc;
    *count = json_integer_value(json_object_get(answer, "count"));
    json_decref(answer);
    return PV_OK;
}

static int run_filter(struct cli *c, const struct model_operation *op, json_t *params,
                      struct pv_err *err)
{
    const struct model_kind *kind = model_kind(op->kind);
    const char *filter = cli_flag(c, "filter");
    json_int_t count = 0;
    json_t *body = NULL;
    int rc;

    if (!*filter)
        return cli_usage(c, err, "--filter is empty, which would mean everything");
    rc = count_matches(c, kind, filter, &count, err);
    if (rc != PV_OK)
        return rc;
    if (count == 0) {
        term_note(c, "No %s matches: nothing to do.", kind->name);
        return PV_OK;
    }
    if (!may_go_on(c, err,
                   arena_printf(c->arena, "%s: %" JSON_INTEGER_FORMAT " %s match", op->title, count,
                                count == 1 ? kind->name : kind->plural)))
        return err->rc;
    body = bulk_body(c, op, params);
    json_object_set_new(body, "selector", json_string(filter));
    /* What was counted is what is meant: the server refuses if it has become another number. */
    json_object_set_new(body, "expected_count", json_integer(count));
    rc = submit(c, "POST", API "/bulk", body, err);
    json_decref(body);
    return rc;
}

static int run_named(struct cli *c, const struct model_operation *op, json_t *params,
                     const char *const *names, size_t n, struct pv_err *err)
{
    const struct model_kind *kind = model_kind(op->kind);
    json_t *body = bulk_body(c, op, params), *targets = json_array();
    int rc = PV_OK;

    json_object_set_new(body, "targets", targets);
    for (size_t i = 0; i < n && rc == PV_OK; i++) {
        const char *id;

        rc = object_id(c, kind, names[i], &id, err);
        if (rc == PV_OK)
            json_array_append_new(targets, json_string(id));
    }
    if (rc == PV_OK)
        rc = submit(c, "POST", API "/bulk", body, err);
    json_decref(body);
    return rc;
}

/* What the server does not do in bulk, one after the other. */
static int run_each(struct cli *c, const struct model_operation *op, const struct model_kind *kind,
                    const json_t *params, struct pv_err *err)
{
    size_t failed = 0;
    int rc = PV_OK;

    for (size_t i = 0; i < c->nargs; i++) {
        const char *segment = object_segment(c, kind, c->args[i], err);

        rc = segment ? run_one(c, op, kind, params, NULL, segment, err) : err->rc;
        if (rc == PV_OK || c->nargs == 1)
            continue;
        failure_print(c, err);
        *err = (struct pv_err){ 0 };
        failed++;
    }
    if (failed == 0)
        return rc;
    c->exit_code = failed < c->nargs ? CLI_PARTLY : CLI_ERROR;
    return PV_OK;
}

static int run_operation(struct cli *c, const struct model_operation *op,
                         const struct model_kind *kind, json_t *params, const char *const *names,
                         size_t n, struct pv_err *err)
{
    const char *segment, *id;
    int rc;

    if (cli_flag(c, "filter")) {
        if (n > 0)
            return cli_usage(c, err, "say names or --filter, not both");
        return run_filter(c, op, params, err);
    }
    if (n == 0)
        return cli_usage(c, err, "say which %s by name or id, or --filter", kind->name);
    segment = object_segment(c, kind->owner == PV_KIND_NONE ? kind : model_kind(kind->owner),
                             names[0], err);
    if (!segment)
        return err->rc;
    if (kind->owner != PV_KIND_NONE) {
        rc = child_id(c, kind, segment, names[1], &id, err);
        return rc == PV_OK ? run_one(c, op, kind, params, segment, id, err) : rc;
    }
    if (n == 1)
        return run_one(c, op, kind, params, NULL, segment, err);
    return op->kind == PV_KIND_NONE ? run_each(c, op, kind, params, err)
                                    : run_named(c, op, params, names, n, err);
}

/* ------------------------------------------------------------------ places, and what is answered
 * at once */

/* Gone for good: asked for twice where somebody can be asked. */
static bool may_remove(struct cli *c, const struct model_operation *op, struct pv_err *err)
{
    if ((!op->removes && !op->loses) || op->kind == PV_KIND_snapshot ||
        model_kind(op->kind)->owner != PV_KIND_NONE || cli_flag(c, "filter"))
        return true;
    return may_go_on(c, err,
                     arena_printf(c->arena, "%s: %s%s", op->title, c->nargs ? c->args[0] : "",
                                  c->nargs > 1 ? " and more" : ""));
}

static int save_image(struct cli *c, const char *path, struct pv_err *err)
{
    const char *file = cli_flag(c, "file");
    struct call call = { .accept = "image/png" };
    json_t *answer = NULL;
    FILE *out;
    int rc;

    if (!file)
        return cli_usage(c, err, "say where to write the image: --file screen.png");
    rc = client_call(c, "GET", path, NULL, &call, &answer, err);
    json_decref(answer);
    if (rc != PV_OK)
        return rc;
    out = fopen(file, "wb");
    if (!out) {
        free(call.text);
        return pv_fail_os(err, errno, "cannot write %s", file);
    }
    if (fwrite(call.text, 1, call.text_len, out) != call.text_len)
        rc = pv_fail_os(err, errno, "cannot write %s", file);
    if (fclose(out) != 0 && rc == PV_OK)
        rc = pv_fail_os(err, errno, "cannot write %s", file);
    free(call.text);
    return rc;
}

static int list_files(struct cli *c, const char *path, json_t *params, struct pv_err *err)
{
    static const struct column columns[] = {
        { .path = "name", .title = "NAME", .type = MODEL_STR },
        { .path = "type", .title = "TYPE", .type = MODEL_STR },
        { .path = "size_bytes", .title = "SIZE", .type = MODEL_U64, .unit = UNIT_BYTES },
        { .path = "modified_at", .title = "MODIFIED", .type = MODEL_TIME },
    };
    json_t *answer = NULL;
    int rc;

    if (c->nargs > 1)
        json_object_set_new(params, "path", json_string(c->args[1]));
    rc = client_get(c, with_query(c, path, params), &answer, err);
    if (rc == PV_OK)
        rc = output_items(c, answer, columns, PV_COUNT(columns), "path", err);
    json_decref(answer);
    return rc;
}

static int run_live(struct cli *c, const struct model_operation *op, json_t *params,
                    struct pv_err *err)
{
    const char *segment = object_segment(c, model_kind(op->kind), c->args[0], err);
    const char *path = segment ? operation_path(c, op, model_kind(op->kind), NULL, segment) : NULL;
    struct call call = { 0 };
    json_t *answer = NULL;
    int rc;

    if (!segment)
        return err->rc;
    if (!path)
        return pv_fail(err, PV_ENOMEM, "no memory for the request");
    if (op->method && strcmp(op->method, "GET") == 0 && op->result_schema)
        return list_files(c, path, params, err);
    if (op->method && strcmp(op->method, "GET") == 0)
        return save_image(c, with_query(c, path, params), err);
    rc = client_call(c, "POST", path, params, &call, &answer, err);
    if (rc == PV_OK && json_object_size(answer) > 0)
        rc = output_object(c, answer, NULL, err);
    json_decref(answer);
    return rc;
}

int operation_run(struct cli *c, struct pv_err *err)
{
    const struct command *cmd = c->command;
    json_t *params = NULL;
    int rc = params_read(c, cmd->op->params, &params, err);

    if (rc == PV_OK && !may_remove(c, cmd->op, err))
        rc = err->rc;
    if (rc != PV_OK) {
        json_decref(params);
        return rc;
    }
    if (cmd->op->live || cmd->op->place) {
        rc = cmd->op->live
                 ? run_live(c, cmd->op, params, err)
                 : submit(c, "POST", arena_printf(c->arena, API "%s", cmd->op->path), params, err);
        json_decref(params);
        return rc;
    }
    rc = run_operation(c, cmd->op, cmd->kind, params, c->args, c->nargs, err);
    json_decref(params);
    return rc;
}

/* ------------------------------------------------------------------ apply */

static const struct model_param apply_flags[] = {
    { .name = "file",
      .type = PARAM_TEXT,
      .max = 4096,
      .doc = "A request as JSON (-f), - for standard input: {\"action\", \"targets\" or "
             "\"selector\", \"params\"}." },
    { .name = "param",
      .type = PARAM_LIST,
      .doc = "A parameter of the operation: name=before. May be given again." },
    { 0 },
};

static int read_plan(struct cli *c, const char *path, json_t **out, struct pv_err *err)
{
    char *text = NULL;
    json_error_t why;
    int rc = file_read(c, path, 4u << 20, &text, err);

    if (rc != PV_OK)
        return rc;
    *out = json_loads(text, JSON_REJECT_DUPLICATES, &why);
    free(text);
    if (json_is_object(*out))
        return PV_OK;
    json_decref(*out);
    return cli_usage(c, err, "%s is not a JSON object (line %d: %s)", path, why.line, why.text);
}

static int apply_file(struct cli *c, struct pv_err *err)
{
    json_t *body = NULL;
    const char *action, *selector;
    const struct model_operation *op;
    json_int_t count;
    int rc = read_plan(c, cli_flag(c, "file"), &body, err);

    if (rc != PV_OK)
        return rc;
    action = json_string_value(json_object_get(body, "action"));
    selector = json_string_value(json_object_get(body, "selector"));
    op = action ? model_operation(action) : NULL;
    count = (json_int_t)json_array_size(json_object_get(body, "targets"));
    if (!op)
        rc = cli_usage(c, err, "\"action\" names no operation: %s",
                       action ? action : "it is missing");
    if (rc == PV_OK && selector)
        rc = count_matches(c, model_kind(op->kind), selector, &count, err);
    if (rc == PV_OK && selector && !json_object_get(body, "expected_count"))
        json_object_set_new(body, "expected_count", json_integer(count));
    if (rc == PV_OK && (!selector || count > 0) &&
        !may_go_on(
            c, err,
            arena_printf(c->arena, "%s: %" JSON_INTEGER_FORMAT " objects", op->title, count))) {
        json_decref(body);
        return err->rc;
    }
    if (rc == PV_OK)
        rc = submit(c, "POST", API "/bulk", body, err);
    json_decref(body);
    return rc;
}

/* key=value with the type that the operation's table says. */
static int apply_params(struct cli *c, const struct model_operation *op, json_t **out,
                        struct pv_err *err)
{
    const char *text;

    for (size_t i = 0; (text = cli_flag_nth(c, "param", i)) != NULL; i++) {
        const char *equals = strchr(text, '=');
        const struct model_param *p = op->params;

        while (equals && p && p->name &&
               (strlen(p->name) != (size_t)(equals - text) ||
                strncmp(p->name, text, strlen(p->name)) != 0))
            p++;
        if (!equals || !p || !p->name)
            return cli_usage(c, err, "%s has no parameter \"%s\"", op->name, text);
        if (c->nflags < CLI_FLAGS_MAX)
            c->flags[c->nflags++] = (struct cli_flag){ p, equals + 1 };
    }
    return cli_body(c, op->params, out, err);
}

static int apply(struct cli *c, struct pv_err *err)
{
    const struct model_operation *op;
    json_t *params = NULL;
    int rc;

    if (cli_flag(c, "file"))
        return c->nargs ? cli_usage(c, err, "say an operation or --file, not both")
                        : apply_file(c, err);
    if (c->nargs == 0)
        return cli_usage(c, err,
                         "say what to do: polyvisor apply vm.start --filter 'power:off tag:lab'");
    op = model_operation(c->args[0]);
    if (!op || op->kind == PV_KIND_NONE)
        return cli_usage(c, err,
                         "there is no operation \"%s\"; polyvisor explain vm lists those of VMs",
                         c->args[0]);
    rc = apply_params(c, op, &params, err);
    if (rc != PV_OK)
        return rc;
    if (model_kind(op->kind)->owner != PV_KIND_NONE && !cli_flag(c, "filter"))
        rc = run_named(c, op, params, c->args + 1, c->nargs - 1, err);
    else
        rc = run_operation(c, op, model_kind(op->kind), params, c->args + 1, c->nargs - 1, err);
    json_decref(params);
    return rc;
}

const struct command bulk_commands[] = {
    { .words = "apply",
      .args = "OPERATION [NAME...]",
      .doc = "Do one operation on many objects.",
      .flags = apply_flags,
      .groups = GROUP_MANY | GROUP_WAIT | GROUP_DRY_RUN | GROUP_YES,
      .run = apply,
      .more = "  polyvisor apply vm.start --filter 'power:off tag:lab'\n"
              "  polyvisor apply vm.snapshot.create --param name=before --filter tag:lab --yes\n"
              "  polyvisor apply -f plan.json --yes\n"
              "With --filter the number of objects is shown first, and nothing is done if it "
              "changes meanwhile." },
    { 0 },
};
