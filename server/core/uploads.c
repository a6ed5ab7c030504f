/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/uploads.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "server/core/args.h"

#define UPLOADS_MAX 1000
#define HOUR_MS 3600000ll
#define LOOK_MS 600000ll /* so often what has had its time is looked for */
#define TASK_LOOK_MS 120000ll
#define GIB ((uint64_t)1 << 30)
#define LOCKS 16

/* One piece of an upload at a time; and a task does not open its file before its upload says which it is. */
static pthread_mutex_t locks[LOCKS] = {
    [0 ... LOCKS - 1] = PTHREAD_MUTEX_INITIALIZER,
};
static pthread_mutex_t begin_lock = PTHREAD_MUTEX_INITIALIZER;

static pthread_mutex_t *lock_of(const struct pv_id *id)
{
    return &locks[core_hash_id(id) % LOCKS];
}

static void spool_path(const struct core *c, const struct pv_id *id, char out[512])
{
    char text[PV_ID_TEXT];

    model_id_text(PV_KIND_upload, id, text);
    snprintf(out, 512, "%s/%s", c->config.spool ? c->config.spool : ".", text);
}

static void spool_drop(const struct core *c, const struct pv_id *id)
{
    char path[512];

    spool_path(c, id, path);
    if (unlink(path) < 0 && errno != ENOENT)
        log_msg(PV_LOG_WARN, "upload.spool", "file=%s error=\"%s\"", path, strerrordesc_np(errno));
}

static int load(struct core *c, const struct pv_id *id, struct arena *a, struct model_row **row,
                struct pv_err *err)
{
    return store_row_get(c->store, c->kinds[PV_KIND_upload].shape, id, a, row, err);
}

/* ------------------------------------------------------------------ changing rows */

struct change {
    struct core *core;
    struct pv_id id;
    bool insert, remove;
    const struct model_row *row; /* of an insert */
    const struct core_options *options;
    int64_t state; /* 0: as it is */
    bool set_offset;
    uint64_t offset;
    const struct pv_id *task; /* NULL: as it is */
    const char *reason;       /* NULL: none */
};

static int64_t expiry(const struct core *c)
{
    return clock_wall_ms() + core_setting(c, CORE_SETTING_uploads_expire_hours) * HOUR_MS;
}

static int change_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    static const uint16_t fields[] = { F(upload, state),      F(upload, offset_bytes), F(upload, task),
                                       F(upload, reason),     F(upload, expires_at),   F(upload, updated_at),
                                       F(upload, version) };
    struct change *ch = arg;
    struct model_row *row;
    int rc;

    if (ch->insert) {
        rc = tx_row_insert(tx, ch->row, err);
        return rc == PV_OK && ch->options ? core_put_idempotency(tx, ch->options, PV_KIND_upload, &ch->id, err) : rc;
    }
    if (ch->remove)
        return tx_row_delete(tx, PV_KIND_upload, &ch->id, err);
    rc = tx_rows_get(tx, PV_KIND_upload, &ch->id, 1, false, tx_arena(tx), &row, err);
    if (rc != PV_OK)
        return rc;
    if (!row)
        return pv_fail(err, PV_ENOENT, "there is no such upload");
    if (ch->state)
        model_set_number(row, F(upload, state), ch->state);
    if (ch->set_offset)
        model_set_number(row, F(upload, offset_bytes), (int64_t)ch->offset);
    if (ch->task)
        model_set_ref(row, F(upload, task), ch->task);
    model_set_text(row, F(upload, reason), ch->reason);
    model_set_number(row, F(upload, expires_at), expiry(ch->core));
    model_set_number(row, F(upload, updated_at), clock_wall_ms());
    model_set_number(row, F(upload, version), model_number(row, F(upload, version)) + 1);
    return tx_row_update(tx, row, fields, PV_COUNT(fields), err);
}

static int set_state(struct core *c, const struct pv_id *id, int64_t state, const char *reason, struct pv_err *err)
{
    struct change ch = { .core = c, .id = *id, .state = state, .reason = reason };

    return store_write(c->store, change_tx, &ch, err);
}

/* ------------------------------------------------------------------ all of them */

static int each_upload(struct core *c, struct arena *a, store_row_fn fn, void *ctx, struct pv_err *err)
{
    struct store_position at = { .len = 0 };
    struct store_query all = { .limit = UPLOADS_MAX, .shape = c->kinds[PV_KIND_upload].shape };
    int rc;

    (void)a;
    do {
        rc = store_list(c->store, &all, fn, ctx, &at, err);
        all.after = &at;
    } while (rc == PV_OK && at.len);
    return rc;
}

struct room {
    uint64_t reserved, missing; /* bytes of all of them; of these not yet here */
    size_t count;
};

static int add_room(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct room *r = ctx;
    uint64_t size = (uint64_t)model_number(row, F(upload, size_bytes));

    (void)err;
    r->count++;
    if (model_number(row, F(upload, state)) == PV_UPLOAD_STATE_DONE)
        return PV_OK;
    r->reserved += size;
    r->missing += size - (uint64_t)model_number(row, F(upload, offset_bytes));
    return PV_OK;
}

static int check_spool(struct core *c, uint64_t size, struct arena *a, struct pv_err *err)
{
    uint64_t most = (uint64_t)core_setting(c, CORE_SETTING_uploads_spool_gib) * GIB,
             keep = (uint64_t)core_setting(c, CORE_SETTING_uploads_keep_free_gib) * GIB, left;
    struct statvfs fs;
    struct room r = { 0 };
    int rc = each_upload(c, a, add_room, &r, err);

    if (rc != PV_OK)
        return rc;
    if (r.count >= UPLOADS_MAX)
        return pv_fail_as(err, "limit-exceeded", "there are %d uploads already", UPLOADS_MAX);
    if (!c->config.spool || statvfs(c->config.spool, &fs) < 0)
        return pv_fail(err, PV_ENOSPC, "the server has no folder for uploads");
    left = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (size > most || r.reserved > most - size) {
        rc = pv_fail(err, PV_ENOSPC, "the server keeps at most %" PRIu64 " GiB of uploads at once", most / GIB);
        pv_err_remedy(err, "Wait until others are done, or delete some that are not needed.");
    } else if (left < keep || r.missing > left - keep || size > left - keep - r.missing) {
        rc = pv_fail(err, PV_ENOSPC, "the server's own disk has too little space for the file");
        pv_err_remedy(err, "Free space on the server, or send the file in some other way.");
    }
    if (rc != PV_OK)
        pv_err_pointer(err, "/size_bytes");
    return rc;
}

/* ------------------------------------------------------------------ beginning one */

static struct model_row *new_row(struct core *c, const struct pv_id *user, const struct core_task_request *t,
                                 struct arena *a)
{
    struct model_row *row = model_row_new(a, PV_KIND_upload);
    const char *sha256 = json_string_value(json_object_get(t->params, "sha256"));
    int64_t now = clock_wall_ms();

    if (!row)
        return NULL;
    id_make(&row->id);
    model_set_ref(row, F(upload, datastore), &t->subject);
    model_set_text(row, F(upload, path), json_string_value(json_object_get(t->params, "path")));
    model_set_number(row, F(upload, size_bytes), json_integer_value(json_object_get(t->params, "size_bytes")));
    model_set_number(row, F(upload, offset_bytes), 0);
    if (sha256)
        model_set_text(row, F(upload, sha256), sha256);
    model_set_number(row, F(upload, overwrite), json_is_true(json_object_get(t->params, "overwrite")));
    model_set_number(row, F(upload, state), PV_UPLOAD_STATE_RECEIVING);
    model_set_ref(row, F(upload, created_by), user);
    model_set_number(row, F(upload, expires_at), expiry(c));
    model_set_number(row, F(upload, created_at), now);
    model_set_number(row, F(upload, updated_at), now);
    model_set_number(row, F(upload, version), 1);
    return row;
}

static int check_new(struct core *c, const struct core_task_request *t, struct arena *a, struct pv_err *err)
{
    uint64_t size = (uint64_t)json_integer_value(json_object_get(t->params, "size_bytes"));
    const char *sha256 = json_string_value(json_object_get(t->params, "sha256"));
    const struct model_value *free_bytes;
    struct subject s = { 0 };
    uint8_t raw[32];
    bool no_op = false;
    int rc = PV_OK;

    if (sha256 && !str_unhex(sha256, 64, raw)) {
        rc = pv_fail(err, PV_EINVAL, "a SHA-256 has 64 hex digits");
        pv_err_pointer(err, "/sha256");
        return rc;
    }
    rc = subject_load(c, t->operation, t->kind, &t->subject, a, &s, err);
    if (rc == PV_OK)
        rc = subject_check(c, t->operation, &s, t->params, a, &no_op, err);
    free_bytes = rc == PV_OK ? model_get(s.row, F(datastore, free_bytes)) : NULL;
    if (free_bytes && free_bytes->set && (uint64_t)free_bytes->number < size) {
        rc = pv_fail(err, PV_ENOSPC, "%s has too little free space for the file", s.name);
        pv_err_pointer(err, "/size_bytes");
    }
    subject_free(&s);
    return rc == PV_OK ? check_spool(c, size, a, err) : rc;
}

int core_upload_create(struct core *c, const struct core_actor *by, const struct pv_id *user,
                       const struct core_task_request *t, const struct core_options *o, struct pv_id *id,
                       struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(16384, 4u << 20);
    struct change ch = { .core = c, .insert = true, .options = o };
    struct model_row *row = NULL;
    int rc = a ? check_new(c, t, a, err) : pv_fail(err, PV_ENOMEM, "no memory for an upload");

    (void)by;
    if (rc == PV_OK) {
        row = new_row(c, user, t, a);
        rc = row ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory for an upload");
    }
    if (rc != PV_OK)
        return rc;
    ch.row = row;
    ch.id = *id = row->id;
    return store_write(c->store, change_tx, &ch, err);
}

/* ------------------------------------------------------------------ sending it on */

struct following {
    struct core *core;
    struct pv_id upload, task;
};

static void follow(struct core *c, const struct pv_id *upload, const struct pv_id *task);

/* What the failed task says, for people. */
static void reason_of(const struct model_row *task, char *out, size_t cap)
{
    PV_AUTO(json_decref_p) json_t *error = json_loads(model_text(task, F(task, error)), 0, NULL);
    const char *detail = json_string_value(json_object_get(error, "detail"));
    int64_t state = model_number(task, F(task, state));

    str_copy(out, cap, detail ? detail : state == PV_TASK_STATE_CANCELED ? "canceled" : "the task has failed");
}

static void task_over(void *arg)
{
    struct following *f = arg;
    PV_AUTO(arena_free_p) struct arena *a = arena_new(16384, 4u << 20);
    struct model_row *task = NULL;
    struct pv_err err = { 0 };
    char reason[512] = "the task is not known any more";
    int rc = a ? store_row_get(f->core->store, f->core->kinds[PV_KIND_task].shape, &f->task, a, &task, &err)
               : PV_ENOMEM;
    bool done = rc == PV_OK && model_number(task, F(task, state)) == PV_TASK_STATE_SUCCEEDED;

    if (rc == PV_OK && !done)
        reason_of(task, reason, sizeof(reason));
    if (rc == PV_OK || rc == PV_ENOENT)
        rc = set_state(f->core, &f->upload, done ? PV_UPLOAD_STATE_DONE : PV_UPLOAD_STATE_FAILED,
                       done ? NULL : reason, &err);
    if (done && rc == PV_OK)
        spool_drop(f->core, &f->upload);
    free(f);
}

static void on_task(void *ctx, bool final)
{
    struct following *f = ctx;

    if (atomic_load(&f->core->stopping)) {
        free(f);
    } else if (!final) {
        follow(f->core, &f->upload, &f->task);
        free(f);
    } else if (!core_submit(f->core, task_over, f)) {
        free(f);
    }
}

static void follow(struct core *c, const struct pv_id *upload, const struct pv_id *task)
{
    struct following *f = calloc(1, sizeof(*f));
    struct pv_err err = { 0 };

    if (!f)
        return;
    *f = (struct following){ c, *upload, *task };
    if (core_task_wait(c, task, TASK_LOOK_MS, on_task, f, &err) == PV_OK)
        return;
    /* There is no such task (any more). */
    if (!core_submit(c, task_over, f))
        free(f);
}

static int submit(struct core *c, const struct core_actor *by, const struct model_row *row, struct pv_err *err)
{
    const char *sha256 = model_text(row, F(upload, sha256));
    PV_AUTO(json_decref_p) json_t *params =
        json_pack("{s:s, s:I, s:b}", "path", model_text(row, F(upload, path)), "size_bytes",
                  (json_int_t)model_number(row, F(upload, size_bytes)), "overwrite",
                  (int)model_number(row, F(upload, overwrite)));
    struct core_task_request t = { .operation = model_operation("datastore.file.upload"),
                                   .kind = PV_KIND_datastore,
                                   .subject = model_get(row, F(upload, datastore))->id,
                                   .params = params };
    struct core_options o = { 0 };
    struct pv_id task;
    struct change ch = { .core = c, .id = row->id, .state = PV_UPLOAD_STATE_SENDING, .task = &task };
    int rc;

    if (!params)
        return pv_fail(err, PV_ENOMEM, "no memory for a task");
    if (sha256[0])
        json_object_set_new(params, "sha256", json_string(sha256));
    pthread_mutex_lock(&begin_lock);
    rc = core_task_submit(c, by, &t, &o, &task, NULL, NULL, err);
    if (rc == PV_OK)
        rc = store_write(c->store, change_tx, &ch, err);
    pthread_mutex_unlock(&begin_lock);
    if (rc == PV_OK)
        follow(c, &row->id, &task);
    return rc;
}

int uploads_open(struct core *c, const struct task *t, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(4096, 1u << 20);
    struct model_value v = { .set = true, .id = t->id };
    struct pv_id *ids = NULL;
    char path[512];
    size_t n = 0;
    int fd = -1;

    pthread_mutex_lock(&begin_lock);
    if (a && store_find(c->store, PV_KIND_upload, F(upload, task), &v, 1, a, &ids, &n, err) == PV_OK && n) {
        spool_path(c, &ids[0], path);
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    }
    pthread_mutex_unlock(&begin_lock);
    if (fd < 0)
        pv_fail(err, PV_ESTATE, "the bytes of the upload are not there any more");
    return fd;
}

/* ------------------------------------------------------------------ receiving */

static int open_spool(struct core *c, const struct pv_id *id, int flags, struct pv_err *err)
{
    char path[512];
    int fd;

    spool_path(c, id, path);
    fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        pv_fail(err, PV_ENOSPC, "the server cannot keep the file: %s", strerrordesc_np(errno));
    return fd;
}

static int write_piece(struct core *c, const struct pv_id *id, const char *data, uint64_t at, size_t len,
                       struct pv_err *err)
{
    PV_AUTO_CLOSE int fd = open_spool(c, id, O_WRONLY | O_CREAT, err);

    if (fd < 0)
        return PV_ENOSPC;
    while (len > 0) {
        ssize_t n = pwrite(fd, data, len, (off_t)at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return pv_fail(err, PV_ENOSPC, "the server cannot keep the file: %s", strerrordesc_np(errno));
        data += n;
        at += (uint64_t)n;
        len -= (size_t)n;
    }
    if (fdatasync(fd) < 0)
        return pv_fail(err, PV_ENOSPC, "the server cannot keep the file: %s", strerrordesc_np(errno));
    return PV_OK;
}

static int hash_file(int fd, char hex[65])
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    uint8_t *piece = malloc(1u << 20), sum[32];
    unsigned len = 0;
    ssize_t n = 1;
    bool ok = md && piece && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;

    while (ok && n > 0) {
        n = read(fd, piece, 1u << 20);
        ok = n >= 0 && EVP_DigestUpdate(md, piece, (size_t)n) == 1;
    }
    ok = ok && EVP_DigestFinal_ex(md, sum, &len) == 1 && len == sizeof(sum);
    if (ok)
        str_hex(sum, sizeof(sum), hex);
    EVP_MD_CTX_free(md);
    free(piece);
    return ok ? PV_OK : PV_EIO;
}

/* All is here. */
static int complete(struct core *c, const struct core_actor *by, const struct model_row *row, struct pv_err *err)
{
    const char *wanted = model_text(row, F(upload, sha256));
    PV_AUTO_CLOSE int fd = open_spool(c, &row->id, O_RDWR | O_CREAT, err);
    char hex[65];

    if (fd < 0)
        return PV_ENOSPC;
    if (wanted[0]) {
        if (hash_file(fd, hex) != PV_OK)
            return pv_fail(err, PV_EINTERNAL, "the spool cannot be read");
        if (strcasecmp(hex, wanted) != 0) {
            set_state(c, &row->id, PV_UPLOAD_STATE_FAILED, "the file that arrived has another SHA-256", NULL);
            spool_drop(c, &row->id);
            return pv_fail(err, PV_EINVAL, "the file that arrived has another SHA-256");
        }
    }
    return submit(c, by, row, err);
}

static int wrong_offset(struct pv_err *err, uint64_t offset)
{
    return pv_fail_as(err, "conflict", "the next piece begins at byte %" PRIu64, offset);
}

static int put(struct core *c, const struct core_actor *by, const struct model_row *row,
               const struct core_upload_piece *p, uint64_t *offset, struct pv_err *err)
{
    uint64_t size = (uint64_t)model_number(row, F(upload, size_bytes)),
             here = (uint64_t)model_number(row, F(upload, offset_bytes));
    int64_t state = model_number(row, F(upload, state));
    int rc = PV_OK;

    *offset = here;
    if (p->total != size)
        return pv_fail(err, PV_EINVAL, "the file was to have %" PRIu64 " bytes", size);
    if (state == PV_UPLOAD_STATE_FAILED)
        return pv_fail_as(err, "conflict", "the upload has failed: %s", model_text(row, F(upload, reason)));
    if (!p->none && p->from > here)
        return wrong_offset(err, here);
    if (!p->none && p->to > here) {
        struct change ch = { .core = c, .id = row->id, .set_offset = true, .offset = p->to };

        rc = write_piece(c, &row->id, (const char *)p->data + (here - p->from), here, (size_t)(p->to - here), err);
        if (rc == PV_OK)
            rc = store_write(c->store, change_tx, &ch, err);
        if (rc != PV_OK)
            return rc;
        *offset = p->to;
    }
    /* What was acknowledged before is acknowledged again. */
    return *offset == size && state == PV_UPLOAD_STATE_RECEIVING ? complete(c, by, row, err) : PV_OK;
}

int core_upload_put(struct core *c, const struct core_actor *by, const struct pv_id *id,
                    const struct core_upload_piece *piece, uint64_t *offset, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(4096, 1u << 20);
    struct model_row *row;
    int rc;

    if (!a)
        return pv_fail(err, PV_ENOMEM, "no memory for an upload");
    pthread_mutex_lock(lock_of(id));
    rc = load(c, id, a, &row, err);
    if (rc == PV_OK)
        rc = put(c, by, row, piece, offset, err);
    pthread_mutex_unlock(lock_of(id));
    return rc;
}

/* ------------------------------------------------------------------ retrying, giving up */

int core_upload_retry(struct core *c, const struct core_actor *by, const struct pv_id *id, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(4096, 1u << 20);
    struct model_row *row;
    char path[512];
    int rc;

    if (!a)
        return pv_fail(err, PV_ENOMEM, "no memory for an upload");
    spool_path(c, id, path);
    pthread_mutex_lock(lock_of(id));
    rc = load(c, id, a, &row, err);
    if (rc == PV_OK && model_number(row, F(upload, state)) != PV_UPLOAD_STATE_FAILED)
        rc = pv_fail_as(err, "conflict", "only an upload that has failed is sent again");
    else if (rc == PV_OK && access(path, R_OK) < 0)
        rc = pv_fail_as(err, "conflict", "the bytes of the upload are not there any more");
    if (rc == PV_OK)
        rc = submit(c, by, row, err);
    pthread_mutex_unlock(lock_of(id));
    return rc;
}

int core_upload_delete(struct core *c, const struct core_actor *by, const struct pv_id *id, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(4096, 1u << 20);
    struct change ch = { .core = c, .id = *id, .remove = true };
    struct model_row *row;
    int rc;

    if (!a)
        return pv_fail(err, PV_ENOMEM, "no memory for an upload");
    pthread_mutex_lock(lock_of(id));
    rc = load(c, id, a, &row, err);
    /* One that has ended meanwhile needs no canceling. */
    if (rc == PV_OK && model_number(row, F(upload, state)) == PV_UPLOAD_STATE_SENDING)
        (void)core_task_cancel(c, by, &model_get(row, F(upload, task))->id, NULL);
    if (rc == PV_OK)
        rc = store_write(c->store, change_tx, &ch, err);
    if (rc == PV_OK)
        spool_drop(c, id);
    pthread_mutex_unlock(lock_of(id));
    return rc;
}

/* ------------------------------------------------------------------ over time */

struct tending {
    struct core *core;
    struct pv_id over[UPLOADS_MAX]; /* have had their time */
    size_t nover;
    struct following sending[UPLOADS_MAX];
    size_t nsending;
};

static int look(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct tending *t = ctx;
    bool sending = model_number(row, F(upload, state)) == PV_UPLOAD_STATE_SENDING;

    (void)err;
    if (sending && t->nsending < UPLOADS_MAX)
        t->sending[t->nsending++] =
            (struct following){ t->core, row->id, model_get(row, F(upload, task))->id };
    else if (!sending && model_number(row, F(upload, expires_at)) < clock_wall_ms() && t->nover < UPLOADS_MAX)
        t->over[t->nover++] = row->id;
    return PV_OK;
}

static void drop_over(struct tending *t)
{
    for (size_t i = 0; i < t->nover; i++) {
        struct change ch = { .core = t->core, .id = t->over[i], .remove = true };

        if (store_write(t->core->store, change_tx, &ch, NULL) == PV_OK)
            spool_drop(t->core, &t->over[i]);
    }
}

static void tend(void *arg)
{
    struct core *c = arg;
    struct tending *t = calloc(1, sizeof(*t));
    PV_AUTO(arena_free_p) struct arena *a = arena_new(4096, 1u << 20);

    if (t && a && !atomic_load(&c->stopping)) {
        t->core = c;
        if (each_upload(c, a, look, t, NULL) == PV_OK)
            drop_over(t);
    }
    free(t);
    core_later(c, c->config.upload_look_ms ? c->config.upload_look_ms : LOOK_MS, tend, c);
}

/* Files that belong to nothing: the server ended between two steps. */
static void drop_orphans(struct core *c)
{
    PV_AUTO(arena_free_p) struct arena *a = arena_new(4096, 16u << 20);
    DIR *dir = opendir(c->config.spool);
    const struct dirent *e;

    while (dir && a && (e = readdir(dir)) != NULL) {
        struct model_row *row;
        struct pv_id id;

        if (id_parse(model_kind(PV_KIND_upload)->prefix, e->d_name, strlen(e->d_name), &id) &&
            load(c, &id, a, &row, NULL) == PV_ENOENT)
            spool_drop(c, &id);
    }
    if (dir)
        closedir(dir);
}

int uploads_start(struct core *c, struct pv_err *err)
{
    struct tending *t;
    int rc;

    if (!c->config.spool)
        return PV_OK;
    if (mkdir(c->config.spool, 0700) < 0 && errno != EEXIST)
        return pv_fail_os(err, errno, "cannot make %s", c->config.spool);
    drop_orphans(c);
    t = calloc(1, sizeof(*t));
    if (!t)
        return pv_fail(err, PV_ENOMEM, "no memory for uploads");
    t->core = c;
    rc = each_upload(c, NULL, look, t, err);
    for (size_t i = 0; rc == PV_OK && i < t->nsending; i++)
        follow(c, &t->sending[i].upload, &t->sending[i].task);
    free(t);
    core_later(c, 1000, tend, c);
    return rc;
}
