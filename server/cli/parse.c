/* SPDX-License-Identifier: Apache-2.0 */
/* The command line against the command table. Flags may stand anywhere; "--" ends them. */
#include "server/cli/cli.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/clock.h>
#include <polyvisor/str.h>

int cli_usage(struct cli *c, struct pv_err *err, const char *fmt, ...)
{
    char text[sizeof(err->message)];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    c->exit_code = CLI_USAGE;
    pv_fail_as(err, "invalid-request", "%s", text);
    if (c->command)
        pv_err_remedy(err, "See polyvisor %s --help.", c->command->words);
    else if (c->path && *c->path)
        pv_err_remedy(err, "See polyvisor %s --help.", c->path);
    else
        pv_err_remedy(err, "See polyvisor --help.");
    return PV_EINVAL;
}

const char *cli_flag_text(struct arena *a, const char *name)
{
    char *text = arena_printf(a, "--%s", name);

    for (char *p = text; p && *p; p++)
        if (*p == '_')
            *p = '-';
    return text ? text : "--?";
}

const char *cli_keep(struct cli *c, struct buf *b)
{
    const char *kept = buf_ok(b) ? arena_text(c->arena, b->data ? b->data : "", b->len) : NULL;

    buf_free(b);
    return kept;
}

/* ------------------------------------------------------------------ finding commands and flags */

static bool is_prefix(const char *path, const char *words)
{
    size_t len = strlen(path);

    return len == 0 ||
           (strncmp(path, words, len) == 0 && (words[len] == ' ' || words[len] == '\0'));
}

static const struct command *exact(const struct cli *c, const char *path)
{
    for (const struct command *cmd = c->commands; cmd->words; cmd++)
        if (strcmp(cmd->words, path) == 0)
            return cmd;
    return NULL;
}

static bool any_below(const struct cli *c, const char *path)
{
    for (const struct command *cmd = c->commands; cmd->words; cmd++)
        if (is_prefix(path, cmd->words))
            return true;
    return false;
}

/* What people are used to from other tools, and plurals. */
static const char *usual_word(struct cli *c, const char *path, const char *word)
{
    static const char *const others[][2] = {
        { "ls", "list" },       { "get", "show" },    { "describe", "show" }, { "rm", "delete" },
        { "remove", "delete" }, { "create", "add" },  { "add", "create" },    { "set", "change" },
        { "edit", "change" },   { "change", "edit" },
    };

    if (!*path) {
        for (size_t i = 0; model_kind_at(i); i++)
            if (strcmp(model_kind_at(i)->plural, word) == 0) {
                char *noun = arena_strdup(c->arena, model_kind_at(i)->name);

                for (char *p = noun; p && *p; p++)
                    *p = *p == '_' ? '-' : *p;
                return noun;
            }
        return NULL;
    }
    for (size_t i = 0; i < PV_COUNT(others); i++) {
        char *tried = arena_printf(c->arena, "%s %s", path, others[i][1]);

        if (strcmp(word, others[i][0]) == 0 && tried && any_below(c, tried))
            return others[i][1];
    }
    return NULL;
}

static bool same_name(const char *param, const char *text, size_t len)
{
    if (strlen(param) != len)
        return false;
    for (size_t i = 0; i < len; i++)
        if (param[i] != text[i] && !(param[i] == '_' && text[i] == '-'))
            return false;
    return true;
}

static const struct model_param *in_table(const struct model_param *table, const char *text,
                                          size_t len)
{
    for (const struct model_param *p = table; p && p->name; p++)
        if (same_name(p->name, text, len))
            return p;
    return NULL;
}

static const struct model_param *flag_of(const struct command *cmd, const char *text, size_t len)
{
    const struct model_param *tables[8], *found = NULL;
    size_t n = command_flag_tables(cmd, tables);

    for (size_t i = 0; i < n && !found; i++)
        found = in_table(tables[i], text, len);
    return found;
}

/* A flag may come before its command is whole: then any command that can still be meant decides. */
static const struct model_param *find_flag(const struct cli *c, const char *path, const char *text,
                                           size_t len)
{
    const struct model_param *found = NULL;

    /* Its own flags first: provider change --url is not the server's. */
    for (const struct command *cmd = c->commands; cmd->words && !found; cmd++)
        if (c->command ? cmd == c->command : is_prefix(path, cmd->words))
            found = flag_of(cmd, text, len);
    return found ? found : in_table(cli_global_flags, text, len);
}

static const char *nearest_flag(const struct cli *c, const char *text)
{
    const struct model_param *tables[8];
    const char *best = NULL;
    unsigned least = 3;
    size_t n = c->command ? command_flag_tables(c->command, tables) : 0;

    for (size_t i = 0; i <= n; i++)
        for (const struct model_param *p = i < n ? tables[i] : cli_global_flags; p->name; p++) {
            unsigned d = str_distance(text, p->name, least);

            if (d < least) {
                least = d;
                best = p->name;
            }
        }
    return best;
}

static const char *nearest_word(const struct cli *c, const char *path, const char *word)
{
    const char *best = NULL;
    unsigned least = 3;

    for (const struct command *cmd = c->commands; cmd->words; cmd++) {
        const char *next = cmd->words + strlen(path) + (*path ? 1 : 0);
        char one[64];
        unsigned d;

        if (!is_prefix(path, cmd->words) || strlen(cmd->words) <= strlen(path))
            continue;
        str_copy_n(one, sizeof(one), next, strcspn(next, " "));
        d = str_distance(word, one, least);
        if (d < least) {
            least = d;
            best = arena_strdup(c->arena, one);
        }
    }
    return best;
}

/* ------------------------------------------------------------------ values */

static bool is_yes(const char *text)
{
    return strcmp(text, "true") == 0 || strcmp(text, "yes") == 0 || strcmp(text, "1") == 0 ||
           strcmp(text, "on") == 0;
}

static bool is_no(const char *text)
{
    return strcmp(text, "false") == 0 || strcmp(text, "no") == 0 || strcmp(text, "0") == 0 ||
           strcmp(text, "off") == 0;
}

static bool is_choice(const struct model_param *p, const char *value)
{
    if (!p->choices)
        return model_enum_value(p->enum_id, value, strlen(value)) >= 0;
    for (size_t i = 0; p->choices[i]; i++)
        if (strcmp(p->choices[i], value) == 0)
            return true;
    return false;
}

static int check_value(struct cli *c, const struct model_param *p, const char *value,
                       struct pv_err *err)
{
    const char *flag = cli_flag_text(c->arena, p->name);
    struct buf list;
    uint64_t n;
    int rc;

    if (p->type == PARAM_INT &&
        (!str_u64(value, strlen(value), p->max ? (uint64_t)p->max : UINT64_C(1) << 53, &n) ||
         n < (uint64_t)p->min))
        return p->max ? cli_usage(c, err,
                                  "%s takes a number from %" PRId64 " to %" PRId64 ", not \"%s\"",
                                  flag, p->min, p->max, value)
                      : cli_usage(c, err, "%s takes a number, not \"%s\"", flag, value);
    if (p->type != PARAM_ENUM || is_choice(p, value))
        return PV_OK;
    buf_init(&list, 1024);
    flag_value_text(p, &list);
    rc =
        cli_usage(c, err, "%s takes %s, not \"%s\"", flag, list.data ? list.data : "a word", value);
    buf_free(&list);
    return rc;
}

static int keep_flag(struct cli *c, const struct model_param *p, const char *value,
                     struct pv_err *err)
{
    int rc;

    if (p->type == PARAM_BOOL) {
        if (!is_yes(value) && !is_no(value))
            return cli_usage(c, err, "%s is yes or no, not \"%s\"",
                             cli_flag_text(c->arena, p->name), value);
        value = is_yes(value) ? "true" : "false";
    }
    rc = check_value(c, p, value, err);
    if (rc != PV_OK)
        return rc;
    if (c->nflags == CLI_FLAGS_MAX)
        return cli_usage(c, err, "more than %d flags", CLI_FLAGS_MAX);
    c->flags[c->nflags++] = (struct cli_flag){ p, value };
    return PV_OK;
}

static const struct {
    char letter;
    const char *name;
} short_flags[] = { { 'o', "output" }, { 'o', "output_file" }, { 'y', "yes" },
                    { 'h', "help" },   { 'q', "quiet" },       { 'f', "file" } };

struct words {
    struct cli *c;
    char **argv;
    int argc, at;
    char path[128];
};

static int long_flag(struct words *w, struct pv_err *err)
{
    struct cli *c = w->c;
    const char *text = w->argv[w->at] + 2, *value = strchr(text, '=');
    size_t len = value ? (size_t)(value - text) : strlen(text);
    const struct model_param *p = find_flag(c, w->path, text, len);
    const char *near;

    if (!p && !value && strncmp(text, "no-", 3) == 0) {
        p = find_flag(c, w->path, text + 3, len - 3);
        if (p && p->type == PARAM_BOOL)
            return keep_flag(c, p, "false", err);
        p = NULL;
    }
    if (!p) {
        near = nearest_flag(c, text);
        return cli_usage(c, err, "there is no flag --%.*s%s%s%s", (int)len, text,
                         near ? "; did you mean " : "", near ? cli_flag_text(c->arena, near) : "",
                         near ? "?" : "");
    }
    if (value)
        return keep_flag(c, p, value + 1, err);
    if (p->type == PARAM_BOOL)
        return keep_flag(c, p, "true", err);
    if (w->at + 1 >= w->argc)
        return cli_usage(c, err, "--%s needs a value", text);
    return keep_flag(c, p, w->argv[++w->at], err);
}

static int short_flag(struct words *w, struct pv_err *err)
{
    const char *text = w->argv[w->at] + 1;

    for (; *text; text++) {
        const struct model_param *p = NULL;

        /* The last that there is: a command that writes a file takes its name by -o. */
        for (size_t i = 0; i < PV_COUNT(short_flags); i++)
            if (short_flags[i].letter == *text && (!p || w->c->command)) {
                const struct model_param *one =
                    find_flag(w->c, w->path, short_flags[i].name, strlen(short_flags[i].name));

                p = one ? one : p;
            }
        if (!p)
            return cli_usage(w->c, err, "there is no flag -%c",
                             isprint((unsigned char)*text) ? *text : '?');
        if (p->type != PARAM_BOOL) {
            if (text[1])
                return keep_flag(w->c, p, text[1] == '=' ? text + 2 : text + 1, err);
            if (w->at + 1 >= w->argc)
                return cli_usage(w->c, err, "-%c needs a value", *text);
            return keep_flag(w->c, p, w->argv[++w->at], err);
        }
        if (keep_flag(w->c, p, "true", err) != PV_OK)
            return err->rc;
    }
    return PV_OK;
}

static int plain_word(struct words *w, const char *word, struct pv_err *err)
{
    struct cli *c = w->c;
    char longer[sizeof(w->path)];
    const char *other, *near;

    if (!c->command) {
        int len = snprintf(longer, sizeof(longer), "%s%s%s", w->path, *w->path ? " " : "", word);

        if (len > 0 && (size_t)len < sizeof(longer) && any_below(c, longer)) {
            str_copy(w->path, sizeof(w->path), longer);
            c->command = exact(c, longer);
            return PV_OK;
        }
        if (strcmp(word, "help") == 0) {
            c->wants_help = true;
            return PV_OK;
        }
        other = usual_word(c, w->path, word);
        if (other)
            return plain_word(w, other, err);
        c->path = w->path;
        near = nearest_word(c, w->path, word);
        return cli_usage(c, err, "there is no command \"%s%s%.64s\"%s%s%s", w->path,
                         *w->path ? " " : "", word, near ? "; did you mean \"" : "",
                         near ? near : "", near ? "\"?" : "");
    }
    if (c->nargs == CLI_ARGS_MAX)
        return cli_usage(c, err, "more than %d names; use --filter", CLI_ARGS_MAX);
    c->args[c->nargs++] = word;
    return PV_OK;
}

static int check_counts(struct cli *c, struct pv_err *err)
{
    const struct command *cmd = c->command;
    bool any = cmd->most == 0 && *cmd->args && *cmd->args != '[';

    if (c->nargs < cmd->least)
        return cli_usage(c, err, "say which: polyvisor %s %s", cmd->words, cmd->args);
    if (!any && c->nargs > cmd->most) {
        if (cmd->most == 0)
            return cli_usage(c, err, "%s takes no arguments; what is \"%.64s\"?", cmd->words,
                             c->args[0]);
        return cli_usage(c, err, "too many arguments: polyvisor %s %s", cmd->words, cmd->args);
    }
    return PV_OK;
}

int cli_parse(struct cli *c, int argc, char **argv, struct pv_err *err)
{
    struct words w = { .c = c, .argv = argv, .argc = argc };
    bool only_words = false;
    int rc = PV_OK;

    for (w.at = 1; w.at < argc && rc == PV_OK; w.at++) {
        const char *text = argv[w.at];

        if (only_words || text[0] != '-' || !text[1])
            rc = plain_word(&w, text, err);
        else if (strcmp(text, "--") == 0)
            only_words = true;
        else if (strcmp(text, "--version") == 0 && !c->command)
            rc = plain_word(&w, "version", err);
        /* `vm tag web01 -- env-` is how a tag with a dash before it would be written. */
        else
            rc = text[1] == '-' ? long_flag(&w, err) : short_flag(&w, err);
    }
    c->path = arena_strdup(c->arena, w.path);
    if (rc != PV_OK)
        return rc;
    c->wants_help = c->wants_help || cli_flag_on(c, "help", false);
    if (c->wants_help)
        return PV_OK;
    if (!c->command)
        return *w.path ? cli_usage(c, err, "\"%s\" needs a further word", w.path) : PV_OK;
    /* A flag before the last word may have been one of a sister command. */
    for (size_t i = 0; i < c->nflags; i++)
        if (!flag_of(c->command, c->flags[i].param->name, strlen(c->flags[i].param->name)) &&
            !in_table(cli_global_flags, c->flags[i].param->name, strlen(c->flags[i].param->name)))
            return cli_usage(c, err, "%s does not take %s", c->command->words,
                             cli_flag_text(c->arena, c->flags[i].param->name));
    return check_counts(c, err);
}

/* ------------------------------------------------------------------ asking for flags */

const char *cli_flag_nth(const struct cli *c, const char *name, size_t n)
{
    for (size_t i = 0; i < c->nflags; i++)
        if (strcmp(c->flags[i].param->name, name) == 0 && n-- == 0)
            return c->flags[i].value;
    return NULL;
}

const char *cli_flag(const struct cli *c, const char *name)
{
    for (size_t i = c->nflags; i > 0; i--)
        if (strcmp(c->flags[i - 1].param->name, name) == 0)
            return c->flags[i - 1].value;
    return NULL;
}

bool cli_flag_on(const struct cli *c, const char *name, bool otherwise)
{
    const char *value = cli_flag(c, name);

    return value ? strcmp(value, "true") == 0 : otherwise;
}

uint64_t cli_flag_number(const struct cli *c, const char *name, uint64_t otherwise)
{
    const char *value = cli_flag(c, name);
    uint64_t n;

    return value && str_u64(value, strlen(value), UINT64_C(1) << 53, &n) ? n : otherwise;
}

bool cli_duration(const char *text, int64_t *ms)
{
    size_t digits = strspn(text, "0123456789");
    const char *unit = text + digits;
    int64_t scale = *unit == 's' || !*unit ? 1000
                    : *unit == 'm'         ? 60000
                    : *unit == 'h'         ? 3600000
                    : *unit == 'd'         ? 86400000
                                           : 0;
    uint64_t n;

    if (digits == 0 || scale == 0 || (*unit && unit[1]) || !str_u64(text, digits, 1000000, &n))
        return false;
    *ms = (int64_t)n * scale;
    return true;
}

/* A date, a date with time, or a duration from now. */
static int time_value(struct cli *c, const char *text, json_t **out, struct pv_err *err)
{
    char iso[CLOCK_TEXT_LEN];
    int64_t ms;

    if (cli_duration(text, &ms))
        ms += clock_wall_ms();
    else if (!clock_parse(text, strlen(text), &ms))
        return cli_usage(c, err, "\"%s\" is no time: say 30d, 2026-12-31 or 2026-12-31T12:00:00Z",
                         text);
    clock_text(ms, iso);
    *out = json_string(iso);
    return PV_OK;
}

static int one_value(struct cli *c, const struct model_param *p, const char *value, json_t **out,
                     struct pv_err *err)
{
    json_error_t why;

    *out = NULL;
    if (p->nullable && strcmp(value, "null") == 0) {
        *out = json_null();
        return PV_OK;
    }
    switch (p->type) {
    case PARAM_INT:
        *out = json_integer((json_int_t)strtoll(value, NULL, 10));
        break;
    case PARAM_BOOL:
        *out = json_boolean(strcmp(value, "true") == 0);
        break;
    case PARAM_TIME:
        return time_value(c, value, out, err);
    case PARAM_ID:
        if (p->ref != PV_KIND_NONE) {
            const char *id;
            int rc = object_id(c, model_kind(p->ref), value, &id, err);

            if (rc != PV_OK)
                return rc;
            value = id;
        }
        *out = json_string(value);
        break;
    case PARAM_OBJECT:
    case PARAM_JSON:
        *out = json_loads(value, JSON_DECODE_ANY, &why);
        if (!*out)
            return cli_usage(c, err, "%s takes JSON: %s", cli_flag_text(c->arena, p->name),
                             why.text);
        break;
    case PARAM_TEXT:
    case PARAM_ENUM:
    case PARAM_SECRET:
    case PARAM_LIST:
        *out = json_string(value);
        break;
    }
    return *out ? PV_OK
                : cli_usage(c, err, "%s: the text is not UTF-8", cli_flag_text(c->arena, p->name));
}

int cli_body(struct cli *c, const struct model_param *table, json_t **out, struct pv_err *err)
{
    json_t *body = json_object();
    int rc = PV_OK;

    for (const struct model_param *p = table; p && p->name && rc == PV_OK; p++) {
        json_t *value = NULL;

        if (!cli_flag(c, p->name)) {
            if (p->required)
                rc =
                    cli_usage(c, err, "%s is needed: %s", cli_flag_text(c->arena, p->name), p->doc);
            continue;
        }
        if (p->type != PARAM_LIST || p->members) {
            rc = one_value(c, p, cli_flag(c, p->name), &value, err);
            if (rc == PV_OK)
                json_object_set_new(body, p->name, value);
            continue;
        }
        json_object_set_new(body, p->name, json_array());
        for (size_t i = 0; rc == PV_OK && cli_flag_nth(c, p->name, i); i++) {
            rc = one_value(c, p, cli_flag_nth(c, p->name, i), &value, err);
            if (rc == PV_OK)
                json_array_append_new(json_object_get(body, p->name), value);
        }
    }
    if (rc != PV_OK)
        json_decref(body);
    else
        *out = body;
    return rc;
}
