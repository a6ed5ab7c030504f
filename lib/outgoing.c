/* SPDX-License-Identifier: Apache-2.0 */
#include <polyvisor/outgoing.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include <curl/curl.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#define HOST_MOST 253

PV_DEFINE_AUTO(curl_url_cleanup, CURLU *)
PV_DEFINE_AUTO(curl_free, char *)

static bool v4_ok(uint32_t address)
{
    /* 169.254.0.0/16; 100.100.100.200 is a cloud's metadata. */
    return address >> 16 != 0xa9fe && address != 0x646464c8;
}

static bool v6_ok(const struct in6_addr *a)
{
    static const uint8_t metadata[16] = { 0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54 };
    uint32_t v4;

    if (IN6_IS_ADDR_LINKLOCAL(a) || memcmp(a->s6_addr, metadata, sizeof(metadata)) == 0)
        return false;
    if (!IN6_IS_ADDR_V4MAPPED(a) && !IN6_IS_ADDR_V4COMPAT(a))
        return true;
    memcpy(&v4, a->s6_addr + 12, sizeof(v4));
    return v4_ok(ntohl(v4));
}

bool outgoing_address_ok(const struct sockaddr *address, unsigned len)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;

    if (address->sa_family == AF_INET && len >= sizeof(in)) {
        memcpy(&in, address, sizeof(in));
        return v4_ok(ntohl(in.sin_addr.s_addr));
    }
    if (address->sa_family == AF_INET6 && len >= sizeof(in6)) {
        memcpy(&in6, address, sizeof(in6));
        return v6_ok(&in6.sin6_addr);
    }
    return false;
}

/* Without the brackets of an address; false: too long. */
static bool bare(const char *host, char out[HOST_MOST + 1])
{
    size_t len = strlen(host);

    if (len > 2 && host[0] == '[' && host[len - 1] == ']')
        return str_copy_n(out, HOST_MOST + 1, host + 1, len - 2);
    return str_copy(out, HOST_MOST + 1, host);
}

bool outgoing_is_loopback(const char *host)
{
    char name[HOST_MOST + 1];
    struct in_addr v4;
    struct in6_addr v6;

    if (!bare(host, name))
        return false;
    if (inet_pton(AF_INET, name, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, name, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6);
    return strcasecmp(name, "localhost") == 0;
}

int outgoing_check_host(const char *host, struct pv_err *err)
{
    char name[HOST_MOST + 1];
    struct in_addr v4;
    struct in6_addr v6;
    bool ok = true;

    if (!*host || !bare(host, name) || strpbrk(host, " \t\r\n\"<>\\^`{|}/@?#,;") || name[0] == '-')
        return pv_fail(err, PV_EINVAL, "this is not a host name or an address");
    if (inet_pton(AF_INET, name, &v4) == 1)
        ok = v4_ok(ntohl(v4.s_addr));
    else if (inet_pton(AF_INET6, name, &v6) == 1)
        ok = v6_ok(&v6);
    else if (strchr(name, ':'))
        return pv_fail(err, PV_EINVAL, "this is not a host name or an address");
    else
        ok = strcasecmp(name, "metadata.google.internal") != 0;
    return ok ? PV_OK
              : pv_fail(err, PV_EINVAL,
                        "link-local and metadata addresses are refused: they may hold secrets of "
                        "this machine");
}

int outgoing_check_url(const char *url, struct pv_err *err)
{
    PV_AUTO(curl_url_cleanup_p) CURLU *u = curl_url();
    PV_AUTO(curl_free_p) char *scheme = NULL;
    PV_AUTO(curl_free_p) char *host = NULL;
    PV_AUTO(curl_free_p) char *user = NULL;

    if (!u)
        return pv_fail(err, PV_ENOMEM, "no memory for an address");
    if (curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        strpbrk(url, " \t\r\n\"<>\\^`{|}"))
        return pv_fail(err, PV_EINVAL, "this is not an address; say https://host/...");
    if (curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_OK)
        return pv_fail(err, PV_EINVAL,
                       "an account does not belong into the address: it would be shown");
    if (strcmp(scheme, "https") != 0 &&
        (strcmp(scheme, "http") != 0 || !outgoing_is_loopback(host)))
        return pv_fail(err, PV_EINVAL,
                       "only https:// is posted to; http:// reaches this machine alone");
    return outgoing_check_host(host, err);
}
