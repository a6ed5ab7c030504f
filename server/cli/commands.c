/* SPDX-License-Identifier: Apache-2.0 */
/* The command table: what the model says (list, show and the operations of each kind), and what
 * single files add. */
#include "server/cli/cli.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/str.h>

#define COMMANDS_MAX 512

static const struct command *const written[] = {
    login_commands,   context_commands,  provider_commands, bulk_commands,   task_commands,
    event_commands,   own_commands,      access_commands,   rights_commands, system_commands,
    channel_commands, transfer_commands, balance_commands,
};

static const char *const outputs[] = {
    "table", "wide", "json", "jsonl", "yaml", "csv", "name", NULL
};

const struct model_param cli_global_flags[] = {
    { .name = "output",
      .type = PARAM_ENUM,
      .choices = outputs,
      .doc = "Form of the answer (-o). On a terminal a table, else values with tabs between." },
    { .name = "no_header", .type = PARAM_BOOL, .doc = "No line of titles above a list." },
    { .name = "context",
      .type = PARAM_TEXT,
      .doc = "Which of your servers to ask; see context list." },
    { .name = "url",
      .type = PARAM_TEXT,
      .max = 1024,
      .doc = "Address of the server, instead of the context's." },
    { .name = "ca",
      .type = PARAM_TEXT,
      .max = 4096,
      .doc = "File with the authorities that vouch for the server." },
    { .name = "fingerprint",
      .type = PARAM_TEXT,
      .max = 128,
      .doc = "SHA-256 of the server's certificate: trust this one and no other." },
    { .name = "quiet", .type = PARAM_BOOL, .doc = "No notes and no progress on stderr (-q)." },
    { .name = "help", .type = PARAM_BOOL, .doc = "Explain the command (-h)." },
    { 0 },
};

static const struct model_param list_flags[] = {
    { .name = "filter",
      .type = PARAM_TEXT,
      .max = 4096,
      .doc = "Only what matches: 'power:running tag:env=prod memory>=8GiB'." },
    { .name = "sort",
      .type = PARAM_TEXT,
      .max = 1024,
      .doc = "Fields to sort by, - for descending: -memory,name." },
    { .name = "limit", .type = PARAM_INT, .min = 1, .doc = "At most so many." },
    { .name = "all",
      .type = PARAM_BOOL,
      .doc = "Everything; on a terminal a list otherwise ends after 1000." },
    { .name = "count", .type = PARAM_BOOL, .doc = "Only how many there are." },
    { 0 },
};
static const struct model_param field_flags[] = {
    { .name = "fields",
      .type = PARAM_TEXT,
      .max = 4096,
      .doc = "Only these fields, with commas between; see explain." },
    { 0 },
};
static const struct model_param wait_flags[] = {
    { .name = "wait",
      .type = PARAM_BOOL,
      .doc = "Wait for the end (the default); --no-wait only starts it." },
    { .name = "timeout",
      .type = PARAM_TEXT,
      .max = 32,
      .doc = "Wait no longer than this: 90s, 5m, 2h. The work goes on." },
    { 0 },
};
static const char *const on_error[] = { "continue", "stop", NULL };
static const struct model_param many_flags[] = {
    { .name = "filter",
      .type = PARAM_TEXT,
      .max = 4096,
      .doc = "All that match, instead of names: 'tag:lab power:running'." },
    { .name = "max_parallel", .type = PARAM_INT, .min = 1, .max = 256, .doc = "So many at once." },
    { .name = "per_provider",
      .type = PARAM_INT,
      .min = 1,
      .max = 256,
      .doc = "So many at once on one provider." },
    { .name = "on_error",
      .type = PARAM_ENUM,
      .choices = on_error,
      .doc = "Go on with the others, or start no more." },
    { 0 },
};
static const struct model_param dry_run_flags[] = {
    { .name = "dry_run", .type = PARAM_BOOL, .doc = "Say what would be done, and do nothing." },
    { 0 },
};
static const struct model_param yes_flags[] = {
    { .name = "yes",
      .type = PARAM_BOOL,
      .doc = "Do not ask (-y). Needed where nobody can answer." },
    { 0 },
};

size_t command_flag_tables(const struct command *cmd, const struct model_param *out[8])
{
    static const struct {
        unsigned group;
        const struct model_param *table;
    } groups[] = {
        { GROUP_LIST, list_flags }, { GROUP_MANY, many_flags },       { GROUP_FIELDS, field_flags },
        { GROUP_WAIT, wait_flags }, { GROUP_DRY_RUN, dry_run_flags }, { GROUP_YES, yes_flags },
    };
    size_t n = 0;

    if (cmd->flags)
        out[n++] = cmd->flags;
    for (size_t i = 0; i < PV_COUNT(groups); i++)
        if (cmd->groups & groups[i].group)
            out[n++] = groups[i].table;
    return n;
}

/* ------------------------------------------------------------------ from the model */

struct builder {
    struct arena *arena;
    struct command *commands;
    size_t n;
    bool failed;
};

static bool is_there(const struct builder *b, const char *words)
{
    for (size_t i = 0; i < b->n; i++)
        if (strcmp(b->commands[i].words, words) == 0)
            return true;
    return false;
}

/* A hand-written command wins over one of the model. */
static void add(struct builder *b, const struct command *cmd)
{
    if (!cmd->words || !cmd->args || !cmd->doc || b->n == COMMANDS_MAX - 1)
        b->failed = true;
    else if (!is_there(b, cmd->words))
        b->commands[b->n++] = *cmd;
}

/* "vm.snapshot.create", "resource_pool": as they are typed. */
static const char *typed(struct arena *a, const char *name)
{
    char *text = arena_strdup(a, name);

    for (char *p = text; p && *p; p++)
        *p = *p == '.' ? ' ' : *p == '_' ? '-' : *p;
    return text;
}

/* "RESOURCE-POOL": what a kind is called among arguments. */
static const char *argument(struct arena *a, const struct model_kind *kind, const char *after)
{
    char *text = arena_printf(a, "%s", typed(a, kind->name));

    for (char *p = text; p && *p; p++)
        if (*p >= 'a' && *p <= 'z')
            *p = (char)(*p - 32);
    return text ? arena_printf(a, "%s%s", text, after) : NULL;
}

static const char list_more[] =
    "The filter is the one of the API and the browser page. A field "
    "has a name (see explain) or a short one:\n"
    "  name~web*  power:running  memory>=8GiB  ip~10.1.*  tag:env=prod  "
    "host:esx1  created_at>now-7d\n"
    "Terms stand side by side (and), with 'or' between, with - before "
    "(not), in brackets. Free words look into\n"
    "names, addresses, notes and tags.";

static void add_kind(struct builder *b, const struct model_kind *k)
{
    const char *noun = typed(b->arena, k->name);
    bool child = k->owner != PV_KIND_NONE;
    /* Who has no name is called by its id. */
    const char *who = model_field(k, "name", 4) ? "" : " ID";

    add(b, &(struct command){
               .words = arena_printf(b->arena, "%s list", noun),
               .args = child ? arena_printf(b->arena, "[%s]",
                                            argument(b->arena, model_kind(k->owner), ""))
                             : "",
               .doc = "List them: by filter, sorted, with the fields of your choice.",
               .more = list_more,
               .groups = GROUP_LIST | GROUP_FIELDS,
               .run = object_list,
               .kind = k,
               .most = child ? 1 : 0 });
    add(b, &(struct command){ .words = arena_printf(b->arena, "%s show", noun),
                              .args = argument(b->arena, k, *who || child ? "-ID..." : "..."),
                              .doc = "Show everything known about it.",
                              .groups = GROUP_FIELDS,
                              .run = object_show,
                              .kind = k,
                              .least = 1 });
    if (!child && ((k->flags & MODEL_SYNCED) || k->number == PV_KIND_provider))
        add(b, &(struct command){ .words = arena_printf(b->arena, "%s wait", noun),
                                  .args = argument(b->arena, k, ""),
                                  .doc = "Wait until it is in a state.",
                                  .flags = wait_for_flags,
                                  .run = object_wait,
                                  .kind = k,
                                  .least = 1,
                                  .most = 1,
                                  .more =
                                      "--for takes a filter (power=running) or the name of a field "
                                      "that must be there (ip).\n"
                                      "Ends with 6 if it does not come about in time." });
    if (child || !(k->flags & MODEL_SYNCED))
        return;
    add(b, &(struct command){ .words = arena_printf(b->arena, "%s edit", noun),
                              .args = argument(b->arena, k, "..."),
                              .doc = "Change our own notes, tags, folder and attributes of it.",
                              .flags = edit_flags,
                              .run = object_edit,
                              .kind = k,
                              .least = 1 });
    add(b,
        &(struct command){ .words = arena_printf(b->arena, "%s tag", noun),
                           .args = arena_printf(b->arena, "%s TAG...", argument(b->arena, k, "")),
                           .doc = "Put tags on it (env=prod), take tags off it (env=prod-).",
                           .run = object_tag,
                           .kind = k,
                           .least = 2 });
}

static const char place_more[] =
    "  polyvisor vm create --name web01 --host hv1 --cpu.count 2 --memory.bytes 4GiB \\\n"
    "      --disks capacity_bytes=40GiB --nics network=Production\n"
    "  polyvisor vm create -f web.json --name web02 --dry-run\n"
    "What is not said is chosen there; --dry-run lists every device.";

static const struct model_param image_flags[] = {
    { .name = "width", .type = PARAM_INT, .min = 16, .max = 1920, .doc = "Width in pixels." },
    { .name = "height", .type = PARAM_INT, .min = 16, .max = 1200, .doc = "Height in pixels." },
    { .name = "file",
      .type = PARAM_TEXT,
      .required = true,
      .max = 4096,
      .doc = "Where to write the image (-f)." },
    { 0 },
};

static void add_operation(struct builder *b, const struct model_operation *op,
                          const struct model_kind *k)
{
    bool child = k->owner != PV_KIND_NONE;
    bool everywhere = op->kind == PV_KIND_NONE;
    unsigned groups = GROUP_WAIT | GROUP_DRY_RUN | GROUP_YES;
    /* Operations on disk images are called disk.*; as a word that is a VM's disk. */
    bool own_noun = everywhere || k->number == PV_KIND_disk_image;
    const char *words = own_noun ? arena_printf(b->arena, "%s %s", typed(b->arena, k->name),
                                                typed(b->arena, model_operation_verb(op)))
                                 : typed(b->arena, op->name);
    bool files = op->live && op->method && op->result_schema;
    const char *args =
        op->place ? ""
        : files   ? arena_printf(b->arena, "%s [PATH]", argument(b->arena, k, ""))
        : child   ? arena_printf(b->arena, "%s %s", argument(b->arena, model_kind(k->owner), ""),
                                 argument(b->arena, k, ""))
                  : argument(b->arena, k, op->live ? "" : "...");

    if (op->live)
        groups = 0;
    else if (!child && !everywhere && !op->place)
        groups |= GROUP_MANY;
    add(b, &(struct command){ .words = words,
                              .args = args,
                              .doc = op->doc,
                              .flags = op->live && op->method && !files
                                           ? image_flags
                                           : params_flags(b->arena, op->params),
                              .more = op->place && op->kind == PV_KIND_vm ? place_more : NULL,
                              .groups = groups,
                              .run = operation_run,
                              .kind = k,
                              .op = op,
                              .least = child      ? 2
                                       : op->live ? 1
                                                  : 0,
                              .most = child || files ? 2
                                      : op->live     ? 1
                                                     : 0 });
}

static void add_model(struct builder *b, const struct model_kind *k)
{
    if (k->flags & MODEL_MEMORY)
        return;
    add_kind(b, k);
    for (const struct model_operation *op = model_operations; op->name; op++)
        if (!op->streams &&
            (op->kind == k->number ||
             (op->kind == PV_KIND_NONE && k->owner == PV_KIND_NONE && (k->flags & MODEL_SYNCED))))
            add_operation(b, op, k);
}

/* People meet VMs first; the tables of the model begin with what is referred to. Devices come last.
 */
static const enum pv_kind first_kinds[] = {
    PV_KIND_vm,         PV_KIND_snapshot,      PV_KIND_host,      PV_KIND_cluster,
    PV_KIND_datacenter, PV_KIND_resource_pool, PV_KIND_datastore, PV_KIND_network,
    PV_KIND_switch,     PV_KIND_provider,      PV_KIND_task,      PV_KIND_event,
    PV_KIND_folder,     PV_KIND_tag,           PV_KIND_user,      PV_KIND_token,
    PV_KIND_audit,
};

static bool is_about(const struct command *cmd, const char *noun)
{
    size_t len = strlen(noun);

    return strncmp(cmd->words, noun, len) == 0 &&
           (cmd->words[len] == ' ' || cmd->words[len] == '\0');
}

/* Moves what is about a noun from one list to the end of the other. */
static void take(struct builder *from, struct builder *to, const char *noun)
{
    for (size_t i = 0; i < from->n; i++)
        if (from->commands[i].words && (!noun || is_about(&from->commands[i], noun))) {
            to->commands[to->n++] = from->commands[i];
            from->commands[i].words = NULL;
        }
}

/* The order of help: signing in, kind by kind (reading before changing), everything else. */
static bool sort_commands(struct builder *b, struct builder *out)
{
    static const char *const first[] = { "login", "logout", "setup", "context" };

    out->commands = arena_alloc(b->arena, COMMANDS_MAX * sizeof(*out->commands));
    if (!out->commands)
        return false;
    for (size_t i = 0; i < PV_COUNT(first); i++)
        take(b, out, first[i]);
    for (size_t i = 0; i < PV_COUNT(first_kinds); i++) {
        const char *noun = typed(b->arena, model_kind(first_kinds[i])->name);

        take(b, out, arena_printf(b->arena, "%s list", noun));
        take(b, out, arena_printf(b->arena, "%s show", noun));
        take(b, out, noun);
    }
    for (size_t i = 0; model_kind_at(i); i++)
        take(b, out, typed(b->arena, model_kind_at(i)->name));
    take(b, out, NULL);
    return true;
}

const struct command *commands_build(struct arena *a)
{
    struct builder b = { .arena = a,
                         .commands = arena_alloc(a, COMMANDS_MAX * sizeof(*b.commands)) },
                   sorted = { .arena = a };

    if (!b.commands)
        return NULL;
    for (size_t i = 0; i < PV_COUNT(written); i++)
        for (const struct command *cmd = written[i]; cmd->words; cmd++) {
            char *words = arena_strdup(a, cmd->words);
            struct command copy = *cmd;

            if (words)
                words[strcspn(words, " ")] = '\0';
            for (char *p = words; p && *p; p++)
                *p = *p == '-' ? '_' : *p;
            if (words && !copy.kind)
                copy.kind = model_kind_by_name(words);
            add(&b, &copy);
        }
    for (size_t i = 0; model_kind_at(i); i++)
        add_model(&b, model_kind_at(i));
    return b.failed || !sort_commands(&b, &sorted) ? NULL : sorted.commands;
}
