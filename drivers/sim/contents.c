/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is in files: of those that the seed made it follows from seed and path, what people uploaded
 * is kept in memory. Bytes travel without the estate's lock.
 */
#include "drivers/sim/files.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/clock.h>

#include "drivers/sim/doc.h"

#define KEPT_MAX (64ll << 20) /* uploaded, of one session */
#define PIECE 65536u
#define TELL_MS 500

struct sim_content {
    struct sim_content *next; /* guarded by the estate's lock */
    json_int_t number;
    atomic_uint refs;
    uint64_t size;
    uint8_t bytes[];
};

/* ------------------------------------------------------------------ what is kept */

static void content_put(struct sim_content *c)
{
    if (c && atomic_fetch_sub(&c->refs, 1) == 1)
        free(c);
}

void sim_content_drop(struct sim_estate *e, int64_t number)
{
    for (struct sim_content **at = &e->contents; *at; at = &(*at)->next) {
        struct sim_content *c = *at;

        if (c->number != number)
            continue;
        *at = c->next;
        e->content_bytes -= c->size;
        content_put(c);
        return;
    }
}

void sim_contents_free(struct sim_estate *e)
{
    while (e->contents)
        sim_content_drop(e, e->contents->number);
}

static struct sim_content *content_get(const struct sim_estate *e, int64_t number)
{
    struct sim_content *c = e->contents;

    while (c && c->number != number)
        c = c->next;
    if (c)
        atomic_fetch_add(&c->refs, 1);
    return c;
}

/* ------------------------------------------------------------------ what follows from the seed */

/* Steele, Lea, Flood: Fast splittable pseudorandom number generators (2014). */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static uint64_t content_seed(const struct sim_estate *e, const char *path)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */

    for (; *path; path++)
        hash = (hash ^ (uint8_t)*path) * 0x100000001b3u;
    return mix(hash ^ e->set.seed);
}

static void fill(uint64_t seed, uint64_t offset, uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint64_t at = offset + i;

        out[i] = (uint8_t)(mix(seed + at / 8 * 0x9e3779b97f4a7c15u) >> (at % 8 * 8));
    }
}

/* ------------------------------------------------------------------ downloading */

static int interrupted(int64_t rc, struct pv_err *err)
{
    return rc == PV_ECANCELED ? pv_fail(err, PV_ECANCELED, "canceled")
                              : pv_fail(err, (int)rc, "the stream of the file broke");
}

static int send_part(struct job *j, const struct sim_content *c, uint64_t seed, uint64_t offset,
                     uint64_t length, struct pv_err *err)
{
    const struct pv_host *host = j->e->host;
    uint64_t stream = (uint64_t)sim_doc_number(j->args, "stream");
    uint8_t piece[PIECE];

    while (length > 0) {
        size_t len = length < PIECE ? (size_t)length : PIECE;
        const uint8_t *from = c ? c->bytes + offset : piece;
        int64_t n;

        if (!c)
            fill(seed, offset, piece, len);
        n = host->stream_write(host->ctx, stream, from, len);
        if (n < 0)
            return interrupted(n, err);
        offset += len;
        length -= len;
    }
    return PV_OK;
}

/* Without a stream: what the file is. */
int sim_download(struct job *j, struct pv_err *err)
{
    uint64_t offset = (uint64_t)sim_doc_number(j->args, "offset"),
             length = (uint64_t)sim_doc_number(j->args, "length"), size = 0, seed = 0;
    struct sim_content *content = NULL;
    json_t *file = NULL;
    int rc;

    pthread_mutex_lock(&j->e->lock);
    rc = sim_file_look(j, job_text(j, "path"), &file, err);
    if (rc == PV_OK) {
        const char *as = sim_doc_text(file, "as");

        size = (uint64_t)sim_doc_number(file, "size");
        seed = content_seed(j->e, *as ? as : sim_doc_text(file, "path"));
        content = content_get(j->e, sim_doc_number(file, "content"));
    }
    pthread_mutex_unlock(&j->e->lock);
    if (rc == PV_OK && !json_object_get(j->args, "stream"))
        json_object_set_new(j->answer, "data",
                            json_pack("{s:I, s:O}", "size_bytes", (json_int_t)size, "modified_ms",
                                      json_object_get(file, "ms")));
    else if (rc == PV_OK && (offset > size || length > size - offset))
        rc = pv_fail(err, PV_ESTATE, "the file has changed meanwhile");
    else if (rc == PV_OK)
        rc = send_part(j, content, seed, offset, length, err);
    content_put(content);
    json_decref(file);
    return rc;
}

/* ------------------------------------------------------------------ uploading */

int sim_check_upload(struct job *j, struct pv_err *err)
{
    int64_t size = sim_doc_number(j->args, "size_bytes");
    int rc = sim_file_room(j, job_text(j, "path"), job_flag(j, "overwrite"), err);

    if (rc == PV_OK && (size > KEPT_MAX || (int64_t)j->e->content_bytes > KEPT_MAX - size)) {
        rc = pv_fail(err, PV_ENOSPC, "a simulation keeps at most %lld MiB of uploaded files",
                     KEPT_MAX >> 20);
        pv_err_remedy(err, "Delete uploaded files of it, or choose a smaller one.");
        return job_native(j, err, rc, "NoDiskSpace", "0x80070070");
    }
    return rc;
}

static void tell(struct job *j, uint64_t done, uint64_t all)
{
    struct pv_progress p = { .size = sizeof(p),
                             .percent = all ? (int)(done * 100 / all) : 100,
                             .bytes_done = done,
                             .bytes_total = all };

    j->e->host->progress(j->e->host->ctx, j->call->call, &p);
}

/* Everything into memory first: what breaks off has changed nothing. */
int sim_receive(struct job *j, struct pv_err *err)
{
    const struct pv_host *host = j->e->host;
    uint64_t size = (uint64_t)sim_doc_number(j->args, "size_bytes"), done = 0;
    uint64_t stream = (uint64_t)sim_doc_number(j->args, "stream");
    struct sim_content *c = calloc(1, sizeof(*c) + size);
    int64_t told = 0, n = 1;

    if (!c)
        return pv_fail(err, PV_ENOMEM, "no memory for the file");
    atomic_init(&c->refs, 1);
    c->size = size;
    while (done < size && n > 0) {
        n = host->stream_read(host->ctx, stream, c->bytes + done, size - done < PIECE ? size - done : PIECE);
        done += n > 0 ? (uint64_t)n : 0;
        if (clock_mono_ms() - told >= TELL_MS) {
            told = clock_mono_ms();
            tell(j, done, size);
        }
    }
    if (done < size) {
        content_put(c);
        return n < 0 ? interrupted(n, err) : pv_fail(err, PV_EIO, "the stream ended before the file did");
    }
    j->content = c;
    return PV_OK;
}

void sim_content_forget(struct job *j)
{
    content_put(j->content);
    j->content = NULL;
}

int sim_apply_upload(struct job *j, struct pv_err *err)
{
    struct sim_estate *e = j->e;
    int rc = sim_check_upload(j, err);

    if (rc != PV_OK)
        return rc;
    j->content->number = (json_int_t)++e->jobs;
    rc = sim_file_made(j, job_text(j, "path"), j->content->size, j->content->number, err);
    if (rc != PV_OK)
        return rc;
    j->content->next = e->contents;
    e->contents = j->content;
    e->content_bytes += j->content->size;
    j->content = NULL;
    return PV_OK;
}
