/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/wmi/map_images.h"

#include <stdlib.h>
#include <string.h>

#define IMAGES_MOST 200000u
#define BUCKETS_FIRST 64u

struct images {
    struct image **buckets;
    size_t nbuckets, count;
};

static size_t hash(const char *text)
{
    uint64_t h = 1469598103934665603u;

    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 1099511628211u;
    return (size_t)h;
}

struct images *images_new(void)
{
    struct images *i = calloc(1, sizeof(*i));

    if (!i)
        return NULL;
    i->buckets = calloc(BUCKETS_FIRST, sizeof(struct image *));
    i->nbuckets = BUCKETS_FIRST;
    if (!i->buckets) {
        free(i);
        return NULL;
    }
    return i;
}

static void image_free(struct image *im)
{
    free(im->key);
    free(im->path);
    free(im->parent);
    free(im);
}

void images_free(struct images *i)
{
    if (!i)
        return;
    for (size_t b = 0; b < i->nbuckets; b++) {
        while (i->buckets[b]) {
            struct image *next = i->buckets[b]->next;

            image_free(i->buckets[b]);
            i->buckets[b] = next;
        }
    }
    free(i->buckets);
    free(i);
}

struct image *images_find(const struct images *i, const char *key)
{
    struct image *im = key ? i->buckets[hash(key) & (i->nbuckets - 1)] : NULL;

    while (im && strcmp(im->key, key) != 0)
        im = im->next;
    return im;
}

/* Longer chains are slow, not wrong: without memory it stays as it is. */
static void grow(struct images *i)
{
    size_t n = 2 * i->nbuckets;
    struct image **more = calloc(n, sizeof(struct image *));

    if (!more)
        return;
    for (size_t b = 0; b < i->nbuckets; b++) {
        while (i->buckets[b]) {
            struct image *im = i->buckets[b];
            size_t at = hash(im->key) & (n - 1);

            i->buckets[b] = im->next;
            im->next = more[at];
            more[at] = im;
        }
    }
    free(i->buckets);
    i->buckets = more;
    i->nbuckets = n;
}

struct image *images_put(struct images *i, const char *key, const char *path)
{
    struct image *im = images_find(i, key);
    size_t at;

    if (im || !key || !path || i->count >= IMAGES_MOST)
        return im;
    im = calloc(1, sizeof(*im));
    if (!im)
        return NULL;
    im->key = strdup(key);
    im->path = strdup(path);
    if (!im->key || !im->path) {
        image_free(im);
        return NULL;
    }
    if (i->count >= 2 * i->nbuckets)
        grow(i);
    at = hash(key) & (i->nbuckets - 1);
    im->next = i->buckets[at];
    i->buckets[at] = im;
    i->count++;
    return im;
}

void images_sweep(struct images *i, uint64_t seen, void (*gone)(void *ctx, const struct image *im),
                  void *ctx)
{
    for (size_t b = 0; b < i->nbuckets; b++) {
        struct image **at = &i->buckets[b];

        while (*at) {
            struct image *im = *at;

            if (im->seen == seen) {
                at = &im->next;
                continue;
            }
            *at = im->next;
            i->count--;
            gone(ctx, im);
            image_free(im);
        }
    }
}

struct image *images_oldest(struct images *i, int64_t before)
{
    struct image *oldest = NULL;

    for (size_t b = 0; b < i->nbuckets; b++)
        for (struct image *im = i->buckets[b]; im; im = im->next)
            if (im->looked_ms < before && (!oldest || im->looked_ms < oldest->looked_ms))
                oldest = im;
    return oldest;
}

void images_each(const struct images *i, void (*fn)(void *ctx, const struct image *im), void *ctx)
{
    for (size_t b = 0; b < i->nbuckets; b++)
        for (const struct image *im = i->buckets[b]; im; im = im->next)
            fn(ctx, im);
}
