/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/outgoing_curl.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <polyvisor/err.h>
#include <polyvisor/outgoing.h>

static curl_socket_t on_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct outgoing_call *call = arg;

    (void)purpose;
    if (!outgoing_address_ok(&address->addr, address->addrlen)) {
        call->refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct outgoing_call *call = arg;

    (void)a;
    (void)b;
    (void)c;
    (void)d;
    call->was_canceled = call->cancelled && call->cancelled(call->ctx);
    return call->was_canceled;
}

int outgoing_curl_set(CURL *e, struct outgoing_call *call)
{
    int bad = 0;

#define SET(option, value) bad |= (int)curl_easy_setopt(e, option, value)
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, call);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_socket);
    SET(CURLOPT_OPENSOCKETDATA, call);
    SET(CURLOPT_ERRORBUFFER, call->text);
    SET(CURLOPT_TIMEOUT_MS, (long)call->timeout_ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)call->timeout_ms);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    if (call->ca_pem && *call->ca_pem) {
        struct curl_blob pem = { (void *)call->ca_pem, strlen(call->ca_pem), CURL_BLOB_COPY };

        SET(CURLOPT_CAINFO_BLOB, &pem);
        SET(CURLOPT_CAPATH, NULL);
    }
#undef SET
    return bad;
}

void outgoing_curl_url(char *out, size_t size, const char *scheme, const char *server,
                       unsigned port)
{
    bool is_v6 = strchr(server, ':') && server[0] != '[';

    snprintf(out, size, is_v6 ? "%s://[%s]:%u" : "%s://%s:%u", scheme, server, port);
}

int outgoing_curl_fail(const struct outgoing_call *call, CURLcode code, struct pv_err *err)
{
    const char *why = call->text[0] ? call->text : curl_easy_strerror(code), *server = call->server;

    if (call->was_canceled)
        return pv_fail(err, PV_ECANCELED, "the message to %s was canceled", server);
    if (call->refused)
        return pv_fail(err, PV_EINVAL,
                       "%s leads to a link-local or metadata address, which is refused", server);
    switch ((int)code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
        return pv_fail(err, PV_EOFFLINE, "no connection to %s: %s", server, why);
    case CURLE_OPERATION_TIMEDOUT:
        return pv_fail(err, PV_ETIMEOUT, "%s did not answer in time", server);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CONNECT_ERROR:
        return pv_fail(err, PV_ECERT, "no TLS connection to %s: %s", server, why);
    case CURLE_SSL_CACERT_BADFILE:
        return pv_fail(err, PV_EINVAL, "the certificate authorities are not usable: %s", why);
    case CURLE_USE_SSL_FAILED:
        return pv_fail(err, PV_EIO, "%s offers no STARTTLS", server);
    case CURLE_LOGIN_DENIED:
        return pv_fail(err, PV_EAUTH, "%s refused the account", server);
    case CURLE_OUT_OF_MEMORY:
        return pv_fail(err, PV_ENOMEM, "no memory for a message");
    default:
        return pv_fail(err, PV_EIO, "%s refused the message: %s", server, why);
    }
}
