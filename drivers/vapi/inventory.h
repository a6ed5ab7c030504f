/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inventory - the full listing, the poll, and reading single objects again.
 *
 * The listing takes a number of calls that depends on pages alone. The few
 * objects that others refer to are kept until all are there and then sent in
 * the model's order; VMs are sent while their page arrives, so that memory
 * stays flat however many there are.
 *
 * Threads: the watch's, but for inventory_refresh.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/vapi/values.h"

struct call;
struct pv_builder;
struct pv_err;
struct vapi;

/* The views of one login. */
struct views {
    unsigned generation;
    struct moref vms, others;
};

int inventory_make_views(struct vapi *v, const struct call *c, unsigned generation,
                         struct views *out, struct pv_err *err);
void inventory_drop_views(struct vapi *v, const struct call *c, const struct views *views);
/* Everything; no marks. SESSION_RENEWED: it is incomplete. */
int inventory_list(struct vapi *v, const struct call *c, const struct views *views,
                   struct pv_builder *b, struct pv_err *err);
/* Load and status. */
int inventory_poll(struct vapi *v, const struct call *c, const struct views *views,
                   struct pv_builder *b, struct pv_err *err);
/* Read tags; where an object's differ from what was sent, send them. Failing is logged once, no
 * error. */
void inventory_tags(struct vapi *v, const struct call *c);
int inventory_send_tags(struct vapi *v, struct pv_builder *b);

/* Read these again in few calls; what is gone is confirmed to be and said so when `say_gone`. */
int inventory_reread(struct vapi *v, const struct call *c, struct moref *refs, size_t n,
                     bool say_gone, struct pv_builder *b, struct pv_err *err);
/* One object with its children, for pv_driver.refresh. */
int inventory_refresh(struct vapi *v, const struct call *c, uint32_t kind, const char *native_id,
                      struct pv_err *err);
