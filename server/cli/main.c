/* SPDX-License-Identifier: Apache-2.0 */
/* polyvisor: the command line client. */
#include "server/cli/cli.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <polyvisor/httpc.h>
#include <polyvisor/str.h>

#include "server/cli/term.h"

/* What is typed before the command is known decides already how errors look: -o json. */
static void choose_output(struct cli *c)
{
    static const struct {
        const char *name;
        enum cli_output output;
    } names[] = { { "table", OUT_TABLE }, { "wide", OUT_WIDE }, { "json", OUT_JSON },
                  { "jsonl", OUT_JSONL }, { "yaml", OUT_YAML }, { "csv", OUT_CSV },
                  { "name", OUT_NAME } };
    const char *wanted = cli_flag(c, "output");

    for (size_t i = 0; wanted && i < PV_COUNT(names); i++)
        if (strcmp(names[i].name, wanted) == 0)
            c->output = names[i].output;
}

static void look_at_terminal(struct cli *c)
{
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");

    c->in_tty = isatty(STDIN_FILENO) == 1;
    c->out_tty = isatty(STDOUT_FILENO) == 1;
    c->err_tty = isatty(STDERR_FILENO) == 1;
    c->color = c->out_tty && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
    c->output = c->out_tty ? OUT_TABLE : OUT_TSV;
}

static int print_help(struct cli *c, FILE *to)
{
    struct buf out;

    buf_init(&out, 1u << 20);
    help_print(c, &out);
    fputs(out.data ? out.data : "", to);
    buf_free(&out);
    return fflush(to) == 0 ? CLI_OK : CLI_ERROR;
}

/* polyvisor __complete WORD... and __man: asked for by scripts, never by people; their words are no
 * flags of ours. */
static int run_hidden(struct cli *c, int argc, char **argv)
{
    struct buf out;

    buf_init(&out, 8u << 20);
    if (strcmp(argv[1], "__man") == 0) {
        man_print(c, &out);
    } else {
        for (int i = 2; i < argc && c->nargs < CLI_ARGS_MAX; i++)
            c->args[c->nargs++] = argv[i];
        complete_print(c, &out);
    }
    fputs(out.data ? out.data : "", stdout);
    buf_free(&out);
    return fflush(stdout) == 0 ? CLI_OK : CLI_ERROR;
}

static int run(struct cli *c, int argc, char **argv, struct pv_err *err)
{
    int rc = cli_parse(c, argc, argv, err);

    choose_output(c);
    c->quiet = cli_flag_on(c, "quiet", false);
    if (rc != PV_OK)
        return rc;
    if (c->wants_help) {
        c->exit_code = print_help(c, stdout);
        return PV_OK;
    }
    if (!c->command) {
        print_help(c, stderr);
        c->exit_code = CLI_USAGE;
        return PV_OK;
    }
    return c->command->run(c, err);
}

int main(int argc, char **argv)
{
    struct cli c = { .exit_code = -1 };
    struct pv_err err = { 0 };
    int code;

    signal(SIGPIPE, SIG_IGN);
    c.arena = arena_new(256u << 10, 1u << 30);
    c.commands = c.arena ? commands_build(c.arena) : NULL;
    if (!c.commands || httpc_global_init(&err) != PV_OK) {
        fprintf(stderr, "polyvisor: there is no memory to start with\n");
        return CLI_ERROR;
    }
    look_at_terminal(&c);
    if (argc > 1 && (strcmp(argv[1], "__man") == 0 || strcmp(argv[1], "__complete") == 0)) {
        code = run_hidden(&c, argc, argv);
    } else if (run(&c, argc, argv, &err) == PV_OK) {
        code = c.exit_code < 0 ? CLI_OK : c.exit_code;
        if (fflush(stdout) != 0)
            code = CLI_ERROR;
    } else {
        (void)fflush(stdout);
        if (err.message[0])
            failure_print(&c, &err);
        code = failure_exit(&c, &err);
    }
    httpc_free(c.http);
    json_decref(c.problem);
    arena_free(c.arena);
    httpc_global_cleanup();
    return code;
}
