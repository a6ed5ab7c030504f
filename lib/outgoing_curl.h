/* SPDX-License-Identifier: Apache-2.0
 *
 * What connections to receivers that people name (mail, syslog) have in common: TLS 1.2 or newer
 * with the certificate looked at, no proxy, one limit of time, no address that outgoing.h refuses,
 * a way to cancel, and the words of what can go wrong. A call lives as long as its handle is used;
 * one thread.
 */
#pragma once

#include <stdbool.h>

#include <curl/curl.h>

struct pv_err;

struct outgoing_call {
    const char *server; /* name or address, for the messages */
    unsigned timeout_ms;
    const char *ca_pem;           /* instead of the system's authorities; may be NULL */
    bool (*cancelled)(void *ctx); /* may be NULL */
    void *ctx;
    /* What became of it. */
    bool refused, was_canceled;
    char text[CURL_ERROR_SIZE];
};

/* Not 0: this libcurl lacks an option. */
int outgoing_curl_set(CURL *e, struct outgoing_call *call);
/* `scheme`://`server`:`port`, an IPv6 address in brackets */
void outgoing_curl_url(char *out, size_t size, const char *scheme, const char *server,
                       unsigned port);
/* The error that `code` means here. */
int outgoing_curl_fail(const struct outgoing_call *call, CURLcode code, struct pv_err *err);
