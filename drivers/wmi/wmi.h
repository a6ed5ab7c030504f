/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wmi - what one open provider of this driver has: one Hyper-V host.
 *
 * watch, refresh and call of a provider share it. They talk to the host
 * through `client` (wsman.h), which may be used from all of them at once.
 * Inventory and operations keep their own state behind their pointers, made
 * by their _new at the first use and freed by wmi_free.
 *
 * Ownership: wmi_free. Threads: any.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "drivers/wmi/config.h"
#include "drivers/wmi/wsman.h"

struct inventory;  /* inventory.h */
struct operations; /* op.h */
struct pv_builder;

struct wmi {
    const struct pv_host *host; /* borrowed */
    struct config config;       /* owned */
    struct wsman *client;       /* owned */
    /* Held from reading to sending by refresh and by the feed: an older sight of an object must not arrive after a
     * newer one. Taken before any lock of inventory's. */
    pthread_mutex_t order;
    /* Held while a definition becomes a planned VM: the host does not say which of the new ones is whose. */
    pthread_mutex_t importing;
    pthread_mutex_t lock;          /* guards the two pointers */
    struct inventory *inventory;   /* owned; NULL until the first watch or refresh */
    struct operations *operations; /* owned; NULL until the first call */
};

int wmi_new(const struct pv_host *host, const char *config, struct wmi **out, struct pv_err *err);
void wmi_free(struct wmi *w);
void wmi_log(const struct wmi *w, int level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* ------------------------------------------------------------------ what the parts give */

/* feed.c */
int wmi_watch(struct wmi *w, const struct call *c, const char *cursor, struct pv_err *err);
int wmi_refresh(struct wmi *w, const struct call *c, uint32_t kind, const char *native_id,
                struct pv_err *err);
void inventory_free(struct inventory *i); /* NULL is fine */

/* op.c. As pv_driver.call; `native_ref`: follow that job, start nothing. */
extern const char wmi_operations[]; /* JSON array of names */
int wmi_call(struct wmi *w, const struct call *c, const char *operation, const char *subject,
             const char *args, const char *native_ref, uint32_t flags, char **result,
             struct pv_err *err);
void operations_free(struct operations *o); /* NULL is fine */
