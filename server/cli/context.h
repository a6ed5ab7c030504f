/* SPDX-License-Identifier: Apache-2.0 */
/*
 * context - which server, with which token: ~/.config/polyvisor/config.json, mode 0600.
 *
 * POLYVISOR_URL, POLYVISOR_TOKEN, POLYVISOR_FINGERPRINT and POLYVISOR_CA win
 * over the file, flags over both. A token of the file is only ever sent to the
 * address it was made at. One thread.
 */
#pragma once

#include "server/cli/cli.h"

#define CONTEXT_URL "https://127.0.0.1:8443"

/* The file as JSON: {"current": name, "contexts": {name: {url, token, token_id, fingerprint,
 * ca_file}}}. */
int context_load(struct cli *c, json_t **out, struct pv_err *err);
int context_save(struct cli *c, const json_t *file, struct pv_err *err);
/* Fills c->url, token, fingerprint, ca_file, context_name. */
int context_choose(struct cli *c, struct pv_err *err);
/* Without a path or a slash at the end; NULL if it is no http(s) address. */
const char *context_url(struct arena *a, const char *text);
/* host and port of such an address. */
bool context_host(struct arena *a, const char *url, const char **host, unsigned *port);
