/* SPDX-License-Identifier: Apache-2.0 */
#include "db/sqlite.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <sqlite3.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#define READER_STATEMENTS 64
#define WRITER_STATEMENTS 256

struct stmt {
    sqlite3_stmt *s;
    struct conn *conn;
    char *key; /* its text, or what stands for it */
    uint64_t hash, used; /* used: when it was last taken */
    bool busy, cached;
    unsigned places; /* $1 .. $places */
    int *at;         /* the engine's number of each */
};

struct conn {
    sqlite3 *db;
    struct stmt *stmts[WRITER_STATEMENTS];
    size_t nstmts, most;
    uint64_t tick;
    unsigned reading; /* nesting of conn_read_begin */
    struct names *names;
};

/* FNV-1a by eight bytes: statements of wide tables have kilobytes. */
struct sql sql_make(const char *text)
{
    size_t len = strlen(text);
    uint64_t h = 14695981039346656037u ^ len, part;

    for (size_t i = 0; i < len; i += sizeof(part)) {
        size_t n = len - i < sizeof(part) ? len - i : sizeof(part);

        part = 0;
        memcpy(&part, text + i, n);
        h = (h ^ part) * 1099511628211u;
        h ^= h >> 29;
    }
    return (struct sql){ text, h };
}

static int rc_of(int code, int errnum)
{
    switch (code & 0xff) {
    case SQLITE_NOMEM:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return PV_ENOMEM;
    case SQLITE_FULL:
        return PV_ENOSPC;
    case SQLITE_IOERR:
        switch (errnum) {
        case ENOSPC:
        case EDQUOT:
        case EFBIG:
            return PV_ENOSPC;
        default:
            return PV_EIO;
        }
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return PV_EIO;
    default:
        return PV_EINTERNAL;
    }
}

static int fail(struct conn *c, int code, const char *what, struct pv_err *err)
{
    /* The engine keeps the system's number for few calls only; the one that failed is the last that
     * set it. */
    int errnum = errno;
    int extended = sqlite3_extended_errcode(c->db);
    int rc;

    if (extended == SQLITE_CONSTRAINT_UNIQUE || extended == SQLITE_CONSTRAINT_PRIMARYKEY) {
        const char *message = sqlite3_errmsg(c->db);
        const char *names = strstr(message, ": ");

        pv_fail(err, PV_EEXIST, "it exists already");
        pv_err_native(err, names ? names + 2 : "");
        return PV_EEXIST;
    }
    rc = rc_of(code, errnum);
    pv_fail(err, rc, "the database: %s (%d) at: %.80s", sqlite3_errmsg(c->db), extended, what);
    /* The usual problem of PV_EIO speaks of a provider. */
    if (err && rc == PV_EIO)
        err->problem = "internal";
    return rc;
}

/* list_match(list, pattern): does a member of "\na\nb\n" match the wildcard pattern? */
static void list_match(sqlite3_context *ctx, int argc, sqlite3_value **argv)
{
    const char *list = (const char *)sqlite3_value_text(argv[0]);
    const char *pattern = (const char *)sqlite3_value_text(argv[1]);
    size_t plen;

    (void)argc;
    if (!list || !pattern) {
        sqlite3_result_null(ctx);
        return;
    }
    plen = strlen(pattern);
    while (*list == '\n' && list[1]) {
        size_t len = strcspn(list + 1, "\n");

        if (str_wildcard(pattern, plen, list + 1, len)) {
            sqlite3_result_int(ctx, 1);
            return;
        }
        list += 1 + len;
    }
    sqlite3_result_int(ctx, 0);
}

/* Once a process, before the first connection: nobody reads the engine's memory statistics, and
 * keeping them takes a lock at every allocation. */
static void configure(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static int set_up(struct conn *c, enum conn_mode mode, struct pv_err *err)
{
    int rc;

    sqlite3_extended_result_codes(c->db, 1);
    sqlite3_busy_timeout(c->db, 5000);
    /* "name" is a column or an error, never a text. */
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_DQS_DML, 0, (int *)NULL);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_DQS_DDL, 0, (int *)NULL);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, (int *)NULL);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_LOOKASIDE, NULL, 1200,
                      mode == CONN_WRITER ? 1024 : 100);
    sqlite3_limit(c->db, SQLITE_LIMIT_ATTACHED, mode == CONN_WRITER ? 1 : 0);
    rc = sqlite3_create_function_v2(c->db, "list_match", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC,
                                    NULL, list_match, NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        return fail(c, rc, "list_match", err);
    rc = conn_exec(
        c, "PRAGMA foreign_keys=ON; PRAGMA mmap_size=268435456; PRAGMA temp_store=MEMORY", err);
    if (rc == PV_OK && mode == CONN_WRITER)
        rc = conn_exec(c,
                       "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-65536;"
                       "PRAGMA journal_size_limit=67108864; PRAGMA wal_autocheckpoint=4000",
                       err);
    else if (rc == PV_OK)
        rc = conn_exec(c, "PRAGMA query_only=ON; PRAGMA cache_size=-4096", err);
    return rc;
}

int conn_open(const char *path, enum conn_mode mode, struct conn **out, struct pv_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct conn *c = calloc(1, sizeof(*c));
    int rc;

    if (!c)
        return pv_fail(err, PV_ENOMEM, "no memory for a database connection");
    pthread_once(&once, configure);
    c->most = mode == CONN_WRITER ? WRITER_STATEMENTS : READER_STATEMENTS;
    rc = sqlite3_open_v2(path, &c->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc != SQLITE_OK)
        rc = c->db ? fail(c, rc, path, err)
                   : pv_fail(err, PV_ENOMEM, "no memory for a database connection");
    else
        rc = set_up(c, mode, err);
    if (rc != PV_OK) {
        conn_close(c);
        return rc;
    }
    *out = c;
    return PV_OK;
}

static void stmt_free(struct stmt *st)
{
    sqlite3_finalize(st->s);
    free(st->at);
    free(st->key);
    free(st);
}

void conn_close(struct conn *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->nstmts; i++)
        stmt_free(c->stmts[i]);
    sqlite3_close(c->db);
    free(c);
}

int conn_exec(struct conn *c, const char *text, struct pv_err *err)
{
    int rc = sqlite3_exec(c->db, text, NULL, NULL, NULL);

    return rc == SQLITE_OK ? PV_OK : fail(c, rc, text, err);
}

bool conn_idle(struct conn *c)
{
    return sqlite3_get_autocommit(c->db) != 0;
}

void conn_checkpoint(struct conn *c)
{
    sqlite3_wal_checkpoint_v2(c->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

void conn_set_names(struct conn *c, struct names *names)
{
    c->names = names;
}

struct names *conn_names(struct conn *c)
{
    return c->names;
}

size_t conn_changes(struct conn *c)
{
    return (size_t)sqlite3_changes(c->db);
}

int64_t conn_last_row(struct conn *c)
{
    return sqlite3_last_insert_rowid(c->db);
}

/* Where $1, $2 ... are: the engine numbers them as they first appear. */
static bool find_places(struct stmt *st)
{
    int n = sqlite3_bind_parameter_count(st->s);
    uint64_t place;

    st->at = calloc((size_t)n + 1, sizeof(*st->at));
    if (!st->at)
        return false;
    for (int i = 1; i <= n; i++) {
        const char *name = sqlite3_bind_parameter_name(st->s, i);

        if (!name || name[0] != '$' || !str_u64(name + 1, strlen(name + 1), (uint64_t)n, &place) ||
            place == 0)
            return false;
        st->at[place] = i;
    }
    st->places = (unsigned)n;
    return true;
}

static int prepare(struct conn *c, const struct sql *key, const char *text, bool keep,
                   struct stmt **out, struct pv_err *err)
{
    struct stmt *st = calloc(1, sizeof(*st));
    int rc;

    if (!st)
        return pv_fail(err, PV_ENOMEM, "no memory for a statement");
    st->conn = c;
    st->hash = key->hash;
    st->cached = keep;
    st->key = strdup(key->text);
    if (!st->key) {
        stmt_free(st);
        return pv_fail(err, PV_ENOMEM, "no memory for a statement");
    }
    rc = sqlite3_prepare_v3(c->db, text, -1, keep ? SQLITE_PREPARE_PERSISTENT : 0, &st->s,
                            NULL);
    if (rc != SQLITE_OK) {
        rc = fail(c, rc, text, err);
        stmt_free(st);
        return rc;
    }
    if (!find_places(st)) {
        stmt_free(st);
        return pv_fail(err, PV_EINTERNAL, "parameters must be $1..$n: %.80s", text);
    }
    *out = st;
    return PV_OK;
}

/* A slot for one more statement; false: all are busy. */
static bool make_room(struct conn *c)
{
    size_t oldest = SIZE_MAX;

    if (c->nstmts < c->most)
        return true;
    for (size_t i = 0; i < c->nstmts; i++)
        if (!c->stmts[i]->busy &&
            (oldest == SIZE_MAX || c->stmts[i]->used < c->stmts[oldest]->used))
            oldest = i;
    if (oldest == SIZE_MAX)
        return false;
    stmt_free(c->stmts[oldest]);
    c->stmts[oldest] = c->stmts[--c->nstmts];
    return true;
}

/* *busy: there is one, but somebody has it. */
static struct stmt *find_kept(struct conn *c, const struct sql *key, bool *busy)
{
    *busy = false;
    for (size_t i = 0; i < c->nstmts; i++) {
        struct stmt *have = c->stmts[i];

        if (have->hash != key->hash || strcmp(have->key, key->text) != 0)
            continue;
        *busy = have->busy;
        return have;
    }
    return NULL;
}

struct stmt *conn_kept(struct conn *c, const struct sql *key)
{
    bool busy;
    struct stmt *st = find_kept(c, key, &busy);

    if (!st || busy)
        return NULL;
    st->busy = true;
    st->used = ++c->tick;
    return st;
}

int conn_stmt_as(struct conn *c, const struct sql *key, const char *text, struct stmt **out,
                 struct pv_err *err)
{
    struct stmt *st = NULL;
    bool busy, keep;
    int rc;

    find_kept(c, key, &busy);
    keep = !busy && make_room(c);
    rc = prepare(c, key, text, keep, &st, err);
    if (rc != PV_OK)
        return rc;
    if (keep)
        c->stmts[c->nstmts++] = st;
    st->busy = true;
    st->used = ++c->tick;
    *out = st;
    return PV_OK;
}

int conn_stmt(struct conn *c, const struct sql *sql, struct stmt **out, struct pv_err *err)
{
    struct stmt *st = conn_kept(c, sql);

    if (!st)
        return conn_stmt_as(c, sql, sql->text, out, err);
    *out = st;
    return PV_OK;
}

void stmt_again(struct stmt *st)
{
    sqlite3_reset(st->s);
    sqlite3_clear_bindings(st->s);
}

void stmt_done(struct stmt *st)
{
    if (!st->cached) {
        stmt_free(st);
        return;
    }
    stmt_again(st);
    st->busy = false;
}

static int place_of(const struct stmt *st, unsigned place)
{
    return place <= st->places ? st->at[place] : 0;
}

void stmt_int(struct stmt *st, unsigned place, int64_t v)
{
    sqlite3_bind_int64(st->s, place_of(st, place), v);
}

void stmt_text(struct stmt *st, unsigned place, const char *text, size_t len)
{
    sqlite3_bind_text64(st->s, place_of(st, place), text ? text : "", len, SQLITE_STATIC,
                        SQLITE_UTF8);
}

void stmt_str(struct stmt *st, unsigned place, const char *text)
{
    if (text)
        stmt_text(st, place, text, strlen(text));
    else
        stmt_null(st, place);
}

void stmt_blob(struct stmt *st, unsigned place, const void *data, size_t len)
{
    sqlite3_bind_blob64(st->s, place_of(st, place), data, len, SQLITE_STATIC);
}

void stmt_id(struct stmt *st, unsigned place, const struct pv_id *id)
{
    stmt_blob(st, place, id->b, sizeof(id->b));
}

void stmt_null(struct stmt *st, unsigned place)
{
    sqlite3_bind_null(st->s, place_of(st, place));
}

int stmt_step(struct stmt *st, bool *row, struct pv_err *err)
{
    int rc = sqlite3_step(st->s);

    if (rc == SQLITE_ROW || rc == SQLITE_DONE) {
        *row = rc == SQLITE_ROW;
        return PV_OK;
    }
    return fail(st->conn, rc, sqlite3_sql(st->s), err);
}

int stmt_run(struct stmt *st, struct pv_err *err)
{
    bool row = true;
    int rc = PV_OK;

    while (rc == PV_OK && row)
        rc = stmt_step(st, &row, err);
    return rc;
}

static int run_text(struct conn *c, const char *text, struct pv_err *err)
{
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    struct sql sql = sql_make(text);
    int rc = conn_stmt(c, &sql, &st, err);

    return rc == PV_OK ? stmt_run(st, err) : rc;
}

int conn_read_begin(struct conn *c, struct pv_err *err)
{
    int rc = PV_OK;

    /* On the writer's connection a transaction is open already. */
    if (c->reading > 0 || conn_idle(c)) {
        if (c->reading == 0)
            rc = run_text(c, "BEGIN", err);
        if (rc == PV_OK)
            c->reading++;
    }
    return rc;
}

void conn_read_end(struct conn *c)
{
    if (c->reading > 0 && --c->reading == 0)
        run_text(c, "COMMIT", NULL);
}

bool col_null(struct stmt *st, int i)
{
    return sqlite3_column_type(st->s, i) == SQLITE_NULL;
}

bool col_is_text(struct stmt *st, int i)
{
    return sqlite3_column_type(st->s, i) == SQLITE_TEXT;
}

int64_t col_int(struct stmt *st, int i)
{
    return sqlite3_column_int64(st->s, i);
}

const char *col_text(struct stmt *st, int i, size_t *len)
{
    const char *text = (const char *)sqlite3_column_text(st->s, i);

    if (len)
        *len = text ? (size_t)sqlite3_column_bytes(st->s, i) : 0;
    return text ? text : "";
}

/* A connection is used by one thread and has no mutex: its values need no protection. */
static sqlite3_value *value_at(struct stmt *st, int i)
{
    sqlite3_value *v = sqlite3_column_value(st->s, i);

    return sqlite3_value_type(v) == SQLITE_NULL ? NULL : v;
}

bool col_get_int(struct stmt *st, int i, int64_t *out)
{
    sqlite3_value *v = value_at(st, i);

    if (v)
        *out = sqlite3_value_int64(v);
    return v != NULL;
}

bool col_get_text(struct stmt *st, int i, const char **text, size_t *len)
{
    sqlite3_value *v = value_at(st, i);

    if (!v)
        return false;
    *text = (const char *)sqlite3_value_text(v);
    *len = *text ? (size_t)sqlite3_value_bytes(v) : 0;
    *text = *text ? *text : "";
    return true;
}

const void *col_blob(struct stmt *st, int i, size_t *len)
{
    const void *data = sqlite3_column_blob(st->s, i);

    *len = data ? (size_t)sqlite3_column_bytes(st->s, i) : 0;
    return data;
}

void col_id(struct stmt *st, int i, struct pv_id *out)
{
    sqlite3_value *v = value_at(st, i);
    const void *data = v ? sqlite3_value_blob(v) : NULL;

    *out = (struct pv_id){ 0 };
    if (data && sqlite3_value_bytes(v) == sizeof(out->b))
        memcpy(out->b, data, sizeof(out->b));
}

bool col_strdup(struct stmt *st, int i, struct arena *a, const char **out, size_t *len)
{
    const char *text;
    size_t n = 0;

    *out = NULL;
    if (col_get_text(st, i, &text, &n)) {
        *out = arena_text(a, text, n);
        if (!*out)
            return false;
    }
    if (len)
        *len = n;
    return true;
}
