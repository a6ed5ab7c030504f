/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/httpc_tls.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

PV_DEFINE_AUTO(curl_url_cleanup, CURLU *)
PV_DEFINE_AUTO(curl_free, char *)
PV_DEFINE_AUTO(curl_easy_cleanup, CURL *)

static bool leaf_digest(X509_STORE_CTX *store, uint8_t digest[32])
{
    X509 *leaf = X509_STORE_CTX_get0_cert(store);
    unsigned len = 0;

    return leaf && X509_digest(leaf, EVP_sha256(), digest, &len) == 1 && len == 32;
}

/* RFC 5929 section 4.1: the hash that the certificate is signed with, SHA-256 in place of MD5 and
 * SHA-1; undefined where the signature names none (Ed25519). */
static void note_binding(X509_STORE_CTX *store, struct httpc_peer *peer)
{
    X509 *leaf = X509_STORE_CTX_get0_cert(store);
    const EVP_MD *digest;
    int hash = NID_undef;
    unsigned len = 0;

    peer->binding_len = 0;
    if (!leaf || X509_get_signature_info(leaf, &hash, NULL, NULL, NULL) != 1 || hash == NID_undef)
        return;
    digest = hash == NID_md5 || hash == NID_sha1 ? EVP_sha256() : EVP_get_digestbynid(hash);
    if (digest && EVP_MD_get_size(digest) <= (int)sizeof(peer->binding) &&
        X509_digest(leaf, digest, peer->binding, &len) == 1)
        peer->binding_len = len;
}

static void put_name(const X509_NAME *name, char *out, size_t cap)
{
    BIO *bio = BIO_new(BIO_s_mem());
    const char *text = NULL;
    long len;

    out[0] = '\0';
    if (!bio)
        return;
    /* Control bytes come out escaped, other characters as UTF-8. */
    if (X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) >=
        0) {
        len = BIO_get_mem_data(bio, (void *)&text);
        if (len > 0)
            str_copy_n(out, cap, text, (size_t)len);
    }
    BIO_free(bio);
}

static int64_t time_ms(const ASN1_TIME *time)
{
    struct tm tm;

    if (ASN1_TIME_to_tm(time, &tm) != 1)
        return 0;
    return (int64_t)timegm(&tm) * 1000;
}

static void describe(X509 *leaf, const uint8_t digest[32], struct httpc_certificate *out)
{
    str_hex(digest, 32, out->sha256);
    put_name(X509_get_subject_name(leaf), out->subject, sizeof(out->subject));
    put_name(X509_get_issuer_name(leaf), out->issuer, sizeof(out->issuer));
    out->not_before_ms = time_ms(X509_get0_notBefore(leaf));
    out->not_after_ms = time_ms(X509_get0_notAfter(leaf));
}

/* 1 accepts, 0 ends the handshake. */
static int check_peer(X509_STORE_CTX *store, void *arg)
{
    struct httpc_peer *peer = arg;
    uint8_t digest[32];
    bool good = false;

    if (!leaf_digest(store, digest)) {
        peer->refused = true;
        X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED);
        return 0;
    }
    peer->seen = true;
    str_hex(digest, sizeof(digest), peer->sha256);
    note_binding(store, peer);
    describe(X509_STORE_CTX_get0_cert(store), digest, &peer->shown);
    switch (peer->mode) {
    case HTTPC_TLS_CA:
        good = X509_verify_cert(store) == 1;
        break;
    case HTTPC_TLS_PIN:
        for (size_t i = 0; i < peer->npins; i++)
            good = good || memcmp(peer->pins[i], digest, sizeof(digest)) == 0;
        X509_STORE_CTX_set_error(store, good ? X509_V_OK : X509_V_ERR_CERT_UNTRUSTED);
        break;
    case HTTPC_TLS_INSECURE:
        good = true;
        X509_STORE_CTX_set_error(store, X509_V_OK);
        break;
    }
    peer->refused = !good;
    return good;
}

void httpc_peer_watch(void *ssl_ctx, struct httpc_peer *peer)
{
    SSL_CTX_set_cert_verify_callback(ssl_ctx, check_peer, peer);
    /* Without this a client goes on whatever the callback says. */
    if (peer->mode != HTTPC_TLS_INSECURE)
        SSL_CTX_set_verify(ssl_ctx, SSL_VERIFY_PEER, NULL);
}

/* --- a certificate in a file's form --- */

#define CERTIFICATE_MOST (64u * 1024)

int httpc_certificate_read(const void *data, size_t len, struct httpc_certificate *out,
                           struct pv_err *err)
{
    struct httpc_certificate found = { .trusted = false };
    const unsigned char *at = data;
    uint8_t digest[32];
    unsigned n = 0;
    X509 *leaf;
    BIO *bio;

    if (len == 0 || len > CERTIFICATE_MOST)
        return pv_fail(err, PV_EFORMAT, "a certificate of %zu bytes cannot be read", len);
    bio = BIO_new_mem_buf(data, (int)len);
    leaf = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    BIO_free(bio);
    if (!leaf)
        leaf = d2i_X509(NULL, &at, (long)len);
    ERR_clear_error();
    if (!leaf || X509_digest(leaf, EVP_sha256(), digest, &n) != 1 || n != sizeof(digest)) {
        X509_free(leaf);
        return pv_fail(err, PV_EFORMAT, "this is no certificate");
    }
    describe(leaf, digest, &found);
    X509_free(leaf);
    *out = found;
    return PV_OK;
}

/* --- httpc_certificate --- */

struct probe {
    const char *host; /* as in the certificate: no brackets */
    struct httpc_certificate shown;
    bool seen;
};

static void want_host(X509_STORE_CTX *store, const char *host)
{
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(store);

    if (X509_VERIFY_PARAM_set1_ip_asc(param, host) != 1)
        X509_VERIFY_PARAM_set1_host(param, host, 0);
}

/* Notes everything, refuses nothing: no byte follows the handshake. */
static int note_peer(X509_STORE_CTX *store, void *arg)
{
    struct probe *p = arg;
    X509 *leaf = X509_STORE_CTX_get0_cert(store);
    uint8_t digest[32];

    if (!leaf_digest(store, digest))
        return 0;
    describe(leaf, digest, &p->shown);
    want_host(store, p->host);
    p->shown.trusted = X509_verify_cert(store) == 1;
    if (!p->shown.trusted)
        str_copy(p->shown.problem, sizeof(p->shown.problem),
                 X509_verify_cert_error_string(X509_STORE_CTX_get_error(store)));
    p->seen = true;
    X509_STORE_CTX_set_error(store, X509_V_OK);
    return 1;
}

static CURLcode on_tls(CURL *easy, void *ssl_ctx, void *arg)
{
    (void)easy;
    SSL_CTX_set_default_verify_paths(ssl_ctx);
    SSL_CTX_set_cert_verify_callback(ssl_ctx, note_peer, arg);
    return CURLE_OK;
}

/* "https://host:port/", with brackets around an IPv6 address. */
static int make_url(const char *host, unsigned port, char **out, struct pv_err *err)
{
    PV_AUTO(curl_url_cleanup_p) CURLU *u = curl_url();
    char bracketed[300], digits[16];

    snprintf(bracketed, sizeof(bracketed), strchr(host, ':') ? "[%s]" : "%s", host);
    snprintf(digits, sizeof(digits), "%u", port);
    if (!u)
        return pv_fail(err, PV_ENOMEM, "no memory for a request");
    if (strlen(host) > 255 || port == 0 || port > 65535 ||
        curl_url_set(u, CURLUPART_SCHEME, "https", 0) != CURLUE_OK ||
        curl_url_set(u, CURLUPART_HOST, bracketed, 0) != CURLUE_OK ||
        curl_url_set(u, CURLUPART_PORT, digits, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_URL, out, 0) != CURLUE_OK)
        return pv_fail(err, PV_EINVAL, "the host or the port is not usable");
    return PV_OK;
}

int httpc_certificate(const char *host, unsigned port, unsigned timeout_ms,
                      struct httpc_certificate *out, struct pv_err *err)
{
    PV_AUTO(curl_easy_cleanup_p) CURL *easy = curl_easy_init();
    PV_AUTO(curl_free_p) char *url = NULL;
    struct probe probe = { .host = host };
    long wait_ms = timeout_ms ? (long)timeout_ms : 10000;
    curl_off_t connected_us = 0;
    CURLcode code;
    int rc = make_url(host, port, &url, err);

    if (rc)
        return rc;
    if (!easy || curl_easy_setopt(easy, CURLOPT_URL, url) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_PROXY, "") != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, wait_ms) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, wait_ms) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_tls) != CURLE_OK ||
        curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, &probe) != CURLE_OK)
        return pv_fail(err, PV_ENOMEM, "no memory for a connection");
    code = curl_easy_perform(easy);
    curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &connected_us);
    if (!probe.seen) {
        rc = code == CURLE_OPERATION_TIMEDOUT && connected_us > 0  ? PV_ETIMEOUT
             : code == CURLE_SSL_CONNECT_ERROR || code == CURLE_OK ? PV_EIO
                                                                   : PV_EOFFLINE;
        return pv_fail(err, rc, "%s:%u shows no certificate: %s", host, port,
                       curl_easy_strerror(code));
    }
    *out = probe.shown;
    return PV_OK;
}
