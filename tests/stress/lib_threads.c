/* SPDX-License-Identifier: Apache-2.0 */
/* What lib says "threads: any" of, used by many at once; for ThreadSanitizer. Ends with 0 if all
 * sums are right. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/httpc.h>
#include <polyvisor/id.h>
#include <polyvisor/log.h>
#include <polyvisor/workers.h>

#include "tests/unit/https_server.h"

#define THREADS 6u
#define ROUNDS 200u

struct shared {
    struct workers *workers;
    struct httpc *client;
    struct test_server server;
    _Atomic unsigned jobs, submitted, answers, errors;
};

static bool answer(struct test_request *r)
{
    test_reply_body(r, "", r->body, r->body_len);
    /* Some connections end after an answer, so that the pool has to open others. */
    return r->nth < 20;
}

static void job(void *arg)
{
    atomic_fetch_add(&((struct shared *)arg)->jobs, 1);
}

static void ask(struct shared *s, unsigned i)
{
    char body[32], url[96];
    struct httpc_request r = { .method = "PUT", .url = url, .body = body };
    struct httpc_response response;
    struct pv_err err = { 0 };

    snprintf(url, sizeof(url), "%s/%u", s->server.url, i);
    r.body_len = (size_t)snprintf(body, sizeof(body), "body %u", i);
    if (httpc_send(s->client, &r, &response, &err) != PV_OK) {
        /* A connection that closes at the wrong moment may leave a write unknown, never wrong. */
        if (err.rc != PV_EUNKNOWN)
            atomic_fetch_add(&s->errors, 1);
    } else if (response.body.len != r.body_len ||
               memcmp(response.body.data, body, r.body_len) != 0) {
        atomic_fetch_add(&s->errors, 1);
    } else {
        atomic_fetch_add(&s->answers, 1);
    }
    httpc_response_free(&response);
}

static void *work(void *arg)
{
    struct shared *s = arg;

    for (unsigned i = 0; i < ROUNDS; i++) {
        char secret[40];
        struct pv_id id;

        if (workers_submit(s->workers, job, s))
            atomic_fetch_add(&s->submitted, 1);
        id_make(&id);
        id_text("x", &id, secret);
        log_hide(secret);
        log_msg(PV_LOG_ERROR, "stress", "secret=%s", secret);
        log_unhide(secret);
        if (i % 4 == 0)
            ask(s, i);
    }
    return NULL;
}

int main(void)
{
    static struct shared s;
    struct httpc_config config = { .allow_http = true, .max_connections = 3 };
    pthread_t threads[THREADS];
    struct pv_err err = { 0 };

    if (!freopen("/dev/null", "w", stderr))
        return 1;
    log_open("stress", PV_LOG_INFO);
    test_server_start(&s.server, answer, false);
    s.workers = workers_new("stress", 3, 50);
    if (!s.workers || httpc_global_init(&err) != PV_OK ||
        httpc_new(&config, &s.client, &err) != PV_OK)
        return 1;
    for (unsigned i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, work, &s) != 0)
            return 1;
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    workers_free(s.workers);
    httpc_free(s.client);
    httpc_global_cleanup();
    test_server_stop(&s.server);
    printf("%u jobs of %u, %u answers, %u errors\n", s.jobs, s.submitted, s.answers, s.errors);
    return s.jobs == s.submitted && s.answers > THREADS * ROUNDS / 8 && s.errors == 0 ? 0 : 1;
}
