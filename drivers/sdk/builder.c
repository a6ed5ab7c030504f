/* SPDX-License-Identifier: Apache-2.0 */
#include <polyvisor/records.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/buf.h>
#include <polyvisor/model.h>
#include <polyvisor/str.h>

#include "drivers/sdk/limits.h"
#include "drivers/sdk/plain.h"
#include <polyvisor/utf8.h>

#define FULL_OBJECTS 500u
#define FULL_BYTES (1u << 20)
#define RECORDS_MAX ((size_t)PV_BATCH_MAX_COUNT * (PV_RECORD_HEAD + 8 * SDK_SLOTS))
#define NO_RECORD SIZE_MAX

/* One batch in the making. */
struct pile {
    struct buf records, blob;
    uint32_t count;
    uint64_t owner_epoch;   /* the owner whose name is at owner_ref */
    pv_ref owner_ref;
};

/* What is kept per kind. */
struct shelf {
    const struct model_kind *kind;
    const struct model_field *fields[SDK_SLOTS];
    uint32_t stride;
    struct pile present, gone;
    size_t open;            /* offset of the open record, NO_RECORD: there is none */
    bool complained;        /* a setter without begin is reported once a kind */
    bool complained_value;
    char *owner;            /* native id of the object of this kind that children belong to, or NULL */
    uint64_t epoch;         /* counts owners, so that a pile knows whether it has this one's name */
};

struct pv_builder {
    const struct pv_host *host;
    int rc;                 /* the first failure, for ever */
    struct shelf shelves[PV_KIND_MAX + 1];
};

static void say(struct pv_builder *b, bool *said, const struct shelf *s, const char *what)
{
    char line[256];

    if (*said || !b->host->log)
        return;
    *said = true;
    snprintf(line, sizeof(line), "%s: %s", s->kind->name, what);
    b->host->log(b->host->ctx, PV_LOG_LEVEL_WARN, line);
}

/* NULL for a kind that is none. */
static struct shelf *shelf_of(struct pv_builder *b, enum pv_kind kind)
{
    struct shelf *s = (unsigned)kind <= PV_KIND_MAX ? &b->shelves[kind] : NULL;

    return s && s->kind ? s : NULL;
}

static void pile_reset(struct pile *p)
{
    buf_reset(&p->records);
    buf_reset(&p->blob);
    p->count = 0;
    p->owner_epoch = 0;
}

static bool pile_full(const struct pile *p)
{
    return p->count >= FULL_OBJECTS || p->records.len + p->blob.len >= FULL_BYTES;
}

static void send_pile(struct pv_builder *b, struct shelf *s, struct pile *p, uint32_t flags)
{
    struct pv_batch batch = {
        .size = sizeof(batch),
        .kind = (uint32_t)s->kind->number,
        .stride = s->stride,
        .count = p->count,
        .flags = flags,
        .blob_len = (uint32_t)p->blob.len,
        .records = p->records.data,
        .blob = p->blob.data ? p->blob.data : "",
    };

    if (p->count == 0)
        return;
    if (!buf_ok(&p->records) || !buf_ok(&p->blob))
        b->rc = b->rc ? b->rc : PV_ENOMEM;
    if (b->rc == PV_OK)
        b->rc = b->host->emit(b->host->ctx, &batch);
    pile_reset(p);
}

static void send_shelf(struct pv_builder *b, struct shelf *s)
{
    send_pile(b, s, &s->gone, PV_BATCH_GONE);
    send_pile(b, s, &s->present, s->kind->owner != PV_KIND_NONE ? PV_BATCH_OWNED : 0);
    s->open = NO_RECORD;
}

/* Referred-to kinds go first: everything up to the last kind for which it is time. */
static void send_through(struct pv_builder *b, const struct shelf *last)
{
    const struct model_kind *k;

    for (size_t i = 0; (k = model_kind_at(i)) != NULL; i++) {
        struct shelf *s = &b->shelves[k->number];

        send_shelf(b, s);
        if (s == last)
            return;
    }
}

static void set_owner(struct pv_builder *b, struct shelf *s, const char *native_id)
{
    char *copy = native_id && *native_id && strlen(native_id) <= SDK_NATIVE_ID_MAX
                     ? strdup(native_id)
                     : NULL;

    if (!copy && native_id && *native_id && strlen(native_id) <= SDK_NATIVE_ID_MAX)
        b->rc = b->rc ? b->rc : PV_ENOMEM;
    free(s->owner);
    s->owner = copy;
    s->epoch++;
}

/* What was open is finished: nothing may be added to it any more. */
static void close_all(struct pv_builder *b)
{
    for (size_t i = 0; i <= PV_KIND_MAX; i++) {
        struct shelf *s = &b->shelves[i];

        s->open = NO_RECORD;
        free(s->owner);
        s->owner = NULL;
    }
}

/* Appends text, cleaned and cut at `max` bytes. */
static pv_ref put_clean(struct pile *p, const char *text, size_t max)
{
    size_t at = p->blob.len, len = strlen(text);

    if (plain_text(text, len))
        buf_append(&p->blob, text, len);
    else
        str_utf8_clean(&p->blob, text, len);
    if (!buf_ok(&p->blob))
        return (pv_ref){ 0, 0 };
    len = p->blob.len - at;
    if (len > max) {
        len = utf8_cut(p->blob.data + at, len, max);
        p->blob.len = at + len;
        p->blob.data[p->blob.len] = '\0';
    }
    return (pv_ref){ (uint32_t)at, (uint32_t)len };
}

static uint64_t ref_value(pv_ref ref)
{
    uint64_t v;

    memcpy(&v, &ref, sizeof(v));
    return v;
}

/* A new record at the end of the pile; NULL: none can be had. */
static struct pv_record *pile_add(struct pv_builder *b, struct shelf *s, struct pile *p,
                                  const char *native_id, const char *identity)
{
    struct pv_record head = { 0 };
    const struct shelf *owner = NULL;
    char *room;

    if (p->count >= PV_BATCH_MAX_COUNT || p->blob.len > PV_BATCH_MAX_BLOB / 2) {
        say(b, &s->complained, s, "too many objects at once; the rest is left out");
        return NULL;
    }
    if (s->kind->owner != PV_KIND_NONE) {
        owner = &b->shelves[s->kind->owner];
        if (!owner->owner) {
            say(b, &s->complained, s, "no owner is open; the object is left out");
            return NULL;
        }
        if (p->owner_epoch != owner->epoch) {
            p->owner_ref = put_clean(p, owner->owner, SDK_NATIVE_ID_MAX);
            p->owner_epoch = owner->epoch;
        }
        head.owner = p->owner_ref;
    }
    if (native_id)
        head.native_id = put_clean(p, native_id, SDK_NATIVE_ID_MAX);
    if (identity && strlen(identity) <= SDK_IDENTITY_MAX)
        head.identity = put_clean(p, identity, SDK_IDENTITY_MAX);
    room = buf_reserve(&p->records, s->stride);
    if (!room || !buf_ok(&p->blob)) {
        b->rc = b->rc ? b->rc : PV_ENOMEM;
        return NULL;
    }
    memset(room, 0, s->stride);
    memcpy(room, &head, sizeof(head));
    p->records.len += s->stride;
    p->count++;
    return (struct pv_record *)(void *)room;
}

/* Where a value of this slot goes; NULL: nowhere (reported once). */
static struct pv_record *slot_record(struct pv_builder *b, enum pv_kind kind, unsigned slot,
                                     struct shelf **shelf)
{
    struct shelf *s = shelf_of(b, kind);

    if (!s || slot >= SDK_SLOTS || !s->fields[slot])
        return NULL;
    if (s->open == NO_RECORD) {
        say(b, &s->complained, s, "a value was set while no object is open");
        return NULL;
    }
    *shelf = s;
    return (struct pv_record *)(void *)(s->present.records.data + s->open);
}

static void slot_set(struct pv_record *r, unsigned slot, uint64_t v)
{
    memcpy((char *)r + PV_RECORD_HEAD + 8 * (size_t)slot, &v, sizeof(v));
    r->have[slot / 64] |= 1ull << (slot % 64);
}

static void shelf_init(struct shelf *s, const struct model_kind *k)
{
    unsigned slots = 0;

    s->kind = k;
    s->open = NO_RECORD;
    for (size_t i = 0; i < k->nfields; i++) {
        const struct model_field *f = &k->fields[i];

        if (f->slot < 0)
            continue;
        s->fields[f->slot] = f;
        if ((unsigned)f->slot >= slots)
            slots = (unsigned)f->slot + 1;
    }
    s->stride = PV_RECORD_HEAD + 8 * slots;
    buf_init(&s->present.records, RECORDS_MAX);
    buf_init(&s->present.blob, PV_BATCH_MAX_BLOB);
    buf_init(&s->gone.records, RECORDS_MAX);
    buf_init(&s->gone.blob, PV_BATCH_MAX_BLOB);
}

struct pv_builder *pv_builder_new(const struct pv_host *host)
{
    struct pv_builder *b = calloc(1, sizeof(*b));
    const struct model_kind *k;

    if (!b)
        return NULL;
    b->host = host;
    for (size_t i = 0; (k = model_kind_at(i)) != NULL; i++)
        shelf_init(&b->shelves[k->number], k);
    return b;
}

void pv_builder_free(struct pv_builder *b)
{
    if (!b)
        return;
    for (size_t i = 0; i <= PV_KIND_MAX; i++) {
        struct shelf *s = &b->shelves[i];

        buf_free(&s->present.records);
        buf_free(&s->present.blob);
        buf_free(&s->gone.records);
        buf_free(&s->gone.blob);
        free(s->owner);
    }
    free(b);
}

int pv_builder_room(struct pv_builder *b)
{
    const struct shelf *last = NULL;
    const struct model_kind *k;

    close_all(b);
    for (size_t i = 0; (k = model_kind_at(i)) != NULL; i++) {
        const struct shelf *s = &b->shelves[k->number];

        if (pile_full(&s->present) || pile_full(&s->gone))
            last = s;
    }
    if (last)
        send_through(b, last);
    return b->rc;
}

int pv_builder_send(struct pv_builder *b)
{
    close_all(b);
    send_through(b, NULL);
    return b->rc;
}

int pv_builder_mark(struct pv_builder *b, enum pv_mark mark, const char *cursor)
{
    pv_builder_send(b);
    if (b->rc == PV_OK)
        b->rc = b->host->mark(b->host->ctx, (uint32_t)mark, cursor);
    return b->rc;
}

void pv_builder_gone(struct pv_builder *b, enum pv_kind kind, const char *native_id)
{
    struct shelf *s = shelf_of(b, kind);

    if (!s || !native_id || !*native_id || strlen(native_id) > SDK_NATIVE_ID_MAX)
        return;
    /* What was said of the object before has to arrive before. */
    if (s->present.count > 0)
        send_through(b, s);
    pile_add(b, s, &s->gone, native_id, NULL);
}

void pv_builder_owner(struct pv_builder *b, enum pv_kind kind, const char *native_id)
{
    struct shelf *s = shelf_of(b, kind);

    if (!s)
        return;
    s->open = NO_RECORD;
    set_owner(b, s, native_id);
}

void pv_put_begin(struct pv_builder *b, enum pv_kind kind, const char *native_id,
                  const char *identity)
{
    struct shelf *s = shelf_of(b, kind);
    struct pv_record *r;

    if (!s)
        return;
    s->open = NO_RECORD;
    if (!native_id || !*native_id || strlen(native_id) > SDK_NATIVE_ID_MAX) {
        say(b, &s->complained, s, "an object without a usable native id is left out");
        set_owner(b, s, NULL);
        return;
    }
    if (s->gone.count > 0)
        send_pile(b, s, &s->gone, PV_BATCH_GONE);
    r = pile_add(b, s, &s->present, native_id, identity);
    if (r)
        s->open = (size_t)((char *)r - s->present.records.data);
    set_owner(b, s, r ? native_id : NULL);
}

void pv_put_shared(struct pv_builder *b, enum pv_kind kind)
{
    struct shelf *s = shelf_of(b, kind);

    if (s && s->open != NO_RECORD)
        ((struct pv_record *)(void *)(s->present.records.data + s->open))->flags |= PV_RECORD_SHARED;
}

void pv_put_none(struct pv_builder *b, enum pv_kind kind)
{
    struct shelf *s = shelf_of(b, kind);

    if (!s || s->kind->owner == PV_KIND_NONE)
        return;
    s->open = NO_RECORD;
    /* The pile knows this owner already: it has some. */
    if (s->present.count > 0 && s->present.owner_epoch == b->shelves[s->kind->owner].epoch)
        return;
    pile_add(b, s, &s->present, NULL, NULL);
}

void pv_put_number(struct pv_builder *b, enum pv_kind kind, unsigned slot, uint64_t v)
{
    struct shelf *s = NULL;
    struct pv_record *r = slot_record(b, kind, slot, &s);

    if (r)
        slot_set(r, slot, v);
}

void pv_put_text(struct pv_builder *b, enum pv_kind kind, unsigned slot, const char *text)
{
    struct shelf *s = NULL;
    struct pv_record *r = text ? slot_record(b, kind, slot, &s) : NULL;
    const struct model_field *f;
    size_t len;

    if (!r)
        return;
    f = s->fields[slot];
    len = strlen(text);
    switch (f->type) {
    case MODEL_STR:
        slot_set(r, slot, ref_value(put_clean(&s->present, text, f->max)));
        return;
    case MODEL_REF:
        /* Half a key is the key of something else. An empty one refers to nothing. */
        if (len == 0)
            slot_set(r, slot, PV_NULL);
        else if (len <= SDK_NATIVE_ID_MAX)
            slot_set(r, slot, ref_value(put_clean(&s->present, text, SDK_NATIVE_ID_MAX)));
        else
            say(b, &s->complained_value, s, "a reference is too long and is left out");
        return;
    case MODEL_JSON:
        /* Half a JSON text is none. */
        if (len <= f->max) {
            pv_ref ref = { (uint32_t)s->present.blob.len, (uint32_t)len };

            buf_append(&s->present.blob, text, len);
            slot_set(r, slot, ref_value(ref));
        } else {
            say(b, &s->complained_value, s, "a JSON value is too long and is left out");
        }
        return;
    default:
        return;
    }
}

void pv_put_list(struct pv_builder *b, enum pv_kind kind, unsigned slot, const char *const *items,
                 size_t count)
{
    struct shelf *s = NULL;
    struct pv_record *r = items || count == 0 ? slot_record(b, kind, slot, &s) : NULL;
    const struct model_field *f;
    size_t at, most, used = 0;

    if (!r)
        return;
    f = s->fields[slot];
    if (f->type != MODEL_LIST && f->type != MODEL_REFS)
        return;
    most = f->type == MODEL_LIST ? f->max : SDK_REFS_MAX;
    at = s->present.blob.len;
    for (size_t i = 0; i < count && used < most; i++) {
        pv_ref item;

        if (!items[i] || !*items[i])
            continue;
        if (f->type == MODEL_REFS && strlen(items[i]) > SDK_NATIVE_ID_MAX)
            continue;
        if (used++ == 0)
            buf_char(&s->present.blob, '\n');
        item = put_clean(&s->present, items[i], SDK_ITEM_MAX);
        for (uint32_t k = 0; buf_ok(&s->present.blob) && k < item.len; k++)
            if (s->present.blob.data[item.off + k] == '\n')
                s->present.blob.data[item.off + k] = ' ';
        buf_char(&s->present.blob, '\n');
    }
    slot_set(r, slot,
             ref_value((pv_ref){ (uint32_t)at, (uint32_t)(s->present.blob.len - at) }));
}
