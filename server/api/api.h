/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api - version 1 of the REST API: what turns requests into calls of core,
 * auth and storage, and rows into answers.
 *
 * Most routes are not written by hand: kinds of the model get their
 * collections, operations of the model their actions (routes.c). One file a
 * resource holds the rest. Handlers read storage or hand work to core; none
 * waits for a provider.
 *
 * Threads: handlers run on net's threads, callbacks of core on core's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "db/store.h"
#include "server/auth/auth.h"
#include "server/core/core.h"
#include "server/net/router.h"

struct api;
struct buf;
struct workers;

struct api_config {
    struct store *store;
    struct core *core;
    struct auth *auth;
    const char *data;       /* folder of the database; must outlive the API */
};

/* Builds the routes and the OpenAPI document. */
int api_start(const struct api_config *config, struct api **out, struct pv_err *err);
void api_stop(struct api *a);
/* Appends the OpenAPI document, which needs no server: it follows from the tables alone. */
int api_describe(struct buf *out, struct pv_err *err);
/* For net_config. */
const struct route *api_routes(const struct api *a);
int api_authorise(struct req *r, struct pv_err *err);
void api_finished(struct req *r, int status, int64_t took_us);
void api_ended(struct req *r);
/* After net_start: where its numbers come from, and the file of the certificate it shows (NULL: none; outlives it). */
void api_set_net(struct api *a, struct net *net, const char *certificate);
/* 503 at /readyz from now on. */
void api_drain(struct api *a);
