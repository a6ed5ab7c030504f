/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map_images - what is known of virtual disk files, by path.
 *
 * WMI tells sizes one file at a time, so they are not part of a listing: they
 * are looked up a few at a time afterwards, and remembered here.
 *
 * Ownership: images_free. Threads: the caller's lock.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct image {
    char *key;    /* normalised path */
    char *path;   /* as the host writes it */
    char *parent; /* or NULL */
    char disk_id[40];
    uint64_t capacity, bytes, block;
    uint32_t logical, physical;
    unsigned type, format; /* 2 fixed, 3 dynamic, 4 differencing; 2 VHD, 3 VHDX, 4 set */
    int64_t looked_ms;     /* monotonic; 0: never */
    uint64_t seen;         /* number of the listing that named it */
    bool known;            /* the host told its data */
    bool told;             /* its record has been sent with them */
    const void *users;     /* a listing's own, until it ends */
    struct image *next;    /* in its bucket */
};

struct images;

struct images *images_new(void);
void images_free(struct images *i);
/* NULL: not there. `key` as world_path makes it. */
struct image *images_find(const struct images *i, const char *key);
/* Finds or makes; NULL: no memory, or too many. */
struct image *images_put(struct images *i, const char *key, const char *path);
/* Forgets those that listing `seen` did not name, calling `gone` for each. */
void images_sweep(struct images *i, uint64_t seen, void (*gone)(void *ctx, const struct image *im),
                  void *ctx);
/* Any that was not looked at since `before`, those never looked at first; NULL: none. */
struct image *images_oldest(struct images *i, int64_t before);
void images_each(const struct images *i, void (*fn)(void *ctx, const struct image *im), void *ctx);
