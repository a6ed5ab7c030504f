/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers over whole kinds (how many VMs run, how much memory hosts have), kept until a row of the kind changes:
 * dashboards and monitoring ask for the same ones again and again.
 */
#include "server/api/internal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>

#define TALLIES 48

struct kept {
    enum pv_kind kind;          /* NONE: unused */
    uint16_t field;
    bool sum;
    uint64_t changes;           /* of the kind, before it was counted */
    struct store_tally *rows;   /* owned */
    size_t n;
};

struct tally_cache {
    pthread_mutex_t lock;
    struct kept kept[TALLIES];  /* guarded by lock */
    size_t next;                /* guarded by lock; place to use next when all are taken */
};

int tally_start(struct api *a, struct pv_err *err)
{
    a->tallies = calloc(1, sizeof(*a->tallies));
    if (!a->tallies)
        return pv_fail(err, PV_ENOMEM, "no memory for tallies");
    pthread_mutex_init(&a->tallies->lock, NULL);
    return PV_OK;
}

void tally_stop(struct api *a)
{
    if (!a->tallies)
        return;
    for (size_t i = 0; i < TALLIES; i++)
        free(a->tallies->kept[i].rows);
    pthread_mutex_destroy(&a->tallies->lock);
    free(a->tallies);
    a->tallies = NULL;
}

/* With the lock held. */
static struct kept *find(struct tally_cache *c, enum pv_kind kind, uint16_t field, bool sum)
{
    for (size_t i = 0; i < TALLIES; i++)
        if (c->kept[i].kind == kind && c->kept[i].field == field && c->kept[i].sum == sum)
            return &c->kept[i];
    return NULL;
}

/* With the lock held. Without memory nothing is kept, which is no failure. */
static void keep(struct tally_cache *c, enum pv_kind kind, uint16_t field, bool sum, uint64_t changes,
                 const struct store_tally *rows, size_t n)
{
    struct kept *k = find(c, kind, field, sum);
    struct store_tally *copy = malloc(n ? n * sizeof(*copy) : 1);

    if (!copy)
        return;
    if (n)
        memcpy(copy, rows, n * sizeof(*copy));
    if (!k)
        k = &c->kept[c->next++ % TALLIES];
    free(k->rows);
    *k = (struct kept){ .kind = kind, .field = field, .sum = sum, .changes = changes, .rows = copy, .n = n };
}

int tally_get(struct req *r, enum pv_kind kind, uint16_t field, bool sum, struct store_tally **out, size_t *n,
              struct pv_err *err)
{
    struct tally_cache *c = api_of(r)->tallies;
    uint64_t changes = store_kind_changes(api_of(r)->store, kind);
    const struct store_access *eyes = access_of(r);
    struct kept *k;
    int rc;

    if (eyes)
        return sum ? store_sum(api_of(r)->store, kind, field, eyes, r->arena, out, n, err)
                   : store_tally(api_of(r)->store, kind, field, eyes, r->arena, out, n, err);
    pthread_mutex_lock(&c->lock);
    k = find(c, kind, field, sum);
    if (k && k->changes == changes) {
        *out = arena_copy(r->arena, k->rows, k->n * sizeof(**out));
        *n = k->n;
        pthread_mutex_unlock(&c->lock);
        return *out || *n == 0 ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory");
    }
    pthread_mutex_unlock(&c->lock);

    rc = sum ? store_sum(api_of(r)->store, kind, field, NULL, r->arena, out, n, err)
             : store_tally(api_of(r)->store, kind, field, NULL, r->arena, out, n, err);
    if (rc != PV_OK)
        return rc;
    pthread_mutex_lock(&c->lock);
    keep(c, kind, field, sum, changes, *out, *n);
    pthread_mutex_unlock(&c->lock);
    return PV_OK;
}
