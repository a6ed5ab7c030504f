/* SPDX-License-Identifier: Apache-2.0 */
/* Following events: server-sent events with reconnection from the last number seen, so that none is
 * lost. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/clock.h>
#include <polyvisor/str.h>

#include "server/cli/client.h"
#include "server/cli/output.h"

#define EVENT_MAX (4u << 20)

static const struct model_param follow_flags[] = {
    { .name = "types",
      .type = PARAM_TEXT,
      .max = 1024,
      .doc = "Only these types: vm.*,task.finished" },
    { .name = "filter",
      .type = PARAM_TEXT,
      .max = 4096,
      .doc = "Only events that match: 'severity:error provider:vc1'." },
    { .name = "since",
      .type = PARAM_INT,
      .doc = "Begin after the event with this number; else with what happens now." },
    { .name = "reconnect",
      .type = PARAM_BOOL,
      .doc = "Connect again when the connection ends (the default); --no-reconnect ends, too." },
    { 0 },
};

struct follower {
    struct cli *c;
    struct buf data; /* of the event that is arriving */
    char id[32];     /* last event that was shown whole */
    char arriving[32];
    char type[80];
    bool any; /* something came over this connection */
};

static int show(struct follower *f, struct pv_err *err)
{
    struct cli *c = f->c;
    json_error_t why;
    json_t *event = json_loadb(f->data.data, f->data.len, 0, &why);
    struct buf line, clean;
    const char *time, *name, *message;
    struct column when = { .type = MODEL_TIME };
    char *text;
    int rc;

    if (!event)
        return pv_fail(err, PV_EIO, "an event is not JSON: %s", why.text);
    buf_init(&line, EVENT_MAX * 2);
    buf_init(&clean, EVENT_MAX * 4);
    if (strcmp(f->type, "reset") == 0) {
        json_decref(event);
        term_note(c, "Some events are no longer kept: what follows begins anew. Read lists again.");
        return PV_OK;
    }
    if (c->output == OUT_YAML) {
        buf_text(&line, "- ");
        yaml_write(&line, event, 2);
    } else if (c->output == OUT_TABLE || c->output == OUT_WIDE || c->output == OUT_TSV ||
               c->output == OUT_CSV) {
        time = json_string_value(json_object_get(event, "time"));
        name = json_string_value(json_at(event, "ref.name"));
        message = json_string_value(json_object_get(event, "message"));
        if (time && c->output != OUT_TSV)
            cell_write(&line, &when, json_object_get(event, "time"), true);
        else
            buf_text(&line, time ? time : "");
        buf_printf(&line, c->output == OUT_TSV ? "\t%s\t%s\t%s" : "  %-24s  %-24s  %s", f->type,
                   name ? name : "", message ? message : "");
        if (!message) {
            const json_t *change;
            size_t i;

            json_array_foreach(json_object_get(event, "changes"), i, change)
            {
                struct column plain = { .type = MODEL_STR };
                const char *field = json_string_value(json_object_get(change, "field"));

                buf_printf(&line, "%s%s ", i ? ", " : "", field ? field : "?");
                cell_write(&line, &plain,
                           json_object_get(change, "from") ? json_object_get(change, "from")
                                                           : json_null(),
                           true);
                buf_text(&line, " -> ");
                cell_write(&line, &plain,
                           json_object_get(change, "to") ? json_object_get(change, "to")
                                                         : json_null(),
                           true);
            }
        }
        while (line.len > 0 && line.data[line.len - 1] == ' ')
            line.data[--line.len] = '\0';
    } else {
        text = json_dumps(event, JSON_COMPACT);
        buf_text(&line, text ? text : "{}");
        free(text);
    }
    json_decref(event);
    if (c->output == OUT_YAML)
        term_clean_lines(&clean, line.data ? line.data : "", line.len);
    else if (c->out_tty)
        term_clean(&clean, line.data ? line.data : "", line.len);
    else
        buf_append(&clean, line.data ? line.data : "", line.len);
    if (c->output != OUT_YAML)
        buf_char(&clean, '\n');
    rc = term_out(clean.data ? clean.data : "", clean.len, err);
    /* Whoever reads must see it now. */
    if (rc == PV_OK && fflush(stdout) != 0)
        rc = term_out_failed(err);
    buf_free(&line);
    buf_free(&clean);
    return rc;
}

/* One line of the stream (the event stream format of HTML). */
static int each_line(void *ctx, const char *line, size_t len, struct pv_err *err)
{
    struct follower *f = ctx;
    const char *value;
    size_t name_len = 0;
    int rc = PV_OK;

    f->any = true;
    if (len == 0) {
        if (f->data.len > 0)
            rc = show(f, err);
        if (rc == PV_OK && f->arriving[0])
            str_copy(f->id, sizeof(f->id), f->arriving);
        buf_reset(&f->data);
        f->type[0] = '\0';
        return rc;
    }
    if (line[0] == ':')
        return PV_OK;
    while (name_len < len && line[name_len] != ':')
        name_len++;
    value = line + name_len + (name_len < len);
    len -= (size_t)(value - line);
    if (len > 0 && *value == ' ') {
        value++;
        len--;
    }
    if (name_len == 2 && memcmp(line, "id", 2) == 0)
        str_copy_n(f->arriving, sizeof(f->arriving), value, len);
    else if (name_len == 5 && memcmp(line, "event", 5) == 0)
        str_copy_n(f->type, sizeof(f->type), value, len);
    else if (name_len == 4 && memcmp(line, "data", 4) == 0) {
        if (f->data.len > 0)
            buf_char(&f->data, '\n');
        buf_append(&f->data, value, len);
    }
    return buf_ok(&f->data) ? PV_OK
                            : pv_fail(err, PV_EIO, "an event is larger than %u bytes", EVENT_MAX);
}

static int event_follow(struct cli *c, struct pv_err *err)
{
    static const char *const queries[] = { "types", "filter", "since" };
    struct follower f = { .c = c };
    struct backoff pause = { .first_ms = 500, .most_ms = 15000 };
    struct buf path;
    bool told = false;
    int rc;

    buf_init(&f.data, EVENT_MAX);
    buf_init(&path, 64u << 10);
    buf_text(&path, API "/events/stream");
    for (size_t i = 0; i < PV_COUNT(queries); i++)
        if (cli_flag(c, queries[i]))
            client_query(&path, queries[i], cli_flag(c, queries[i]));
    for (;;) {
        f.any = false;
        buf_reset(&f.data);
        f.type[0] = f.arriving[0] = '\0';
        rc = client_lines(c, path.data, "text/event-stream", f.id[0] ? f.id : NULL, each_line, &f,
                          err);
        if (f.any)
            backoff_reset(&pause);
        /* A refusal of the server stays one; a lost connection does not. */
        if (c->problem || !cli_flag_on(c, "reconnect", true) ||
            (rc != PV_OK && rc != PV_EOFFLINE && rc != PV_ETIMEOUT && rc != PV_EIO) ||
            (rc == PV_EIO && ferror(stdout)) || (rc != PV_OK && !told && !f.any && !f.id[0]))
            break;
        told = true;
        term_note(c, "The connection ended; following on from event %s.", f.id[0] ? f.id : "now");
        *err = (struct pv_err){ 0 };
        clock_sleep_ms(backoff_next_ms(&pause));
    }
    buf_free(&f.data);
    buf_free(&path);
    return rc;
}

const struct command event_commands[] = {
    { .words = "event follow",
      .args = "",
      .doc = "Show events as they happen, until Ctrl-C.",
      .flags = follow_flags,
      .run = event_follow,
      .more = "A connection that breaks is made again, and nothing between is lost.\n"
              "  polyvisor event follow --types 'vm.*' --filter 'provider:vc1' -o json" },
    { 0 },
};
