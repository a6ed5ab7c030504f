/* SPDX-License-Identifier: Apache-2.0 */
/* Whole results without paging: NDJSON and CSV, read in keyset blocks so that a slow reader holds no transaction. */
#include "server/api/internal.h"

#include <inttypes.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#define BLOCK 512

struct stream {
    struct req *r;
    struct list_query l;
    struct store_position at;
    bool csv, begun, ended;
    uint16_t *columns;          /* CSV: fields in the order fields= names them */
    size_t ncolumns;
};

bool list_stream_wanted(struct req *r)
{
    const char *accept = req_header(r, "Accept");

    return accept && (strstr(accept, "application/x-ndjson") || strstr(accept, "text/csv"));
}

/* RFC 4180; a leading = + - @ is kept from being taken for a formula. */
static void csv_text(struct buf *out, const char *text, size_t len)
{
    bool formula = len > 0 && strchr("=+-@\t\r", text[0]) != NULL;

    if (!formula && !memchr(text, '"', len) && !memchr(text, ',', len) && !memchr(text, '\n', len)) {
        buf_append(out, text, len);
        return;
    }
    buf_text(out, formula ? "\"'" : "\"");
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"')
            buf_char(out, '"');
        buf_char(out, text[i]);
    }
    buf_char(out, '"');
}

static void csv_value(struct req *r, struct buf *out, const struct model_field *f, const struct model_value *v)
{
    char *joined;
    struct jsonw w;

    if (!v->set)
        return;
    switch (f->type) {
    case MODEL_STR:
    case MODEL_JSON:
        csv_text(out, v->text, v->len);
        return;
    case MODEL_LIST:
        if (v->len < 2)
            return;
        joined = arena_text(r->arena, v->text + 1, v->len - 2);
        for (char *p = joined; p && *p; p++)
            if (*p == '\n')
                *p = ';';
        if (joined)
            csv_text(out, joined, v->len - 2);
        return;
    case MODEL_REF:
        if (v->text && !ref_is_hidden(r, f, &v->id))
            csv_text(out, v->text, v->len ? v->len : strlen(v->text));
        return;
    case MODEL_REFS:
        buf_char(out, '"');
        for (size_t i = 0; i < v->len; i++)
            buf_printf(out, "%s%s", i ? ";" : "", v->refs[i].name && !ref_is_hidden(r, f, &v->refs[i].id) ? v->refs[i].name : "");
        buf_char(out, '"');
        return;
    case MODEL_ENUM:
        buf_text(out, model_enum_text(f->enum_id, v->number));
        return;
    case MODEL_TIME:
    case MODEL_U64:
    case MODEL_BOOL:
        break;
    }
    jsonw_init(&w, out);
    model_write_value(&w, NULL, f, v);
}

static int write_row(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct stream *s = ctx;
    const struct model_shape *shape = s->l.q.shape;
    struct buf *out = s->r->handler_data;
    char id[PV_ID_TEXT];
    struct jsonw w;

    (void)err;
    if (!s->csv) {
        jsonw_init(&w, out);
        object_write(s->r, &w, &s->l, row);
        buf_char(out, '\n');
        return PV_OK;
    }
    model_id_text(row->kind->number, &row->id, id);
    buf_text(out, id);
    for (size_t i = 0; i < s->ncolumns; i++) {
        const struct model_field *f = &shape->kind->fields[s->columns[i]];

        buf_char(out, ',');
        csv_value(s->r, out, f, &row->values[f->index]);
    }
    buf_text(out, "\r\n");
    return PV_OK;
}

static void csv_head(const struct stream *s, struct buf *out)
{
    const struct model_shape *shape = s->l.q.shape;

    buf_text(out, "id");
    for (size_t i = 0; i < s->ncolumns; i++)
        buf_printf(out, ",%s", shape->kind->fields[s->columns[i]].path);
    buf_text(out, "\r\n");
}

static void add_column(struct stream *s, uint16_t field)
{
    for (size_t i = 0; i < s->ncolumns; i++)
        if (s->columns[i] == field)
            return;
    s->columns[s->ncolumns++] = field;
}

/* As fields= says, a prefix standing for all below it; what it does not name follows. */
static bool choose_columns(struct stream *s)
{
    const struct model_shape *shape = s->l.q.shape;
    const char *fields = req_query(s->r, "fields");

    s->columns = arena_alloc(s->r->arena, (shape->nfields + 1) * sizeof(*s->columns));
    if (!s->columns)
        return false;
    for (const char *p = fields; p && *p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
        size_t len = strcspn(p, ",");
        const struct model_field *named = model_field(shape->kind, p, len);

        for (size_t i = 0; i < shape->nfields; i++) {
            const struct model_field *f = &shape->kind->fields[shape->fields[i]];

            if (f == named || (!named && strncmp(f->path, p, len) == 0 && f->path[len] == '.'))
                add_column(s, f->index);
        }
    }
    for (size_t i = 0; i < shape->nfields; i++)
        add_column(s, shape->fields[i]);
    return true;
}

static int next_block(void *ctx, struct buf *out)
{
    struct stream *s = ctx;
    struct store_position last = { .len = 0 };
    struct pv_err err = { 0 };

    if (s->csv && !s->begun)
        csv_head(s, out);
    s->begun = true;
    while (!s->ended && out->len < 64u << 10) {
        s->r->handler_data = out;
        s->l.q.after = s->at.len > 0 ? &s->at : NULL;
        if (store_list(api_of(s->r)->store, &s->l.q, write_row, s, &last, &err) != PV_OK)
            return err.rc;
        s->at = last;
        s->ended = last.len == 0;
    }
    return PV_OK;
}

enum req_result list_stream(struct req *r, const struct list_query *l)
{
    struct stream *s = arena_alloc(r->arena, sizeof(*s));
    struct pv_err err = { 0 };
    char now[CLOCK_TEXT_LEN];

    if (s) {
        s->r = r;
        s->l = *l;
    }
    if (!s || !choose_columns(s)) {
        pv_fail(&err, PV_ENOMEM, "no memory for the stream");
        return reply_problem(r, &err);
    }
    s->l.q.sort = s->l.sort;
    s->l.q.limit = BLOCK;
    s->csv = strstr(req_header(r, "Accept"), "text/csv") != NULL;
    if (l->has_after)
        s->at = l->after;
    clock_text(clock_wall_ms(), now);
    reply_header(r, "X-As-Of", now);
    reply_headerf(r, "X-Event-Seq", "%" PRIu64, core_event_seq(api_of(r)->core));
    return reply_stream(r, 200, s->csv ? "text/csv; charset=utf-8" : "application/x-ndjson", next_block,
                        NULL, s);
}
