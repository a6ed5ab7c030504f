/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frame - what travels between the server and a driver host, both ends.
 *
 * A frame is one message of a SOCK_SEQPACKET pair: a head of 16 bytes and at
 * most 64 KiB in all. A larger payload is put into a sealed memfd that is
 * passed along; FRAME_STREAM passes a descriptor of the sender's. The payload is a row of fields, each a number of 8 bytes or a
 * text (length, bytes, NUL, padding to 8); every payload begins with the
 * number of the session, 0 where there is none.
 *
 * Decoding is strict: what is not exactly as encoded is refused, and the
 * receiver then gives up the connection. Ownership: a received frame owns its
 * payload, texts read from it are borrowed. Threads: sending needs a lock of
 * the caller's, so that frames keep their order.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <polyvisor/buf.h>
#include <polyvisor/driver.h>

struct pv_err;

/* Fields of the payload after the session: in order of the comment. */
enum frame_type {
    /* from the host */
    FRAME_HELLO = 1,    /* abi major, minor; texts name, version, config_schema, operations */
    FRAME_BROKEN,       /* texts message, remedy: the driver cannot be loaded */
    FRAME_OPENED,       /* failure */
    FRAME_CLOSED,
    FRAME_BATCH,        /* batch; takes a place of the window */
    FRAME_MARK,         /* mark; text cursor or none; takes a place of the window */
    FRAME_PROVIDER,     /* text json; takes a place of the window */
    FRAME_PROGRESS,     /* progress (call); with a native_ref it is answered by TOLD */
    FRAME_RESULT,       /* failure; text result or none (call) */
    FRAME_LOG,          /* level; text */
    /* to the host */
    FRAME_OPEN = 64,    /* texts config, secrets */
    FRAME_CLOSE,
    FRAME_WATCH,        /* text cursor or none (call) */
    FRAME_REFRESH,      /* kind; text native_id (call) */
    FRAME_CALL,         /* flags; texts operation, subject, args, native_ref or none (call) */
    FRAME_PROBE,        /* texts config, secrets (call) */
    FRAME_CANCEL,       /* (call) */
    FRAME_ACK,          /* rc: one place of the window is free again */
    FRAME_TOLD,         /* rc: the native_ref of a progress is stored, or why not (call) */
    FRAME_STREAM,       /* number: a descriptor for the CALL that follows (call) */
};

#define FRAME_HEAD 16u
#define FRAME_SIZE 65536u           /* one message, head included */
#define FRAME_PAYLOAD_MAX (32u << 20)
#define FRAME_TEXT_MAX (16u << 20)  /* results */
#define FRAME_REF_MAX 16384u        /* a native reference */
#define FRAME_STREAMS 4u            /* of one call */
#define FRAME_WINDOW 4u             /* unacknowledged batches, marks and provider facts of a session */

struct frame {
    uint16_t type;
    uint64_t call;
    uint64_t session;
    char *data;         /* owned; the fields after the session begin at FRAME_FIELDS */
    size_t len;
    bool has_fd;        /* FRAME_STREAM: fd is owned; whoever takes it clears this */
    int fd;
};
#define FRAME_FIELDS 8u

/* ---- writing: frame_begin, fields, frame_send; a failed buffer is noticed by frame_send */
void frame_begin(struct buf *payload, uint64_t session);
void frame_put_u64(struct buf *payload, uint64_t v);
/* NULL: none. Text that is not UTF-8 is cleaned. */
void frame_put_text(struct buf *payload, const char *text);
void frame_put_failure(struct buf *payload, const struct pv_failure *f);
void frame_put_progress(struct buf *payload, const struct pv_progress *p);
/* The caller has seen to it that count, stride and blob_len are within their limits. */
void frame_put_batch(struct buf *payload, const struct pv_batch *b);
/* PV_EOFFLINE: the other end is gone. PV_EBUSY: a non-blocking socket is full. PV_ENOMEM. */
int frame_send(int fd, enum frame_type type, uint64_t call, const struct buf *payload,
               struct pv_err *err);
/* A FRAME_STREAM with `stream`, which stays the caller's. */
int frame_send_stream(int fd, uint64_t call, const struct buf *payload, int stream,
                      struct pv_err *err);

/* ---- reading */
/* Waits for a frame on a blocking socket. PV_EOFFLINE: closed; PV_EBUSY: nothing there; PV_EFORMAT: not a frame. */
int frame_recv(int fd, struct frame *out, struct pv_err *err);
/* Wipes the payload: it may hold secrets. Closes a descriptor that nobody took. */
void frame_free(struct frame *f);
/* The part of frame_recv that looks at bytes: a whole message, and whether a descriptor came with it. *size: bytes
 * in the memfd, 0 if the payload is in the message. head->has_fd: the descriptor is a stream. */
int frame_decode(const void *message, size_t len, bool has_fd, struct frame *head, uint64_t *size,
                 struct pv_err *err);

struct frame_reader {
    const char *data;
    size_t len, pos;
    bool bad;           /* a field was not there or not as it must be */
};
void frame_read(struct frame_reader *r, const struct frame *f);
uint64_t frame_get_u64(struct frame_reader *r, uint64_t max);
/* At most `max` bytes, UTF-8; "" and bad when it is none. */
const char *frame_get_text(struct frame_reader *r, size_t max);
/* The same; NULL is a value too. */
const char *frame_get_text_or_null(struct frame_reader *r, size_t max);
void frame_get_failure(struct frame_reader *r, struct pv_failure *out);
/* Texts of *out are borrowed from the frame. */
void frame_get_progress(struct frame_reader *r, struct pv_progress *out);
/* Points into the frame; content is not checked (sdk_batch_check). */
void frame_get_batch(struct frame_reader *r, struct pv_batch *out);
/* Everything was read, and all of it was good. */
bool frame_done(const struct frame_reader *r);
