/* SPDX-License-Identifier: Apache-2.0 */
#include "db/search.h"

#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "db/kinds.h"
#include "db/rows.h"

#define WORDS_MAX (64u << 10) /* of one object */
#define TRIGRAMS_MAX 16       /* of one word: enough to be choosy */

struct doc {
    struct pv_id id, provider;
    const char *name;
    struct buf name_f, words;
    bool gone;
};

int search_create(struct conn *c, struct pv_err *err)
{
    /* Nothing but which documents have a trigram: the smallest index, and the texts are folded
     * already. */
    return conn_exec(c,
                     "CREATE VIRTUAL TABLE IF NOT EXISTS search_index USING fts5(words, content='',"
                     " columnsize=0, detail=none, tokenize='trigram case_sensitive 1')",
                     err);
}

static void doc_free(struct doc *d)
{
    buf_free(&d->name_f);
    buf_free(&d->words);
}

static int doc_make(const struct model_row *row, struct doc *d, struct pv_err *err)
{
    const struct model_kind *k = row->kind;
    uint16_t name = kind_fields(k)->name, provider = kind_fields(k)->provider;
    uint16_t presence = kind_fields(k)->presence;

    memset(d, 0, sizeof(*d));
    buf_init(&d->name_f, WORDS_MAX);
    buf_init(&d->words, WORDS_MAX);
    d->id = row->id;
    d->name = name == UINT16_MAX ? "" : model_text(row, name);
    str_fold(&d->name_f, d->name, strlen(d->name));
    if (provider != UINT16_MAX)
        d->provider = row->values[provider].id;
    d->gone = presence != UINT16_MAX && model_number(row, presence) == PV_PRESENCE_GONE;
    buf_text(&d->words, "\n");
    for (size_t i = 0; i < k->nfields; i++) {
        const struct model_value *v = &row->values[i];
        size_t skip;

        if (!(k->fields[i].flags & MODEL_WORD) || !v->set || !v->text || v->len == 0)
            continue;
        skip = k->fields[i].type == MODEL_LIST ? 1 : 0;
        /* What does not fit any more is not found; it is not an error. */
        if (d->words.len + 2 * v->len + 2 > WORDS_MAX)
            continue;
        str_fold(&d->words, v->text + skip, v->len - skip);
        if (skip == 0)
            buf_text(&d->words, "\n");
    }
    if (buf_ok(&d->words) && buf_ok(&d->name_f))
        return PV_OK;
    doc_free(d);
    return pv_fail(err, PV_ENOMEM, "no memory for the search index");
}

static void bind_id(struct stmt *st, unsigned place, const struct pv_id *id)
{
    if (id_is_zero(id))
        stmt_null(st, place);
    else
        stmt_id(st, place, id);
}

static int index_add(struct store_tx *tx, int64_t doc, const char *words, size_t len,
                     struct pv_err *err)
{
    static const char text[] = "INSERT INTO search_index(rowid, words) VALUES ($1, $2)";
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    struct sql sql = sql_make(text);
    int rc = conn_stmt(tx->conn, &sql, &st, err);

    if (rc != PV_OK)
        return rc;
    stmt_int(st, 1, doc);
    stmt_text(st, 2, words, len);
    return stmt_run(st, err);
}

static int index_remove(struct store_tx *tx, int64_t doc, const char *words, size_t len,
                        struct pv_err *err)
{
    static const char text[] =
        "INSERT INTO search_index(search_index, rowid, words) VALUES ('delete', $1, $2)";
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    struct sql sql = sql_make(text);
    int rc = conn_stmt(tx->conn, &sql, &st, err);

    if (rc != PV_OK)
        return rc;
    stmt_int(st, 1, doc);
    stmt_text(st, 2, words, len);
    return stmt_run(st, err);
}

static int doc_insert(struct store_tx *tx, const struct model_kind *k, const struct doc *d,
                      struct pv_err *err)
{
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    int rc = store_named(tx->store, tx->conn, "search_doc_insert", &st, err);

    if (rc != PV_OK)
        return rc;
    stmt_int(st, 1, k->number);
    stmt_id(st, 2, &d->id);
    bind_id(st, 3, &d->provider);
    stmt_int(st, 4, d->gone);
    stmt_str(st, 5, d->name);
    stmt_text(st, 6, d->name_f.data, d->name_f.len);
    stmt_text(st, 7, d->words.data, d->words.len);
    rc = stmt_run(st, err);
    if (rc == PV_OK)
        rc = index_add(tx, conn_last_row(tx->conn), d->words.data, d->words.len, err);
    return rc;
}

int search_insert(struct store_tx *tx, const struct model_row *row, struct pv_err *err)
{
    struct doc d;
    int rc;

    if (!kind_searchable(row->kind))
        return PV_OK;
    rc = doc_make(row, &d, err);
    if (rc != PV_OK)
        return rc;
    rc = doc_insert(tx, row->kind, &d, err);
    doc_free(&d);
    return rc;
}

static int doc_update(struct store_tx *tx, int64_t doc, const struct doc *d, struct pv_err *err)
{
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    int rc = store_named(tx->store, tx->conn, "search_doc_update", &st, err);

    if (rc != PV_OK)
        return rc;
    bind_id(st, 1, &d->provider);
    stmt_int(st, 2, d->gone);
    stmt_str(st, 3, d->name);
    stmt_text(st, 4, d->name_f.data, d->name_f.len);
    stmt_text(st, 5, d->words.data, d->words.len);
    stmt_int(st, 6, doc);
    return stmt_run(st, err);
}

/* The object's document as it is stored; *words NULL: there is none. */
static int doc_get(struct store_tx *tx, const struct pv_id *id, int64_t *doc, const char **words,
                   size_t *len, struct pv_err *err)
{
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    bool found = false;
    int rc = store_named(tx->store, tx->conn, "search_doc_get", &st, err);

    *words = NULL;
    if (rc != PV_OK)
        return rc;
    stmt_id(st, 1, id);
    rc = stmt_step(st, &found, err);
    if (rc != PV_OK || !found)
        return rc;
    *doc = col_int(st, 0);
    return col_strdup(st, 1, tx->arena, words, len)
               ? PV_OK
               : pv_fail(err, PV_ENOMEM, "no memory for words");
}

static int replace(struct store_tx *tx, const struct model_row *row, struct pv_err *err)
{
    const char *old;
    struct doc d;
    int64_t doc = 0;
    size_t len;
    int rc = doc_get(tx, &row->id, &doc, &old, &len, err);

    if (rc != PV_OK)
        return rc;
    if (!old)
        return search_insert(tx, row, err);
    rc = doc_make(row, &d, err);
    if (rc != PV_OK)
        return rc;
    if (len != d.words.len || memcmp(old, d.words.data, len) != 0) {
        rc = index_remove(tx, doc, old, len, err);
        if (rc == PV_OK)
            rc = index_add(tx, doc, d.words.data, d.words.len, err);
    }
    if (rc == PV_OK)
        rc = doc_update(tx, doc, &d, err);
    doc_free(&d);
    return rc;
}

bool search_uses(const struct model_kind *kind, const struct model_field *f)
{
    const struct kind_fields *own = kind_fields(kind);

    return own->searchable && ((f->flags & MODEL_WORD) || f->index == own->name ||
                               f->index == own->presence || f->index == own->provider);
}

int search_update(struct store_tx *tx, const struct model_kind *kind, const struct pv_id *id,
                  struct pv_err *err)
{
    struct model_row *row = NULL;
    struct rows_want w;
    uint16_t *fields;
    size_t n = 0;
    int rc;

    if (!kind_searchable(kind))
        return PV_OK;
    fields = arena_alloc(tx->arena, kind->nfields * sizeof(*fields));
    if (!fields)
        return pv_fail(err, PV_ENOMEM, "no memory for the search index");
    for (size_t i = 0; i < kind->nfields; i++) {
        if (search_uses(kind, &kind->fields[i]))
            fields[n++] = (uint16_t)i;
    }
    w = (struct rows_want){ .kind = kind, .fields = fields, .nfields = n };
    rc = rows_get(tx->conn, &w, id, 1, tx->arena, &row, err);
    return rc == PV_OK && row ? replace(tx, row, err) : rc;
}

int search_delete(struct store_tx *tx, const struct pv_id *id, struct pv_err *err)
{
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    const char *words;
    int64_t doc = 0;
    size_t len;
    int rc = doc_get(tx, id, &doc, &words, &len, err);

    if (rc != PV_OK || !words)
        return rc;
    rc = index_remove(tx, doc, words, len, err);
    if (rc == PV_OK)
        rc = store_named(tx->store, tx->conn, "search_doc_delete", &st, err);
    if (rc != PV_OK)
        return rc;
    stmt_int(st, 1, doc);
    return stmt_run(st, err);
}

size_t search_length(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

/* Bytes of the first `n` characters. */
static size_t prefix_bytes(const char *text, unsigned n)
{
    size_t at = 0;

    while (text[at] && n--) {
        at++;
        while (((unsigned char)text[at] & 0xc0) == 0x80)
            at++;
    }
    return at;
}

int search_match_sql(struct query *q, const char *folded, struct arena *a, struct pv_err *err)
{
    size_t chars = search_length(folded), step, len;
    struct buf match;
    const char *at = folded;
    const char *text;

    /* Spread over the whole word when it has more trigrams than are looked at. */
    step = chars > TRIGRAMS_MAX + 2 ? (chars - 2) / TRIGRAMS_MAX : 1;
    buf_init(&match, 4096);
    for (size_t i = 0; i + 3 <= chars; i++, at += prefix_bytes(at, 1)) {
        if (i % step)
            continue;
        buf_text(&match, match.len ? " AND \"" : "\"");
        len = prefix_bytes(at, 3);
        for (size_t j = 0; j < len; j++) {
            buf_char(&match, at[j]);
            if (at[j] == '"')
                buf_char(&match, '"');
        }
        buf_text(&match, "\"");
    }
    text = buf_ok(&match) && match.data ? arena_text(a, match.data, match.len) : NULL;
    buf_free(&match);
    if (!text)
        return pv_fail(err, PV_ENOMEM, "the word is too long to search for");
    query_text(q, "d.doc IN (SELECT rowid FROM search_index WHERE search_index MATCH ");
    query_str(q, text);
    query_text(q, ") AND instr(d.words,");
    query_str(q, folded);
    query_text(q, ")>0");
    return PV_OK;
}
