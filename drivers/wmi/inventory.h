/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inventory - listing a host, polling it, and reading single objects again.
 *
 * All of this but a listing's reading happens under wmi.order, which guards
 * the members, too: so an older sight of an object is never sent after a newer
 * one. A VM that was read aside while a listing was under way is read once
 * more before the listing says what it saw.
 *
 * Ownership: inventory_free. Threads: as said.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "drivers/wmi/inventory_known.h"
#include "drivers/wmi/inventory_read.h"
#include "drivers/wmi/map.h"
#include "drivers/wmi/wmi.h"

struct inventory {
    struct wmi *wmi; /* borrowed */
    struct world *world;
    struct images *images;
    struct known *known;
    struct rates *rates;
    struct read_limits limits;
    uint64_t listing;  /* number of the listing that is under way or was the last */
    uint64_t poll;     /* number of the poll, for `seen` */
    bool partial;      /* the last listing was */
    bool blind;        /* it saw no VMs at all: nothing to poll */
    char reason[320];  /* why */
    uint64_t requests; /* of the last full listing */
    bool push;         /* the host tells events */
    unsigned interval_s;
};

/* The provider's own, made at first use. */
int inventory_of(struct wmi *w, struct inventory **out, struct pv_err *err);

/* A full listing with its marks. */
int inventory_list(struct inventory *i, const struct call *c, struct pv_builder *b,
                   struct pv_err *err);

struct poll_result {
    bool changed; /* something happened, or is happening: look again soon */
    bool relist;  /* too much has changed for reading it one by one */
};
/* States of all VMs (and, with READ_GUEST and READ_LOAD in `parts`, guests and loads). */
int inventory_poll(struct inventory *i, const struct call *c, unsigned parts, struct pv_builder *b,
                   struct poll_result *out, struct pv_err *err);
/* Looks up to `most` disk files up whose data are not known or old; fewer: there are no more. */
int inventory_look(struct inventory *i, const struct call *c, unsigned most, struct pv_builder *b,
                   unsigned *looked, struct pv_err *err);
/* One VM as it is now, into the builder. PV_ENOENT: it is gone; the builder then says so if `gone`.
 * Under wmi.order. */
int inventory_reread(struct inventory *i, const struct call *c, const char *guid, bool gone,
                     struct pv_builder *b, struct pv_err *err);
/* Tells product, capabilities and sync. Under wmi.order. */
int inventory_tell(struct inventory *i, struct pv_err *err);

/* Waits until few enough hosts of this process are being listed. PV_ECANCELED; else give it back.
 */
int inventory_take_turn(const struct call *c, struct pv_err *err);
void inventory_give_turn(void);

/* Shared by the above. */
struct arena *inventory_arena(struct pv_err *err);
/* `sight` with the world that goes with it. */
struct map inventory_map(struct inventory *i, struct pv_builder *b, const struct sight *s,
                         bool whole, int64_t began_ms);
/* Remembers what was just said of a VM. */
void inventory_remember(struct inventory *i, const struct map *m, const struct sight_owner *o);
uint64_t inventory_guest_hash(const struct sight_owner *o);
