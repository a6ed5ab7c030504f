/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gate - which requests are let in at all.
 *
 * The HTTP library is more tolerant than the proxies in front of it; where two
 * readers of one byte stream disagree, requests can be smuggled. So everything
 * that is not plain, strict HTTP/1.x is refused before routing, with 400 and a
 * closed connection.
 *
 * Pure functions on what was parsed: no memory, any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GATE_MAX_HEADERS 64
#define GATE_MAX_TARGET 8192

struct gate_header {
    const char *name, *value;
    size_t name_len, value_len;
};

/* A request's head as it came. Texts need no NUL at their end, except where said. */
struct gate_head {
    const char *method; /* NUL-terminated */
    const char *target; /* path and query, raw */
    size_t target_len;
    const char *version; /* NUL-terminated: "HTTP/1.1" */
    const struct gate_header *headers;
    size_t nheaders;
};

enum gate_method {
    GATE_GET,
    GATE_HEAD,
    GATE_POST,
    GATE_PUT,
    GATE_PATCH,
    GATE_DELETE,
    GATE_OPTIONS,
    GATE_METHODS
};

struct gate_verdict {
    int status;      /* 0: let in; else what to answer before closing */
    const char *why; /* static text */
    enum gate_method method;
    size_t path_len; /* of target; what follows is '?' and the query */
    bool chunked;
    bool has_length;
    uint64_t length; /* of the body, when has_length */
    bool expects_continue;
};

/* Decides; fills *out in every case. True: let in. */
bool gate_check(const struct gate_head *head, struct gate_verdict *out);

/* Does the head lie in memory without anything between its parts that the parser skipped: bare line
 * feeds, NUL bytes, folded lines, doubled spaces? All pointers point into one buffer, which holds
 * `head_size` bytes from `method`. */
bool gate_contiguous(const struct gate_head *head, size_t head_size);

/* "GET"; NULL past the end. */
const char *gate_method_name(enum gate_method m);
/* Percent-decodes one path segment or query word; plus_is_space for queries. False: malformed,
 * control bytes or not UTF-8. `out` has room for len + 1 bytes; it ends with NUL. */
bool gate_decode(const char *text, size_t len, bool plus_is_space, char *out, size_t *out_len);
