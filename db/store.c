/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing; connections of reading threads; named statements. */
#include "db/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "db/dialect.h"
#include "db/kinds.h"
#include "db/migrate.h"
#include "db/names.h"
#include "db/rows.h"
#include "db/sql_texts.h"
#include "db/store_priv.h"
#include "db/writer.h"

#define QUERIES "queries/"

/* A thread's connection. In the store's list until the thread or the store ends. */
struct reader {
    struct store *store;
    struct conn *conn;
    struct names *names;
    struct reader *next, **link;
};

static void reader_unlink(struct reader *r)
{
    *r->link = r->next;
    if (r->next)
        r->next->link = r->link;
}

static void reader_free(struct reader *r)
{
    conn_close(r->conn);
    names_free(r->names);
    free(r);
}

/* The thread ends. */
static void reader_end(void *arg)
{
    struct reader *r = arg;

    pthread_mutex_lock(&r->store->readers_lock);
    reader_unlink(r);
    pthread_mutex_unlock(&r->store->readers_lock);
    reader_free(r);
}

int store_reader(struct store *s, struct conn **out, struct pv_err *err)
{
    struct reader *r = pthread_getspecific(s->reader_key);
    int rc;

    if (r) {
        /* Within a transaction the counters may be ahead of what it sees. */
        if (conn_idle(r->conn))
            names_refresh(r->names, s->changes);
        *out = r->conn;
        return PV_OK;
    }
    r = calloc(1, sizeof(*r));
    if (!r)
        return pv_fail(err, PV_ENOMEM, "no memory for a database connection");
    r->names = names_new();
    rc = conn_open(s->path, CONN_READER, &r->conn, err);
    if (rc == PV_OK && !r->names)
        rc = pv_fail(err, PV_ENOMEM, "no memory for a database connection");
    if (rc == PV_OK && pthread_setspecific(s->reader_key, r) != 0)
        rc = pv_fail(err, PV_ENOMEM, "no memory for a database connection");
    if (rc != PV_OK) {
        reader_free(r);
        return rc;
    }
    r->store = s;
    conn_set_names(r->conn, r->names);
    names_refresh(r->names, s->changes);
    pthread_mutex_lock(&s->readers_lock);
    r->next = s->readers;
    r->link = &s->readers;
    if (r->next)
        r->next->link = &r->next;
    s->readers = r;
    pthread_mutex_unlock(&s->readers_lock);
    *out = r->conn;
    return PV_OK;
}

/* sql_texts is sorted by name, so are the named statements: s->named[i] is of the i-th "queries/"
 * text. */
int store_named(struct store *s, struct conn *c, const char *name, struct stmt **out,
                struct pv_err *err)
{
    size_t at = 0;

    for (const struct sql_text *t = sql_texts; t->name; t++) {
        if (!str_starts(t->name, QUERIES))
            continue;
        if (strcmp(t->name + strlen(QUERIES), name) == 0 && at < s->nnamed)
            return conn_stmt(c, &s->named[at], out, err);
        at++;
    }
    return pv_fail(err, PV_EINTERNAL, "there is no statement %s", name);
}

static int make_named(struct store *s, struct pv_err *err)
{
    size_t n = 0;

    for (const struct sql_text *t = sql_texts; t->name; t++)
        n += str_starts(t->name, QUERIES);
    s->named = calloc(n ? n : 1, sizeof(*s->named));
    if (!s->named)
        return pv_fail(err, PV_ENOMEM, "no memory for statements");
    for (const struct sql_text *t = sql_texts; t->name; t++) {
        char *text;

        if (!str_starts(t->name, QUERIES))
            continue;
        text = dialect_sqlite(t->text);
        if (!text)
            return pv_fail(err, PV_EINTERNAL, "%s has an unknown token", t->name);
        s->named[s->nnamed++] = sql_make(text);
    }
    return PV_OK;
}

/* `before` table _ field `after` */
static struct sql link_sql(const char *before, const struct model_kind *k,
                           const struct model_field *f, const char *after)
{
    char *text = NULL;

    if (asprintf(&text, "%s%s_%s%s", before, k->table, f->name, after) < 0)
        return (struct sql){ NULL, 0 };
    return sql_make(text);
}

/* Statements of the link tables. */
static int make_links(const struct model_kind *k, struct kind_sql *sql, struct pv_err *err)
{
    bool ok;

    sql->link = calloc(k->nfields, sizeof(*sql->link));
    sql->unlink = calloc(k->nfields, sizeof(*sql->unlink));
    ok = sql->link && sql->unlink;
    for (size_t i = 0; i < k->nfields && ok; i++) {
        if (k->fields[i].type != MODEL_REFS)
            continue;
        sql->link[i] = link_sql("INSERT INTO ", k, &k->fields[i],
                                " (id, ref) VALUES ($1, $2) ON CONFLICT (id, ref) DO NOTHING");
        sql->unlink[i] = link_sql("DELETE FROM ", k, &k->fields[i], " WHERE id = $1");
        ok = sql->link[i].text && sql->unlink[i].text;
    }
    return ok ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory for statements");
}

static int make_kinds(struct store *s, struct pv_err *err)
{
    for (size_t i = 0; model_kind_at(i); i++) {
        const struct model_kind *k = model_kind_at(i);
        char *text = NULL;
        int rc;

        if (!kind_stored(k))
            continue;
        rc = rows_insert_text(k, &text, err);
        if (rc != PV_OK)
            return rc;
        s->kinds[k->number].insert = sql_make(text);
        rc = make_links(k, &s->kinds[k->number], err);
        if (rc != PV_OK)
            return rc;
    }
    return PV_OK;
}

static void free_kinds(struct store *s)
{
    for (size_t i = 0; model_kind_at(i); i++) {
        struct kind_sql *sql = &s->kinds[model_kind_at(i)->number];

        for (size_t j = 0; j < model_kind_at(i)->nfields; j++) {
            if (sql->link)
                free((char *)(uintptr_t)sql->link[j].text);
            if (sql->unlink)
                free((char *)(uintptr_t)sql->unlink[j].text);
        }
        free(sql->link);
        free(sql->unlink);
        free((char *)(uintptr_t)sql->insert.text);
    }
}

/* A statement that does not compile is found at start, not by a user. */
static int prepare_all(struct store *s, struct conn *c, struct pv_err *err)
{
    int rc = PV_OK;

    for (size_t i = 0; i < s->nnamed && rc == PV_OK; i++) {
        PV_AUTO(stmt_done_p) struct stmt *st = NULL;

        rc = conn_stmt(c, &s->named[i], &st, err);
    }
    for (size_t i = 0; i <= PV_KIND_MAX && rc == PV_OK; i++) {
        PV_AUTO(stmt_done_p) struct stmt *st = NULL;

        if (s->kinds[i].insert.text)
            rc = conn_stmt(c, &s->kinds[i].insert, &st, err);
    }
    return rc;
}

static int make_file(const char *path, struct pv_err *err)
{
    /* Before the engine does: its log and index take over the mode. */
    PV_AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    return fd >= 0 ? PV_OK : pv_fail_os(err, errno, "cannot open the database %s", path);
}

static void store_free(struct store *s)
{
    while (s->readers) {
        struct reader *r = s->readers;

        s->readers = r->next;
        reader_free(r);
    }
    if (s->has_key)
        pthread_key_delete(s->reader_key);
    for (size_t i = 0; i < s->nnamed; i++)
        free((char *)(uintptr_t)s->named[i].text);
    free_kinds(s);
    free(s->named);
    free(s->path);
    pthread_mutex_destroy(&s->readers_lock);
    free(s);
}

static int open_all(struct store *s, unsigned group_ms, struct pv_err *err)
{
    struct conn *c = NULL;
    int rc = make_named(s, err);

    if (rc == PV_OK)
        rc = make_kinds(s, err);
    if (rc == PV_OK)
        rc = make_file(s->path, err);
    if (rc == PV_OK)
        rc = conn_open(s->path, CONN_WRITER, &c, err);
    if (rc == PV_OK)
        rc = migrate_run(c, s->path, err);
    if (rc == PV_OK)
        rc = prepare_all(s, c, err);
    if (rc == PV_OK)
        rc = writer_start(s, c, group_ms, &s->writer, err);
    if (rc != PV_OK)
        conn_close(c);
    return rc;
}

int store_open(const struct store_config *config, struct store **out, struct pv_err *err)
{
    struct store *s = calloc(1, sizeof(*s));
    int rc;

    if (!s)
        return pv_fail(err, PV_ENOMEM, "no memory for the store");
    pthread_mutex_init(&s->readers_lock, NULL);
    s->path = strdup(config->path);
    s->has_key = pthread_key_create(&s->reader_key, reader_end) == 0;
    /* Not from zero: an ETag of before the start must not come true again. */
    for (size_t i = 0; i <= PV_KIND_MAX; i++)
        s->changes[i] = (uint64_t)clock_wall_ms() * 1000;
    if (!s->path || !s->has_key)
        rc = pv_fail(err, PV_ENOMEM, "no memory for the store");
    else
        rc = open_all(s, config->group_ms ? config->group_ms : 5, err);
    if (rc != PV_OK) {
        store_free(s);
        return rc;
    }
    *out = s;
    return PV_OK;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    writer_stop(s->writer);
    store_free(s);
}

int store_backup(struct store *s, const char *path, struct pv_err *err)
{
    struct conn *c = NULL;
    int rc = conn_open(s->path, CONN_WRITER, &c, err);

    if (rc == PV_OK)
        rc = migrate_copy(c, path, err);
    conn_close(c);
    return rc;
}

uint64_t store_size_bytes(struct store *s)
{
    static const char *const suffixes[] = { "", "-wal" };
    uint64_t bytes = 0;

    for (size_t i = 0; i < PV_COUNT(suffixes); i++) {
        char name[4096];
        struct stat st;

        if (snprintf(name, sizeof(name), "%s%s", s->path, suffixes[i]) < (int)sizeof(name) &&
            stat(name, &st) == 0)
            bytes += (uint64_t)st.st_size;
    }
    return bytes;
}

uint64_t store_kind_changes(struct store *s, enum pv_kind kind)
{
    return (unsigned)kind <= PV_KIND_MAX ? atomic_load(&s->changes[kind]) : 0;
}
