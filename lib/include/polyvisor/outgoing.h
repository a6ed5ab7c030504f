/* SPDX-License-Identifier: Apache-2.0 */
/*
 * outgoing - where addresses that people give us must never lead.
 *
 * Link-local and metadata addresses may hold secrets of this machine, so a
 * mail server, a syslog server or a webhook is never one of them. The text is
 * looked at when somebody writes it, for a clear answer; the address itself
 * when a connection is about to be made, whatever the name resolves to.
 *
 * Ownership: nothing is kept. Threads: any.
 */
#pragma once

#include <stdbool.h>

struct pv_err;
struct sockaddr;

/* A host name or an address without port, as a person wrote it. PV_EINVAL without a pointer. */
int outgoing_check_host(const char *host, struct pv_err *err);
/* https://host..., or http:// of this machine alone. PV_EINVAL without a pointer. */
int outgoing_check_url(const char *url, struct pv_err *err);
bool outgoing_address_ok(const struct sockaddr *address, unsigned len);
/* localhost, 127.x, [::1] */
bool outgoing_is_loopback(const char *host);
