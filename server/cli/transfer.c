/* SPDX-License-Identifier: Apache-2.0 */
/* Files on their way into datastores; what was cut goes on where it ended. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <polyvisor/clock.h>
#include <polyvisor/str.h>

#include "server/cli/client.h"
#include "server/cli/output.h"
#include "server/cli/transfer.h"

#define PIECE_FIRST ((size_t)1 << 20)
#define PIECE_MOST ((size_t)8 << 20) /* the server takes no larger one */
#define PIECE_FAST_MS 1000
#define PIECE_SLOW_MS 4000
/* Of a server that does not answer. */
#define PATIENCE_MS 60000
#define WAIT_FIRST_MS 500
#define WAIT_MOST_MS 10000
#define SHOW_EVERY_MS 200

const char *transfer_last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

void transfer_forget(struct cli *c, struct pv_err *err)
{
    json_decref(c->problem);
    c->problem = NULL;
    *err = (struct pv_err){ 0 };
}

bool transfer_refused(const struct cli *c)
{
    json_int_t status = json_integer_value(json_object_get(c->problem, "status"));

    return status >= 400 && status < 500 && status != 429;
}

/* ------------------------------------------------------------------ the command that goes on */

static void put_word(struct buf *out, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./:=@%+,";

    buf_char(out, ' ');
    if (*word && word[strspn(word, plain)] == '\0') {
        buf_text(out, word);
        return;
    }
    buf_char(out, '\'');
    for (const char *p = word; *p; p++)
        if (*p == '\'')
            buf_text(out, "'\\''");
        else
            buf_char(out, *p);
    buf_char(out, '\'');
}

/* As it was typed, with one flag more unless it is there (NULL: none). */
static const char *same_command(struct cli *c, const char *more)
{
    struct buf out;

    buf_init(&out, 64u << 10);
    buf_printf(&out, "polyvisor %s", c->command->words);
    for (size_t i = 0; i < c->nargs; i++)
        put_word(&out, c->args[i]);
    for (size_t i = 0; i < c->nflags; i++) {
        const struct cli_flag *f = &c->flags[i];
        const char *name = cli_flag_text(c->arena, f->param->name) + 2;

        if (f->param->type != PARAM_BOOL) {
            buf_printf(&out, " --%s", name);
            put_word(&out, f->value);
        } else {
            buf_printf(&out, " --%s%s", strcmp(f->value, "false") == 0 ? "no-" : "", name);
        }
    }
    if (more && !cli_flag_on(c, more, false))
        buf_printf(&out, " %s", cli_flag_text(c->arena, more));
    return cli_keep(c, &out);
}

int transfer_leave(struct cli *c, int rc, const char *more, const char *where, uint64_t done,
                   struct pv_err *err)
{
    const char *again = same_command(c, more);
    struct buf size;

    again = again ? again : "The same command";
    if (!term_interrupted()) {
        pv_err_remedy(err, "%s goes on where it ended.",
                      strlen(again) < sizeof(err->remedy) - 40 ? again
                      : more                                   ? "The same command with --continue"
                                                               : "The same command");
        return rc;
    }
    buf_init(&size, 64);
    term_bytes(&size, done);
    fputc('\n', stderr);
    term_note(c, "Stopped; %s %s. It goes on by:\n%s", size.data ? size.data : "?", where, again);
    buf_free(&size);
    transfer_forget(c, err);
    c->exit_code = CLI_DETACHED;
    return PV_OK;
}

/* ------------------------------------------------------------------ progress */

void transfer_show(const struct cli *c, struct transfer_pace *p, uint64_t done)
{
    int64_t now = clock_mono_ms(), took = now - p->began_ms;
    struct buf text;

    if (!c->err_tty || c->quiet || now - p->shown_ms < SHOW_EVERY_MS)
        return;
    p->shown_ms = now;
    buf_init(&text, 512);
    term_bytes(&text, done);
    buf_text(&text, " of ");
    term_bytes(&text, p->total);
    if (took > 0 && done > p->first) {
        double rate = (double)(done - p->first) / (double)took; /* bytes a millisecond */

        buf_text(&text, ", ");
        term_bytes(&text, (uint64_t)(rate * 1000));
        buf_text(&text, "/s, ");
        term_duration(&text, (int64_t)((double)(p->total - done) / rate));
        buf_text(&text, " left");
    }
    term_progress(c, p->total ? (int)((double)done * 100 / (double)p->total) : 100,
                  text.data ? text.data : "");
    buf_free(&text);
}

/* ------------------------------------------------------------------ upload */

static const struct model_param upload_flags[] = {
    { .name = "path",
      .type = PARAM_TEXT,
      .max = 1024,
      .doc = "Where it is to be; with / at its end a folder. The file's own name unless given." },
    { .name = "overwrite", .type = PARAM_BOOL, .doc = "Take the place of a file that is there." },
    { 0 },
};

struct upload {
    struct cli *c;
    int fd;
    uint64_t size, offset;
    int64_t changed_ms; /* of the file */
    const char *store;  /* id */
    const char *path, *id;
    json_t *now; /* as the server said last; owned */
    struct transfer_pace pace;
};

static const char *state_of(const struct upload *u)
{
    const char *state = json_string_value(json_object_get(u->now, "state"));

    return state ? state : "";
}

/* Takes the server's document. */
static void take_state(struct upload *u, json_t *now)
{
    const char *id = json_string_value(json_object_get(now, "id"));
    json_int_t offset = json_integer_value(json_object_get(now, "offset_bytes"));

    if (!u->id && id)
        u->id = arena_strdup(u->c->arena, id);
    u->offset = offset > 0 && (uint64_t)offset <= u->size ? (uint64_t)offset : 0;
    json_decref(u->now);
    u->now = now;
}

static int open_file(struct upload *u, const char *file, struct pv_err *err)
{
    struct stat st;

    u->fd = open(file, O_RDONLY | O_CLOEXEC);
    if (u->fd < 0 || fstat(u->fd, &st) != 0) {
        u->c->exit_code = CLI_ERROR; /* "not found" is said of objects */
        return pv_fail_os(err, errno, "cannot read %s", file);
    }
    if (!S_ISREG(st.st_mode))
        return cli_usage(u->c, err, "%s is no file with an end: its size must be known", file);
    u->size = (uint64_t)st.st_size;
    u->changed_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
    return PV_OK;
}

static const char *upload_path(struct cli *c, const char *file)
{
    const char *path = cli_flag(c, "path");

    if (!path || !*path)
        return transfer_last_part(file);
    return str_ends(path, "/") ? arena_printf(c->arena, "%s%s", path, transfer_last_part(file))
                               : path;
}

static const char *own_id(struct cli *c, struct pv_err *err)
{
    json_t *me = NULL;
    const char *id = NULL;

    if (client_get(c, API "/me", &me, err) == PV_OK) {
        id = json_string_value(json_at(me, "user.id"));
        id = id ? arena_strdup(c->arena, id) : NULL;
        if (!id)
            pv_fail(err, PV_EIO, "the server does not say who you are");
    }
    json_decref(me);
    return id;
}

/* Our newest unfinished upload of the same file to the same place, unless the file has been changed
 * since. u->now stays NULL if there is none. */
static int find_unfinished(struct upload *u, bool overwrite, struct pv_err *err)
{
    struct cli *c = u->c;
    const char *me = own_id(c, err), *created;
    json_t *answer = NULL, *found;
    struct buf filter, path;
    int64_t began;
    int rc;

    if (!me)
        return err->rc;
    buf_init(&filter, 16384);
    buf_init(&path, 65536);
    buf_printf(&filter,
               "datastore:%s created_by:%s state:receiving size_bytes=%" PRIu64
               " overwrite:%s path=\"",
               u->store, me, u->size, overwrite ? "true" : "false");
    for (const char *p = u->path; *p; p++)
        buf_printf(&filter, "%s%c", *p == '"' || *p == '\\' ? "\\" : "", *p);
    buf_char(&filter, '"');
    buf_text(&path, API "/uploads");
    client_query(&path, "filter", filter.data ? filter.data : "");
    client_query(&path, "sort", "-created_at");
    client_query(&path, "view", "full");
    client_query(&path, "limit", "1");
    rc = client_get(c, path.data, &answer, err);
    buf_free(&filter);
    buf_free(&path);
    found = json_array_get(json_object_get(answer, "items"), 0);
    created = json_string_value(json_object_get(found, "created_at"));
    if (rc == PV_OK && created && clock_parse(created, strlen(created), &began)) {
        if (began >= u->changed_ms)
            take_state(u, json_incref(found));
        else
            term_note(c, "The file was changed after an upload of it began: it is sent anew.");
    }
    json_decref(answer);
    return rc;
}

static int begin_upload(struct upload *u, bool overwrite, struct pv_err *err)
{
    struct call call = { .once = true };
    json_t *body = json_pack("{s:s, s:I, s:b}", "path", u->path, "size_bytes", (json_int_t)u->size,
                             "overwrite", overwrite),
           *now = NULL;
    int rc;

    if (!body)
        return cli_usage(u->c, err, "the path is not UTF-8");
    rc =
        client_call(u->c, "POST", arena_printf(u->c->arena, API "/datastores/%s/uploads", u->store),
                    body, &call, &now, err);
    json_decref(body);
    if (rc == PV_OK && !json_object_get(now, "id"))
        rc = pv_fail(err, PV_EIO, "the server's answer has no id");
    if (rc == PV_OK)
        take_state(u, json_incref(now));
    else if (strcmp(pv_err_problem(err)->code, "name-taken") == 0) {
        pv_err_remedy(err, "--overwrite takes its place, --path gives another name.");
        json_object_set_new(u->c->problem, "remedy", json_string(err->remedy));
    }
    json_decref(now);
    return rc;
}

static int look(struct upload *u, struct call *call, struct pv_err *err)
{
    json_t *now = NULL;
    int rc = client_call(u->c, "GET", arena_printf(u->c->arena, API "/uploads/%s", u->id), NULL,
                         call, &now, err);

    if (rc == PV_OK && now)
        take_state(u, now);
    return rc;
}

static int read_piece(const struct upload *u, char *piece, size_t len, struct pv_err *err)
{
    size_t have = 0;

    while (have < len) {
        ssize_t n = pread(u->fd, piece + have, len - have, (off_t)(u->offset + have));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return pv_fail_os(err, errno, "cannot read %s", u->c->args[1]);
        if (n == 0)
            return pv_fail(err, PV_EFORMAT, "%s became shorter while it was sent", u->c->args[1]);
        have += (size_t)n;
    }
    return PV_OK;
}

/* One piece from where the server is. */
static int put_piece(struct upload *u, const char *piece, size_t len, struct call *call,
                     struct pv_err *err)
{
    json_t *now = NULL;
    int rc;

    call->bytes = piece;
    call->bytes_len = len;
    call->bytes_range = len ? arena_printf(u->c->arena, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
                                           u->offset, u->offset + len - 1, u->size)
                            : arena_printf(u->c->arena, "bytes */%" PRIu64, u->size);
    rc = client_call(u->c, "PUT", arena_printf(u->c->arena, API "/uploads/%s/content", u->id), NULL,
                     call, &now, err);
    if (rc == PV_OK && !now)
        rc = pv_fail(err, PV_EIO, "the server answered nothing to a piece");
    if (rc == PV_OK)
        take_state(u, now);
    return rc;
}

/* No answer, or a server that is busy: it may be otherwise in a moment. */
static bool is_passing(int rc, const struct call *call)
{
    if (call->status == 0)
        return rc == PV_EOFFLINE || rc == PV_EUNKNOWN || rc == PV_ETIMEOUT || rc == PV_EIO;
    return call->status == 429 || (call->status >= 502 && call->status <= 504);
}

/* After a failure: waits, and asks what the server has, until it says. */
static int get_over(struct upload *u, int rc, struct call *call, int64_t deadline,
                    struct pv_err *err)
{
    uint64_t was = u->offset;
    bool conflict = call->status == 409;
    int64_t pause = WAIT_FIRST_MS;

    while (rc != PV_OK) {
        struct pv_err why = *err;

        if (term_interrupted() || (!conflict && !is_passing(rc, call)) ||
            clock_mono_ms() >= deadline)
            return rc;
        if (!conflict)
            term_progress(u->c, -1, "The server does not answer; trying again ...");
        for (int64_t slept = 0; !conflict && slept < pause && !term_interrupted(); slept += 100)
            clock_sleep_ms(100);
        pause = pause * 2 < WAIT_MOST_MS ? pause * 2 : WAIT_MOST_MS;
        *call = (struct call){ 0 };
        *err = (struct pv_err){ 0 };
        rc = look(u, call, err);
        /* It is where we thought, and does not take the piece. */
        if (rc == PV_OK && conflict && u->offset == was && strcmp(state_of(u), "receiving") == 0) {
            *err = why;
            return why.rc;
        }
        conflict = false;
    }
    transfer_forget(u->c, err);
    return PV_OK;
}

static int send_all(struct upload *u, struct pv_err *err)
{
    char *piece = malloc(PIECE_MOST);
    int64_t deadline = clock_mono_ms() + PATIENCE_MS;
    size_t most = PIECE_FIRST;
    int rc = piece ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory for the file");

    u->pace =
        (struct transfer_pace){ .total = u->size, .first = u->offset, .began_ms = clock_mono_ms() };
    while (rc == PV_OK && strcmp(state_of(u), "receiving") == 0) {
        size_t len = u->size - u->offset < most ? (size_t)(u->size - u->offset) : most;
        struct call call = { 0 };
        int64_t began = clock_mono_ms(), took;

        transfer_show(u->c, &u->pace, u->offset);
        rc = read_piece(u, piece, len, err);
        if (rc != PV_OK)
            break;
        rc = put_piece(u, piece, len, &call, err);
        free(call.text);
        took = clock_mono_ms() - began;
        if (rc == PV_OK)
            deadline = clock_mono_ms() + PATIENCE_MS;
        else
            rc = get_over(u, rc, &call, deadline, err);
        if (took < PIECE_FAST_MS && most < PIECE_MOST)
            most *= 2;
        else if (took > PIECE_SLOW_MS && most > PIECE_FIRST)
            most /= 2;
    }
    free(piece);
    term_progress_end(u->c);
    return rc;
}

/* The server has all of it. */
static int finish_upload(struct upload *u, struct pv_err *err)
{
    const char *task_id = json_string_value(json_at(u->now, "task.id"));
    const char *reason = json_string_value(json_object_get(u->now, "reason"));
    json_t *task = NULL;
    int rc;

    if (task_id && term_interrupted()) {
        fputc('\n', stderr);
        term_note(u->c,
                  "All of it is at the server, which sends it on: polyvisor task wait %s waits.",
                  task_id);
        u->c->exit_code = CLI_DETACHED;
        return PV_OK;
    }
    if (!task_id)
        return pv_fail(err, PV_EIO, "the upload of %s ended as %s%s%s", u->path, state_of(u),
                       reason ? ": " : "", reason ? reason : "");
    rc = client_get(u->c, arena_printf(u->c->arena, API "/tasks/%s", task_id), &task, err);
    return rc == PV_OK ? task_finish(u->c, task, err) : rc;
}

static int run_upload(struct upload *u, struct pv_err *err)
{
    struct cli *c = u->c;
    bool overwrite = cli_flag_on(c, "overwrite", false);
    const struct model_kind *kind = model_kind(PV_KIND_datastore);
    struct buf have;
    int rc = open_file(u, c->args[1], err);

    u->path = upload_path(c, c->args[1]);
    if (rc == PV_OK)
        rc = object_id(c, kind, c->args[0], &u->store, err);
    if (rc == PV_OK)
        rc = find_unfinished(u, overwrite, err);
    if (rc == PV_OK && u->now) {
        buf_init(&have, 64);
        term_bytes(&have, u->offset);
        term_note(c, "Going on with an unfinished upload: %s are there.",
                  have.data ? have.data : "?");
        buf_free(&have);
    } else if (rc == PV_OK) {
        rc = begin_upload(u, overwrite, err);
    }
    if (rc != PV_OK)
        return rc;
    term_catch_interrupt(true);
    rc = send_all(u, err);
    if (rc != PV_OK && (term_interrupted() || !transfer_refused(c)))
        rc = transfer_leave(c, rc, NULL, "are at the server", u->offset, err);
    else if (rc == PV_OK)
        rc = finish_upload(u, err);
    term_catch_interrupt(false);
    return rc;
}

static int datastore_upload(struct cli *c, struct pv_err *err)
{
    struct upload u = { .c = c, .fd = -1 };
    int rc = task_deadline_ms(c, 0) < 0
                 ? cli_usage(c, err, "--timeout takes a duration: 90s, 5m, 2h")
                 : run_upload(&u, err);

    if (u.fd >= 0)
        close(u.fd);
    json_decref(u.now);
    return rc;
}

/* ------------------------------------------------------------------ the commands */

const struct command transfer_commands[] = {
    { .words = "datastore upload",
      .args = "DATASTORE FILE",
      .doc = "Put a file of this machine into a datastore.",
      .more = "  polyvisor datastore upload ds1 linux.iso --path iso/\n"
              "An upload that was cut off goes on by the same command, as long as the file is not "
              "changed.\n"
              "The server keeps what it has of it for some hours.",
      .flags = upload_flags,
      .groups = GROUP_WAIT,
      .run = datastore_upload,
      .least = 2,
      .most = 2 },
    { .words = "datastore download",
      .args = "DATASTORE PATH",
      .doc = "Save a file of a datastore on this machine.",
      .more = "  polyvisor datastore download ds1 iso/linux.iso -o /srv/iso/\n"
              "Until all of it is here it is called FILE.part; --continue goes on with that.",
      .flags = transfer_download_flags,
      .run = transfer_download,
      .least = 2,
      .most = 2 },
    { 0 },
};
