/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Completion: the shells' scripts ask `polyvisor __complete WORD...` and show what it prints.
 *
 * Names come from the server, which gets 300 ms; without an answer there is nothing to choose, and
 * no message.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/httpc.h>
#include <polyvisor/str.h>

#include "server/cli/client.h"
#include "server/cli/output.h"

#define SERVER_MS 300
#define NAMES_MOST "50"

static const char bash_script[] =
    "# completion of polyvisor for bash\n"
    "_polyvisor() {\n"
    "    local line\n"
    "    COMPREPLY=()\n"
    "    while IFS=$'\\t' read -r line _; do\n"
    "        COMPREPLY+=(\"$(printf '%q' \"$line\")\")\n"
    "    done < <(polyvisor __complete \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
    "}\n"
    "complete -F _polyvisor polyvisor\n";

static const char zsh_script[] =
    "#compdef polyvisor\n"
    "_polyvisor() {\n"
    "    local -a found\n"
    "    local word text\n"
    "    while IFS=$'\\t' read -r word text; do\n"
    "        found+=(\"${word//:/\\\\:}${text:+:$text}\")\n"
    "    done < <(polyvisor __complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)\n"
    "    _describe 'polyvisor' found\n"
    "}\n"
    "if [ \"$funcstack[1]\" = _polyvisor ]; then _polyvisor \"$@\"; else compdef _polyvisor "
    "polyvisor; fi\n";

static const char fish_script[] = "# completion of polyvisor for fish\n"
                                  "function __polyvisor_complete\n"
                                  "    set -l words (commandline -opc) (commandline -ct)\n"
                                  "    polyvisor __complete $words[2..-1] 2>/dev/null\n"
                                  "end\n"
                                  "complete -c polyvisor -f -a '(__polyvisor_complete)'\n";

const char *complete_script(const char *shell)
{
    return strcmp(shell, "bash") == 0   ? bash_script
           : strcmp(shell, "zsh") == 0  ? zsh_script
           : strcmp(shell, "fish") == 0 ? fish_script
                                        : NULL;
}

/* One line a word; its text may hold neither tab nor newline. */
static void offer(struct buf *out, const char *before, const char *word, const char *doc,
                  const char *typed)
{
    struct buf clean;

    if (!str_starts(word, typed + (str_starts(typed, before) ? strlen(before) : 0)))
        return;
    buf_init(&clean, 16384);
    term_clean(&clean, word, strlen(word));
    buf_printf(out, "%s%s\t", before, clean.data ? clean.data : "");
    buf_reset(&clean);
    term_clean(&clean, doc ? doc : "", doc ? strlen(doc) : 0);
    buf_printf(out, "%s\n", clean.data ? clean.data : "");
    buf_free(&clean);
}

static void offer_names(struct cli *c, const struct model_kind *kind, const char *typed,
                        struct buf *out)
{
    bool named = model_field(kind, "name", 4) != NULL;
    struct call call = { .timeout_ms = SERVER_MS };
    struct buf path, filter;
    json_t *answer = NULL, *one;
    struct pv_err err = { 0 };
    size_t i;

    buf_init(&path, 8192);
    buf_init(&filter, 4096);
    buf_printf(&path, API "/%s", kind->plural);
    client_query(&path, "fields", named ? "name" : "id");
    client_query(&path, "limit", NAMES_MOST);
    if (named && *typed) {
        buf_text(&filter, "name~\"");
        for (const char *p = typed; *p; p++)
            buf_printf(&filter, "%s%c", *p == '"' || *p == '\\' ? "\\" : "", *p);
        buf_text(&filter, "*\"");
        client_query(&path, "filter", filter.data ? filter.data : "");
    }
    if (client_call(c, "GET", path.data, NULL, &call, &answer, &err) == PV_OK)
        json_array_foreach(json_object_get(answer, "items"), i, one)
        {
            const char *name = json_string_value(json_object_get(one, named ? "name" : "id"));

            if (name)
                offer(out, "", name, NULL, typed);
        }
    json_decref(answer);
    free(call.text);
    buf_free(&path);
    buf_free(&filter);
}

static void offer_flags(const struct cli *c, const struct command *cmd, const char *typed,
                        struct buf *out)
{
    const struct model_param *tables[8];
    size_t n = cmd ? command_flag_tables(cmd, tables) : 0;

    for (size_t i = 0; i <= n; i++)
        for (const struct model_param *p = i < n ? tables[i] : cli_global_flags; p->name; p++)
            offer(out, "", cli_flag_text(c->arena, p->name), p->doc, typed);
}

static const struct model_param *flag_named(const struct cli *c, const struct command *cmd,
                                            const char *text)
{
    const struct model_param *tables[8];
    size_t n = cmd ? command_flag_tables(cmd, tables) : 0;

    for (size_t i = 0; i <= n; i++)
        for (const struct model_param *p = i < n ? tables[i] : cli_global_flags; p->name; p++) {
            const char *flag = cli_flag_text(c->arena, p->name);
            size_t len = strlen(flag);

            if (strncmp(flag, text, len) == 0 && (text[len] == '\0' || text[len] == '='))
                return p;
        }
    if (strcmp(text, "-o") == 0)
        return cmd && strcmp(cmd->words, "datastore download") == 0
                   ? flag_named(c, cmd, "--output-file")
                   : &cli_global_flags[0];
    return NULL;
}

static void offer_values(struct cli *c, const struct command *cmd, const struct model_param *p,
                         const char *typed, struct buf *out)
{
    if (p->type == PARAM_ENUM)
        for (size_t i = 0; p->choices ? p->choices[i] != NULL : i < model_enum_count(p->enum_id);
             i++)
            offer(out, "", p->choices ? p->choices[i] : model_enum_text(p->enum_id, (int64_t)i),
                  NULL, typed);
    else if (p->type == PARAM_ID && p->ref != PV_KIND_NONE)
        offer_names(c, model_kind(p->ref), typed, out);
    else if (strcmp(p->name, "folder") == 0)
        offer_names(c, model_kind(PV_KIND_folder), typed, out);
    else if ((strcmp(p->name, "sort") == 0 || strcmp(p->name, "fields") == 0) && cmd && cmd->kind) {
        const char *last = strrchr(typed, ',');
        char *before = arena_text(c->arena, typed, last ? (size_t)(last + 1 - typed) : 0);

        for (size_t i = 0; before && i < cmd->kind->nfields; i++)
            if (!(cmd->kind->fields[i].flags & MODEL_SECRET) &&
                (*p->name != 's' || cmd->kind->fields[i].flags & MODEL_SORT))
                offer(out, before, cmd->kind->fields[i].path, cmd->kind->fields[i].doc, typed);
    }
}

/* The next words that commands below `path` have. */
static void offer_words(const struct cli *c, const char *path, const char *typed, struct buf *out)
{
    char last[64] = "";
    size_t skip = strlen(path) + (*path ? 1 : 0);

    for (const struct command *cmd = c->commands; cmd->words; cmd++) {
        char word[64];
        bool whole;

        if (cmd->hidden ||
            (*path && (!str_starts(cmd->words, path) || cmd->words[strlen(path)] != ' ')))
            continue;
        str_copy_n(word, sizeof(word), cmd->words + skip, strcspn(cmd->words + skip, " "));
        whole = cmd->words[skip + strlen(word)] == '\0';
        if (strcmp(word, last) == 0)
            continue;
        str_copy(last, sizeof(last), word);
        offer(out, "", word, whole ? cmd->doc : cmd->kind ? cmd->kind->doc : NULL, typed);
    }
}

static bool goes_on(const struct cli *c, const char *path)
{
    for (const struct command *cmd = c->commands; cmd->words; cmd++)
        if (str_starts(cmd->words, path) &&
            (cmd->words[strlen(path)] == ' ' || !cmd->words[strlen(path)]))
            return true;
    return false;
}

static void offer_argument(struct cli *c, const struct command *cmd, size_t place,
                           const char *typed, struct buf *out)
{
    static const char *const shells[] = { "bash", "zsh", "fish" };
    const struct model_kind *kind = cmd->kind;

    if (strcmp(cmd->words, "completion") == 0) {
        for (size_t i = 0; i < PV_COUNT(shells); i++)
            offer(out, "", shells[i], NULL, typed);
    } else if (strcmp(cmd->words, "explain") == 0 && place == 0) {
        for (size_t i = 0; model_kind_at(i); i++)
            offer(out, "", model_kind_at(i)->name, model_kind_at(i)->doc, typed);
    } else if (strcmp(cmd->words, "apply") == 0 && place == 0) {
        for (const struct model_operation *op = model_operations; op->name; op++)
            if (op->kind != PV_KIND_NONE)
                offer(out, "", op->name, op->doc, typed);
    } else if (place > 0 && (strstr(cmd->args, " FILE") || strstr(cmd->args, "PATH"))) {
        return; /* the shell's own files */
    } else if (kind && *cmd->args && (cmd->most == 0 || place < cmd->most)) {
        if (kind->owner != PV_KIND_NONE && place == 0 && (cmd->op || strstr(cmd->words, " list")))
            kind = model_kind(kind->owner);
        if (!strstr(cmd->words, " tag") || place == 0)
            offer_names(c, kind, typed, out);
        else
            offer_names(c, model_kind(PV_KIND_tag), typed, out);
    }
}

void complete_print(struct cli *c, struct buf *out)
{
    const char *typed = c->nargs ? c->args[c->nargs - 1] : "";
    const struct command *cmd = NULL;
    const struct model_param *waiting = NULL;
    char path[128] = "", longer[128];
    size_t place = 0;

    /* What stands before the word that is typed. */
    for (size_t i = 0; i + 1 < c->nargs; i++) {
        const char *word = c->args[i];

        if (waiting) {
            if (c->nflags < CLI_FLAGS_MAX)
                c->flags[c->nflags++] = (struct cli_flag){ waiting, word };
            waiting = NULL;
            continue;
        }
        if (word[0] == '-') {
            const struct model_param *p = flag_named(c, cmd, word);

            waiting = p && p->type != PARAM_BOOL && !strchr(word, '=') ? p : NULL;
            continue;
        }
        if (!cmd) {
            int len = snprintf(longer, sizeof(longer), "%s%s%s", path, *path ? " " : "", word);

            if (len < 0 || (size_t)len >= sizeof(longer) || !goes_on(c, longer))
                return;
            str_copy(path, sizeof(path), longer);
            for (const struct command *one = c->commands; one->words; one++)
                if (strcmp(one->words, path) == 0)
                    cmd = one;
        } else {
            place++;
        }
    }
    if (waiting)
        offer_values(c, cmd, waiting, typed, out);
    else if (typed[0] == '-')
        offer_flags(c, cmd, typed, out);
    else if (cmd)
        offer_argument(c, cmd, place, typed, out);
    else
        offer_words(c, path, typed, out);
}
