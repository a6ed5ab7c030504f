/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_priv - what the files of db/ know of each other.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include <polyvisor/model.h>

#include "db/query.h"
#include "db/sqlite.h"
#include "db/store.h"

struct writer;

/* Statements that a kind's rows always need, made at start. Owned by the store. */
struct kind_sql {
    struct sql insert;
    struct sql *link, *unlink; /* by number of the REFS field: add a link; remove a row's links */
};

struct store {
    char *path;
    struct kind_sql kinds[PV_KIND_MAX + 1];
    struct sql *named; /* as sql_texts, in this engine's words */
    size_t nnamed;
    _Atomic uint64_t changes[PV_KIND_MAX + 1];
    struct writer *writer;

    pthread_key_t reader_key; /* this thread's struct reader */
    bool has_key;
    pthread_mutex_t readers_lock; /* the list */
    struct reader *readers;
};

struct store_hook_entry {
    store_hook fn;
    void *arg;
};

struct store_tx {
    struct store *store;
    struct conn *conn;
    struct arena *arena;
    uint32_t changed[PV_KIND_MAX + 1]; /* rows written by this function */
    struct store_hook_entry *hooks;    /* of all functions of the group, kept over groups */
    size_t nhooks, hooks_cap;
};

/* This thread's connection; made on first use, closed with the thread or the store. */
int store_reader(struct store *s, struct conn **out, struct pv_err *err);
struct filter_common;
/* WHERE by everything of the query but where it goes on; the table is called t. */
int list_where_sql(struct query *sql, const struct store_query *q,
                   const struct filter_common *common, struct arena *a, struct pv_err *err);
/* db/queries/<name>.sql */
int store_named(struct store *s, struct conn *c, const char *name, struct stmt **out,
                struct pv_err *err);

static inline void tx_touch(struct store_tx *tx, enum pv_kind kind)
{
    tx->changed[kind]++;
}
