/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sse - server-sent events: one answer that does not end.
 *
 * A stream has a bounded ring (64 KiB). Who has news appends to it from any
 * thread and the suspended connection wakes up; when the ring is full, the
 * event `lagging` is sent and the stream closed: the client resumes by
 * Last-Event-ID. A comment line goes out every 15 s, which also notices
 * clients that have gone.
 *
 * Ownership: the stream belongs to net; the publisher keeps its pointer until
 * `closed` is called, which happens exactly once, with no further use after.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "server/net/router.h"

struct sse_stream;

/* Answers the request with a stream. `wants_more(ctx)` runs on net's threads whenever everything appended so far was
 * sent (also at the start): the place to replay from the database, piece by piece. `closed(ctx)` ends it. */
enum req_result reply_sse(struct req *r, void (*wants_more)(void *ctx, struct sse_stream *s),
                          void (*closed)(void *ctx), void *ctx, struct sse_stream **out);
/* Appends whole events ("id: ...\nevent: ...\ndata: ...\n\n"). false: no room; nothing was appended. */
bool sse_append(struct sse_stream *s, const char *text, size_t len);
/* Has wants_more run (again) as soon as what is appended was sent, although nothing new was appended. */
void sse_wake(struct sse_stream *s);
/* Bytes that would fit now. */
size_t sse_room(struct sse_stream *s);
/* Sends what is appended, an event `lagging`, and closes. */
void sse_overrun(struct sse_stream *s);
void sse_end(struct sse_stream *s);
