/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <polyvisor/buf.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "server/auth/inside.h"

#define SALT 16
#define BLOCK 8     /* scrypt's r */
#define COST_MIN 10 /* of stored hashes: anything else is damaged */
#define COST_MAX 20
#define LENGTH_MIN 12
#define LENGTH_MAX 128 /* characters; four bytes each at most */

PV_DEFINE_AUTO(EVP_KDF_free, EVP_KDF *)
PV_DEFINE_AUTO(EVP_KDF_CTX_free, EVP_KDF_CTX *)

struct stored {
    unsigned cost;
    uint8_t salt[SALT], hash[AUTH_HASH];
};

static size_t characters(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

int password_acceptable(const char *password, struct pv_err *err)
{
    const char *why = NULL;
    size_t n;
    int rc;

    if (strlen(password) > LENGTH_MAX * 4 || !str_utf8_ok(password, strlen(password), true)) {
        why = "the password is too long or not UTF-8 text";
    } else {
        n = characters(password);
        if (n < LENGTH_MIN || n > LENGTH_MAX)
            why = "the password must have 12 to 128 characters";
        else if (password_is_common(password))
            why = "the password is among the most common ones";
    }
    if (!why)
        return PV_OK;
    rc = pv_fail(err, PV_EINVAL, "%s", why);
    pv_err_pointer(err, "/password");
    return rc;
}

/* 128 MiB and half a second of a core each: two at a time, a short queue, then no. */
static int enter(struct auth *a, struct pv_err *err)
{
    bool full;

    pthread_mutex_lock(&a->scrypt_lock);
    full = a->scrypt_running >= AUTH_SCRYPT_AT_ONCE && a->scrypt_waiting >= AUTH_SCRYPT_QUEUE;
    if (!full) {
        a->scrypt_waiting++;
        while (a->scrypt_running >= AUTH_SCRYPT_AT_ONCE)
            pthread_cond_wait(&a->scrypt_free, &a->scrypt_lock);
        a->scrypt_waiting--;
        a->scrypt_running++;
    }
    pthread_mutex_unlock(&a->scrypt_lock);
    return full ? pv_fail_as(err, "rate-limited",
                             "too many sign-ins at once; try again in a few seconds")
                : PV_OK;
}

static void leave(struct auth *a)
{
    pthread_mutex_lock(&a->scrypt_lock);
    a->scrypt_running--;
    pthread_cond_signal(&a->scrypt_free);
    pthread_mutex_unlock(&a->scrypt_lock);
}

static bool run(const uint8_t *secret, const uint8_t salt[SALT], unsigned cost,
                uint8_t out[AUTH_HASH])
{
    PV_AUTO(EVP_KDF_free_p) EVP_KDF *kdf = EVP_KDF_fetch(NULL, "SCRYPT", NULL);
    PV_AUTO(EVP_KDF_CTX_free_p) EVP_KDF_CTX *ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    uint64_t n = 1ULL << cost, most = 256ULL * BLOCK * n + (16ULL << 20);
    uint32_t r = BLOCK, p = 1;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PASSWORD, (void *)secret, AUTH_HASH),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)salt, SALT),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_N, &n),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_R, &r),
        OSSL_PARAM_construct_uint32(OSSL_KDF_PARAM_SCRYPT_P, &p),
        OSSL_PARAM_construct_uint64(OSSL_KDF_PARAM_SCRYPT_MAXMEM, &most),
        OSSL_PARAM_construct_end(),
    };

    return ctx && EVP_KDF_derive(ctx, out, AUTH_HASH, params) == 1;
}

/* scrypt over the password keyed with a pepper: a stolen database alone gives nothing to guess
 * against. */
static int derive(struct auth *a, const char *password, const uint8_t salt[SALT], unsigned cost,
                  uint8_t out[AUTH_HASH], struct pv_err *err)
{
    uint8_t pepper[32], secret[32];
    unsigned n = 0;
    bool ok;
    int rc = enter(a, err);

    if (rc != PV_OK)
        return rc;
    auth_derive_key(a, "password", pepper);
    ok = HMAC(a->sha256, pepper, sizeof(pepper), (const unsigned char *)password, strlen(password),
              secret, &n) &&
         run(secret, salt, cost, out);
    OPENSSL_cleanse(pepper, sizeof(pepper));
    OPENSSL_cleanse(secret, sizeof(secret));
    atomic_fetch_add(&a->scrypt_runs, 1);
    leave(a);
    return ok ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory to check a password");
}

static bool decode_part(const char *text, size_t len, uint8_t *out, size_t size)
{
    size_t n;

    return str_unbase64url(text, len, out, size, &n) && n == size;
}

static bool parse(const char *text, struct stored *out)
{
    static const char head[] = "$scrypt$ln=";
    const char *at, *salt, *hash;
    uint64_t cost;
    size_t digits;

    if (!text || !str_starts(text, head))
        return false;
    at = text + sizeof(head) - 1;
    digits = strcspn(at, ",");
    if (!str_u64(at, digits, COST_MAX, &cost) || cost < COST_MIN ||
        !str_starts(at + digits, ",r=8,p=1$"))
        return false;
    salt = at + digits + strlen(",r=8,p=1$");
    hash = strchr(salt, '$');
    out->cost = (unsigned)cost;
    return hash && decode_part(salt, (size_t)(hash - salt), out->salt, SALT) &&
           decode_part(hash + 1, strlen(hash + 1), out->hash, AUTH_HASH);
}

static void format(const struct stored *s, char out[AUTH_PASSWORD_TEXT])
{
    struct buf text;

    buf_init(&text, AUTH_PASSWORD_TEXT - 1);
    buf_printf(&text, "$scrypt$ln=%u,r=%d,p=1$", s->cost, BLOCK);
    str_base64url(&text, s->salt, SALT);
    buf_char(&text, '$');
    str_base64url(&text, s->hash, AUTH_HASH);
    str_copy(out, AUTH_PASSWORD_TEXT, buf_ok(&text) ? text.data : "");
    buf_free(&text);
}

int password_hash(struct auth *a, const char *password, char out[AUTH_PASSWORD_TEXT],
                  struct pv_err *err)
{
    struct stored s = { .cost = a->cost };
    int rc;

    id_random(s.salt, SALT);
    rc = derive(a, password, s.salt, s.cost, s.hash, err);
    if (rc == PV_OK)
        format(&s, out);
    return rc;
}

int password_verify(struct auth *a, const char *stored, const char *password, bool *right,
                    bool *weak, struct pv_err *err)
{
    struct stored s = { .cost = a->cost };
    bool known = parse(stored, &s);
    uint8_t hash[AUTH_HASH];
    int rc;

    if (!known)
        s = (struct stored){ .cost = a->cost };
    rc = derive(a, password, s.salt, s.cost, hash, err);
    if (rc != PV_OK)
        return rc;
    *right = str_eq_const_time(hash, s.hash, AUTH_HASH) && known;
    *weak = s.cost < a->cost;
    return PV_OK;
}
