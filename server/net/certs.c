/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <ifaddrs.h>
#include <limits.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <polyvisor/buf.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/id.h>
#include <polyvisor/str.h>

#include "server/net/router.h"

#define DAYS 825 /* the longest that clients accept of such a certificate */
#define MAX_PEM (1024u * 1024)
#define MAX_NAMES 2048

PV_DEFINE_AUTO(EVP_PKEY_free, EVP_PKEY *)
PV_DEFINE_AUTO(X509_free, X509 *)
PV_DEFINE_AUTO(BIO_free_all, BIO *)

static bool name_ok(const char *name)
{
    for (const char *c = name; *c; c++) {
        if (!((*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
              *c == '-' || *c == '.'))
            return false;
    }
    return name[0] != 0 && strlen(name) <= 253;
}

static void put_addresses(struct buf *names)
{
    struct ifaddrs *list, *i;
    char text[INET6_ADDRSTRLEN];

    if (getifaddrs(&list) != 0)
        return;
    for (i = list; i && names->len < MAX_NAMES - 128; i = i->ifa_next) {
        const struct sockaddr *sa = i->ifa_addr;

        if (!sa)
            continue;
        if (sa->sa_family == AF_INET) {
            const struct in_addr *a4 = &((const struct sockaddr_in *)(const void *)sa)->sin_addr;

            if ((ntohl(a4->s_addr) >> 24) != 127 && inet_ntop(AF_INET, a4, text, sizeof(text)))
                buf_printf(names, ",IP:%s", text);
        } else if (sa->sa_family == AF_INET6) {
            const struct in6_addr *a6 = &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;

            if (!IN6_IS_ADDR_LOOPBACK(a6) && !IN6_IS_ADDR_LINKLOCAL(a6) &&
                inet_ntop(AF_INET6, a6, text, sizeof(text)))
                buf_printf(names, ",IP:%s", text);
        }
    }
    freeifaddrs(list);
}

/* "DNS:localhost,IP:127.0.0.1,IP:::1,DNS:host,IP:..." */
static void put_names(struct buf *names)
{
    char host[256] = "";

    buf_text(names, "DNS:localhost,IP:127.0.0.1,IP:::1");
    if (gethostname(host, sizeof(host) - 1) == 0 && name_ok(host) && strcmp(host, "localhost") != 0)
        buf_printf(names, ",DNS:%s", host);
    put_addresses(names);
}

static bool add_extension(X509 *cert, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *ext;
    bool ok;

    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, cert, cert, NULL, NULL, 0);
    ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    ok = ext && X509_add_ext(cert, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    return ok;
}

static bool set_serial(X509 *cert)
{
    uint8_t random[16];
    BIGNUM *number;
    bool ok;

    id_random(random, sizeof(random));
    random[0] &= 0x7f;
    random[0] |= 0x40;
    number = BN_bin2bn(random, sizeof(random), NULL);
    ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
    BN_free(number);
    return ok;
}

static bool fill(X509 *cert, EVP_PKEY *key, const char *names)
{
    X509_NAME *subject = X509_get_subject_name(cert);

    return X509_set_version(cert, 2) == 1 && set_serial(cert) &&
           X509_gmtime_adj(X509_getm_notBefore(cert), -300) &&
           X509_gmtime_adj(X509_getm_notAfter(cert), 60L * 60 * 24 * DAYS - 300) &&
           X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                      (const unsigned char *)"polyvisor", -1, -1, 0) &&
           X509_set_issuer_name(cert, subject) && X509_set_pubkey(cert, key) &&
           add_extension(cert, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(cert, NID_key_usage, "critical,digitalSignature") &&
           add_extension(cert, NID_ext_key_usage, "serverAuth") &&
           add_extension(cert, NID_subject_alt_name, names) &&
           X509_sign(cert, key, EVP_sha256()) > 0;
}

static int write_pem(const char *path, BIO *bio, unsigned mode, struct pv_err *err)
{
    char *data;
    long len = BIO_get_mem_data(bio, &data);

    return str_write_file(path, data, (size_t)len, mode, err);
}

static int make(const char *cert_path, const char *key_path, struct pv_err *err)
{
    PV_AUTO(EVP_PKEY_free_p) EVP_PKEY *key = EVP_EC_gen("P-256");
    PV_AUTO(X509_free_p) X509 *cert = X509_new();
    PV_AUTO(BIO_free_all_p) BIO *key_pem = BIO_new(BIO_s_secmem());
    PV_AUTO(BIO_free_all_p) BIO *cert_pem = BIO_new(BIO_s_mem());
    struct buf names;
    bool ok;
    int rc;

    buf_init(&names, MAX_NAMES);
    put_names(&names);
    ok = key && cert && key_pem && cert_pem && buf_ok(&names) && fill(cert, key, names.data) &&
         PEM_write_bio_PrivateKey(key_pem, key, NULL, NULL, 0, NULL, NULL) == 1 &&
         PEM_write_bio_X509(cert_pem, cert) == 1;
    buf_free(&names);
    if (!ok)
        return pv_fail(err, PV_EINTERNAL, "cannot make a certificate");
    rc = write_pem(key_path, key_pem, 0600, err);
    return rc == PV_OK ? write_pem(cert_path, cert_pem, 0644, err) : rc;
}

/* The first certificate of the file, owned, and its fingerprint. */
static int read_certificate(const char *cert_path, X509 **out, char sha256[65], struct pv_err *err)
{
    PV_AUTO_FREE char *pem = NULL;
    PV_AUTO(BIO_free_all_p) BIO *bio = NULL;
    PV_AUTO(X509_free_p) X509 *cert = NULL;
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned hash_len = 0;
    size_t len;
    int rc = str_read_file(cert_path, MAX_PEM, &pem, &len, err);

    if (rc != PV_OK)
        return rc;
    bio = BIO_new_mem_buf(pem, (int)len);
    cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
    if (!cert || X509_digest(cert, EVP_sha256(), hash, &hash_len) != 1 || hash_len != 32)
        return pv_fail(err, PV_EFORMAT, "%s holds no certificate", cert_path);
    str_hex(hash, hash_len, sha256);
    *out = PV_TAKE(cert);
    return PV_OK;
}

static int fingerprint(const char *cert_path, char sha256[65], struct pv_err *err)
{
    PV_AUTO(X509_free_p) X509 *cert = NULL;

    return read_certificate(cert_path, &cert, sha256, err);
}

static void name_text(const X509_NAME *name, char *out, size_t cap)
{
    PV_AUTO(BIO_free_all_p) BIO *bio = BIO_new(BIO_s_mem());
    char *data = NULL;
    long len;

    out[0] = '\0';
    if (!bio || X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0)
        return;
    len = BIO_get_mem_data(bio, &data);
    if (data && len > 0)
        (void)str_copy_n(out, cap, data, (size_t)len);
}

static int64_t time_ms(const ASN1_TIME *at)
{
    struct tm t = { 0 };

    return ASN1_TIME_to_tm(at, &t) == 1 ? (int64_t)timegm(&t) * 1000 : 0;
}

static void read_names(X509 *cert, struct net_certificate_facts *out)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    int n = names ? sk_GENERAL_NAME_num(names) : 0;

    for (int i = 0; i < n && out->nnames < NET_CERTIFICATE_NAMES; i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
        char *to = out->names[out->nnames];

        if (g->type == GEN_DNS &&
            str_copy_n(to, sizeof(out->names[0]), (const char *)ASN1_STRING_get0_data(g->d.dNSName),
                       (size_t)ASN1_STRING_length(g->d.dNSName)))
            out->nnames++;
        else if (g->type == GEN_IPADD &&
                 inet_ntop(ASN1_STRING_length(g->d.iPAddress) == 4 ? AF_INET : AF_INET6,
                           ASN1_STRING_get0_data(g->d.iPAddress), to, INET6_ADDRSTRLEN))
            out->nnames++;
    }
    GENERAL_NAMES_free(names);
}

int net_certificate_facts(const char *cert_path, struct net_certificate_facts *out, struct pv_err *err)
{
    PV_AUTO(X509_free_p) X509 *cert = NULL;
    struct net_certificate_facts f = { .nnames = 0 };
    int rc = read_certificate(cert_path, &cert, f.sha256, err);

    if (rc != PV_OK)
        return rc;
    name_text(X509_get_subject_name(cert), f.subject, sizeof(f.subject));
    name_text(X509_get_issuer_name(cert), f.issuer, sizeof(f.issuer));
    read_names(cert, &f);
    f.not_before_ms = time_ms(X509_get0_notBefore(cert));
    f.not_after_ms = time_ms(X509_get0_notAfter(cert));
    f.self_signed = X509_NAME_cmp(X509_get_subject_name(cert), X509_get_issuer_name(cert)) == 0;
    *out = f;
    return PV_OK;
}

int net_certificate(const char *cert_path, const char *key_path, char sha256[65],
                    struct pv_err *err)
{
    bool have_cert = access(cert_path, F_OK) == 0, have_key = access(key_path, F_OK) == 0;

    if (have_cert != have_key)
        return pv_fail(
            err, PV_EINVAL,
            "of %s and %s one is missing; bring it back, or remove the other to have both "
            "made anew",
            cert_path, key_path);
    if (!have_cert) {
        int rc = make(cert_path, key_path, err);

        if (rc != PV_OK)
            return rc;
    }
    return fingerprint(cert_path, sha256, err);
}
