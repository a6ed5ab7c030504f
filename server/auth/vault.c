/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <polyvisor/buf.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "server/auth/inside.h"

#define NONCE 12
#define TAG 16
#define MAX_SECRET 16384
#define VERSION "v1:"

PV_DEFINE_AUTO(EVP_CIPHER_CTX_free, EVP_CIPHER_CTX *)

/* Where the secret belongs: a sealed value moved to another row or field does not open. By the
 * field's name, since its number may change when another field is added. */
static int make_aad(enum pv_kind kind, const struct pv_id *row, unsigned field, char out[160],
                    struct pv_err *err)
{
    const struct model_kind *k = model_kind(kind);
    char id[33];

    if (!k || field >= k->nfields)
        return pv_fail(err, PV_EINTERNAL, "a secret of a field that does not exist");
    str_hex(row->b, sizeof(row->b), id);
    snprintf(out, 160, "%s/%s/%s", k->name, id, k->fields[field].name);
    return PV_OK;
}

static bool encrypt(const uint8_t key[32], const char *aad, const uint8_t *nonce,
                    const char *secret, size_t len, uint8_t *out, uint8_t *tag)
{
    PV_AUTO(EVP_CIPHER_CTX_free_p) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int n;

    return c && EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, key, nonce) == 1 &&
           EVP_EncryptUpdate(c, NULL, &n, (const unsigned char *)aad, (int)strlen(aad)) == 1 &&
           EVP_EncryptUpdate(c, out, &n, (const unsigned char *)secret, (int)len) == 1 &&
           (size_t)n == len && EVP_EncryptFinal_ex(c, out + n, &n) == 1 &&
           EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG, tag) == 1;
}

static bool decrypt(const uint8_t key[32], const char *aad, const uint8_t *nonce,
                    const uint8_t *sealed, size_t len, uint8_t *tag, uint8_t *out)
{
    PV_AUTO(EVP_CIPHER_CTX_free_p) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int n;

    return c && EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), NULL, key, nonce) == 1 &&
           EVP_DecryptUpdate(c, NULL, &n, (const unsigned char *)aad, (int)strlen(aad)) == 1 &&
           EVP_DecryptUpdate(c, out, &n, sealed, (int)len) == 1 &&
           EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG, tag) == 1 &&
           EVP_DecryptFinal_ex(c, out + n, &n) == 1;
}

int auth_seal(struct auth *a, enum pv_kind kind, const struct pv_id *row, unsigned field,
              const char *secret, char **sealed, struct pv_err *err)
{
    size_t len = strlen(secret);
    PV_AUTO_FREE uint8_t *raw = NULL;
    uint8_t key[32];
    struct buf text;
    char aad[160];
    bool ok;
    int rc;

    if (len > MAX_SECRET)
        return pv_fail(err, PV_EINVAL, "the secret is longer than %d bytes", MAX_SECRET);
    rc = make_aad(kind, row, field, aad, err);
    if (rc != PV_OK)
        return rc;
    raw = malloc(NONCE + len + TAG);
    if (!raw)
        return pv_fail(err, PV_ENOMEM, "no memory for a secret");
    auth_derive_key(a, "vault", key);
    id_random(raw, NONCE);
    ok = encrypt(key, aad, raw, secret, len, raw + NONCE, raw + NONCE + len);
    OPENSSL_cleanse(key, sizeof(key));
    if (!ok)
        return pv_fail(err, PV_EINTERNAL, "a secret could not be sealed");
    buf_init(&text, 2 * MAX_SECRET);
    buf_text(&text, VERSION);
    str_base64(&text, raw, NONCE + len + TAG);
    *sealed = buf_take(&text);
    return *sealed ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory for a secret");
}

int auth_open(struct auth *a, enum pv_kind kind, const struct pv_id *row, unsigned field,
              const char *sealed, char **secret, struct pv_err *err)
{
    size_t text_len = strlen(sealed), len = 0;
    PV_AUTO_FREE uint8_t *raw = NULL;
    uint8_t key[32], *out;
    char aad[160];
    bool ok;
    int rc = make_aad(kind, row, field, aad, err);

    if (rc != PV_OK)
        return rc;
    raw = malloc(text_len + 1);
    if (!raw)
        return pv_fail(err, PV_ENOMEM, "no memory for a secret");
    if (!str_starts(sealed, VERSION) ||
        !str_unbase64(sealed + strlen(VERSION), text_len - strlen(VERSION), raw, text_len, &len) ||
        len < NONCE + TAG)
        return pv_fail(err, PV_EFORMAT, "a sealed secret is damaged");
    len -= NONCE + TAG;
    out = calloc(1, len + 1);
    if (!out)
        return pv_fail(err, PV_ENOMEM, "no memory for a secret");
    auth_derive_key(a, "vault", key);
    ok = decrypt(key, aad, raw, raw + NONCE, len, raw + NONCE + len, out);
    OPENSSL_cleanse(key, sizeof(key));
    if (!ok) {
        OPENSSL_cleanse(out, len);
        free(out);
        return pv_fail(
            err, PV_EFORMAT,
            "a sealed secret does not open: it is damaged, belongs to another row, or the "
            "key file is another one");
    }
    *secret = (char *)out;
    return PV_OK;
}

void auth_wipe_free(char *secret)
{
    if (!secret)
        return;
    OPENSSL_cleanse(secret, strlen(secret));
    free(secret);
}
