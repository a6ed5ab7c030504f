/* SPDX-License-Identifier: Apache-2.0 */
/* What every kind has: list, show, our own fields, waiting for a state. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/clock.h>
#include <polyvisor/str.h>

#include "server/cli/client.h"
#include "server/cli/output.h"

#define TERMINAL_LIMIT 1000

/* ------------------------------------------------------------------ naming */

const char *object_segment(struct cli *c, const struct model_kind *kind, const char *text,
                           struct pv_err *err)
{
    const struct model_kind *of = NULL;
    struct pv_id id;
    struct buf out;
    const char *segment;

    if (model_id_parse(text, strlen(text), &of, &id)) {
        if (of == kind)
            return text;
        cli_usage(c, err, "%s is the id of a %s, not of a %s", text, of->name, kind->name);
        return NULL;
    }
    buf_init(&out, 16384);
    if (model_field(kind, "name", 4) && !str_starts(text, "name:") && !str_starts(text, "native:"))
        buf_text(&out, "name%3A");
    client_escape(&out, text);
    segment = cli_keep(c, &out);
    if (!segment)
        pv_fail(err, PV_EINVAL, "the name is too long");
    return segment;
}

int object_id(struct cli *c, const struct model_kind *kind, const char *text, const char **id,
              struct pv_err *err)
{
    const struct model_kind *of = NULL;
    struct pv_id parsed;
    const char *segment = object_segment(c, kind, text, err), *found;
    json_t *answer = NULL;
    int rc;

    if (!segment)
        return err->rc;
    if (model_id_parse(text, strlen(text), &of, &parsed)) {
        *id = text;
        return PV_OK;
    }
    rc = client_get(c, arena_printf(c->arena, API "/%s/%s?fields=id", kind->plural, segment),
                    &answer, err);
    if (rc != PV_OK)
        return rc;
    found = json_string_value(json_object_get(answer, "id"));
    *id = found ? arena_strdup(c->arena, found) : NULL;
    json_decref(answer);
    return *id ? PV_OK : pv_fail(err, PV_EIO, "the server's answer has no id");
}

/* ------------------------------------------------------------------ list */

struct listing {
    struct cli *c;
    struct rows *rows;
    uint64_t limit; /* 0: none */
    bool more;      /* there were more than the limit */
};

static int each_line(void *ctx, const char *line, size_t len, struct pv_err *err)
{
    struct listing *l = ctx;
    json_error_t why;
    json_t *item;
    int rc;

    if (len == 0)
        return PV_OK;
    if (l->limit && rows_count(l->rows) >= l->limit) {
        l->more = true;
        return PV_ECANCELED;
    }
    item = json_loadb(line, len, 0, &why);
    if (!item)
        return pv_fail(err, PV_EIO, "a line of the server's answer is not JSON: %s", why.text);
    rc = rows_add(l->rows, item, err);
    json_decref(item);
    return rc;
}

static int print_count(struct cli *c, struct buf *path, struct pv_err *err)
{
    json_t *answer = NULL;
    char text[32];
    int rc;

    client_query(path, "limit", "1");
    client_query(path, "count", "exact");
    rc = client_get(c, path->data, &answer, err);
    if (rc != PV_OK)
        return rc;
    snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT "\n",
             json_integer_value(json_object_get(answer, "count")));
    json_decref(answer);
    return term_out(text, strlen(text), err);
}

/* "-memory,name": short names made whole. */
static void put_sort(const struct model_kind *kind, const char *sort, struct buf *path)
{
    struct buf whole;

    buf_init(&whole, 4096);
    for (const char *p = sort; *p;) {
        size_t len = strcspn(p, ","), skip = *p == '-';
        const struct model_field *f = model_field(kind, p + skip, len - skip);

        buf_printf(&whole, "%s%s%.*s", whole.len ? "," : "", skip ? "-" : "",
                   f ? (int)strlen(f->path) : (int)(len - skip), f ? f->path : p + skip);
        p += len + (p[len] == ',');
    }
    client_query(path, "sort", whole.data ? whole.data : sort);
    buf_free(&whole);
}

/* By name; what has none is a record of something that happened, and the newest is looked for
 * first. */
static const char *usual_sort(const struct model_kind *kind)
{
    if (model_field(kind, "name", 4))
        return "name";
    return model_field(kind, "seq", 3) ? "-seq" : "-created_at";
}

static const char *list_path(struct cli *c, const struct model_kind *kind, struct pv_err *err)
{
    const struct model_kind *owner = model_kind(kind->owner);
    const char *segment;

    if (c->nargs == 0 || !owner)
        return arena_printf(c->arena, API "/%s", kind->plural);
    segment = object_segment(c, owner, c->args[0], err);
    return segment ? arena_printf(c->arena, API "/%s/%s/%s", owner->plural, segment, kind->plural)
                   : NULL;
}

int object_list(struct cli *c, struct pv_err *err)
{
    const struct model_kind *kind = c->command->kind;
    const char *base = list_path(c, kind, err), *wanted,
               *name = model_field(kind, "name", 4) ? "name" : NULL;
    bool all = cli_flag_on(c, "all", false);
    struct listing l = { .c = c,
                         .limit = cli_flag_number(
                             c, "limit", c->output == OUT_TABLE && !all ? TERMINAL_LIMIT : 0) };
    struct pv_err late = { 0 };
    struct column *columns;
    struct buf path;
    size_t n;
    int rc;

    if (!base)
        return err->rc;
    rc = columns_make(c, kind, cli_flag(c, "fields"), &columns, &n, &wanted, err);
    if (rc != PV_OK)
        return rc;
    if (!c->out_tty && c->output == OUT_TABLE && !cli_flag(c, "limit"))
        l.limit = 0;
    buf_init(&path, 64u << 10);
    buf_text(&path, base);
    if (cli_flag(c, "filter"))
        client_query(&path, "filter", cli_flag(c, "filter"));
    if (cli_flag(c, "sort"))
        put_sort(kind, cli_flag(c, "sort"), &path);
    else
        client_query(&path, "sort", usual_sort(kind));
    if (cli_flag_on(c, "count", false)) {
        rc = print_count(c, &path, err);
        buf_free(&path);
        return rc;
    }
    if (wanted)
        client_query(&path, "fields", wanted);
    l.rows = rows_begin(c, columns, n, name);
    rc = l.rows ? client_lines(c, path.data, "application/x-ndjson", NULL, each_line, &l, err)
                : pv_fail(err, PV_ENOMEM, "no memory for the list");
    buf_free(&path);
    /* Half a list would look like a whole one; half a document is none. */
    if (rc != PV_OK && l.rows &&
        (rows_count(l.rows) == 0 || c->output == OUT_TABLE || c->output == OUT_WIDE)) {
        rows_drop(l.rows);
        return rc;
    }
    if (l.rows && rows_end(l.rows, &late) != PV_OK && rc == PV_OK) {
        *err = late;
        rc = late.rc;
    }
    if (l.more && !cli_flag(c, "limit"))
        term_note(c, "These are the first %d; --all shows everything, --filter what you look for.",
                  TERMINAL_LIMIT);
    return rc;
}

/* ------------------------------------------------------------------ show */

int object_show(struct cli *c, struct pv_err *err)
{
    const struct model_kind *kind = c->command->kind;
    const char *fields = cli_flag(c, "fields"), *wanted = NULL;
    struct column *columns;
    json_t *all = json_pack("{s:[]}", "items"), *items = json_object_get(all, "items");
    size_t n;
    int rc = PV_OK;

    if (fields)
        rc = columns_make(c, kind, fields, &columns, &n, &wanted, err);
    for (size_t i = 0; i < c->nargs && rc == PV_OK; i++) {
        const char *segment = object_segment(c, kind, c->args[i], err);
        json_t *object = NULL;
        struct buf path;

        if (!segment) {
            rc = err->rc;
            break;
        }
        buf_init(&path, 64u << 10);
        buf_printf(&path, API "/%s/%s", kind->plural, segment);
        if (wanted)
            client_query(&path, "fields", wanted);
        rc = client_get(c, path.data, &object, err);
        buf_free(&path);
        if (rc == PV_OK)
            json_array_append_new(items, object);
    }
    if (rc == PV_OK && c->nargs > 1 && (c->output == OUT_JSON || c->output == OUT_YAML)) {
        rc = output_object(c, all, kind, err);
    } else if (rc == PV_OK && (c->output == OUT_CSV || (c->output == OUT_TSV && fields))) {
        if (!fields)
            rc = columns_make(c, kind, NULL, &columns, &n, &wanted, err);
        if (rc == PV_OK)
            rc = output_items(c, all, columns, n, "name", err);
    } else {
        for (size_t i = 0; i < json_array_size(items) && rc == PV_OK; i++) {
            if (i > 0 && (c->output == OUT_TABLE || c->output == OUT_WIDE || c->output == OUT_TSV))
                rc = term_out("\n", 1, err);
            if (rc == PV_OK)
                rc = output_object(c, json_array_get(items, i), kind, err);
        }
    }
    json_decref(all);
    return rc;
}

/* ------------------------------------------------------------------ our own fields */

const struct model_param edit_flags[] = {
    { .name = "notes", .type = PARAM_TEXT, .max = 4096, .doc = "Our notes; \"\" takes them away." },
    { .name = "folder",
      .type = PARAM_TEXT,
      .max = 256,
      .doc = "Folder it goes into, by name or id; none: the root." },
    { .name = "tag",
      .type = PARAM_LIST,
      .doc = "Put this tag on it: env=prod. May be given again." },
    { .name = "untag", .type = PARAM_LIST, .doc = "Take this tag off it. May be given again." },
    { .name = "attribute",
      .type = PARAM_LIST,
      .doc = "Set an attribute of ours: key=text; key= takes it away." },
    { 0 },
};

static void change_tags(json_t *tags, const char *tag, bool on)
{
    size_t len = strlen(tag);

    for (size_t i = json_array_size(tags); i > 0; i--) {
        const char *have = json_string_value(json_array_get(tags, i - 1));

        /* "env" takes off env=prod, too; env=test replaces env=prod. */
        if (have &&
            (strcmp(have, tag) == 0 || (!on && strncmp(have, tag, len) == 0 && have[len] == '=') ||
             (on && strchr(tag, '=') && strncmp(have, tag, strcspn(tag, "=") + 1) == 0)))
            json_array_remove(tags, i - 1);
    }
    if (on)
        json_array_append_new(tags, json_string(tag));
}

struct change {
    json_t *body; /* without tags */
    const char *on[CLI_ARGS_MAX], *off[CLI_ARGS_MAX];
    size_t non, noff;
};

/* Tags are one list: read, change, write; anew if somebody else wrote in between. */
static int change_one(struct cli *c, const struct model_kind *kind, const char *name,
                      struct change *ch, json_t **out, struct pv_err *err)
{
    const char *segment = object_segment(c, kind, name, err);
    const char *path = segment ? arena_printf(c->arena, API "/%s/%s", kind->plural, segment) : NULL;
    int rc = path ? PV_OK : err->rc;

    for (int tries = 0; rc == PV_OK; tries++) {
        struct call read = { 0 }, write = { 0 };
        json_t *now = NULL;

        if (ch->non + ch->noff > 0) {
            json_t *tags;

            rc = client_call(c, "GET", path, NULL, &read, &now, err);
            if (rc != PV_OK)
                return rc;
            tags = json_deep_copy(json_object_get(now, "tags"));
            if (!json_is_array(tags)) {
                json_decref(tags);
                tags = json_array();
            }
            for (size_t i = 0; i < ch->noff; i++)
                change_tags(tags, ch->off[i], false);
            for (size_t i = 0; i < ch->non; i++)
                change_tags(tags, ch->on[i], true);
            json_object_set_new(ch->body, "tags", tags);
            json_decref(now);
            write.if_match = read.etag[0] ? read.etag : NULL;
        }
        rc = client_call(c, "PATCH", path, ch->body, &write, out, err);
        if (rc == PV_OK || write.status != 412 || tries == 3)
            return rc;
        rc = PV_OK;
        *err = (struct pv_err){ 0 };
    }
    return rc;
}

static int put_attribute(struct cli *c, json_t *body, const char *text, struct pv_err *err)
{
    const char *equals = strchr(text, '=');
    json_t *attributes = json_object_get(body, "attributes");
    const char *key = equals ? arena_text(c->arena, text, (size_t)(equals - text)) : NULL;

    if (!key || !*key)
        return cli_usage(c, err, "--attribute takes key=text, not \"%s\"", text);
    if (!attributes) {
        attributes = json_object();
        json_object_set_new(body, "attributes", attributes);
    }
    json_object_set_new(attributes, key, equals[1] ? json_string(equals + 1) : json_null());
    return PV_OK;
}

static int report_changed(struct cli *c, const struct model_kind *kind, json_t *object,
                          struct pv_err *err)
{
    int rc = PV_OK;

    if (output_is_document(c))
        rc = output_object(c, object, kind, err);
    else
        term_note(c, "%s is changed.", json_string_value(json_object_get(object, "name")));
    json_decref(object);
    return rc;
}

int object_edit(struct cli *c, struct pv_err *err)
{
    const struct model_kind *kind = c->command->kind;
    const char *folder = cli_flag(c, "folder"), *notes = cli_flag(c, "notes"), *text, *id = NULL;
    struct change *ch = arena_alloc(c->arena, sizeof(*ch));
    int rc = ch ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory");

    if (rc != PV_OK)
        return rc;
    ch->body = json_object();
    if (notes)
        json_object_set_new(ch->body, "notes", *notes ? json_string(notes) : json_null());
    if (folder && (strcmp(folder, "none") == 0 || !*folder)) {
        json_object_set_new(ch->body, "folder", json_null());
    } else if (folder) {
        rc = object_id(c, model_kind(PV_KIND_folder), folder, &id, err);
        if (rc == PV_OK)
            json_object_set_new(ch->body, "folder", json_string(id));
    }
    for (; (text = cli_flag_nth(c, "tag", ch->non)) != NULL; ch->non++)
        ch->on[ch->non] = text;
    for (; (text = cli_flag_nth(c, "untag", ch->noff)) != NULL; ch->noff++)
        ch->off[ch->noff] = text;
    for (size_t i = 0; rc == PV_OK && (text = cli_flag_nth(c, "attribute", i)) != NULL; i++)
        rc = put_attribute(c, ch->body, text, err);
    if (rc == PV_OK && json_object_size(ch->body) + ch->non + ch->noff == 0)
        rc = cli_usage(c, err,
                       "say what to change: --notes, --folder, --tag, --untag or --attribute");
    for (size_t i = 0; i < c->nargs && rc == PV_OK; i++) {
        json_t *object = NULL;

        rc = change_one(c, kind, c->args[i], ch, &object, err);
        if (rc == PV_OK)
            rc = report_changed(c, kind, object, err);
    }
    json_decref(ch->body);
    return rc;
}

int object_tag(struct cli *c, struct pv_err *err)
{
    struct change *ch = arena_alloc(c->arena, sizeof(*ch));
    json_t *object = NULL;
    int rc;

    if (!ch)
        return pv_fail(err, PV_ENOMEM, "no memory");
    ch->body = json_object();
    for (size_t i = 1; i < c->nargs; i++) {
        size_t len = strlen(c->args[i]);

        if (len > 1 && c->args[i][len - 1] == '-')
            ch->off[ch->noff++] = arena_text(c->arena, c->args[i], len - 1);
        else
            ch->on[ch->non++] = c->args[i];
    }
    rc = change_one(c, c->command->kind, c->args[0], ch, &object, err);
    if (rc == PV_OK)
        rc = report_changed(c, c->command->kind, object, err);
    json_decref(ch->body);
    return rc;
}

/* ------------------------------------------------------------------ delete and wait */

int object_delete(struct cli *c, struct pv_err *err)
{
    const struct model_kind *kind = c->command->kind;
    int rc = PV_OK;

    if (!cli_flag_on(c, "yes", false)) {
        const char *what =
            c->nargs == 1 ? c->args[0] : arena_printf(c->arena, "%zu objects", c->nargs);

        if (!c->in_tty || !c->err_tty)
            return cli_usage(c, err, "nobody can be asked here: say --yes to delete %s", what);
        if (!term_confirm(c, "Delete the %s %s?", kind->name, what)) {
            c->exit_code = CLI_ERROR;
            return PV_OK;
        }
    }
    for (size_t i = 0; i < c->nargs && rc == PV_OK; i++) {
        const char *segment = object_segment(c, kind, c->args[i], err);

        if (!segment)
            return err->rc;
        rc = client_call(c, "DELETE",
                         arena_printf(c->arena, API "/%s/%s%s", kind->plural, segment,
                                      cli_flag_on(c, "force", false) ? "?force=true" : ""),
                         NULL, NULL, NULL, err);
        if (rc == PV_OK)
            term_note(c, "%s is deleted.", c->args[i]);
    }
    return rc;
}

const struct model_param wait_for_flags[] = {
    { .name = "for",
      .type = PARAM_TEXT,
      .required = true,
      .max = 4096,
      .doc = "What must come true: power=running, ip." },
    { .name = "timeout",
      .type = PARAM_TEXT,
      .max = 32,
      .doc = "Wait no longer than this: 90s, 5m, 2h; 10m unless given." },
    { 0 },
};

#define LOOK_AGAIN_MS 1000

int object_wait(struct cli *c, struct pv_err *err)
{
    const struct model_kind *kind = c->command->kind;
    const char *condition = cli_flag(c, "for"), *id = NULL;
    int64_t deadline = task_deadline_ms(c, 600000);
    struct buf path;
    int rc;

    if (!condition)
        return cli_usage(c, err, "say what to wait for: --for power=running, --for ip");
    if (deadline < 0)
        return cli_usage(c, err, "--timeout takes a duration: 90s, 5m, 2h");
    rc = object_id(c, kind, c->args[0], &id, err);
    if (rc != PV_OK)
        return rc;
    if (model_field(kind, condition, strlen(condition)))
        condition = arena_printf(c->arena, "-%s:null", condition);
    buf_init(&path, 64u << 10);
    buf_printf(&path, API "/%s", kind->plural);
    client_query(&path, "filter", arena_printf(c->arena, "id=%s (%s)", id, condition));
    client_query(&path, "fields", "id,name");
    term_catch_interrupt(true);
    for (;;) {
        json_t *answer = NULL;
        bool met;

        rc = client_get(c, path.data, &answer, err);
        met = rc == PV_OK && json_array_size(json_object_get(answer, "items")) > 0;
        json_decref(answer);
        if (rc != PV_OK || met)
            break;
        if (clock_mono_ms() >= deadline) {
            rc = pv_fail(err, PV_ETIMEOUT, "%s did not come to \"%s\" in time", c->args[0],
                         cli_flag(c, "for"));
            pv_err_remedy(err, "See polyvisor %s show %s; --timeout waits longer.", kind->name,
                          c->args[0]);
            break;
        }
        term_progress(c, -1,
                      arena_printf(c->arena, "Waiting for %s: %s", c->args[0], cli_flag(c, "for")));
        clock_sleep_ms(LOOK_AGAIN_MS);
        if (term_interrupted()) {
            c->exit_code = CLI_DETACHED;
            break;
        }
    }
    term_catch_interrupt(false);
    term_progress_end(c);
    buf_free(&path);
    return rc;
}

int object_tell(struct cli *c, json_t *object, const char *what, struct pv_err *err)
{
    int rc = PV_OK;

    if (output_is_document(c))
        rc = output_object(c, object, c->command->kind, err);
    else
        term_note(c, "%s is %s.", c->args[0], what);
    json_decref(object);
    return rc;
}

int object_create(struct cli *c, struct pv_err *err)
{
    json_t *body = NULL, *made = NULL;
    struct call call = { .once = true };
    int rc = cli_body(c, c->command->flags, &body, err);

    if (rc != PV_OK)
        return rc;
    json_object_set_new(body, "name", json_string(c->args[0]));
    rc = client_call(c, "POST", arena_printf(c->arena, API "/%s", c->command->kind->plural), body,
                     &call, &made, err);
    json_decref(body);
    return rc == PV_OK ? object_tell(c, made, "made", err) : rc;
}

int object_patch(struct cli *c, json_t *body, struct pv_err *err)
{
    const char *segment = object_segment(c, c->command->kind, c->args[0], err);
    json_t *changed = NULL;
    int rc = segment ? PV_OK : err->rc;

    if (rc == PV_OK && json_object_size(body) == 0)
        rc = cli_usage(c, err, "say what to change; --help tells the flags");
    if (rc == PV_OK)
        rc = client_call(c, "PATCH",
                         arena_printf(c->arena, API "/%s/%s", c->command->kind->plural, segment),
                         body, NULL, &changed, err);
    json_decref(body);
    return rc == PV_OK ? object_tell(c, changed, "changed", err) : rc;
}

int object_change(struct cli *c, struct pv_err *err)
{
    json_t *body = NULL;
    int rc = cli_body(c, c->command->flags, &body, err);

    return rc == PV_OK ? object_patch(c, body, err) : rc;
}
