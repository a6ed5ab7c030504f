/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cli - one run of the command line client: what was typed, where to ask, how to answer.
 *
 * The command table (commands.c) is the only list of commands: parsing, help,
 * the man page and completion all walk it. Verbs, their flags and the columns
 * of lists come from the model's tables.
 *
 * A command returns PV_OK or a negative enum pv_rc with `err` filled; main()
 * prints it and turns it into an exit code. c->exit_code overrides that code.
 *
 * Ownership: texts live in c->arena until the program ends. One thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <polyvisor/arena.h>
#include <polyvisor/buf.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/model.h>

#define API "/api/v1"
#define CLI_ARGS_MAX 1000
#define CLI_FLAGS_MAX 128

/* What the program ends with; scripts rely on the numbers. */
enum cli_exit {
    CLI_OK = 0,
    CLI_ERROR = 1,
    CLI_USAGE = 2,
    CLI_NOT_FOUND = 3,
    CLI_DENIED = 4,
    CLI_CONFLICT = 5,
    CLI_TIMEOUT = 6,
    CLI_PARTLY = 7,
    CLI_DETACHED = 130, /* Ctrl-C while waiting: what was asked for goes on */
};

enum cli_output { OUT_TSV, OUT_TABLE, OUT_WIDE, OUT_JSON, OUT_JSONL, OUT_YAML, OUT_CSV, OUT_NAME };

/* Sets of flags that many commands share. */
enum cli_group {
    GROUP_LIST = 1,   /* --filter --sort --limit --all --count */
    GROUP_FIELDS = 2, /* --fields */
    GROUP_WAIT = 4,   /* --wait --timeout */
    GROUP_MANY = 8,   /* --filter as a selection, --max-parallel ... */
    GROUP_DRY_RUN = 16,
    GROUP_YES = 32,
};

struct cli;

struct command {
    const char *words;               /* "vm snapshot create" */
    const char *args;                /* "VM SNAPSHOT...", "" if it takes none */
    const char *doc;                 /* one sentence */
    const char *more;                /* further text for --help and the man page, or NULL */
    const struct model_param *flags; /* its own flags, or NULL */
    unsigned groups;
    int (*run)(struct cli *c, struct pv_err *err);
    const struct model_kind *kind; /* what its first argument names; for completion, too */
    const struct model_operation *op;
    size_t least, most; /* number of arguments; most 0 with args: any number */
    bool hidden;
};

/* One flag as it was typed. */
struct cli_flag {
    const struct model_param *param;
    const char *value; /* "true" or "false" for switches */
};

struct cli {
    struct arena *arena;
    const struct command *commands; /* ended by words == NULL */
    const struct command *command;
    const char *path; /* words typed so far, where there is no whole command */
    const char *args[CLI_ARGS_MAX];
    size_t nargs;
    struct cli_flag flags[CLI_FLAGS_MAX];
    size_t nflags;
    bool wants_help;

    enum cli_output output;
    bool in_tty, out_tty, err_tty, color, quiet;

    /* Where to ask; filled by context_choose(). */
    const char *url, *token, *fingerprint, *ca_file, *context_name;
    struct httpc *http;

    json_t *problem; /* the server's problem document, if that was the failure */
    int exit_code;   /* < 0: decided by the error */
};

/* ------------------------------------------------------------------ commands.c, parse.c */

/* NULL: no memory. */
const struct command *commands_build(struct arena *a);
extern const struct model_param cli_global_flags[];
/* The flags of a group; NULL-terminated list of tables for a command, at most 8. */
size_t command_flag_tables(const struct command *cmd, const struct model_param *out[8]);

int cli_parse(struct cli *c, int argc, char **argv, struct pv_err *err);
/* Last value of a flag by its parameter name ("no_header"), or NULL. */
const char *cli_flag(const struct cli *c, const char *name);
bool cli_flag_on(const struct cli *c, const char *name, bool otherwise);
uint64_t cli_flag_number(const struct cli *c, const char *name, uint64_t otherwise);
/* Value of the nth use of a repeated flag, or NULL. */
const char *cli_flag_nth(const struct cli *c, const char *name, size_t n);
/* A wrong command line: exit code 2. */
int cli_usage(struct cli *c, struct pv_err *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Flags of a table as a JSON object, with the types of the table; what is required must be there.
 */
int cli_body(struct cli *c, const struct model_param *table, json_t **out, struct pv_err *err);
/* params.c: the flags of an operation's parameters, members of objects with a dot in their name;
 * and what they say. */
const struct model_param *params_flags(struct arena *a, const struct model_param *table);
int params_read(struct cli *c, const struct model_param *table, json_t **out, struct pv_err *err);
/* "--timeout-s" of "timeout_s". */
const char *cli_flag_text(struct arena *a, const char *name);
/* The buffer's text in the arena; the buffer is empty after. NULL: it failed. */
const char *cli_keep(struct cli *c, struct buf *b);
/* access_rights.c: "everything", "folder:ID", "provider:NAME", "object:ID" or a filter, as a scope.
 */
json_t *cli_scope(const char *on);
/* "90", "5m", "2h", "7d" as milliseconds. */
bool cli_duration(const char *text, int64_t *ms);

/* ------------------------------------------------------------------ help.c, man.c, complete.c */

void help_print(const struct cli *c, struct buf *out);
void man_print(const struct cli *c, struct buf *out);
/* Lines "word<TAB>description" for the last of the words. */
void complete_print(struct cli *c, struct buf *out);
const char *complete_script(const char *shell);
/* What a flag takes: "N", "yes|no", "TEXT". */
void flag_value_text(const struct model_param *p, struct buf *out);

/* ------------------------------------------------------------------ failure.c */

int failure_exit(const struct cli *c, const struct pv_err *err);
void failure_print(const struct cli *c, const struct pv_err *err);
/* Takes a problem document (of an answer or of a task) into err and c->problem. */
int failure_take(struct cli *c, json_t *problem, long status, struct pv_err *err);

/* ------------------------------------------------------------------ the groups of commands */

extern const struct command login_commands[], context_commands[], own_commands[],
    channel_commands[], provider_commands[], access_commands[], rights_commands[], task_commands[],
    event_commands[], system_commands[], bulk_commands[], transfer_commands[], balance_commands[];
int object_list(struct cli *c, struct pv_err *err);
int object_show(struct cli *c, struct pv_err *err);
int object_edit(struct cli *c, struct pv_err *err);
int object_tag(struct cli *c, struct pv_err *err);
int object_wait(struct cli *c, struct pv_err *err);
int object_delete(struct cli *c, struct pv_err *err);
int operation_run(struct cli *c, struct pv_err *err);
extern const struct model_param edit_flags[], wait_for_flags[];

/* The path segment that names an object: its id, or name:... percent-encoded. NULL after err is
 * filled. */
const char *object_segment(struct cli *c, const struct model_kind *kind, const char *text,
                           struct pv_err *err);
/* Commands of what people make here (folder, tag, group, role): made and changed by the flags of
 * the command's table. */
int object_create(struct cli *c, struct pv_err *err);
int object_change(struct cli *c, struct pv_err *err);
/* Changes the object that the first argument names; takes the body. */
int object_patch(struct cli *c, json_t *body, struct pv_err *err);
/* The object as a document, or "NAME is WHAT."; takes the object. */
int object_tell(struct cli *c, json_t *object, const char *what, struct pv_err *err);
/* Its id, asking the server if a name was given. */
int object_id(struct cli *c, const struct model_kind *kind, const char *text, const char **id,
              struct pv_err *err);

/* tasks.c: waits if the flags say so, tells what came of it. Takes the task over. */
int task_finish(struct cli *c, json_t *task, struct pv_err *err);
/* How long to wait for an answer: --timeout or `otherwise`. */
int64_t task_deadline_ms(const struct cli *c, int64_t otherwise_ms);
/* providers.c: prints the steps of a probe; false if one failed. */
bool findings_print(struct cli *c, const json_t *findings);
/* login.c */
/* A file that a flag names, "-" is standard input. Owned by the caller. */
int file_read(struct cli *c, const char *path, size_t max, char **out, struct pv_err *err);
int secret_read(struct cli *c, const char *flag, const char *env, const char *prompt, char **out,
                struct pv_err *err);
/* The same by --password-file, the variable or the prompt, into the body's "password". */
int secret_put(struct cli *c, json_t *body, const char *variable, const char *prompt,
               struct pv_err *err);
