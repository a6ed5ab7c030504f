/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rest - the Automation API of a vCenter: one login, JSON in and out.
 *
 * The form follows from about.apiVersion: /api from 7.0 update 2 on, /rest
 * before; a server that says 404 to /api's login gets /rest. A login that
 * has ended is renewed once.
 *
 * Ownership: rest_close signs out. Threads: one at a time (the watch's).
 */
#pragma once

#include <stdbool.h>

#include <jansson.h>

struct call;
struct pv_err;
struct session;

struct rest {
    bool old_form; /* /rest */
    bool decided;
    char token[256]; /* "" : not signed in */
};

/* `path` below /api or /rest, chosen by the caller by r->old_form after rest_open. *out is owned.
 */
int rest_open(struct rest *r, struct session *s, const struct call *c, struct pv_err *err);
int rest_call(struct rest *r, struct session *s, const struct call *c, const char *method,
              const char *path, const json_t *body, json_t **out, struct pv_err *err);
void rest_close(struct rest *r, struct session *s);
