/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/sdk/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/id.h>
#include <polyvisor/str.h>

#include "drivers/sdk/check.h"

PV_DEFINE_AUTO(json_decref, json_t *)

/* ---------------------------------------------------------------- maps */

static bool map_grow(struct bench_map *m);

/* The place of a key, or of nothing. */
static size_t map_at(const struct bench_map *m, uint64_t key)
{
    size_t at = (size_t)key & (m->size - 1);

    while (m->keys[at] && m->keys[at] != key)
        at = (at + 1) & (m->size - 1);
    return at;
}

/* 1: new, 0: was there (the value is replaced), -1: no memory. */
static int map_put(struct bench_map *m, uint64_t key, uint64_t value)
{
    size_t at;

    key = key ? key : 1;
    if (m->count * 2 >= m->size && !map_grow(m))
        return -1;
    at = map_at(m, key);
    m->values[at] = value;
    if (m->keys[at])
        return 0;
    m->keys[at] = key;
    m->count++;
    return 1;
}

static bool map_grow(struct bench_map *m)
{
    struct bench_map bigger = { .size = m->size ? m->size * 2 : 1024 };

    bigger.keys = calloc(bigger.size, sizeof(*bigger.keys));
    bigger.values = calloc(bigger.size, sizeof(*bigger.values));
    if (!bigger.keys || !bigger.values) {
        bench_map_free(&bigger);
        return false;
    }
    for (size_t i = 0; i < m->size; i++)
        if (m->keys[i])
            map_put(&bigger, m->keys[i], m->values[i]);
    bench_map_free(m);
    *m = bigger;
    return true;
}

static bool map_has(const struct bench_map *m, uint64_t key, uint64_t *value)
{
    size_t at;

    key = key ? key : 1;
    if (!m->size)
        return false;
    at = map_at(m, key);
    if (value)
        *value = m->values[at];
    return m->keys[at] != 0;
}

void bench_map_free(struct bench_map *m)
{
    free(m->keys);
    free(m->values);
    *m = (struct bench_map){ 0 };
}

bool bench_map_equal(const struct bench_map *a, const struct bench_map *b, size_t *missing,
                     size_t *changed)
{
    uint64_t value;

    *missing = b->count > a->count ? b->count - a->count : 0;
    *changed = 0;
    for (size_t i = 0; i < a->size; i++) {
        if (!a->keys[i])
            continue;
        if (!map_has(b, a->keys[i], &value))
            ++*missing;
        else if (value != a->values[i])
            ++*changed;
    }
    return *missing == 0 && *changed == 0;
}

/* ---------------------------------------------------------------- what is emitted */

static uint64_t key_of(const struct bench *b, uint32_t kind, const char *owner, const char *id,
                       size_t len)
{
    uint64_t parts[3] = { kind, sdk_hash(owner, strlen(owner), b->key), sdk_hash(id, len, b->key) };

    return sdk_hash(parts, sizeof(parts), b->key);
}

static void note(struct bench *b, const char *what, const char *kind, const char *id)
{
    if (!b->first[0])
        snprintf(b->first, sizeof(b->first), "%.40s %.100s %.300s", kind, id, what);
}

static size_t place_of(const struct model_kind *kind)
{
    size_t i = 0;

    while (model_kind_at(i) && model_kind_at(i) != kind)
        i++;
    return i;
}

/* References are to the same provider; those to child kinds within the same owner. */
static void want(struct bench *b, const struct model_field *f, const char *owner, const char *id,
                 size_t len)
{
    const struct model_kind *k = model_kind(f->ref);

    map_put(&b->wanted, key_of(b, (uint32_t)f->ref, k->owner ? owner : "", id, len), 0);
}

static void take_references(struct bench *b, const struct sdk_batch *batch, uint32_t i)
{
    const char *owner = sdk_record_owner(batch, i), *text, *item;
    size_t len;

    for (size_t k = 0; k < batch->kind->nfields; k++) {
        const struct model_field *f = &batch->kind->fields[k];

        if (f->slot < 0 || (f->type != MODEL_REF && f->type != MODEL_REFS))
            continue;
        text = sdk_record_text(batch, i, (unsigned)f->slot, &len);
        if (text && f->type == MODEL_REF)
            want(b, f, owner, text, len);
        while (text && f->type == MODEL_REFS && sdk_list_next(&text, &item, &len))
            want(b, f, owner, item, len);
    }
}

static void keep_sample(struct bench *b, const struct sdk_batch *batch, uint32_t i)
{
    struct bench_object *o = batch->kind->number == PV_KIND_vm ? &b->vm : &b->other;
    const struct model_field *name = model_field_by_name(batch->kind, "name");
    const char *text;

    if (o->native_id[0])
        return;
    o->kind = (uint32_t)batch->kind->number;
    str_copy(o->native_id, sizeof(o->native_id), sdk_record_native_id(batch, i));
    text = name && name->slot >= 0 ? sdk_record_text(batch, i, (unsigned)name->slot, NULL) : NULL;
    str_copy(o->name, sizeof(o->name), text ? text : "");
    if (batch->kind->number == PV_KIND_vm)
        o->power_state = (int)sdk_record_number(batch, i, PV_SLOT(vm, power_state));
}

static void take_record(struct bench *b, const struct sdk_batch *batch, uint32_t i)
{
    const struct model_kind *k = batch->kind;
    const char *id = sdk_record_native_id(batch, i), *owner = sdk_record_owner(batch, i);
    uint64_t key = key_of(b, (uint32_t)k->number, owner, id, strlen(id));
    int added;

    if (k->owner != PV_KIND_NONE && b->listing &&
        !map_has(&b->objects, key_of(b, (uint32_t)k->owner, "", owner, strlen(owner)), NULL)) {
        b->orphans++;
        note(b, "comes before its owner", k->name, id);
    }
    if (!*id)
        return;
    added = map_put(&b->objects, key, sdk_record_hash(batch, i, b->key));
    if (added == 0 && b->listing) {
        b->twins++;
        note(b, "comes twice in one listing", k->name, id);
    }
    take_references(b, batch, i);
    if (k->owner == PV_KIND_NONE)
        keep_sample(b, batch, i);
}

static int bench_emit(void *ctx, const struct pv_batch *in)
{
    struct bench *b = ctx;
    struct sdk_batch_faults faults;
    struct sdk_batch *batch = NULL;
    struct pv_err err = { 0 };
    int rc;

    if (atomic_load(&b->refuse))
        return PV_ECANCELED;
    rc = sdk_batch_check(in, &faults, &batch, &err);
    pthread_mutex_lock(&b->lock);
    b->batches++;
    if (rc != PV_OK) {
        b->refused++;
        note(b, err.message, "a batch", "was refused:");
        pthread_mutex_unlock(&b->lock);
        return rc == PV_ENOTSUP ? PV_OK : PV_EINVAL;
    }
    b->records += batch->count;
    b->faults += faults.values + faults.records;
    if (faults.first[0])
        note(b, faults.first, "a value", "was dropped:");
    if ((batch->kind->flags & MODEL_SYNCED) && !batch->gone) {
        if (b->listing && batch->kind->owner == PV_KIND_NONE) {
            size_t place = place_of(batch->kind);

            if (place < b->last_kind) {
                b->disorder++;
                note(b, "come after kinds that refer to them", batch->kind->plural, "");
            }
            b->last_kind = place;
        }
        for (uint32_t i = 0; i < batch->count; i++)
            take_record(b, batch, i);
    }
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
    sdk_batch_free(batch);
    return PV_OK;
}

static int bench_mark(void *ctx, uint32_t mark, const char *cursor)
{
    struct bench *b = ctx;

    if (atomic_load(&b->refuse))
        return PV_ECANCELED;
    pthread_mutex_lock(&b->lock);
    b->marks++;
    if (mark == PV_MARK_FULL_BEGIN) {
        bench_map_free(&b->objects);
        bench_map_free(&b->wanted);
        b->listing = true;
        b->last_kind = 0;
    } else if (mark == PV_MARK_FULL_END || mark == PV_MARK_FULL_PARTIAL) {
        if (!b->listing)
            note(b, "that did not begin", "a listing", "ended");
        b->listing = false;
        b->listed = true;
        b->partial = mark == PV_MARK_FULL_PARTIAL;
    } else if (b->listing) {
        note(b, "while a full listing runs", "a mark", "of changes came");
    }
    if (cursor)
        str_copy(b->cursor, sizeof(b->cursor), cursor);
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
    return PV_OK;
}

static int bench_provider(void *ctx, const char *text)
{
    struct bench *b = ctx;
    PV_AUTO(json_decref_p) json_t *facts = text ? json_loads(text, 0, NULL) : NULL;
    const char *state = json_string_value(json_object_get(facts, "state"));

    pthread_mutex_lock(&b->lock);
    b->provider_facts++;
    if (!json_is_object(facts) ||
        (state && strcmp(state, "connected") != 0 && strcmp(state, "degraded") != 0))
        b->provider_bad = true;
    pthread_mutex_unlock(&b->lock);
    return PV_OK;
}

static int bench_progress(void *ctx, uint64_t call, const struct pv_progress *progress)
{
    (void)ctx;
    (void)call;
    return progress && PV_HAS(progress, percent) ? PV_OK : PV_EINVAL;
}

static int bench_cancelled(void *ctx, uint64_t call)
{
    struct bench *b = ctx;

    (void)call;
    return atomic_load(&b->cancel);
}

static int bench_secret(void *ctx, const char *name, char *buf, size_t cap)
{
    const struct bench *b = ctx;
    PV_AUTO(json_decref_p) json_t *all = b->secrets ? json_loads(b->secrets, 0, NULL) : NULL;
    const char *value = json_string_value(json_object_get(all, name));

    if (!value)
        return PV_ENOENT;
    return str_copy(buf, cap, value) ? PV_OK : PV_EINVAL;
}

static void bench_log(void *ctx, int level, const char *message)
{
    (void)ctx;
    if (level <= PV_LOG_LEVEL_WARN)
        fprintf(stderr, "# driver: %s\n", message);
}

static int64_t bench_no_stream(void *ctx, uint64_t stream, void *buf, size_t cap)
{
    (void)ctx;
    (void)stream;
    (void)buf;
    (void)cap;
    return PV_ENOTSUP;
}

static int64_t bench_no_stream_out(void *ctx, uint64_t stream, const void *buf, size_t len)
{
    (void)ctx;
    (void)stream;
    (void)buf;
    (void)len;
    return PV_ENOTSUP;
}

void bench_init(struct bench *b, const char *secrets)
{
    pthread_condattr_t attr;

    memset(b, 0, sizeof(*b));
    b->host = (struct pv_host){
        .size = sizeof(b->host), .ctx = b, .log = bench_log, .secret = bench_secret,
        .emit = bench_emit, .mark = bench_mark, .provider = bench_provider,
        .progress = bench_progress, .cancelled = bench_cancelled,
        .stream_read = bench_no_stream, .stream_write = bench_no_stream_out,
    };
    b->secrets = secrets;
    id_random(b->key, sizeof(b->key));
    pthread_mutex_init(&b->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&b->changed, &attr);
    pthread_condattr_destroy(&attr);
}

void bench_reset(struct bench *b)
{
    pthread_mutex_lock(&b->lock);
    bench_map_free(&b->objects);
    bench_map_free(&b->wanted);
    b->batches = b->records = b->refused = b->faults = b->marks = b->provider_facts = 0;
    b->disorder = b->twins = b->orphans = 0;
    b->listing = b->listed = b->partial = b->provider_bad = false;
    b->last_kind = 0;
    b->first[0] = b->cursor[0] = '\0';
    memset(&b->vm, 0, sizeof(b->vm));
    memset(&b->other, 0, sizeof(b->other));
    atomic_store(&b->cancel, false);
    atomic_store(&b->refuse, false);
    pthread_mutex_unlock(&b->lock);
}

void bench_free(struct bench *b)
{
    bench_map_free(&b->objects);
    bench_map_free(&b->wanted);
    pthread_cond_destroy(&b->changed);
    pthread_mutex_destroy(&b->lock);
}

bool bench_wait(struct bench *b, bool any, const bool *done, unsigned seconds)
{
    struct timespec until;
    bool there;
    int rc = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += seconds;
    pthread_mutex_lock(&b->lock);
    while (!(there = any ? b->marks > 0 : b->listed) && !(done && *done) && rc == 0)
        rc = pthread_cond_timedwait(&b->changed, &b->lock, &until);
    pthread_mutex_unlock(&b->lock);
    return there;
}

size_t bench_open_references(struct bench *b)
{
    size_t open = 0;

    pthread_mutex_lock(&b->lock);
    for (size_t i = 0; i < b->wanted.size; i++)
        open += b->wanted.keys[i] && !map_has(&b->objects, b->wanted.keys[i], NULL);
    pthread_mutex_unlock(&b->lock);
    return open;
}
