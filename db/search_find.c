/* SPDX-License-Identifier: Apache-2.0 */
/* store_search(): names that begin with the text by the index of names, then what holds all its
 * words. */
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "db/kinds.h"
#include "db/search.h"
#include "db/view.h"

#define WORDS_MAX 16
#define TEXT_MAX 1024
#define CANDIDATES_MAX 2000 /* of one search: beyond that, rank among these */
#define HITS_MAX 1000

struct search {
    struct arena *a;
    char *text; /* folded, words between single spaces */
    char *word[WORDS_MAX];
    size_t nwords;
    const enum pv_kind *kinds;
    size_t nkinds;
    const struct store_access *access;
    struct store_hit *hits;
    size_t n, limit;
};

static bool space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Folded words, and the whole text with them between single spaces. */
static int take_words(struct search *s, const char *text, struct pv_err *err)
{
    struct buf fold, joined;
    char *copy;

    buf_init(&fold, 4 * TEXT_MAX);
    buf_init(&joined, 4 * TEXT_MAX);
    buf_text(&fold, "");
    buf_text(&joined, "");
    str_fold(&fold, text, strnlen(text, TEXT_MAX));
    copy = buf_ok(&fold) ? arena_text(s->a, fold.data, fold.len) : NULL;
    buf_free(&fold);
    while (copy && *copy && s->nwords < WORDS_MAX) {
        char *word;

        while (space(*copy))
            copy++;
        if (!*copy)
            break;
        word = copy;
        while (*copy && !space(*copy))
            copy++;
        if (*copy)
            *copy++ = '\0';
        buf_text(&joined, s->nwords ? " " : "");
        buf_text(&joined, word);
        s->word[s->nwords++] = word;
    }
    s->text = copy && buf_ok(&joined) ? arena_text(s->a, joined.data, joined.len) : NULL;
    buf_free(&joined);
    return s->text ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory to search");
}

/* Of each kind what may be seen of it. */
static int views_sql(struct query *q, const struct search *s, struct pv_err *err)
{
    int rc = PV_OK;

    query_text(q, " AND (0");
    for (size_t i = 0; model_kind_at(i) && rc == PV_OK; i++) {
        const struct model_kind *k = model_kind_at(i);
        const struct store_view *view = view_of(s->access, k);

        if (!kind_searchable(k))
            continue;
        query_printf(q, " OR (d.kind=%d", (int)k->number);
        if (view) {
            query_printf(q, " AND d.id IN (SELECT t.\"id\" FROM %s t WHERE t.\"id\"=d.id AND ",
                         k->table);
            rc = view_sql(q, k, view, NULL, true, s->a, err);
            query_text(q, ")");
        }
        query_text(q, ")");
    }
    query_text(q, ")");
    return rc;
}

static int kinds_sql(struct query *q, const struct search *s, struct pv_err *err)
{
    query_text(q, " AND d.gone=0");
    for (size_t i = 0; i < s->nkinds; i++)
        query_printf(q, "%s%d", i ? "," : " AND d.kind IN (", (int)s->kinds[i]);
    if (s->nkinds > 0)
        query_text(q, ")");
    return s->access ? views_sql(q, s, err) : PV_OK;
}

/* The part of the document that holds the first word, or the name if that does. */
static const char *matched(struct search *s, const char *name, const char *name_f,
                           const char *words)
{
    const char *at, *end;

    for (size_t i = 0; i < s->nwords; i++)
        if (strstr(name_f, s->word[i]))
            return name;
    at = strstr(words, s->word[0]);
    if (!at)
        return name;
    end = strchrnul(at, '\n');
    while (at > words && at[-1] != '\n')
        at--;
    return arena_text(s->a, at, (size_t)(end - at));
}

static int add_hit(struct search *s, struct stmt *st, struct pv_err *err)
{
    struct store_hit *h = &s->hits[s->n];
    struct pv_id id;

    col_id(st, 1, &id);
    for (size_t i = 0; i < s->n; i++)
        if (id_eq(&s->hits[i].id, &id))
            return PV_OK;
    h->kind = (enum pv_kind)col_int(st, 0);
    h->id = id;
    col_id(st, 2, &h->provider);
    if (!col_strdup(st, 3, s->a, &h->name, NULL))
        return pv_fail(err, PV_ENOMEM, "no memory for what was found");
    h->matched = matched(s, h->name, col_text(st, 4, NULL), col_text(st, 5, NULL));
    if (!h->matched)
        return pv_fail(err, PV_ENOMEM, "no memory for what was found");
    s->n++;
    return PV_OK;
}

static int add_hits(struct search *s, struct conn *c, struct query *q, struct pv_err *err)
{
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    bool row = true;
    int rc = query_stmt(q, c, &st, err);

    while (rc == PV_OK && s->n < s->limit && (rc = stmt_step(st, &row, err)) == PV_OK && row)
        rc = add_hit(s, st, err);
    return rc;
}

#define HIT_COLUMNS "SELECT d.kind,d.id,d.provider,d.name,d.name_f,d.words FROM search_doc d WHERE "

/* Names that begin with the text; the exact ones come first in the order of names. */
static int by_prefix(struct search *s, struct conn *c, struct pv_err *err)
{
    QUERY_AUTO struct query q = { 0 };
    /* Nothing that is text sorts after it. */
    const char *end = arena_printf(s->a, "%s\xf4\x8f\xbf\xbf", s->text);
    int rc;

    if (!end)
        return pv_fail(err, PV_ENOMEM, "no memory to search");
    query_init(&q);
    query_text(&q, HIT_COLUMNS "d.name_f>=");
    query_str(&q, s->text);
    query_text(&q, " AND d.name_f<=");
    query_str(&q, end);
    rc = kinds_sql(&q, s, err);
    query_text(&q, " ORDER BY d.name_f,d.id LIMIT ");
    query_int(&q, (int64_t)s->limit);
    return rc == PV_OK ? add_hits(s, c, &q, err) : rc;
}

/* Documents with all words, those that have them in the name first. */
static int by_words(struct search *s, struct conn *c, struct pv_err *err)
{
    QUERY_AUTO struct query q = { 0 };
    int rc = PV_OK;

    query_init(&q);
    query_text(&q, "SELECT kind,id,provider,name,name_f,words FROM (" HIT_COLUMNS "1");
    for (size_t i = 0; i < s->nwords && rc == PV_OK; i++) {
        query_text(&q, " AND ");
        if (search_length(s->word[i]) >= SEARCH_WORD_MIN) {
            rc = search_match_sql(&q, s->word[i], s->a, err);
        } else {
            query_text(&q, "instr(d.words,");
            query_str(&q, s->word[i]);
            query_text(&q, ")>0");
        }
    }
    if (rc == PV_OK)
        rc = kinds_sql(&q, s, err);
    query_text(&q, " LIMIT ");
    query_int(&q, CANDIDATES_MAX);
    query_text(&q, ") d ORDER BY CASE WHEN instr(name_f,");
    query_str(&q, s->word[0]);
    query_text(&q, ")>0 THEN 0 ELSE 1 END,name_f,id LIMIT ");
    /* Those by prefix may come again. */
    query_int(&q, (int64_t)(s->limit + s->n));
    return rc == PV_OK ? add_hits(s, c, &q, err) : rc;
}

int store_search(struct store *st, const char *text, const enum pv_kind *kinds, size_t nkinds,
                 const struct store_access *access, size_t limit, struct arena *a,
                 struct store_hit **hits, size_t *n, struct pv_err *err)
{
    struct search s = { .a = a, .kinds = kinds, .nkinds = nkinds, .access = access };
    struct conn *c;
    int rc = take_words(&s, text, err);

    if (rc != PV_OK)
        return rc;
    s.limit = s.nwords == 0 ? 0 : limit < HITS_MAX ? limit : HITS_MAX;
    s.hits = arena_alloc(a, (s.limit + 1) * sizeof(*s.hits));
    if (!s.hits)
        return pv_fail(err, PV_ENOMEM, "no memory to search");
    if (s.limit) {
        rc = store_reader(st, &c, err);
        if (rc == PV_OK)
            rc = conn_read_begin(c, err);
        if (rc != PV_OK)
            return rc;
        rc = by_prefix(&s, c, err);
        if (rc == PV_OK && s.n < s.limit)
            rc = by_words(&s, c, err);
        conn_read_end(c);
    }
    if (rc != PV_OK)
        return rc;
    *hits = s.hits;
    *n = s.n;
    return PV_OK;
}
