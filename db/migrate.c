/* SPDX-License-Identifier: Apache-2.0 */
#include "db/migrate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include <openssl/sha.h>

#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/log.h>
#include <polyvisor/str.h>

#include "db/dialect.h"
#include "db/kinds.h"
#include "db/query.h"
#include "db/search.h"
#include "db/sql_texts.h"

#define PREFIX "migrations/"

/* The number in front of a migration's name; 0 for other texts. */
static unsigned number_of(const struct sql_text *t)
{
    uint64_t number;

    if (!str_starts(t->name, PREFIX) || !str_u64(t->name + strlen(PREFIX), 4, 9999, &number))
        return 0;
    return (unsigned)number;
}

/* Hash of the text as it is in the file: the same on every engine. */
static void hash_of(const char *text, char out[65])
{
    uint8_t hash[SHA256_DIGEST_LENGTH];

    SHA256((const uint8_t *)text, strlen(text), hash);
    str_hex(hash, sizeof(hash), out);
}

static int one_number(struct conn *c, const char *text, int64_t *out, struct pv_err *err)
{
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    struct sql sql = sql_make(text);
    bool row = false;
    int rc = conn_stmt(c, &sql, &st, err);

    *out = 0;
    if (rc == PV_OK)
        rc = stmt_step(st, &row, err);
    if (rc == PV_OK && row)
        *out = col_int(st, 0);
    return rc;
}

/* *applied: the text's number stands in the database, with this hash. */
static int look(struct conn *c, unsigned number, const char *hash, bool *applied,
                struct pv_err *err)
{
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    struct sql sql = sql_make("SELECT sha256 FROM schema_migration WHERE version = $1");
    int rc = conn_stmt(c, &sql, &st, err);

    *applied = false;
    if (rc != PV_OK)
        return rc;
    stmt_int(st, 1, number);
    rc = stmt_step(st, applied, err);
    if (rc == PV_OK && *applied && strcmp(col_text(st, 0, NULL), hash) != 0)
        rc = pv_fail(err, PV_EINTERNAL, "migration %04u was applied with another text", number);
    return rc;
}

static int note(struct conn *c, unsigned number, const char *hash, struct pv_err *err)
{
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    struct sql sql =
        sql_make("INSERT INTO schema_migration (version, sha256, applied_ms) VALUES ($1, $2, $3)");
    int rc = conn_stmt(c, &sql, &st, err);

    if (rc != PV_OK)
        return rc;
    stmt_int(st, 1, number);
    stmt_str(st, 2, hash);
    stmt_int(st, 3, clock_wall_ms());
    return stmt_run(st, err);
}

static int in_transaction(struct conn *c,
                          int (*fn)(struct conn *, const struct sql_text *, struct pv_err *),
                          const struct sql_text *t, struct pv_err *err)
{
    int rc = conn_exec(c, "BEGIN IMMEDIATE", err);

    if (rc != PV_OK)
        return rc;
    rc = fn(c, t, err);
    if (rc == PV_OK)
        rc = conn_exec(c, "COMMIT", err);
    if (rc != PV_OK && !conn_idle(c))
        conn_exec(c, "ROLLBACK", NULL);
    return rc;
}

static int apply(struct conn *c, const struct sql_text *t, struct pv_err *err)
{
    PV_AUTO_FREE char *text = dialect_sqlite(t->text);
    char hash[65];
    int rc;

    if (!text)
        return pv_fail(err, PV_EINTERNAL, "%s has an unknown token", t->name);
    hash_of(t->text, hash);
    rc = conn_exec(c, text, err);
    if (rc == PV_OK)
        rc = note(c, number_of(t), hash, err);
    return rc == PV_OK ? rc : pv_wrap(err, "%s", t->name);
}

static int create_kinds(struct conn *c, const struct sql_text *t, struct pv_err *err)
{
    int rc = kinds_create(c, err);

    (void)t;
    return rc == PV_OK ? search_create(c, err) : rc;
}

int migrate_copy(struct conn *c, const char *to, struct pv_err *err)
{
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    struct sql sql = sql_make("VACUUM INTO $1");
    PV_AUTO_CLOSE int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int rc;

    if (fd < 0)
        return pv_fail_os(err, errno, "cannot make %s", to);
    rc = conn_stmt(c, &sql, &st, err);
    if (rc == PV_OK) {
        stmt_str(st, 1, to);
        rc = stmt_run(st, err);
    }
    if (rc == PV_OK && fsync(fd) != 0)
        rc = pv_fail_os(err, errno, "cannot write %s", to);
    if (rc != PV_OK)
        unlink(to);
    return rc;
}

/* The copy of before; one of an earlier try that failed is as good. */
static int copy_aside(struct conn *c, const char *path, unsigned number, struct pv_err *err)
{
    char name[4096];
    int rc;

    if (snprintf(name, sizeof(name), "%s.before-%04u", path, number) >= (int)sizeof(name))
        return pv_fail(err, PV_EINVAL, "the database's path is too long");
    rc = access(name, F_OK) == 0 ? PV_OK : migrate_copy(c, name, err);
    if (rc == PV_OK)
        log_msg(PV_LOG_DEBUG, "db.copied", "path=%s", name);
    return rc;
}

static int run_numbered(struct conn *c, const char *path, bool filled, struct pv_err *err)
{
    bool copied = !filled;

    for (const struct sql_text *t = sql_texts; t->name; t++) {
        unsigned number = number_of(t);
        char hash[65];
        bool applied;
        int rc;

        if (number == 0)
            continue;
        hash_of(t->text, hash);
        rc = look(c, number, hash, &applied, err);
        if (rc == PV_OK && !applied && !copied)
            rc = copy_aside(c, path, number, err);
        if (rc == PV_OK && !applied) {
            copied = true;
            rc = in_transaction(c, apply, t, err);
        }
        if (rc != PV_OK)
            return rc;
    }
    return PV_OK;
}

int migrate_run(struct conn *c, const char *path, struct pv_err *err)
{
    int64_t highest, newest = 0;
    int rc = conn_exec(
        c,
        "CREATE TABLE IF NOT EXISTS schema_migration (version BIGINT NOT NULL PRIMARY KEY,"
        " sha256 TEXT NOT NULL, applied_ms BIGINT NOT NULL)",
        err);

    if (rc == PV_OK)
        rc = one_number(c, "SELECT coalesce(max(version), 0) FROM schema_migration", &highest, err);
    if (rc != PV_OK)
        return rc;
    for (const struct sql_text *t = sql_texts; t->name; t++)
        if (number_of(t) > newest)
            newest = number_of(t);
    if (highest > newest) {
        pv_fail(err, PV_ENOTSUP,
                "%s was written by a newer version (schema %lld, this program knows %lld)", path,
                (long long)highest, (long long)newest);
        pv_err_remedy(err, "Start the newer version, or restore a backup of this one.");
        return PV_ENOTSUP;
    }
    rc = run_numbered(c, path, highest > 0, err);
    return rc == PV_OK ? in_transaction(c, create_kinds, NULL, err) : rc;
}
