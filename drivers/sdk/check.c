/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/sdk/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <polyvisor/buf.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "drivers/sdk/limits.h"
#include "drivers/sdk/plain.h"

/* Texts are copied one by one, so one that is named a million times would grow the copy without end. */
#define TEXTS_MAX (2u * PV_BATCH_MAX_BLOB)

struct check {
    const struct pv_batch *in;
    const struct model_kind *kind;
    const struct model_field *fields[SDK_SLOTS];
    struct sdk_batch_faults *faults;
    struct buf blob;            /* the texts of the copy, each followed by NUL */
    pv_ref last_owner_in, last_owner_out;
    bool has_last_owner;
};

static void fault(struct check *c, uint32_t record, const char *field, const char *what)
{
    if (c->faults->first[0] == '\0')
        snprintf(c->faults->first, sizeof(c->faults->first), "%s record %u: %s %s", c->kind->name,
                 record, field, what);
}

static int check_structure(const struct pv_batch *in, const struct model_kind **kind,
                           struct pv_err *err)
{
    const struct model_kind *k;

    if (!PV_HAS(in, blob))
        return pv_fail(err, PV_EFORMAT, "a batch is only %u bytes of head", in->size);
    if (in->stride < PV_RECORD_HEAD || in->stride > PV_RECORD_HEAD + 8 * SDK_SLOTS ||
        in->stride % 8 != 0)
        return pv_fail(err, PV_EFORMAT, "a batch has records of %u bytes", in->stride);
    if (in->count == 0 || in->count > PV_BATCH_MAX_COUNT)
        return pv_fail(err, PV_EFORMAT, "a batch has %u records", in->count);
    if (in->blob_len > PV_BATCH_MAX_BLOB)
        return pv_fail(err, PV_EFORMAT, "a batch has %u bytes of text", in->blob_len);
    if (!in->records || (!in->blob && in->blob_len > 0))
        return pv_fail(err, PV_EFORMAT, "a batch has no records");
    k = in->kind <= PV_KIND_MAX ? model_kind((enum pv_kind)in->kind) : NULL;
    if (!k || !(k->flags & (MODEL_SYNCED | MODEL_REPORTED | MODEL_MEMORY)))
        return pv_fail(err, PV_ENOTSUP, "drivers do not report kind %u", in->kind);
    if (k->owner != PV_KIND_NONE && !(in->flags & (PV_BATCH_OWNED | PV_BATCH_GONE)))
        return pv_fail(err, PV_EFORMAT, "a batch of %s does not say that it is complete",
                       k->plural);
    if (k->owner == PV_KIND_NONE && (in->flags & PV_BATCH_OWNED))
        return pv_fail(err, PV_EFORMAT, "a batch of %s speaks of owners", k->plural);
    *kind = k;
    return PV_OK;
}

/* The text a reference means, or NULL if it leaves the blob. */
static const char *ref_text(const struct check *c, pv_ref ref)
{
    if (ref.off > c->in->blob_len || ref.len > c->in->blob_len - ref.off)
        return NULL;
    return ref.len ? c->in->blob + ref.off : "";
}

static pv_ref keep_text(struct check *c, const char *text, size_t len)
{
    pv_ref at = { (uint32_t)c->blob.len, (uint32_t)len };

    buf_append(&c->blob, text, len);
    buf_char(&c->blob, '\0');
    return at;
}

static bool utf8_ok(const char *text, size_t len)
{
    return plain_text(text, len) || str_utf8_ok(text, len, false);
}

/* NULL when it is fine, else what is wrong. Keys and references. */
static const char *key_fault(const char *text, size_t len, size_t max)
{
    if (!text)
        return "lies outside the batch";
    if (len > max)
        return "is too long";
    return utf8_ok(text, len) ? NULL : "is not UTF-8";
}

static const char *json_fault(const char *text, size_t len)
{
    unsigned depth = 0, most = 0;
    bool quoted = false;
    json_t *parsed;

    /* Before parsing: the parser recurses. */
    for (size_t i = 0; i < len; i++) {
        char ch = text[i];

        if (quoted) {
            if (ch == '\\')
                i++;
            else if (ch == '"')
                quoted = false;
        } else if (ch == '"') {
            quoted = true;
        } else if (ch == '{' || ch == '[') {
            if (++depth > most)
                most = depth;
        } else if ((ch == '}' || ch == ']') && depth > 0) {
            depth--;
        }
    }
    if (most > SDK_JSON_DEPTH)
        return "is nested too deeply";
    parsed = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
    if (!parsed)
        return "is not JSON";
    json_decref(parsed);
    return NULL;
}

static const char *list_fault(const struct model_field *f, const char *text, size_t len)
{
    bool refs = f->type == MODEL_REFS;
    size_t most = refs ? SDK_REFS_MAX : f->max, items = 0, from = 1;
    size_t longest = refs ? SDK_NATIVE_ID_MAX : SDK_ITEM_MAX;

    if (len == 0)
        return NULL;
    if (len < 3 || text[0] != '\n' || text[len - 1] != '\n')
        return "is not a list";
    for (size_t i = 1; i < len; i++) {
        if (text[i] != '\n')
            continue;
        if (i == from)
            return "has an empty item";
        if (i - from > longest)
            return "has an item that is too long";
        if (++items > most)
            return "has too many items";
        from = i + 1;
    }
    return utf8_ok(text, len) ? NULL : "is not UTF-8";
}

static const char *text_fault(const struct model_field *f, const char *text, size_t len)
{
    if (!text)
        return "lies outside the batch";
    switch (f->type) {
    case MODEL_REF:
        return len == 0 ? "is empty" : key_fault(text, len, SDK_NATIVE_ID_MAX);
    case MODEL_LIST:
    case MODEL_REFS:
        return list_fault(f, text, len);
    case MODEL_JSON:
        return len > f->max ? "is too long" : json_fault(text, len);
    default:
        if (len > f->max)
            return "is too long";
        return utf8_ok(text, len) ? NULL : "is not UTF-8";
    }
}

static const char *number_fault(const struct model_field *f, uint64_t v)
{
    switch (f->type) {
    case MODEL_BOOL:
        return v <= 1 ? NULL : "is neither true nor false";
    case MODEL_ENUM:
        return v < model_enum_count(f->enum_id) ? NULL : "is no value we know";
    case MODEL_TIME:
        return (int64_t)v >= SDK_TIME_MIN && (int64_t)v <= SDK_TIME_MAX ? NULL
                                                                       : "is no time";
    default:
        return v <= SDK_NUMBER_MAX ? NULL : "is out of range";
    }
}

static bool is_number(const struct model_field *f)
{
    return f->type == MODEL_U64 || f->type == MODEL_BOOL || f->type == MODEL_ENUM ||
           f->type == MODEL_TIME;
}

static void check_value(struct check *c, uint32_t i, unsigned slot, const char *from,
                        struct pv_record *to)
{
    const struct model_field *f = c->fields[slot];
    const char *what = NULL, *text;
    uint64_t v;
    pv_ref ref;

    memcpy(&v, from + PV_RECORD_HEAD + 8 * (size_t)slot, sizeof(v));
    if (v != PV_NULL && is_number(f)) {
        what = number_fault(f, v);
    } else if (v != PV_NULL) {
        memcpy(&ref, &v, sizeof(ref));
        text = ref_text(c, ref);
        what = text_fault(f, text, ref.len);
        if (!what) {
            ref = keep_text(c, text, ref.len);
            memcpy(&v, &ref, sizeof(v));
        }
    }
    if (what) {
        c->faults->values++;
        c->faults->by_slot[slot]++;
        fault(c, i, f->path, what);
        return;
    }
    memcpy((char *)to + PV_RECORD_HEAD + 8 * (size_t)slot, &v, sizeof(v));
    to->have[slot / 64] |= 1ull << (slot % 64);
}

/* Children name their owner again and again: one copy serves them. */
static pv_ref keep_owner(struct check *c, pv_ref in, const char *text)
{
    if (!c->has_last_owner || in.off != c->last_owner_in.off || in.len != c->last_owner_in.len) {
        c->last_owner_in = in;
        c->last_owner_out = keep_text(c, text, in.len);
        c->has_last_owner = true;
    }
    return c->last_owner_out;
}

/* false: the record is left out. */
static bool check_head(struct check *c, uint32_t i, const struct pv_record *from,
                       struct pv_record *to)
{
    const char *id = ref_text(c, from->native_id), *owner = ref_text(c, from->owner);
    const char *identity = ref_text(c, from->identity);
    const char *what = key_fault(id, from->native_id.len, SDK_NATIVE_ID_MAX);
    bool child = c->kind->owner != PV_KIND_NONE;

    if (!what && from->native_id.len == 0 && !(c->in->flags & PV_BATCH_OWNED))
        what = "is empty";
    if (what) {
        fault(c, i, "native_id", what);
        return false;
    }
    if (child) {
        what = key_fault(owner, from->owner.len, SDK_NATIVE_ID_MAX);
        if (!what && from->owner.len == 0)
            what = "is empty";
        if (what) {
            fault(c, i, "owner", what);
            return false;
        }
        to->owner = keep_owner(c, from->owner, owner);
    }
    to->native_id = keep_text(c, id, from->native_id.len);
    /* A bad identity only costs a match with other providers. */
    what = key_fault(identity, from->identity.len, SDK_IDENTITY_MAX);
    if (what) {
        c->faults->values++;
        fault(c, i, "identity", what);
    } else if (from->identity.len > 0) {
        to->identity = keep_text(c, identity, from->identity.len);
        if (!child)
            to->flags = from->flags & PV_RECORD_SHARED;
    }
    return true;
}

static bool check_record(struct check *c, uint32_t i, uint32_t in_slots, struct pv_record *to)
{
    const char *from = (const char *)c->in->records + (size_t)i * c->in->stride;
    struct pv_record head;

    memcpy(&head, from, sizeof(head));
    if (!check_head(c, i, &head, to))
        return false;
    /* "Has none" and "is gone" say nothing else. */
    if (head.native_id.len == 0 || (c->in->flags & PV_BATCH_GONE))
        return true;
    for (unsigned word = 0; word < 4; word++) {
        for (uint64_t bits = head.have[word]; bits; bits &= bits - 1) {
            unsigned slot = word * 64 + (unsigned)__builtin_ctzll(bits);

            if (slot < in_slots && c->fields[slot])
                check_value(c, i, slot, from, to);
        }
    }
    return true;
}

/* Open addressing over record numbers; keys are compared in full, so a bad hash only costs time. */
static uint32_t *table_new(uint32_t count, uint32_t *mask)
{
    uint32_t size = 16;

    while (size < 2 * count)
        size *= 2;
    *mask = size - 1;
    return calloc(size, sizeof(uint32_t));
}

/* The record (1-based) with the same keys that was put there before, or 0; then `i` is there. */
static uint32_t table_put(uint32_t *table, uint32_t mask, const struct sdk_batch *b, uint32_t i,
                          bool owner_only, const uint64_t key[2])
{
    const char *owner = sdk_record_owner(b, i);
    const char *id = owner_only ? "" : sdk_record_native_id(b, i);
    uint64_t h = sdk_hash(owner, strlen(owner), key) * 31 + sdk_hash(id, strlen(id), key);

    for (uint32_t at = (uint32_t)h & mask;; at = (at + 1) & mask) {
        uint32_t other = table[at];

        if (other == 0) {
            table[at] = i + 1;
            return 0;
        }
        if (strcmp(sdk_record_owner(b, other - 1), owner) == 0 &&
            (owner_only || strcmp(sdk_record_native_id(b, other - 1), id) == 0))
            return other;
    }
}

/* An owner's children stand together, or they are not all it has. */
static int check_owners(const struct sdk_batch *b, const uint64_t key[2], struct pv_err *err)
{
    uint32_t mask;
    PV_AUTO_FREE uint32_t *table = table_new(b->count, &mask);

    if (!table)
        return pv_fail(err, PV_ENOMEM, "no memory to check a batch");
    for (uint32_t i = 0; i < b->count; i++) {
        if (i > 0 && strcmp(sdk_record_owner(b, i), sdk_record_owner(b, i - 1)) == 0)
            continue;
        if (table_put(table, mask, b, i, true, key) != 0)
            return pv_fail(err, PV_EFORMAT, "the %s of %s do not stand together",
                           b->kind->plural, sdk_record_owner(b, i));
    }
    return PV_OK;
}

/* One child twice under its owner: the first stays. (Other objects may come again: each record is a patch.) */
static int drop_twins(struct check *c, struct sdk_batch *b, const uint64_t key[2],
                      struct pv_err *err)
{
    uint32_t mask, kept = 0;
    PV_AUTO_FREE uint32_t *table = table_new(b->count, &mask);

    if (!table)
        return pv_fail(err, PV_ENOMEM, "no memory to check a batch");
    for (uint32_t i = 0; i < b->count; i++) {
        char *to = b->records + (size_t)kept * b->stride;

        /* Moved down first: the table holds the numbers that records have in the end. */
        if (kept != i)
            memcpy(to, b->records + (size_t)i * b->stride, b->stride);
        if (table_put(table, mask, b, kept, false, key) != 0) {
            c->faults->records++;
            fault(c, i, "native_id", "was there before");
            continue;
        }
        kept++;
    }
    b->count = kept;
    return PV_OK;
}

static int check_content(struct check *c, struct sdk_batch *b, struct pv_err *err)
{
    uint32_t in_slots = (c->in->stride - PV_RECORD_HEAD) / 8;
    uint64_t key[2];
    int rc = PV_OK;

    for (uint32_t i = 0; i < c->in->count; i++) {
        struct pv_record *to = (struct pv_record *)(void *)(b->records + (size_t)b->count * b->stride);

        if (check_record(c, i, in_slots, to)) {
            b->count++;
        } else {
            c->faults->records++;
            memset(to, 0, b->stride);
        }
        if (!buf_ok(&c->blob))
            return pv_fail(err, PV_EFORMAT, "a batch names more text than it holds");
    }
    /* An empty text refers to place 0. */
    if (c->blob.len == 0)
        buf_char(&c->blob, '\0');
    if (!buf_ok(&c->blob))
        return pv_fail(err, PV_ENOMEM, "no memory to check a batch");
    b->blob = c->blob.data;
    id_random(key, sizeof(key));
    if (b->owned)
        rc = check_owners(b, key, err);
    if (rc == PV_OK && b->owned)
        rc = drop_twins(c, b, key, err);
    b->blob = NULL;
    return rc;
}

int sdk_batch_check(const struct pv_batch *in, struct sdk_batch_faults *faults,
                    struct sdk_batch **out, struct pv_err *err)
{
    struct sdk_batch_faults own;
    struct check c = { .in = in, .faults = faults ? faults : &own };
    struct sdk_batch *b;
    unsigned slots = 0;
    int rc;

    memset(c.faults, 0, sizeof(*c.faults));
    rc = check_structure(in, &c.kind, err);
    if (rc != PV_OK)
        return rc;
    for (size_t i = 0; i < c.kind->nfields; i++) {
        const struct model_field *f = &c.kind->fields[i];

        if (f->slot < 0)
            continue;
        c.fields[f->slot] = f;
        if ((unsigned)f->slot >= slots)
            slots = (unsigned)f->slot + 1;
    }
    b = calloc(1, sizeof(*b));
    if (!b)
        return pv_fail(err, PV_ENOMEM, "no memory to check a batch");
    b->kind = c.kind;
    b->stride = PV_RECORD_HEAD + 8 * slots;
    for (unsigned slot = 0; slot < slots; slot++)
        if (c.fields[slot] && is_number(c.fields[slot]))
            b->numbers[slot / 64] |= 1ull << (slot % 64);
    b->owned = in->flags & PV_BATCH_OWNED;
    b->gone = in->flags & PV_BATCH_GONE;
    b->records = calloc(in->count, b->stride);
    buf_init(&c.blob, TEXTS_MAX);
    rc = b->records ? check_content(&c, b, err)
                    : pv_fail(err, PV_ENOMEM, "no memory to check a batch");
    if (rc != PV_OK) {
        buf_free(&c.blob);
        sdk_batch_free(b);
        return rc;
    }
    b->blob = buf_take(&c.blob);
    *out = b;
    return PV_OK;
}

void sdk_batch_free(struct sdk_batch *b)
{
    if (!b)
        return;
    free(b->records);
    free(b->blob);
    free(b);
}

static const struct pv_record *record(const struct sdk_batch *b, uint32_t i)
{
    return (const struct pv_record *)(const void *)(b->records + (size_t)i * b->stride);
}

static uint64_t slot_value(const struct pv_record *r, unsigned slot)
{
    uint64_t v;

    memcpy(&v, (const char *)r + PV_RECORD_HEAD + 8 * (size_t)slot, sizeof(v));
    return v;
}

const char *sdk_record_native_id(const struct sdk_batch *b, uint32_t i)
{
    return b->blob + record(b, i)->native_id.off;
}

const char *sdk_record_owner(const struct sdk_batch *b, uint32_t i)
{
    const struct pv_record *r = record(b, i);

    return r->owner.len ? b->blob + r->owner.off : "";
}

const char *sdk_record_identity(const struct sdk_batch *b, uint32_t i)
{
    const struct pv_record *r = record(b, i);

    return r->identity.len ? b->blob + r->identity.off : "";
}

bool sdk_record_shared(const struct sdk_batch *b, uint32_t i)
{
    return record(b, i)->flags & PV_RECORD_SHARED;
}

enum sdk_value sdk_record_has(const struct sdk_batch *b, uint32_t i, unsigned slot)
{
    const struct pv_record *r = record(b, i);

    if (slot >= SDK_SLOTS || !(r->have[slot / 64] & (1ull << (slot % 64))))
        return SDK_UNKNOWN;
    return slot_value(r, slot) == PV_NULL ? SDK_NULL : SDK_VALUE;
}

int64_t sdk_record_number(const struct sdk_batch *b, uint32_t i, unsigned slot)
{
    if (sdk_record_has(b, i, slot) != SDK_VALUE)
        return 0;
    return (int64_t)slot_value(record(b, i), slot);
}

const char *sdk_record_text(const struct sdk_batch *b, uint32_t i, unsigned slot, size_t *len)
{
    uint64_t v;
    pv_ref ref;

    if (sdk_record_has(b, i, slot) != SDK_VALUE)
        return NULL;
    v = slot_value(record(b, i), slot);
    memcpy(&ref, &v, sizeof(ref));
    if (len)
        *len = ref.len;
    return b->blob + ref.off;
}

bool sdk_list_next(const char **pos, const char **item, size_t *len)
{
    const char *start = *pos, *end;

    if (*start == '\n')
        start++;
    end = strchr(start, '\n');
    if (!end)
        return false;
    *item = start;
    *len = (size_t)(end - start);
    *pos = end;
    return true;
}

/* SipHash-1-3 over 64 bit words (Aumasson, Bernstein: one round a word, three at the end). */
struct sip {
    uint64_t v[4];
};

static uint64_t rotl(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

static void sip_round(struct sip *s)
{
    uint64_t *v = s->v;

    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] = rotl(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] = rotl(v[2], 32);
}

static void sip_start(struct sip *s, const uint64_t key[2])
{
    s->v[0] = key[0] ^ 0x736f6d6570736575ull;
    s->v[1] = key[1] ^ 0x646f72616e646f6dull;
    s->v[2] = key[0] ^ 0x6c7967656e657261ull;
    s->v[3] = key[1] ^ 0x7465646279746573ull;
}

static void sip_word(struct sip *s, uint64_t word)
{
    s->v[3] ^= word;
    sip_round(s);
    s->v[0] ^= word;
}

/* The length goes first, so that two texts in a row have one reading only. */
static void sip_bytes(struct sip *s, const void *data, size_t len)
{
    const char *p = data;
    uint64_t word;

    sip_word(s, len);
    for (; len >= 8; len -= 8, p += 8) {
        memcpy(&word, p, 8);
        sip_word(s, word);
    }
    if (len > 0) {
        word = 0;
        memcpy(&word, p, len);
        sip_word(s, word);
    }
}

static uint64_t sip_end(struct sip *s)
{
    s->v[2] ^= 0xff;
    sip_round(s);
    sip_round(s);
    sip_round(s);
    return s->v[0] ^ s->v[1] ^ s->v[2] ^ s->v[3];
}

uint64_t sdk_hash(const void *data, size_t len, const uint64_t key[2])
{
    struct sip s;

    sip_start(&s, key);
    sip_bytes(&s, data, len);
    return sip_end(&s);
}

uint64_t sdk_record_hash(const struct sdk_batch *b, uint32_t i, const uint64_t key[2])
{
    const struct pv_record *r = record(b, i);
    struct sip s;

    sip_start(&s, key);
    sip_bytes(&s, sdk_record_native_id(b, i), r->native_id.len);
    sip_bytes(&s, sdk_record_identity(b, i), r->identity.len);
    for (unsigned word = 0; word < 4; word++) {
        sip_word(&s, r->have[word]);
        for (uint64_t bits = r->have[word]; bits; bits &= bits - 1) {
            unsigned slot = word * 64 + (unsigned)__builtin_ctzll(bits);
            uint64_t v = slot_value(r, slot);

            if (v == PV_NULL || (b->numbers[word] & (1ull << (slot % 64)))) {
                sip_word(&s, v);
            } else {
                size_t len = 0;
                const char *text = sdk_record_text(b, i, slot, &len);

                sip_bytes(&s, text, len);
            }
        }
    }
    return sip_end(&s);
}
