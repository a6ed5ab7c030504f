/* SPDX-License-Identifier: Apache-2.0 */
/* The manual page polyvisor(1), from the command table. */
#include <string.h>

#include "server/cli/cli.h"

/* Text for troff: backslashes and leading dots mean something there, and a plain minus becomes a
 * hyphen. */
static void put(struct buf *out, const char *text)
{
    for (const char *p = text; *p; p++) {
        if ((*p == '.' || *p == '\'') && (p == text || p[-1] == '\n'))
            buf_text(out, "\\&");
        if (*p == '\\')
            buf_text(out, "\\e");
        else if (*p == '-')
            buf_text(out, "\\-");
        else
            buf_char(out, *p);
    }
}

static void put_flags(const struct cli *c, const struct model_param *table, struct buf *out)
{
    for (const struct model_param *p = table; p && p->name; p++) {
        struct buf value;

        buf_init(&value, 1024);
        flag_value_text(p, &value);
        buf_text(out, ".TP\n\\fB");
        put(out, cli_flag_text(c->arena, p->name));
        buf_text(out, "\\fR");
        if (value.len > 0) {
            buf_text(out, " \\fI");
            put(out, value.data);
            buf_text(out, "\\fR");
        }
        buf_char(out, '\n');
        put(out, p->doc);
        buf_char(out, '\n');
        buf_free(&value);
    }
}

static void put_command(const struct cli *c, const struct command *cmd, struct buf *out)
{
    buf_text(out, ".SS \"polyvisor ");
    put(out, cmd->words);
    if (*cmd->args) {
        buf_char(out, ' ');
        put(out, cmd->args);
    }
    buf_text(out, "\"\n");
    put(out, cmd->doc);
    buf_char(out, '\n');
    if (cmd->more) {
        buf_text(out, ".PP\n.nf\n");
        put(out, cmd->more);
        buf_text(out, "\n.fi\n");
    }
    /* Flags that many commands share are explained once, at the end. */
    put_flags(c, cmd->flags, out);
}

void man_print(const struct cli *c, struct buf *out)
{
    static const struct {
        unsigned group;
        const char *title;
    } groups[] = {
        { GROUP_LIST, "Flags of list" },
        { GROUP_FIELDS, "Flags of list and show" },
        { GROUP_MANY, "Flags of commands that may work on many objects" },
        { GROUP_WAIT, "Flags of commands that wait" },
        { GROUP_DRY_RUN, "Flags of commands that can be tried" },
        { GROUP_YES, "Flags of commands that ask" },
    };

    buf_text(out,
             ".TH POLYVISOR 1 \"\" \"Polyvisor " PV_VERSION "\" \"User Commands\"\n"
             ".SH NAME\npolyvisor \\- manage virtual machines of VMware and Hyper-V\n"
             ".SH SYNOPSIS\n.B polyvisor\n\\fINOUN\\fR \\fIVERB\\fR [\\fINAME\\fR...] [flags]\n"
             ".SH DESCRIPTION\n"
             "polyvisor is a client of a Polyvisor server. Objects are called by name or id; a "
             "name that several have\n"
             "is refused, with their ids. Lists take the filter language of the API.\n"
             ".SH COMMANDS\n");
    for (const struct command *cmd = c->commands; cmd->words; cmd++)
        if (!cmd->hidden)
            put_command(c, cmd, out);
    buf_text(out, ".SH FLAGS\n.SS \"Flags of every command\"\n");
    put_flags(c, cli_global_flags, out);
    for (size_t i = 0; i < PV_COUNT(groups); i++) {
        const struct command only = { .groups = groups[i].group };
        const struct model_param *tables[8];

        buf_printf(out, ".SS \"%s\"\n", groups[i].title);
        if (command_flag_tables(&only, tables) == 1)
            put_flags(c, tables[0], out);
    }
    buf_text(out,
             ".SH ENVIRONMENT\n"
             ".TP\n\\fBPOLYVISOR_URL\\fR, \\fBPOLYVISOR_TOKEN\\fR\nServer and token, instead of a "
             "context's.\n"
             ".TP\n\\fBPOLYVISOR_FINGERPRINT\\fR, \\fBPOLYVISOR_CA\\fR\nHow the server's "
             "certificate is checked.\n"
             ".TP\n\\fBPOLYVISOR_CONTEXT\\fR\nContext to use.\n"
             ".TP\n\\fBPOLYVISOR_CONFIG\\fR\nFile with the contexts.\n"
             ".TP\n\\fBPOLYVISOR_PASSWORD\\fR, \\fBPOLYVISOR_PROVIDER_PASSWORD\\fR, "
             "\\fBPOLYVISOR_USER_PASSWORD\\fR\n"
             "Passwords for login and setup, for providers, for users, where no file is given.\n"
             ".TP\n\\fBNO_COLOR\\fR\nNo colours.\n"
             ".SH FILES\n.TP\n\\fI~/.config/polyvisor/config.json\\fR\nContexts with their tokens; "
             "readable by you alone.\n"
             ".SH EXIT STATUS\n.TS\ntab(;);\nl l.\n0;all is well\n1;it failed\n2;wrong "
             "usage\n3;not found\n4;not allowed\n"
             "5;conflict, or a name that several have\n6;timeout\n7;some objects succeeded and "
             "some failed\n130;Ctrl-C\n.TE\n");
}
