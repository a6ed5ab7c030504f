/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include <polyvisor/arena.h>
#include <polyvisor/buf.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/jsonw.h>
#include <polyvisor/str.h>

#include "server/auth/inside.h"

#define HEAD "audit.head" /* setting: hash of the newest record */
#define PAGE 1000

static _Thread_local struct audit_note next_note;

/* Everything of a record that its hash is over, in an order and form that will never change. */
static const uint16_t hashed[] = {
    F(audit, seq),        F(audit, time),    F(audit, actor_type), F(audit, actor_id),
    F(audit, actor_name), F(audit, address), F(audit, action),     F(audit, subject),
    F(audit, outcome),    F(audit, detail),  F(audit, request_id),
};

/* Length before each part, so that no two records have the same text. */
static void put_value(struct buf *out, const struct model_field *f, const struct model_value *v)
{
    if (!v->set)
        buf_text(out, "-;");
    else if (f->type == MODEL_STR || f->type == MODEL_JSON)
        buf_printf(out, "%zu:%s;", v->len, v->text);
    else
        buf_printf(out, "%lld;", (long long)v->number);
}

int audit_hash(const struct model_row *row, const char *prev, char out[65], struct pv_err *err)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    struct buf text;
    char id[33];
    bool ok;

    buf_init(&text, 64 * 1024);
    str_hex(row->id.b, sizeof(row->id.b), id);
    buf_printf(&text, "%s;%s;", prev, id);
    for (size_t i = 0; i < sizeof(hashed) / sizeof(hashed[0]); i++)
        put_value(&text, &row->kind->fields[hashed[i]], model_get(row, hashed[i]));
    /* Records of what was done are hashed as they were before there was this field. */
    if (model_number(row, F(audit, dry_run)))
        buf_text(&text, "dry_run;");
    ok = buf_ok(&text) && EVP_Digest(text.data, text.len, hash, &n, EVP_sha256(), NULL) == 1 &&
         n == 32;
    buf_free(&text);
    if (!ok)
        return pv_fail(err, PV_ENOMEM, "no memory for an audit record");
    str_hex(hash, n, out);
    return PV_OK;
}

/* Cut to what the field holds: a record with a cut text is better than none. */
static void set_text(struct arena *a, struct model_row *row, unsigned field, const char *text)
{
    size_t max = row->kind->fields[field].max;
    char *copy;

    if (!text)
        text = "";
    copy = arena_alloc(a, max + 1);
    if (!copy)
        return;
    str_copy(copy, max + 1, text);
    model_set_text(row, field, copy);
}

void audit_session_text(bool by_cookie, const uint8_t login_hash[32], char out[AUDIT_SESSION])
{
    out[0] = '\0';
    if (by_cookie)
        str_hex(login_hash, (AUDIT_SESSION - 1) / 2, out);
}

/* The session is a member of the details: the chain's hash covers them, and its form never changes. */
static const char *detail_of(struct arena *a, const struct audit_entry *e)
{
    const char *detail = e->detail_json ? e->detail_json : "{}";
    const char *with;

    if (!e->session || !e->session[0] || detail[0] != '{')
        return detail;
    with = arena_printf(a, "{\"session\":\"%s\"%s%s", e->session, detail[1] == '}' ? "" : ",", detail + 1);
    return with ? with : detail;
}

static int fill(struct store_tx *tx, struct model_row *row, const struct audit_entry *e,
                uint64_t seq)
{
    struct arena *a = tx_arena(tx);
    int64_t now = clock_wall_ms();
    const char *detail = detail_of(a, e);

    id_make(&row->id);
    model_set_number(row, F(audit, seq), (int64_t)seq);
    model_set_number(row, F(audit, time), now);
    model_set_number(row, F(audit, actor_type), e->actor_type);
    set_text(a, row, F(audit, actor_id), e->actor_id);
    set_text(a, row, F(audit, actor_name), e->actor_name);
    set_text(a, row, F(audit, address), e->address);
    set_text(a, row, F(audit, action), e->action);
    set_text(a, row, F(audit, subject), e->subject);
    model_set_number(row, F(audit, outcome), e->outcome);
    model_set_number(row, F(audit, dry_run), e->dry_run);
    /* Cut JSON would be none. */
    model_set_text(
        row, F(audit, detail),
        strlen(detail) <= row->kind->fields[F(audit, detail)].max ? detail : "{\"too_long\":true}");
    set_text(a, row, F(audit, request_id), e->request_id);
    model_set_number(row, F(audit, created_at), now);
    model_set_number(row, F(audit, updated_at), now);
    model_set_number(row, F(audit, version), 1);
    return PV_OK;
}

int audit_write(struct store_tx *tx, const struct audit_entry *e, struct pv_err *err)
{
    struct model_row *row = model_row_new(tx_arena(tx), PV_KIND_audit);
    const char *prev = NULL;
    char hash[65];
    uint64_t seq;
    int rc;

    if (!row)
        return pv_fail(err, PV_ENOMEM, "no memory for an audit record");
    rc = tx_counter_next(tx, "audit", &seq, err);
    if (rc == PV_OK) {
        rc = tx_setting_get(tx, HEAD, tx_arena(tx), &prev, err);
        if (rc == PV_ENOENT)
            rc = PV_OK;
    }
    if (rc != PV_OK)
        return rc;
    if (!prev)
        prev = "";
    fill(tx, row, e, seq);
    rc = audit_hash(row, prev, hash, err);
    if (rc != PV_OK)
        return rc;
    model_set_text(row, F(audit, prev_hash), prev);
    model_set_text(row, F(audit, hash), hash);
    rc = tx_row_insert(tx, row, err);
    return rc == PV_OK ? tx_setting_put(tx, HEAD, hash, err) : rc;
}

static int write_one(struct store_tx *tx, void *arg, struct pv_err *err)
{
    return audit_write(tx, arg, err);
}

static void free_later(void *arg, int rc, const struct pv_err *err)
{
    (void)rc;
    (void)err;
    free(arg);
}

/* Copies the texts behind the struct, into one block. */
static struct audit_entry *copy_entry(const struct audit_entry *e)
{
    const char *const texts[] = { e->actor_id, e->actor_name, e->address,    e->action,
                                  e->subject,  e->request_id, e->detail_json, e->session };
    const char *copies[sizeof(texts) / sizeof(texts[0])];
    size_t n = sizeof(texts) / sizeof(texts[0]), size = sizeof(*e);
    struct audit_entry *copy;
    char *at;

    for (size_t i = 0; i < n; i++)
        size += texts[i] ? strlen(texts[i]) + 1 : 0;
    copy = malloc(size);
    if (!copy)
        return NULL;
    at = (char *)(copy + 1);
    for (size_t i = 0; i < n; i++) {
        size_t len = texts[i] ? strlen(texts[i]) + 1 : 0;

        copies[i] = texts[i] ? memcpy(at, texts[i], len) : NULL;
        at += len;
    }
    *copy = (struct audit_entry){ e->actor_type, copies[0], copies[1],  copies[2], copies[3],
                                  copies[4],     copies[5], e->outcome, copies[6], e->dry_run, copies[7] };
    return copy;
}

int audit_write_later(struct auth *a, const struct audit_entry *e, struct pv_err *err)
{
    struct audit_entry *copy = copy_entry(e);
    int rc;

    if (!copy)
        return pv_fail(err, PV_ENOMEM, "no memory for an audit record");
    rc = store_write_later(a->store, write_one, copy, free_later, err);
    if (rc != PV_OK)
        free(copy);
    return rc;
}

void audit_as(const struct audit_entry *who)
{
    struct audit_note *n = &next_note;

    memset(n, 0, sizeof(*n));
    if (!who)
        return;
    n->wanted = true;
    str_copy(n->actor_id, sizeof(n->actor_id), who->actor_id ? who->actor_id : "");
    str_copy(n->actor_name, sizeof(n->actor_name), who->actor_name ? who->actor_name : "");
    str_copy(n->address, sizeof(n->address), who->address ? who->address : "");
    str_copy(n->request_id, sizeof(n->request_id), who->request_id ? who->request_id : "");
    str_copy(n->session, sizeof(n->session), who->session ? who->session : "");
    n->entry.actor_type = who->actor_type;
    n->entry.outcome = PV_OUTCOME_ALLOWED;
}

void audit_note_take(struct audit_note *n, const char *action)
{
    *n = next_note;
    next_note.wanted = false;
    n->entry.action = action;
}

int audit_note_write(struct store_tx *tx, struct audit_note *n, const char *prefix,
                     const struct pv_id *subject, struct pv_err *err)
{
    if (!n->wanted)
        return PV_OK;
    id_text(prefix, subject, n->subject);
    n->entry.actor_id = n->actor_id;
    n->entry.actor_name = n->actor_name;
    n->entry.address = n->address;
    n->entry.request_id = n->request_id;
    n->entry.session = n->session;
    n->entry.subject = n->subject;
    return audit_write(tx, &n->entry, err);
}

/* Members that differ, of one of the two. */
static void write_side(struct jsonw *w, const char *key, const struct model_row *row,
                       const struct model_row *other)
{
    jsonw_object(w, key);
    for (size_t i = 0; i < row->kind->nfields; i++) {
        const struct model_field *f = &row->kind->fields[i];
        const struct model_value *v = &row->values[i];

        if ((f->flags & (MODEL_SECRET | MODEL_COMPUTED)) || str_eq(f->name, "version") ||
            str_eq(f->name, "created_at") || str_eq(f->name, "updated_at") ||
            str_eq(f->name, "access_version") || str_eq(f->name, "preferences"))
            continue;
        if (other ? !model_value_equal(f, v, &other->values[i]) : v->set)
            model_write_value(w, f->path, f, v);
    }
    jsonw_end(w);
}

int audit_note_rows(struct store_tx *tx, struct audit_note *n, const struct model_row *before,
                    const struct model_row *after, struct pv_err *err)
{
    const struct model_row *row = after ? after : before;
    struct jsonw w;
    struct buf text;
    int rc;

    if (!n->wanted)
        return PV_OK;
    buf_init(&text, 64 * 1024);
    jsonw_init(&w, &text);
    jsonw_object(&w, NULL);
    if (before)
        write_side(&w, "before", before, after);
    if (after)
        write_side(&w, "after", after, before);
    jsonw_end(&w);
    n->entry.detail_json = buf_ok(&text) ? arena_text(tx_arena(tx), text.data, text.len) : NULL;
    buf_free(&text);
    rc = audit_note_write(tx, n, row->kind->prefix, &row->id, err);
    n->entry.detail_json = NULL;
    return rc;
}

struct walk {
    uint64_t checked, bad;
    char prev[65];
    struct pv_err *err;
};

static int check_row(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct walk *w = ctx;
    char hash[65];
    int rc = audit_hash(row, w->prev, hash, err);

    if (rc != PV_OK)
        return rc;
    if (model_number(row, F(audit, seq)) != (int64_t)w->checked + 1 ||
        !str_eq(model_text(row, F(audit, prev_hash)), w->prev) ||
        !str_eq(model_text(row, F(audit, hash)), hash)) {
        w->bad = w->checked + 1;
        return 1;
    }
    w->checked++;
    str_copy(w->prev, sizeof(w->prev), hash);
    return 0;
}

static int walk_pages(struct store *s, const struct model_shape *shape, struct walk *w,
                      struct pv_err *err)
{
    static const struct store_sort by_seq = { .field = F(audit, seq) };
    struct store_position at = { .len = 0 }, last;
    struct store_query q = {
        .shape = shape, .sort = &by_seq, .nsort = 1, .limit = PAGE, .with_gone = true
    };
    int rc;

    do {
        last.len = 0;
        q.after = at.len ? &at : NULL;
        rc = store_list(s, &q, check_row, w, &last, err);
        if (w->bad)
            return PV_OK;
        at = last;
    } while (rc == PV_OK && at.len > 0);
    return rc;
}

int audit_verify(struct store *s, uint64_t *checked, uint64_t *bad_seq, struct pv_err *err)
{
    struct arena *a = arena_new(4096, 1u << 20);
    const struct model_shape *shape;
    struct walk w = { .checked = 0 };
    const char *head = "";
    int rc;

    if (!a)
        return pv_fail(err, PV_ENOMEM, "no memory");
    rc = model_shape_make(model_kind(PV_KIND_audit), NULL, MODEL_VIEW_FULL, a, &shape, err);
    if (rc == PV_OK)
        rc = walk_pages(s, shape, &w, err);
    if (rc == PV_OK && !w.bad) {
        rc = store_setting_get(s, HEAD, a, &head, err);
        if (rc == PV_ENOENT)
            rc = PV_OK;
        /* The newest records are missing, or more were added than the head knows of. */
        if (rc == PV_OK && !str_eq(head ? head : "", w.prev))
            w.bad = w.checked + 1;
    }
    if (rc == PV_OK) {
        *checked = w.checked;
        *bad_seq = w.bad;
    }
    arena_free(a);
    return rc;
}
