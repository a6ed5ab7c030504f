/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store - what the rest may ask of storage. No SQL beyond this header.
 *
 * Reading: any thread; each reading thread has a read connection of its own,
 * made on first use. Rows and texts land in the caller's arena.
 *
 * Writing: there is one writer thread. store_write() hands it a function that
 * runs inside a transaction and waits until that is on disk; requests of
 * several threads share a commit (at most 5 ms or 500 of them). Each function
 * runs in a savepoint of its own: its failure undoes its own work alone. A
 * function may only use tx_* calls, must not block on anything else, and may
 * run again (another engine retries); so it has no effect outside the
 * transaction but through its argument and tx_after_commit().
 *
 * Errors: PV_ENOENT no such row; PV_EEXIST a unique value is taken (pointer
 * names the field); PV_ENOMEM, PV_ENOSPC, PV_EIO of the engine; PV_EINTERNAL.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <polyvisor/model.h>

struct arena;
struct filter;
struct pv_err;
struct store;
struct store_tx;

struct store_config {
    const char *path;           /* database file; made with mode 0600 if it is missing */
    unsigned group_ms;          /* 0: 5 */
};

/* Opens, copies the file aside before a migration, migrates, adds the columns the model has and tables lack,
 * prepares every named statement. Refuses a database of a newer version (PV_ENOTSUP). */
int store_open(const struct store_config *config, struct store **out, struct pv_err *err);
/* Commits what is queued, then closes. No call may be under way. */
void store_close(struct store *s);
/* Copies the database, as of one moment, to a new file while everything goes on. */
int store_backup(struct store *s, const char *path, struct pv_err *err);
/* Bytes of the database and its log on disk, for metrics. */
uint64_t store_size_bytes(struct store *s);

/* ---------------------------------------------------------------- writing */

typedef int (*store_fn)(struct store_tx *tx, void *arg, struct pv_err *err);
/* Runs fn on the writer thread and waits for the commit. Answers fn's rc, or the commit's failure. */
int store_write(struct store *s, store_fn fn, void *arg, struct pv_err *err);
/* The same without waiting; `done` (may be NULL) runs on the writer thread after the commit. Order of calls is kept,
 * also against store_write of the same thread. PV_ENOMEM when the queue (10,000) is full. */
typedef void (*store_done)(void *arg, int rc, const struct pv_err *err);
int store_write_later(struct store *s, store_fn fn, void *arg, store_done done, struct pv_err *err);
/* Waits until every write that was handed over before this call is on disk, or has failed. */
int store_settle(struct store *s, struct pv_err *err);
/* Run `fn(arg)` on the writer thread once this transaction is on disk, in the order of commits, before store_write
 * returns; not run if it fails. */
typedef void (*store_hook)(void *arg);
int tx_after_commit(struct store_tx *tx, store_hook fn, void *arg, struct pv_err *err);
/* Memory that lives until the function returns. */
struct arena *tx_arena(struct store_tx *tx);

/* Rows of the model's kinds. The caller sets id, created_at, updated_at and version. The folded columns, link tables
 * and the search index follow from the values. */
int tx_row_insert(struct store_tx *tx, const struct model_row *row, struct pv_err *err);
/* Writes the `n` named fields only. PV_ENOENT if there is no such row. */
int tx_row_update(struct store_tx *tx, const struct model_row *row, const uint16_t *fields, size_t n,
                  struct pv_err *err);
/* Deletes it and its children. */
int tx_row_delete(struct store_tx *tx, enum pv_kind kind, const struct pv_id *id, struct pv_err *err);
/* Children of an owner whose ids are not among `keep`. */
int tx_children_prune(struct store_tx *tx, enum pv_kind kind, const struct pv_id *owner,
                      const struct pv_id *keep, size_t nkeep, size_t *deleted, struct pv_err *err);
/* Whole rows by id, all fields but secret ones unless `secrets`; rows[i] is NULL where there is none. IN lists of 512. */
int tx_rows_get(struct store_tx *tx, enum pv_kind kind, const struct pv_id *ids, size_t n, bool secrets,
                struct arena *a, struct model_row **rows, struct pv_err *err);

/* Numbers that only grow: "event", "audit". First answer is 1. */
int tx_counter_next(struct store_tx *tx, const char *name, uint64_t *out, struct pv_err *err);
/* Text settings; NULL value deletes. */
int tx_setting_put(struct store_tx *tx, const char *key, const char *value, struct pv_err *err);
int tx_setting_get(struct store_tx *tx, const char *key, struct arena *a, const char **out,
                   struct pv_err *err);

/* Provider and kind: when the provider last confirmed everything of it (observed_at follows). Not a visible change. */
int tx_confirmed_put(struct store_tx *tx, const struct pv_id *provider, int64_t ms, struct pv_err *err);

/* Logins of the browser: id is the SHA-256 of the cookie. */
struct store_login {
    uint8_t hash[32];
    struct pv_id user;
    int64_t created_ms, last_used_ms, expires_ms;
    char csrf[44];
    char address[64];
    char agent[128];
};
int tx_login_put(struct store_tx *tx, const struct store_login *login, struct pv_err *err);
/* Notes its last use; one that has ended meanwhile does not come back. */
int tx_login_used(struct store_tx *tx, const uint8_t hash[32], int64_t last_used_ms, struct pv_err *err);
int tx_login_delete(struct store_tx *tx, const uint8_t hash[32], struct pv_err *err);
int tx_logins_delete_of(struct store_tx *tx, const struct pv_id *user, struct pv_err *err);
/* Failed sign-ins by key ("user:admin", "address:::1"); count 0 deletes. */
int tx_throttle_put(struct store_tx *tx, const char *key, uint32_t failures, int64_t last_ms,
                    struct pv_err *err);

/* Idempotency-Key: the record of one answered request. */
struct store_idempotency {
    struct pv_id principal;
    char key[129];
    uint8_t request_hash[32];   /* method, path, body */
    int status;                 /* 0: still under way */
    const char *headers;        /* Location: ... lines */
    const char *body;
    int64_t created_ms;
};
int tx_idempotency_put(struct store_tx *tx, const struct store_idempotency *r, struct pv_err *err);
/* Inside the transaction that decides whether to act. PV_ENOENT: not seen in the last 24 h. */
int tx_idempotency_get(struct store_tx *tx, const struct pv_id *principal, const char *key,
                       struct arena *a, struct store_idempotency *out, struct pv_err *err);

/* Retention; each deletes at most 5,000 rows and answers how many. */
int tx_purge_events(struct store_tx *tx, int64_t before_ms, uint64_t keep, size_t *deleted, struct pv_err *err);
int tx_purge_tasks(struct store_tx *tx, int64_t before_ms, uint64_t keep, size_t *deleted, struct pv_err *err);
int tx_purge_gone(struct store_tx *tx, int64_t before_ms, size_t *deleted, struct pv_err *err);
int tx_purge_short_lived(struct store_tx *tx, int64_t now_ms, size_t *deleted, struct pv_err *err); /* logins, idempotency, throttles */

/* ---------------------------------------------------------------- reading */

/* One row with the fields of the shape (children and provider too). */
int store_row_get(struct store *s, const struct model_shape *shape, const struct pv_id *id, struct arena *a,
                  struct model_row **out, struct pv_err *err);
/* The secret of a row, for those who must know it: F(provider, password), F(user, password), F(token, secret). */
int store_secret_get(struct store *s, enum pv_kind kind, const struct pv_id *id, unsigned field,
                     struct arena *a, const char **out, struct pv_err *err);
/* Ids of rows where the field equals the value exactly, oldest first, at most `max`. */
int store_find(struct store *s, enum pv_kind kind, unsigned field, const struct model_value *value,
               size_t max, struct arena *a, struct pv_id **ids, size_t *n, struct pv_err *err);
int tx_find(struct store_tx *tx, enum pv_kind kind, unsigned field, const struct model_value *value,
            size_t max, struct arena *a, struct pv_id **ids, size_t *n, struct pv_err *err);

struct store_sort {
    uint16_t field;
    bool descending;
};
#define STORE_SORT_MAX 4

/* Where a page ended: sort values and id of its last row, as opaque bytes. */
struct store_position {
    uint8_t bytes[2048];
    size_t len;                 /* 0: the beginning */
};

/* What a caller may see: nothing but what one of the parts says. */
struct store_part {
    enum pv_kind kind;
    const struct filter *filter;        /* NULL: all of the kind */
};
struct store_view {
    const struct store_part *parts;
    size_t n;
    const char *actor;                  /* tasks: those this one asked for, too; NULL: none */
};
/* By kind; NULL: all of it. Devices and snapshots are seen with their owner; where a kind has the fields `subject` and
 * `subject_id` (events, tasks), its rows are seen with that. */
struct store_access {
    const struct store_view *read[PV_KIND_MAX + 1];
};

struct store_query {
    const struct model_shape *shape;
    const struct store_access *access;  /* whose eyes it is read with; NULL: sees everything */
    const struct filter *filter;        /* NULL: all */
    const struct store_sort *sort;      /* id is always the last key */
    size_t nsort;
    const struct store_position *after; /* NULL: from the beginning */
    const struct pv_id *ids;            /* exactly these, in this order; filter and sort do not count then */
    size_t nids;
    const struct pv_id *owner;          /* children of this one only */
    unsigned limit;                     /* 1 .. 1000 */
    unsigned facet_limit;               /* values store_facet() counts at most; 0: 100 */
    bool with_gone;                     /* presence gone is left out otherwise, unless the filter names presence */
    const struct pv_id *self;           /* tokens: only those of this user; NULL: all */
};
/* Calls `each` for every row (valid during the call only); nonzero stops. *last: where it ended (len 0: nothing more),
 * may be NULL. One read transaction; groups of 128 rows, one statement per child kind and group. */
typedef int (*store_row_fn)(void *ctx, const struct model_row *row, struct pv_err *err);
int store_list(struct store *s, const struct store_query *q, store_row_fn each, void *ctx,
               struct store_position *last, struct pv_err *err);
int store_count(struct store *s, const struct store_query *q, uint64_t *out, struct pv_err *err);
/* Rows per value of a field (enum, bool, ref, str), most first. `text`: enum text, id text or string;
 * `name`: of a ref, else NULL. */
typedef int (*store_facet_fn)(void *ctx, const char *text, const char *name, uint64_t count);
int store_facet(struct store *s, const struct store_query *q, unsigned field, store_facet_fn each, void *ctx,
                struct pv_err *err);

/* Objects of all searchable kinds that match all words (trigram index), best first: exact name, prefix, substring. */
struct store_hit {
    enum pv_kind kind;
    struct pv_id id;
    const char *name, *matched; /* the text that matched */
    struct pv_id provider;
};
int store_search(struct store *s, const char *text, const enum pv_kind *kinds, size_t nkinds,
                 const struct store_access *access, size_t limit, struct arena *a, struct store_hit **hits, size_t *n,
                 struct pv_err *err);
/* Is the object there, and within the view (NULL: everything is)? */
int store_visible(struct store *s, const struct store_view *view, enum pv_kind kind, const struct pv_id *id, bool *out,
                  struct pv_err *err);

/* Everything that is bound of a provider, to fill memory when it is taken over. Children: owner is set. */
struct store_binding {
    struct pv_id id, owner;
    const char *native_id, *identity;   /* identity may be "" */
    enum pv_presence presence;
};
typedef int (*store_binding_fn)(void *ctx, const struct store_binding *b, struct pv_err *err);
int store_bindings(struct store *s, enum pv_kind kind, const struct pv_id *provider, store_binding_fn each,
                   void *ctx, struct pv_err *err);

/* Events after `since` in order, for replay. Oldest kept and newest number. */
int store_events_since(struct store *s, uint64_t since, unsigned limit, const struct model_shape *shape,
                       store_row_fn each, void *ctx, struct pv_err *err);
int store_event_bounds(struct store *s, uint64_t *oldest, uint64_t *newest, struct pv_err *err);

/* Plus one whenever a row of the kind changed, as of the last commit seen; in memory, cheap. ETag of lists. */
uint64_t store_kind_changes(struct store *s, enum pv_kind kind);
/* Rows per kind and provider and, for the named enum field (or UINT16_MAX), per value: dashboards and metrics. */
struct store_tally {
    struct pv_id provider;
    int64_t value;
    uint64_t count;
};
int store_tally(struct store *s, enum pv_kind kind, uint16_t field, const struct store_access *access, struct arena *a,
                struct store_tally **out, size_t *n, struct pv_err *err);
/* Sum of a U64 field per provider. */
int store_sum(struct store *s, enum pv_kind kind, uint16_t field, const struct store_access *access, struct arena *a,
              struct store_tally **out, size_t *n, struct pv_err *err);

/* Rows that agree in all of some fields (enum, bool, reference), counted, with sums of numbers: one pass over the rows
 * the query selects. */
#define STORE_GROUP_MAX 8
struct store_group {
    struct pv_id refs[STORE_GROUP_MAX];     /* by place in `by`; zero where empty */
    int64_t numbers[STORE_GROUP_MAX];       /* enum, bool; 0 where empty */
    uint64_t count;
    uint64_t sums[STORE_GROUP_MAX];         /* by place in `sums` */
};
typedef int (*store_group_fn)(void *ctx, const struct store_group *g);
int store_groups(struct store *s, const struct store_query *q, const uint16_t *by, size_t nby, const uint16_t *sums,
                 size_t nsums, store_group_fn each, void *ctx, struct pv_err *err);

int store_login_get(struct store *s, const uint8_t hash[32], struct store_login *out, struct pv_err *err);
int store_logins_of(struct store *s, const struct pv_id *user, struct arena *a, struct store_login **out,
                    size_t *n, struct pv_err *err);
int store_throttle_get(struct store *s, const char *key, uint32_t *failures, int64_t *last_ms,
                       struct pv_err *err);
int store_setting_get(struct store *s, const char *key, struct arena *a, const char **out,
                      struct pv_err *err);
