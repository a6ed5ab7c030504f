/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vapi - what one open provider of this driver has.
 *
 * watch, refresh and call of a provider share it. The watch's thread alone
 * writes the tree and the tags, under `lock`; others look things up under it.
 * No request is sent and nothing is emitted with `lock` held.
 *
 * Ownership: vapi_free. Threads: any.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "drivers/vapi/rest.h"
#include "drivers/vapi/session.h"

struct pv_builder;
struct tags;
struct task_hub;
struct tree;

struct vapi {
    struct session *session; /* owned */
    struct task_hub *tasks;  /* owned */
    /* Held from reading to sending by refresh, and by the feed from the first change of an answer
     * until it is sent: an older sight of an object must not arrive after a newer one. Taken
     * before `lock`. */
    pthread_mutex_t order;
    pthread_mutex_t lock;
    struct tree *tree; /* guarded by lock */
    bool have_tree;    /* hosts, folders ... are in it */
    uint64_t listing;  /* number of the last listing */
    struct tags *tags; /* guarded by lock; NULL: none were read */
    struct rest rest;  /* the watch's */
    bool tags_failed;  /* said once */
};

int vapi_new(const struct pv_host *host, const char *config, struct vapi **out, struct pv_err *err);
void vapi_free(struct vapi *v);
void vapi_log(const struct vapi *v, int level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Text for the host's `provider`: product, capabilities with reasons, sync. `requests`: of the last
 * full listing. */
int vapi_tell_provider(struct vapi *v, unsigned requests, bool push, struct pv_err *err);
