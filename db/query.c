/* SPDX-License-Identifier: Apache-2.0 */
#include "db/query.h"

#include <string.h>

#include <polyvisor/err.h>

#define VALUES_MAX 20000
#define TEXT_MAX (4u << 20)

void query_init(struct query *q)
{
    memset(q, 0, sizeof(*q));
    buf_init(&q->text, TEXT_MAX);
}

void query_free(struct query *q)
{
    buf_free(&q->text);
    free(q->values);
}

void query_text(struct query *q, const char *text)
{
    buf_text(&q->text, text);
}

void query_printf(struct query *q, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(&q->text, fmt, ap);
    va_end(ap);
}

static void add(struct query *q, struct query_value v)
{
    if (q->n == q->cap) {
        size_t cap = q->cap ? q->cap * 2 : 64;
        struct query_value *more =
            cap <= 2 * VALUES_MAX ? realloc(q->values, cap * sizeof(*more)) : NULL;

        if (!more) {
            q->failed = true;
            return;
        }
        q->values = more;
        q->cap = cap;
    }
    q->values[q->n++] = v;
    buf_printf(&q->text, "$%zu", q->n);
}

void query_int(struct query *q, int64_t v)
{
    add(q, (struct query_value){ .type = QUERY_INT, .number = v });
}

void query_bind_text(struct query *q, const char *text, size_t len)
{
    add(q, (struct query_value){ .type = QUERY_TEXT, .data = text, .len = len });
}

void query_str(struct query *q, const char *text)
{
    query_bind_text(q, text, strlen(text));
}

void query_blob(struct query *q, const void *data, size_t len)
{
    add(q, (struct query_value){ .type = QUERY_BLOB, .data = data, .len = len });
}

void query_id(struct query *q, const struct pv_id *id)
{
    query_blob(q, id->b, sizeof(id->b));
}

size_t query_ids_places(size_t n)
{
    /* Pages have 50 or 100 rows. */
    static const size_t lengths[] = { 1, 4, 16, 50, 100, 128, 256, 512 };

    for (size_t i = 0; i < PV_COUNT(lengths); i++)
        if (lengths[i] >= n)
            return lengths[i];
    return n;
}

void query_ids(struct query *q, const struct pv_id *ids, size_t n)
{
    size_t places = query_ids_places(n);

    for (size_t i = 0; i < places; i++) {
        query_text(q, i ? "," : "(");
        query_id(q, &ids[i < n ? i : n - 1]);
    }
    query_text(q, ")");
}

int query_stmt(struct query *q, struct conn *c, struct stmt **out, struct pv_err *err)
{
    struct stmt *st = NULL;
    struct sql sql;
    int rc;

    if (q->failed || !buf_ok(&q->text) || !q->text.data)
        return pv_fail(err, PV_ENOMEM, "the query is too large");
    sql = sql_make(q->text.data);
    rc = conn_stmt(c, &sql, &st, err);
    if (rc != PV_OK)
        return rc;
    for (size_t i = 0; i < q->n; i++) {
        const struct query_value *v = &q->values[i];
        unsigned place = (unsigned)i + 1;

        switch (v->type) {
        case QUERY_NULL:
            break;
        case QUERY_INT:
            stmt_int(st, place, v->number);
            break;
        case QUERY_TEXT:
            stmt_text(st, place, v->data, v->len);
            break;
        case QUERY_BLOB:
            stmt_blob(st, place, v->data, v->len);
            break;
        }
    }
    *out = st;
    return PV_OK;
}
