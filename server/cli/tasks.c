/* SPDX-License-Identifier: Apache-2.0 */
/* Tasks: waiting for them with progress, saying what came of them; list, wait, cancel. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/clock.h>
#include <polyvisor/str.h>

#include "server/cli/client.h"
#include "server/cli/output.h"

#define LOOK_FIRST_MS 150
#define LOOK_MOST_MS 1000
#define NOT_DONE_SHOWN 20

static const char *text_of(const json_t *object, const char *path)
{
    return json_string_value(json_at(object, path));
}

static bool is_final(const json_t *task)
{
    const char *state = text_of(task, "state");

    return state && (strcmp(state, "succeeded") == 0 || strcmp(state, "failed") == 0 ||
                     strcmp(state, "canceled") == 0 || strcmp(state, "lost") == 0 ||
                     strcmp(state, "skipped") == 0);
}

int64_t task_deadline_ms(const struct cli *c, int64_t otherwise_ms)
{
    const char *text = cli_flag(c, "timeout");
    int64_t ms = otherwise_ms;

    if (text && !cli_duration(text, &ms))
        return -1;
    return ms ? clock_mono_ms() + ms : INT64_MAX;
}

static const char *action_of(const json_t *task)
{
    const char *action = text_of(task, "action");
    const struct model_operation *op = action ? model_operation(action) : NULL;

    return op ? op->title : action ? action : "Task";
}

/* "Start web01", "Start: 12 objects". */
static const char *title_of(struct cli *c, const json_t *task)
{
    const json_t *subjects = json_object_get(task, "subjects");
    const char *name = text_of(json_array_get(subjects, 0), "name");
    json_int_t total = json_integer_value(json_at(task, "children.total"));

    if (total > 0)
        return arena_printf(c->arena, "%s: %" JSON_INTEGER_FORMAT " objects", action_of(task),
                            total);
    return arena_printf(c->arena, "%s%s%s", action_of(task), name ? " " : "", name ? name : "");
}

static json_int_t children_of(const json_t *task, const char *how)
{
    return json_integer_value(json_object_get(json_object_get(task, "children"), how));
}

static void show_progress(struct cli *c, const json_t *task)
{
    const json_t *children = json_object_get(task, "children"),
                 *progress = json_object_get(task, "progress");
    const char *why = text_of(task, "wait_reason.detail"), *step = text_of(task, "step.name"),
               *state = text_of(task, "state");
    json_int_t total = json_integer_value(json_object_get(children, "total"));
    int pct = json_is_integer(progress) ? (int)json_integer_value(progress) : -1;
    char text[400];

    if (!c->err_tty || c->quiet)
        return;
    if (total > 0) {
        json_int_t ended = children_of(task, "succeeded") + children_of(task, "failed") +
                           children_of(task, "canceled") + children_of(task, "skipped");

        pct = (int)(ended * 100 / total);
        snprintf(text, sizeof(text), "%s: %" JSON_INTEGER_FORMAT " done", title_of(c, task), ended);
    } else {
        snprintf(text, sizeof(text), "%s: %s", title_of(c, task),
                 why     ? why
                 : step  ? step
                 : state ? state
                         : "");
    }
    term_progress(c, pct, text);
}

/* Looks until it has ended, the time is over, or Ctrl-C. *task is replaced. */
static int follow(struct cli *c, json_t **task, int64_t deadline, struct pv_err *err)
{
    const char *path = arena_printf(c->arena, API "/tasks/%s", text_of(*task, "id"));
    int64_t pause = LOOK_FIRST_MS;
    int rc = PV_OK;

    while (!is_final(*task)) {
        json_t *now = NULL;

        show_progress(c, *task);
        if (clock_mono_ms() >= deadline) {
            pv_fail(err, PV_ETIMEOUT, "%s is not done yet", title_of(c, *task));
            pv_err_remedy(err,
                          "It goes on: polyvisor task wait %s waits longer, polyvisor task cancel "
                          "%s ends it.",
                          text_of(*task, "id"), text_of(*task, "id"));
            return PV_ETIMEOUT;
        }
        clock_sleep_ms(pause);
        pause = pause * 3 / 2 < LOOK_MOST_MS ? pause * 3 / 2 : LOOK_MOST_MS;
        if (term_interrupted())
            return PV_ECANCELED;
        rc = client_get(c, path, &now, err);
        /* The server may be restarting; the task survives that. */
        if (rc == PV_EOFFLINE && clock_mono_ms() < deadline) {
            *err = (struct pv_err){ 0 };
            pause = LOOK_MOST_MS;
            continue;
        }
        if (rc != PV_OK)
            return term_interrupted() ? PV_ECANCELED : rc;
        json_decref(*task);
        *task = now;
    }
    return PV_OK;
}

/* ------------------------------------------------------------------ what came of it */

/* "4 of 17 done; 1 failed, 12 skipped". */
static const char *sums_of(struct cli *c, const json_t *task)
{
    static const char *const others[] = { "failed", "skipped", "canceled" };
    const char *text =
        arena_printf(c->arena, "%" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT " done",
                     children_of(task, "succeeded"), children_of(task, "total"));
    const char *before = ";";

    for (size_t i = 0; i < PV_COUNT(others); i++) {
        if (children_of(task, others[i]) == 0)
            continue;
        text = arena_printf(c->arena, "%s%s %" JSON_INTEGER_FORMAT " %s", text, before,
                            children_of(task, others[i]), others[i]);
        before = ",";
    }
    return text;
}

/* Each that was not done, with its reason: what failed first, what was canceled last. */
static int print_not_done(struct cli *c, const json_t *task, struct pv_err *err)
{
    static const char *const kinds[] = { "state%3A%7Bfailed%2Clost%7D", "state%3Askipped",
                                         "state%3Acanceled" };
    json_int_t rest = children_of(task, "total") - children_of(task, "succeeded"), shown = 0;
    int rc = PV_OK;

    for (size_t k = 0; rc == PV_OK && k < PV_COUNT(kinds) && shown < NOT_DONE_SHOWN; k++) {
        json_t *answer = NULL;
        const json_t *one;
        size_t i;

        rc = client_get(c,
                        arena_printf(c->arena, API "/tasks/%s/children?filter=%s&limit=%d",
                                     text_of(task, "id"), kinds[k], NOT_DONE_SHOWN - (int)shown),
                        &answer, err);
        json_array_foreach(json_object_get(answer, "items"), i, one)
        {
            const char *detail = text_of(one, "error.detail"), *state = text_of(one, "state");
            const json_t *subject = json_array_get(json_object_get(one, "subjects"), 0);
            const char *name = text_of(subject, "name"), *id = text_of(subject, "id");

            fprintf(stderr, "  ");
            term_note(&(struct cli){ 0 }, "%s: %s%s%s",
                      name && *name ? name
                      : id          ? id
                                    : "?",
                      state ? state : "?", detail ? ", " : "", detail ? detail : "");
            shown++;
        }
        json_decref(answer);
    }
    if (rc == PV_OK && rest > shown) {
        fprintf(stderr, "  ");
        term_note(&(struct cli){ 0 },
                  "and %" JSON_INTEGER_FORMAT " more: polyvisor task children %s shows each",
                  rest - shown, text_of(task, "id"));
    }
    return rc;
}

/* Not all was done: how many, and why not the others. It is told here, so that the number comes
 * before the reasons. */
static int partly_done(struct cli *c, const json_t *task, struct pv_err *err)
{
    json_t *error = json_object_get(task, "error");
    int rc;

    c->exit_code = children_of(task, "succeeded") > 0 ? CLI_PARTLY : CLI_ERROR;
    if (output_is_document(c) && json_is_object(error))
        return failure_take(c, error, 500, err);
    if (output_is_document(c))
        return pv_fail(err, PV_ECANCELED, "%s: %s", action_of(task), sums_of(c, task));
    fprintf(stderr, "polyvisor: ");
    term_note(&(struct cli){ 0 }, "%s: %s:", action_of(task), sums_of(c, task));
    rc = print_not_done(c, task, err);
    if (rc != PV_OK)
        return rc;
    *err = (struct pv_err){ .rc = PV_ECANCELED };
    return err->rc;
}

static int tell(struct cli *c, const json_t *task, struct pv_err *err)
{
    const char *state = text_of(task, "state"), *id = text_of(task, "id");
    const struct model_kind *kind = model_kind(PV_KIND_task);
    struct buf line, clean;
    int64_t from, to;
    int rc;

    if (output_is_document(c))
        return output_object(c, task, kind, err);
    buf_init(&line, 8192);
    buf_init(&clean, 32768);
    buf_printf(&line, "%s: %s", title_of(c, task), state ? state : "?");
    if (!is_final(task))
        buf_printf(&line, ", task %s", id);
    else if (json_is_false(json_object_get(task, "changed")))
        buf_text(&line, ", nothing to do");
    else if (text_of(task, "started_at") && text_of(task, "finished_at") &&
             clock_parse(text_of(task, "started_at"), strlen(text_of(task, "started_at")), &from) &&
             clock_parse(text_of(task, "finished_at"), strlen(text_of(task, "finished_at")), &to)) {
        buf_text(&line, " after ");
        term_duration(&line, to - from);
    }
    buf_char(&line, '\n');
    term_clean_lines(&clean, line.data ? line.data : "", line.len);
    rc = term_out(clean.data ? clean.data : "", clean.len, err);
    buf_free(&line);
    buf_free(&clean);
    return rc;
}

/* The result of a test is findings: they are what was asked for. */
static int judge(struct cli *c, const json_t *task, struct pv_err *err)
{
    const char *state = text_of(task, "state");
    json_t *error = json_object_get(task, "error"), *findings = json_at(task, "result.findings");
    int rc;

    if (json_is_array(findings) && !output_is_document(c) && !findings_print(c, findings))
        c->exit_code = CLI_ERROR;
    if (str_eq(state, "succeeded") || !is_final(task))
        return tell(c, task, err);
    if (output_is_document(c)) {
        rc = tell(c, task, err);
        if (rc != PV_OK)
            return rc;
    }
    if (children_of(task, "total") > 0)
        return partly_done(c, task, err);
    if (json_is_object(error)) {
        failure_take(c, error, 500, err);
        pv_wrap(err, "%s", title_of(c, task));
        return err->rc;
    }
    c->exit_code = CLI_ERROR;
    pv_fail(err, PV_EIO, "%s: %s", title_of(c, task), state);
    pv_err_remedy(err,
                  str_eq(state, "lost")
                      ? "Nobody knows how it ended: look at the object before you try again."
                      : "See polyvisor task show %s.",
                  text_of(task, "id"));
    return err->rc;
}

static int wait_one(struct cli *c, json_t **task, int64_t deadline, struct pv_err *err)
{
    int rc = follow(c, task, deadline, err);

    term_progress_end(c);
    if (rc != PV_ECANCELED)
        return rc;
    *err = (struct pv_err){ 0 };
    c->exit_code = CLI_DETACHED;
    fprintf(stderr, "\n");
    term_note(c,
              "No longer waiting; it goes on. polyvisor task wait %s waits again, polyvisor task "
              "cancel %s ends it.",
              text_of(*task, "id"), text_of(*task, "id"));
    return PV_ECANCELED;
}

int task_finish(struct cli *c, json_t *task, struct pv_err *err)
{
    int64_t deadline = task_deadline_ms(c, 0);
    int rc = PV_OK;

    if (deadline < 0)
        rc = cli_usage(c, err, "--timeout takes a duration: 90s, 5m, 2h");
    if (rc == PV_OK && cli_flag_on(c, "wait", true)) {
        term_catch_interrupt(true);
        rc = wait_one(c, &task, deadline, err);
        term_catch_interrupt(false);
    }
    if (rc == PV_OK)
        rc = judge(c, task, err);
    json_decref(task);
    /* Not waiting any more is no failure of the task. */
    return rc == PV_ECANCELED && c->exit_code == CLI_DETACHED ? PV_OK : rc;
}

/* ------------------------------------------------------------------ commands */

static const struct model_param wait_flags[] = {
    { .name = "timeout",
      .type = PARAM_TEXT,
      .max = 32,
      .doc = "Wait no longer than this: 90s, 5m, 2h." },
    { 0 },
};

static int task_wait(struct cli *c, struct pv_err *err)
{
    int64_t deadline = task_deadline_ms(c, 0);
    int first_rc = PV_OK, code = -1;
    size_t good = 0;
    struct pv_err first = { 0 };

    if (deadline < 0)
        return cli_usage(c, err, "--timeout takes a duration: 90s, 5m, 2h");
    term_catch_interrupt(true);
    for (size_t i = 0; i < c->nargs; i++) {
        const char *segment = object_segment(c, c->command->kind, c->args[i], err);
        json_t *task = NULL;
        int rc = segment
                     ? client_get(c, arena_printf(c->arena, API "/tasks/%s", segment), &task, err)
                     : err->rc;

        if (rc == PV_OK)
            rc = wait_one(c, &task, deadline, err);
        if (rc == PV_ECANCELED && c->exit_code == CLI_DETACHED) {
            json_decref(task);
            return PV_OK;
        }
        if (rc == PV_OK)
            rc = judge(c, task, err);
        json_decref(task);
        good += rc == PV_OK;
        if (rc != PV_OK && c->nargs > 1 && err->message[0])
            failure_print(c, err);
        if (rc != PV_OK && first_rc == PV_OK) {
            first_rc = rc;
            first = *err;
            code = failure_exit(c, err);
        }
        *err = (struct pv_err){ 0 };
        c->exit_code = -1;
    }
    term_catch_interrupt(false);
    if (first_rc == PV_OK)
        return PV_OK;
    c->exit_code = good > 0 ? CLI_PARTLY : code;
    *err = first;
    if (c->nargs > 1)
        err->message[0] = '\0'; /* told already */
    return first_rc;
}

static int task_cancel(struct cli *c, struct pv_err *err)
{
    int rc = PV_OK;

    for (size_t i = 0; i < c->nargs && rc == PV_OK; i++) {
        const char *segment = object_segment(c, c->command->kind, c->args[i], err);
        struct call call = { .wait_s = 1 };
        json_t *task = NULL;

        rc = segment ? client_call(c, "POST",
                                   arena_printf(c->arena, API "/tasks/%s/actions/cancel", segment),
                                   NULL, &call, &task, err)
                     : err->rc;
        if (rc == PV_OK)
            rc = tell(c, task, err);
        json_decref(task);
    }
    return rc;
}

static int task_children(struct cli *c, struct pv_err *err)
{
    const struct model_kind *kind = c->command->kind;
    const char *segment = object_segment(c, kind, c->args[0], err);
    struct column *columns;
    json_t *answer = NULL;
    size_t n;
    int rc;

    if (!segment)
        return err->rc;
    columns_usual(c->arena, kind, &columns, &n);
    rc = client_get(c, arena_printf(c->arena, API "/tasks/%s/children?limit=1000", segment),
                    &answer, err);
    if (rc != PV_OK)
        return rc;
    rc = output_items(c, answer, columns, n, "id", err);
    json_decref(answer);
    return rc;
}

const struct command task_commands[] = {
    { .words = "task wait",
      .args = "TASK-ID...",
      .doc = "Wait until tasks have ended; ends as they did.",
      .flags = wait_flags,
      .run = task_wait,
      .least = 1 },
    { .words = "task cancel",
      .args = "TASK-ID...",
      .doc = "Ask for the end of a task; what is half done is undone.",
      .run = task_cancel,
      .least = 1 },
    { .words = "task children",
      .args = "TASK-ID",
      .doc = "The parts of a task on many objects, each with its own outcome.",
      .run = task_children,
      .least = 1,
      .most = 1 },
    { 0 },
};
