/* SPDX-License-Identifier: Apache-2.0 */
/* Idempotency-Key: a request that is repeated with the same key acts once. */
#include "server/api/internal.h"

#include <string.h>

#include <openssl/evp.h>

#include <polyvisor/arena.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

struct lookup {
    struct req *r;
    const char *key;
    struct store_idempotency found;
};

static int look(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct lookup *l = arg;

    return tx_idempotency_get(tx, &l->r->caller.id, l->key, l->r->arena, &l->found, err);
}

static void hash_request(const struct req *r, uint8_t out[32])
{
    EVP_MD_CTX *md = EVP_MD_CTX_new();

    memset(out, 0, 32);
    if (!md)
        return;
    EVP_DigestInit_ex(md, EVP_sha256(), NULL);
    EVP_DigestUpdate(md, r->method, strlen(r->method) + 1);
    EVP_DigestUpdate(md, r->path, strlen(r->path) + 1);
    EVP_DigestUpdate(md, r->query, strlen(r->query) + 1);
    if (r->body)
        EVP_DigestUpdate(md, r->body, r->body_len);
    EVP_DigestFinal_ex(md, out, NULL);
    EVP_MD_CTX_free(md);
}

/* What the first request made is named by its Location; the answer shows that object as it is now. */
static void replay(struct req *r, const struct store_idempotency *found)
{
    const char *at = found->headers ? strstr(found->headers, API_BASE "/") : NULL;
    const char *last = at ? strrchr(at, '/') : NULL;
    const struct model_kind *kind = NULL;
    struct pv_err err = { 0 };
    struct pv_id id;
    size_t len;

    reply_header(r, "Idempotency-Replayed", "true");
    len = last ? strcspn(last + 1, "\r\n") : 0;
    if (!last || !model_id_parse(last + 1, len, &kind, &id)) {
        pv_fail_as(&err, "object-busy", "the first request with this key is still under way");
        reply_problem(r, &err);
    } else if (kind->number == PV_KIND_task) {
        task_reply(r, &id);
    } else {
        object_reply(r, found->status, kind->number, &id);
    }
}

bool idempotency_replayed(struct req *r, struct core_options *o)
{
    struct lookup l = { .r = r, .key = req_header(r, "Idempotency-Key") };
    struct store_idempotency *record;
    struct pv_err err = { 0 };
    uint8_t hash[32];
    int rc;

    if (!l.key || o->dry_run)
        return false;
    if (strlen(l.key) < 1 || strlen(l.key) > sizeof(record->key) - 1) {
        pv_fail_as(&err, "invalid-request", "Idempotency-Key must have 1 to 128 characters");
        reply_problem(r, &err);
        return true;
    }
    hash_request(r, hash);
    rc = store_write(api_of(r)->store, look, &l, &err);
    if (rc == PV_OK) {
        if (!str_eq_const_time(l.found.request_hash, hash, sizeof(hash))) {
            pv_fail_as(&err, "idempotency-key-reused", "the key was used for another request");
            reply_problem(r, &err);
        } else {
            replay(r, &l.found);
        }
        return true;
    }
    if (rc != PV_ENOENT) {
        reply_problem(r, &err);
        return true;
    }
    record = arena_alloc(r->arena, sizeof(*record));
    if (!record) {
        pv_fail(&err, PV_ENOMEM, "no memory");
        reply_problem(r, &err);
        return true;
    }
    record->principal = r->caller.id;
    str_copy(record->key, sizeof(record->key), l.key);
    memcpy(record->request_hash, hash, sizeof(hash));
    record->status = r->route->answer == ANSWER_TASK ? 202 : 201;
    record->headers = "";
    record->body = "";
    record->created_ms = clock_wall_ms();
    o->idempotency = record;
    return false;
}
