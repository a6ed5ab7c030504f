/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/crypto.h>
#include <openssl/hmac.h>

#include <polyvisor/buf.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "server/auth/inside.h"

static int read_master(struct auth *a, struct pv_err *err)
{
    const char *path = a->config.key_path;
    PV_AUTO_FREE char *data = NULL;
    struct stat st;
    size_t len;
    int rc;

    if (stat(path, &st) == 0 && (st.st_mode & 027))
        return pv_fail(err, PV_EINVAL,
                       "the key file %s may be read or written by others; chmod 0400 it", path);
    rc = str_read_file(path, 4096, &data, &len, err);
    if (rc != PV_OK)
        return rc;
    if (len != AUTH_HASH)
        return pv_fail(err, PV_EFORMAT, "the key file %s does not hold %d bytes", path, AUTH_HASH);
    memcpy(a->master, data, AUTH_HASH);
    OPENSSL_cleanse(data, len);
    return PV_OK;
}

static int make_master(struct auth *a, struct pv_err *err)
{
    id_random(a->master, sizeof(a->master));
    return str_write_file(a->config.key_path, a->master, sizeof(a->master), 0400, err);
}

int keys_open(struct auth *a, struct pv_err *err)
{
    struct stat st;

    a->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!a->sha256)
        return pv_fail(err, PV_EINTERNAL, "SHA-256 is not available");
    if (stat(a->config.key_path, &st) == 0)
        return read_master(a, err);
    if (errno != ENOENT)
        return pv_fail_os(err, errno, "cannot read the key file %s", a->config.key_path);
    return make_master(a, err);
}

void keys_hash(const struct auth *a, const void *data, size_t len, uint8_t out[AUTH_HASH])
{
    unsigned n = 0;

    if (EVP_Digest(data, len, out, &n, a->sha256, NULL) != 1 || n != AUTH_HASH)
        abort(); /* no memory for a few hundred bytes */
}

void keys_secret(char out[AUTH_SECRET_TEXT + 1])
{
    uint8_t random[32];
    struct buf text;

    id_random(random, sizeof(random));
    buf_init(&text, 64);
    str_base64url(&text, random, sizeof(random));
    if (!buf_ok(&text) || text.len != AUTH_SECRET_TEXT)
        abort();
    memcpy(out, text.data, AUTH_SECRET_TEXT + 1);
    OPENSSL_cleanse(text.data, text.len);
    OPENSSL_cleanse(random, sizeof(random));
    buf_free(&text);
}

void auth_derive_key(struct auth *a, const char *purpose, uint8_t out[32])
{
    unsigned n = 0;

    if (!HMAC(a->sha256, a->master, sizeof(a->master), (const unsigned char *)purpose,
              strlen(purpose), out, &n))
        abort();
}
