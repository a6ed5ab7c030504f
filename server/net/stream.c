/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <polyvisor/arena.h>

#include "server/net/inside.h"

#define PIECE (16u << 20) /* most that one call of `next` may append: a block of whole VMs is 3 MiB */

enum req_result reply_stream(struct req *pub, int status, const char *content_type,
                             int (*next)(void *ctx, struct buf *out), void (*release)(void *ctx),
                             void *ctx)
{
    struct request *r = request_of(pub);

    reply_body(pub, status, content_type);
    r->answered = ANSWERED_STREAM;
    r->stream = (struct stream){ .next = next, .release = release, .ctx = ctx };
    buf_init(&r->stream.pending, PIECE);
    return reply_send(pub);
}

static ssize_t read_stream(void *cls, uint64_t pos, char *out, size_t max)
{
    struct request *r = cls;
    struct stream *s = &r->stream;
    size_t left;

    (void)pos;
    if (s->sent == s->pending.len) {
        buf_reset(&s->pending);
        s->sent = 0;
        if (s->next(s->ctx, &s->pending) != 0 || !buf_ok(&s->pending))
            return MHD_CONTENT_READER_END_WITH_ERROR;
        if (s->pending.len == 0)
            return MHD_CONTENT_READER_END_OF_STREAM;
    }
    left = s->pending.len - s->sent;
    if (left > max)
        left = max;
    memcpy(out, s->pending.data + s->sent, left);
    s->sent += left;
    atomic_fetch_add_explicit(&r->net->bytes_out, left, memory_order_relaxed);
    return (ssize_t)left;
}

struct MHD_Response *stream_response(struct request *r)
{
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16 * 1024, read_stream, r, NULL);
}

void stream_release(struct request *r)
{
    if (!r->stream.next)
        return;
    buf_free(&r->stream.pending);
    if (r->stream.release)
        r->stream.release(r->stream.ctx);
    r->stream.next = NULL;
}
