/* SPDX-License-Identifier: Apache-2.0 */
/* Help at every level, from the command table. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <polyvisor/str.h>

#include "server/cli/cli.h"

#define WORD_WIDTH 24
#define FLAG_WIDTH 26

void flag_value_text(const struct model_param *p, struct buf *out)
{
    switch (p->type) {
    case PARAM_BOOL:
        break;
    case PARAM_ENUM:
        for (size_t i = 0; p->choices ? p->choices[i] != NULL : i < model_enum_count(p->enum_id);
             i++) {
            const char *word = p->choices ? p->choices[i] : model_enum_text(p->enum_id, (int64_t)i);

            if (i == 0 && !p->choices &&
                (strcmp(word, "unknown") == 0 || strcmp(word, "none") == 0))
                continue;
            buf_printf(out, "%s%s", out->len ? "|" : "", word);
        }
        break;
    case PARAM_INT:
        buf_text(out, "N");
        break;
    case PARAM_TIME:
        buf_text(out, "TIME");
        break;
    case PARAM_ID:
        buf_text(out, "NAME");
        break;
    case PARAM_OBJECT:
    case PARAM_JSON:
        buf_text(out, "JSON");
        break;
    case PARAM_TEXT:
    case PARAM_SECRET:
    case PARAM_LIST:
        if (strstr(p->name, "file") || strcmp(p->name, "ca") == 0 || strcmp(p->name, "tls_ca") == 0)
            buf_text(out, "FILE");
        else if (str_ends(p->name, "bytes"))
            buf_text(out, "SIZE");
        else if (strcmp(p->name, "timeout") == 0)
            buf_text(out, "TIME");
        else if (strcmp(p->name, "url") == 0 || strcmp(p->name, "endpoint") == 0)
            buf_text(out, "URL");
        else if (strcmp(p->name, "set") == 0 || strcmp(p->name, "attribute") == 0 ||
                 strcmp(p->name, "param") == 0)
            buf_text(out, "KEY=VALUE");
        else if (strstr(p->name, "name") || strcmp(p->name, "context") == 0 ||
                 strcmp(p->name, "folder") == 0)
            buf_text(out, "NAME");
        else if (strcmp(p->name, "filter") == 0 || strcmp(p->name, "for") == 0)
            buf_text(out, "FILTER");
        else if (strcmp(p->name, "fields") == 0 || strcmp(p->name, "sort") == 0)
            buf_text(out, "FIELDS");
        else
            buf_text(out, "TEXT");
        break;
    }
}

static void pad(struct buf *out, size_t used, size_t width)
{
    do
        buf_char(out, ' ');
    while (++used < width);
}

static void put_flags(const struct cli *c, const struct model_param *table, struct buf *out)
{
    for (const struct model_param *p = table; p && p->name; p++) {
        struct buf left;

        buf_init(&left, 1024);
        flag_value_text(p, &left);
        {
            const char *flag = cli_flag_text(c->arena, p->name);
            const char *value = left.data && left.len ? arena_strdup(c->arena, left.data) : NULL;
            size_t used = 2 + strlen(flag) + (value ? strlen(value) + 1 : 0);

            buf_printf(out, "  %s%s%s", flag, value ? " " : "", value ? value : "");
            if (used + 1 >= FLAG_WIDTH) {
                buf_char(out, '\n');
                used = 0;
            }
            pad(out, used, FLAG_WIDTH);
            buf_printf(out, "%s%s\n", p->doc, p->required ? " Needed." : "");
        }
        buf_free(&left);
    }
}

static void put_command(const struct cli *c, const struct command *cmd, struct buf *out)
{
    const struct model_param *tables[8];
    size_t n = command_flag_tables(cmd, tables);

    buf_printf(out, "%s\n\nUsage: polyvisor %s%s%s [flags]\n", cmd->doc, cmd->words,
               *cmd->args ? " " : "", cmd->args);
    if (cmd->more)
        buf_printf(out, "\n%s\n", cmd->more);
    if (n > 0)
        buf_text(out, "\nFlags:\n");
    for (size_t i = 0; i < n; i++)
        put_flags(c, tables[i], out);
    buf_text(out, "\nFlags of every command:\n");
    put_flags(c, cli_global_flags, out);
}

/* The word after `path` in a command's words. */
static size_t next_word(const char *words, const char *path, const char **word)
{
    *word = words + strlen(path) + (*path ? 1 : 0);
    return strcspn(*word, " ");
}

static void put_verbs(const struct cli *c, const char *path, struct buf *out)
{
    buf_printf(out, "Usage: polyvisor %s COMMAND\n\nCommands:\n", path);
    for (const struct command *cmd = c->commands; cmd->words; cmd++) {
        const char *rest = cmd->words + strlen(path) + 1;
        size_t used;

        if (cmd->hidden || !str_starts(cmd->words, path) || cmd->words[strlen(path)] != ' ')
            continue;
        used = 2 + strlen(rest) + (*cmd->args ? strlen(cmd->args) + 1 : 0);
        buf_printf(out, "  %s%s%s", rest, *cmd->args ? " " : "", cmd->args);
        if (used + 1 >= FLAG_WIDTH) {
            buf_char(out, '\n');
            used = 0;
        }
        pad(out, used, FLAG_WIDTH);
        buf_printf(out, "%s\n", cmd->doc);
    }
    buf_printf(out, "\npolyvisor %s COMMAND --help explains one.\n", path);
}

static bool first_of_noun(const struct cli *c, const struct command *cmd)
{
    const char *word;
    size_t len = next_word(cmd->words, "", &word);

    for (const struct command *before = c->commands; before < cmd; before++)
        if (strncmp(before->words, cmd->words, len) == 0 &&
            (before->words[len] == ' ' || !before->words[len]))
            return false;
    return true;
}

/* Of commands that belong together without being about a kind. */
static const char *group_doc(const char *noun)
{
    static const struct {
        const char *noun, *doc;
    } groups[] = {
        { "access", "Who may do what, and by which grant: explain." },
        { "context", "The servers you have signed in to: list, show, use, delete." },
        { "driver", "The drivers that speak to hypervisors: list, show." },
    };

    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
        if (strcmp(groups[i].noun, noun) == 0)
            return groups[i].doc;
    return "";
}

static void put_nouns(const struct cli *c, bool kinds, struct buf *out)
{
    for (const struct command *cmd = c->commands; cmd->words; cmd++) {
        char noun[64];
        const char *word, *doc = cmd->doc;
        bool single;

        str_copy_n(noun, sizeof(noun), cmd->words, next_word(cmd->words, "", &word));
        single = strcmp(noun, cmd->words) == 0;
        if (cmd->hidden || !first_of_noun(c, cmd) || (cmd->kind != NULL && !single) != kinds)
            continue;
        if (kinds)
            doc = cmd->kind->doc;
        else if (!single)
            doc = group_doc(noun);
        buf_printf(out, "  %s", noun);
        pad(out, 2 + strlen(noun), WORD_WIDTH);
        buf_printf(out, "%s\n", doc);
    }
}

static const char exit_text[] =
    "Exit codes: 0 all is well, 1 it failed, 2 wrong usage, 3 not found, 4 not allowed, 5 conflict "
    "or\n"
    "ambiguous name, 6 timeout, 7 some of many objects were done and some were not.\n";

static void put_top(const struct cli *c, struct buf *out)
{
    buf_text(
        out,
        "polyvisor manages virtual machines of VMware and Hyper-V through a Polyvisor server.\n\n"
        "Usage: polyvisor NOUN VERB [NAME...] [flags]\n\n"
        "First steps:\n"
        "  polyvisor login https://host:8443\n"
        "  polyvisor vm list --filter 'power:running memory>=8GiB'\n"
        "  polyvisor vm stop web01\n\n"
        "Things (each has list and show; polyvisor NOUN --help tells what else):\n");
    put_nouns(c, true, out);
    buf_text(out, "\nCommands:\n");
    put_nouns(c, false, out);
    buf_text(out, "\nFlags of every command:\n");
    put_flags(c, cli_global_flags, out);
    buf_printf(out, "\n%s", exit_text);
}

void help_print(const struct cli *c, struct buf *out)
{
    if (c->command)
        put_command(c, c->command, out);
    else if (c->path && *c->path)
        put_verbs(c, c->path, out);
    else
        put_top(c, out);
}
