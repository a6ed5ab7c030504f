/* SPDX-License-Identifier: Apache-2.0 */
#include "server/core/series.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "db/store_series.h"

#define SLOT_MS 300000ll            /* five minutes */
#define HOUR_MS 3600000ll
#define DAY_MS (24 * HOUR_MS)
#define SLOTS 12                    /* of an hour */
#define METRICS STORE_BLOCK_METRICS
#define WRITE_EVERY_MS 60000
#define WRITE_MOST 3000             /* hours a minute */
#define WRITE_GROUP 250             /* of them in a transaction */
#define WAITING_MAX 60000           /* hours that may wait to be written */
#define RING_POINTS 200
#define RING_SPACE_MS 15000         /* values closer than this are not kept */
#define RING_IDLE_MS (15 * 60000)   /* nobody has looked for so long */
#define RINGS_MAX 512

struct hour {
    struct hour *next;
    struct pv_id id;
    int64_t start_ms;
    float means[SLOTS][METRICS];    /* NaN: not known */
};

struct ring {
    int64_t asked_ms;               /* monotonic */
    unsigned at, n;
    struct {
        int64_t time_ms;
        float values[METRICS];
    } points[RING_POINTS];
};

struct series {
    struct hour *hour;              /* the present one; owned */
    int64_t slot;                   /* number of the present five minutes */
    double sums[METRICS];
    unsigned counts[METRICS];
    struct ring *ring;              /* owned; NULL: nobody looks */
};

struct series_store {
    struct hour *waiting, **end;
    size_t nwaiting, nrings;
    uint64_t dropped;
};

/* ------------------------------------------------------------------ taking in */

static struct hour *hour_new(const struct pv_id *id, int64_t time_ms)
{
    struct hour *h = malloc(sizeof(*h));

    if (!h)
        return NULL;
    h->next = NULL;
    h->id = *id;
    h->start_ms = time_ms - time_ms % HOUR_MS;
    for (size_t i = 0; i < SLOTS; i++)
        for (size_t m = 0; m < METRICS; m++)
            h->means[i][m] = NAN;
    return h;
}

static void wait_for_writing(struct series_store *st, struct hour *h)
{
    if (st->nwaiting == WAITING_MAX) {
        st->dropped++;
        free(h);
        return;
    }
    *st->end = h;
    st->end = &h->next;
    st->nwaiting++;
}

/* The present five minutes are over. */
static void close_slot(struct series *s)
{
    float *means = s->hour->means[s->slot % SLOTS];

    for (size_t m = 0; m < METRICS; m++) {
        if (s->counts[m])
            means[m] = (float)(s->sums[m] / s->counts[m]);
        s->sums[m] = 0;
        s->counts[m] = 0;
    }
}

static bool move_on(struct core *c, struct usage *u, int64_t slot)
{
    struct series *s = u->series;
    int64_t start = slot * SLOT_MS - slot * SLOT_MS % HOUR_MS;

    if (s->hour)
        close_slot(s);
    if (s->hour && s->hour->start_ms != start) {
        wait_for_writing(c->series, s->hour);
        s->hour = NULL;
    }
    if (!s->hour)
        s->hour = hour_new(&u->id, slot * SLOT_MS);
    s->slot = slot;
    return s->hour != NULL;
}

static void ring_add(struct ring *r, const struct usage *u, size_t n)
{
    unsigned last = (r->at + RING_POINTS - 1) % RING_POINTS;

    if (r->n > 0 && u->time_ms - r->points[last].time_ms < RING_SPACE_MS)
        return;
    r->points[r->at].time_ms = u->time_ms;
    for (size_t m = 0; m < METRICS; m++)
        r->points[r->at].values[m] = m < n && (u->have >> m & 1) ? (float)u->values[m] : NAN;
    r->at = (r->at + 1) % RING_POINTS;
    r->n += r->n < RING_POINTS;
}

void series_note(struct core *c, struct usage *u, size_t nmetrics)
{
    int64_t slot = u->time_ms / SLOT_MS, now = clock_wall_ms();
    struct series *s = u->series;

    /* A provider's clock may be wrong; numbers of another day are of no use here. */
    if (!c->series || u->time_ms > now + HOUR_MS || u->time_ms < now - DAY_MS)
        return;
    if (!s)
        s = u->series = calloc(1, sizeof(*s));
    if (!s || slot < s->slot)
        return;
    if ((!s->hour || slot != s->slot) && !move_on(c, u, slot))
        return;
    for (size_t m = 0; m < nmetrics && m < METRICS; m++) {
        if (!(u->have >> m & 1))
            continue;
        s->sums[m] += (double)u->values[m];
        s->counts[m]++;
    }
    if (s->ring)
        ring_add(s->ring, u, nmetrics);
}

void series_free(struct series *s)
{
    if (!s)
        return;
    free(s->hour);
    free(s->ring);
    free(s);
}

/* ------------------------------------------------------------------ writing */

struct writing {
    struct hour *hours;
    size_t n;
};

static uint64_t stored_value(double v)
{
    return isnan(v) || v < 0 || v > (double)STORE_VALUE_MAX ? STORE_NO_VALUE : (uint64_t)llround(v);
}

static int write_hour(struct store_tx *tx, const struct hour *h, struct store_block *b, struct pv_err *err)
{
    unsigned at = (unsigned)(h->start_ms % DAY_MS / HOUR_MS);
    int rc;

    store_block_clear(b);
    b->object = h->id;
    b->step_s = SLOT_MS / 1000;
    b->start_ms = h->start_ms;
    b->npoints = SLOTS;
    for (size_t m = 0; m < METRICS; m++)
        for (size_t i = 0; i < SLOTS; i++)
            b->values[m][i] = stored_value(h->means[i][m]);
    rc = tx_block_merge(tx, b, err);
    if (rc != PV_OK)
        return rc;
    store_block_clear(b);
    b->object = h->id;
    b->step_s = HOUR_MS / 1000;
    b->start_ms = h->start_ms - h->start_ms % DAY_MS;
    b->npoints = at + 1;
    for (size_t m = 0; m < METRICS; m++) {
        double sum = 0;
        unsigned n = 0;

        for (size_t i = 0; i < SLOTS; i++) {
            if (isnan(h->means[i][m]))
                continue;
            sum += (double)h->means[i][m];
            n++;
        }
        b->values[m][at] = n ? stored_value(sum / n) : STORE_NO_VALUE;
    }
    return tx_block_merge(tx, b, err);
}

static int write_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    const struct writing *w = arg;
    struct store_block *b = arena_alloc(tx_arena(tx), sizeof(*b));
    const struct hour *h = w->hours;
    int rc = b ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory to write numbers");

    for (size_t i = 0; i < w->n && h && rc == PV_OK; i++, h = h->next)
        rc = write_hour(tx, h, b, err);
    return rc;
}

/* Up to `most` of those that wait. They stay in the list, where readers find them, until they are stored. */
static void write_waiting(struct core *c, size_t most)
{
    struct series_store *st = c->series;

    while (most > 0) {
        struct writing w = { .n = most < WRITE_GROUP ? most : WRITE_GROUP };
        struct pv_err err = { 0 };

        pthread_mutex_lock(&c->usage_lock);
        w.hours = st->waiting;
        if (w.n > st->nwaiting)
            w.n = st->nwaiting;
        pthread_mutex_unlock(&c->usage_lock);
        if (w.n == 0)
            return;
        if (store_write(c->store, write_tx, &w, &err) != PV_OK) {
            log_msg(PV_LOG_ERROR, "series", "%s", err.message);
            return;
        }
        pthread_mutex_lock(&c->usage_lock);
        for (size_t i = 0; i < w.n; i++) {
            struct hour *h = st->waiting;

            st->waiting = h->next;
            st->nwaiting--;
            free(h);
        }
        if (!st->waiting)
            st->end = &st->waiting;
        pthread_mutex_unlock(&c->usage_lock);
        most -= w.n;
    }
}

struct purge {
    uint32_t step_s;
    int64_t before_ms;
    size_t deleted;
};

static int purge_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct purge *p = arg;

    return tx_purge_blocks(tx, p->step_s, p->before_ms, &p->deleted, err);
}

/* At most 5,000 blocks of each sort a minute: more than ever come. */
static void purge(struct core *c)
{
    int64_t now = clock_wall_ms(), fine = core_setting(c, CORE_SETTING_retention_series_fine_days) * DAY_MS,
            hours = core_setting(c, CORE_SETTING_retention_series_hours_days) * DAY_MS;
    struct purge kinds[] = { { SLOT_MS / 1000, now - fine - HOUR_MS, 0 }, { HOUR_MS / 1000, now - hours - DAY_MS, 0 } };

    for (size_t i = 0; i < PV_COUNT(kinds); i++) {
        struct pv_err err = { 0 };

        if (store_write(c->store, purge_tx, &kinds[i], &err) != PV_OK)
            log_msg(PV_LOG_ERROR, "series", "%s", err.message);
    }
}

/* Rings that nobody has looked at for a while. usage_lock held. */
static void drop_rings(struct core *c)
{
    int64_t now = clock_mono_ms();

    for (size_t i = 0; i < c->usage.cap && c->series->nrings > 0; i++) {
        struct usage *u = c->usage.slots[i].item;

        if (!u || !u->series || !u->series->ring || now - u->series->ring->asked_ms < RING_IDLE_MS)
            continue;
        free(u->series->ring);
        u->series->ring = NULL;
        c->series->nrings--;
    }
}

static void every_minute(void *arg)
{
    struct core *c = arg;

    if (atomic_load(&c->stopping))
        return;
    write_waiting(c, WRITE_MOST);
    purge(c);
    pthread_mutex_lock(&c->usage_lock);
    drop_rings(c);
    pthread_mutex_unlock(&c->usage_lock);
    core_later(c, WRITE_EVERY_MS, every_minute, c);
}

void series_start(struct core *c)
{
    c->series = calloc(1, sizeof(*c->series));
    if (!c->series) {
        log_msg(PV_LOG_ERROR, "series", "no memory: numbers are not kept over time");
        return;
    }
    c->series->end = &c->series->waiting;
    core_later(c, WRITE_EVERY_MS, every_minute, c);
}

void series_stop(struct core *c)
{
    struct hour *next;

    if (!c->series)
        return;
    pthread_mutex_lock(&c->usage_lock);
    for (size_t i = 0; i < c->usage.cap; i++) {
        struct usage *u = c->usage.slots[i].item;

        if (!u || !u->series || !u->series->hour)
            continue;
        close_slot(u->series);
        wait_for_writing(c->series, PV_TAKE(u->series->hour));
    }
    pthread_mutex_unlock(&c->usage_lock);
    write_waiting(c, WAITING_MAX);
    for (struct hour *h = c->series->waiting; h; h = next) {
        next = h->next;
        free(h);
    }
    free(c->series);
    c->series = NULL;
}

/* ------------------------------------------------------------------ reading */

/* Values of one fineness; finer ones replace coarser ones. */
struct level {
    const struct core_series *q;
    int64_t covers_ms;          /* what one value stands for */
    double *sums;
    unsigned *counts;
};

static void add_point(struct level *l, int64_t time_ms, size_t m, double v)
{
    const struct core_series *q = l->q;
    int64_t step = (int64_t)q->step_s * 1000, first = time_ms - q->from_ms, last = first + l->covers_ms - 1;

    if (isnan(v) || last < 0 || first >= step * q->npoints)
        return;
    first = first < 0 ? 0 : first / step;
    last = l->covers_ms <= step ? first : last / step;
    for (int64_t i = first; i <= last && i < q->npoints; i++) {
        l->sums[m * q->npoints + (size_t)i] += v;
        l->counts[m * q->npoints + (size_t)i]++;
    }
}

static void end_level(struct level *l)
{
    for (size_t i = 0; i < l->q->nmetrics * l->q->npoints; i++) {
        if (l->counts[i])
            l->q->out[i] = l->sums[i] / l->counts[i];
        l->sums[i] = 0;
        l->counts[i] = 0;
    }
}

static void add_block(void *ctx, const struct store_block *b)
{
    struct level *l = ctx;

    for (size_t m = 0; m < l->q->nmetrics; m++) {
        const uint64_t *values = b->values[l->q->metrics[m]];

        for (unsigned i = 0; i < b->npoints; i++)
            if (values[i] != STORE_NO_VALUE)
                add_point(l, b->start_ms + i * l->covers_ms, m, (double)values[i]);
    }
}

static void add_hour(struct level *l, const struct hour *h)
{
    for (size_t m = 0; m < l->q->nmetrics; m++)
        for (int64_t i = 0; i < SLOTS; i++)
            add_point(l, h->start_ms + i * SLOT_MS, m, (double)h->means[i][l->q->metrics[m]]);
}

static bool usage_equal(const void *item, const void *key)
{
    return id_eq(&((const struct usage *)item)->id, key);
}

/* What is not stored yet. usage_lock held. */
static void add_memory(struct core *c, struct level *l, const struct series *s)
{
    for (const struct hour *h = c->series->waiting; h; h = h->next)
        if (id_eq(&h->id, &l->q->id))
            add_hour(l, h);
    if (!s || !s->hour)
        return;
    add_hour(l, s->hour);
    for (size_t m = 0; m < l->q->nmetrics; m++) {
        unsigned n = s->counts[l->q->metrics[m]];

        if (n > 0)
            add_point(l, s->slot * SLOT_MS, m, s->sums[l->q->metrics[m]] / n);
    }
}

static void add_ring(struct level *l, const struct ring *r)
{
    for (unsigned i = 0; i < r->n; i++)
        for (size_t m = 0; m < l->q->nmetrics; m++)
            add_point(l, r->points[i].time_ms, m, (double)r->points[i].values[l->q->metrics[m]]);
}

/* From now on single values are kept, as long as somebody goes on looking. usage_lock held. */
static void look_at(struct core *c, struct series *s)
{
    if (!s->ring && c->series->nrings < RINGS_MAX) {
        s->ring = calloc(1, sizeof(*s->ring));
        c->series->nrings += s->ring != NULL;
    }
    if (s->ring)
        s->ring->asked_ms = clock_mono_ms();
}

static int read_levels(struct core *c, struct level *l, struct pv_err *err)
{
    const struct core_series *q = l->q;
    int64_t to = q->from_ms + (int64_t)q->step_s * 1000 * q->npoints;
    struct usage *u;
    int rc;

    l->covers_ms = HOUR_MS;
    rc = store_blocks(c->store, &q->id, HOUR_MS / 1000, q->from_ms - DAY_MS, to, add_block, l, err);
    end_level(l);
    l->covers_ms = SLOT_MS;
    if (rc == PV_OK && (int64_t)q->step_s * 1000 < HOUR_MS)
        rc = store_blocks(c->store, &q->id, SLOT_MS / 1000, q->from_ms - HOUR_MS, to, add_block, l, err);
    if (rc != PV_OK)
        return rc;
    pthread_mutex_lock(&c->usage_lock);
    u = table_find(&c->usage, core_hash_id(&q->id), usage_equal, &q->id);
    if (c->series) {
        add_memory(c, l, u ? u->series : NULL);
        end_level(l);
        if (u && u->series && (int64_t)q->step_s * 1000 < SLOT_MS) {
            look_at(c, u->series);
            l->covers_ms = 20000;
            if (u->series->ring)
                add_ring(l, u->series->ring);
            end_level(l);
        }
    }
    pthread_mutex_unlock(&c->usage_lock);
    return PV_OK;
}

int core_series_read(struct core *c, const struct core_series *q, struct pv_err *err)
{
    size_t n = q->nmetrics * q->npoints;
    PV_AUTO_FREE double *sums = calloc(n ? n : 1, sizeof(*sums));
    PV_AUTO_FREE unsigned *counts = calloc(n ? n : 1, sizeof(*counts));
    struct level l = { .q = q, .sums = sums, .counts = counts };

    if (!sums || !counts)
        return pv_fail(err, PV_ENOMEM, "no memory for a series");
    for (size_t m = 0; m < q->nmetrics; m++)
        if (q->metrics[m] >= METRICS)
            return pv_fail(err, PV_EINTERNAL, "there is no such metric");
    for (size_t i = 0; i < n; i++)
        q->out[i] = NAN;
    return read_levels(c, &l, err);
}
