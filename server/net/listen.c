/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <gnutls/gnutls.h>
#include <libdeflate.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/id.h>
#include <polyvisor/log.h>
#include <polyvisor/str.h>

#include "server/net/inside.h"

#define BACKLOG 1024
#define TIMEOUT_S 30u
#define MEMORY_LIMIT (16u * 1024)
#define PER_ADDRESS 512u
#define FD_RESERVE 128u
#define MAX_PEM (1024u * 1024)
#define LOGS_PER_S 10
#define TLS_PRIORITIES                                                                             \
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-CIPHER-ALL:+AES-256-GCM:+AES-128-GCM:"            \
    "+CHACHA20-POLY1305:-RSA:-DHE-RSA:%SERVER_PRECEDENCE"

union any_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un un;
};

struct listen_at {
    union any_address address;
    socklen_t len;
    char host[64]; /* as in a URL; "" for unix */
    bool loopback;
};

static int parse_unix(const char *path, struct listen_at *out, struct pv_err *err)
{
    out->address.un.sun_family = AF_UNIX;
    if (path[0] != '/' ||
        !str_copy(out->address.un.sun_path, sizeof(out->address.un.sun_path), path))
        return pv_fail(err, PV_EINVAL, "unix:%s is no absolute path, or too long", path);
    out->len = sizeof(out->address.un);
    out->loopback = true;
    return PV_OK;
}

static int parse_inet(const char *text, struct listen_at *out, struct pv_err *err)
{
    const char *colon = strrchr(text, ':');
    uint64_t port;
    char host[64];

    if (!colon || !str_u64(colon + 1, strlen(colon + 1), 65535, &port) ||
        !str_copy_n(host, sizeof(host), text, (size_t)(colon - text)))
        return pv_fail(err, PV_EINVAL, "%s is not of the form ADDRESS:PORT", text);
    str_copy(out->host, sizeof(out->host), host);
    if (str_eq(host, "localhost"))
        str_copy(host, sizeof(host), "127.0.0.1");
    if (host[0] == '[' && host[strlen(host) - 1] == ']') {
        host[strlen(host) - 1] = 0;
        out->address.v6.sin6_family = AF_INET6;
        out->address.v6.sin6_port = htons((uint16_t)port);
        out->len = sizeof(out->address.v6);
        out->loopback = str_eq(host + 1, "::1");
        if (inet_pton(AF_INET6, host + 1, &out->address.v6.sin6_addr) == 1)
            return PV_OK;
    } else {
        out->address.v4.sin_family = AF_INET;
        out->address.v4.sin_port = htons((uint16_t)port);
        out->len = sizeof(out->address.v4);
        out->loopback = str_starts(host, "127.");
        if (inet_pton(AF_INET, host, &out->address.v4.sin_addr) == 1)
            return PV_OK;
    }
    return pv_fail(err, PV_EINVAL, "%s does not begin with an IP address", text);
}

/* A socket file that nobody answers on is left from a crash. */
static void remove_stale(const struct listen_at *at)
{
    PV_AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct stat st;

    if (fd < 0 || lstat(at->address.un.sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return;
    if (connect(fd, &at->address.any, at->len) != 0 && errno == ECONNREFUSED)
        unlink(at->address.un.sun_path);
}

static void note_port(struct net *n, int fd, const struct listen_at *at)
{
    union any_address own = { 0 };
    socklen_t len = sizeof(own);

    if (getsockname(fd, &own.any, &len) != 0)
        return;
    if (own.any.sa_family == AF_UNIX) {
        str_copy(n->unix_path, sizeof(n->unix_path), at->address.un.sun_path);
        snprintf(n->url, sizeof(n->url), "unix:%s", n->unix_path);
        return;
    }
    n->port = ntohs(own.any.sa_family == AF_INET6 ? own.v6.sin6_port : own.v4.sin_port);
    snprintf(n->url, sizeof(n->url), "%s://%s:%u", n->tls ? "https" : "http", at->host, n->port);
}

int listen_open(const char *text, bool tls, struct net *n, struct pv_err *err)
{
    PV_AUTO_CLOSE int fd = -1;
    struct listen_at at = { 0 };
    int one = 1, rc;

    rc = str_starts(text, "unix:") ? parse_unix(text + 5, &at, err) : parse_inet(text, &at, err);
    if (rc != PV_OK)
        return rc;
    if (!tls && !at.loopback)
        return pv_fail(err, PV_EINVAL,
                       "%s needs a certificate: plain HTTP is for loopback addresses only", text);
    if (at.address.any.sa_family == AF_UNIX)
        remove_stale(&at);
    fd = socket(at.address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return pv_fail_os(err, errno, "cannot listen on %s", text);
    if (at.address.any.sa_family != AF_UNIX)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, &at.address.any, at.len) != 0 || listen(fd, BACKLOG) != 0)
        return pv_fail_os(err, errno, "cannot listen on %s", text);
    note_port(n, fd, &at);
    n->listen_fd = fd;
    n->loopback = at.loopback;
    fd = -1;
    return PV_OK;
}

/* Any client can make the library talk, so it may do so a few times a second only. */
static void library_log(void *cls, const char *fmt, va_list ap)
{
    static atomic_int_fast64_t second;
    static atomic_int written;
    int64_t now = clock_mono_ms() / 1000;
    char text[256];

    (void)cls;
    if (!log_enabled(PV_LOG_DEBUG))
        return;
    if (atomic_exchange(&second, now) != now)
        atomic_store(&written, 0);
    if (atomic_fetch_add(&written, 1) >= LOGS_PER_S)
        return;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    vsnprintf(text, sizeof(text), fmt, ap);
#pragma GCC diagnostic pop
    text[strcspn(text, "\n")] = 0;
    log_msg(PV_LOG_DEBUG, "net.http", "text=\"%s\"", text);
}

/* Queries and paths are decoded by us, after the gate. */
static size_t keep_escaped(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls;
    (void)connection;
    return strlen(text);
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct net *n = cls;

    (void)connection;
    (void)context;
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        atomic_fetch_add_explicit(&n->connections, 1, memory_order_relaxed);
    else
        atomic_fetch_sub_explicit(&n->connections, 1, memory_order_relaxed);
}

static unsigned thread_count(const struct net_config *config)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned n = config->threads ? config->threads : cpus > 0 ? (unsigned)cpus : 2;

    return n < 2 ? 2 : n > 8 ? 8 : n;
}

static unsigned connection_limit(void)
{
    struct rlimit limit = { .rlim_cur = 1024 };
    rlim_t n;

    getrlimit(RLIMIT_NOFILE, &limit);
    n = limit.rlim_cur > 2 * FD_RESERVE ? limit.rlim_cur - FD_RESERVE : FD_RESERVE;
    return n > 16384 ? 16384 : (unsigned)n;
}

/* On loopback, and behind a proxy, everybody has the same address. */
static unsigned per_address(const struct net *n)
{
    return n->loopback || n->config.trusted_proxy ? 0 : PER_ADDRESS;
}

/* The library's own strictness stays off: the gate is stricter, and 0.9.75 answers twice when its
 * check fails. Epoll for plain HTTP. Never epoll with TLS: its loop spins while a handshake is
 * unfinished. */
static int start_daemon(struct net *n, const char *cert, const char *key, struct pv_err *err)
{
    unsigned flags =
        MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | MHD_USE_ITC |
        (n->tls ? MHD_USE_POLL_INTERNAL_THREAD | MHD_USE_TLS : MHD_USE_EPOLL_INTERNAL_THREAD);
    struct MHD_OptionItem tls[] = {
        { MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)cert },
        { MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)key },
        { MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)TLS_PRIORITIES },
        { MHD_OPTION_END, 0, NULL },
    };
    struct MHD_OptionItem none[] = { { MHD_OPTION_END, 0, NULL } };

    n->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, router_handle, n, MHD_OPTION_EXTERNAL_LOGGER, library_log, NULL,
        MHD_OPTION_LISTEN_SOCKET, n->listen_fd, MHD_OPTION_THREAD_POOL_SIZE,
        thread_count(&n->config), MHD_OPTION_STRICT_FOR_CLIENT, 0, MHD_OPTION_CONNECTION_TIMEOUT,
        TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_LIMIT,
        MHD_OPTION_CONNECTION_LIMIT, connection_limit(), MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        per_address(n), MHD_OPTION_URI_LOG_CALLBACK, router_begin, n, MHD_OPTION_UNESCAPE_CALLBACK,
        keep_escaped, NULL, MHD_OPTION_NOTIFY_COMPLETED, router_completed, n,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, n, MHD_OPTION_ARRAY, n->tls ? tls : none,
        MHD_OPTION_END);
    if (!n->daemon)
        return pv_fail(err, PV_EINTERNAL, "the HTTP server could not start on %s%s",
                       n->config.listen, n->tls ? "; is the certificate of its key?" : "");
    return PV_OK;
}

static void net_free(struct net *n)
{
    struct request *r, *next;

    for (r = n->pool; r; r = next) {
        next = r->next;
        request_destroy(r);
    }
    if (n->listen_fd >= 0)
        close(n->listen_fd);
    if (n->unix_path[0])
        unlink(n->unix_path);
    if (n->gzip)
        libdeflate_free_compressor(n->gzip);
    routes_free(n->routes);
    assets_free(n->assets);
    pthread_mutex_destroy(&n->lock);
    pthread_mutex_destroy(&n->streams_lock);
    pthread_mutex_destroy(&n->gzip_lock);
    pthread_mutex_destroy(&n->watch_lock);
    if (n->watch_fd >= 0)
        close(n->watch_fd);
    if (n->watch_wake >= 0)
        close(n->watch_wake);
    pthread_cond_destroy(&n->idle);
    pthread_cond_destroy(&n->tick);
    free(n);
}

static struct net *net_new(const struct net_config *config)
{
    struct net *n = calloc(1, sizeof(*n));
    uint8_t random[6];

    if (!n)
        return NULL;
    n->config = *config;
    n->listen_fd = n->watch_fd = n->watch_wake = -1;
    n->tls = config->tls_cert != NULL;
    pthread_mutex_init(&n->lock, NULL);
    pthread_mutex_init(&n->streams_lock, NULL);
    pthread_mutex_init(&n->gzip_lock, NULL);
    pthread_mutex_init(&n->watch_lock, NULL);
    pthread_cond_init(&n->idle, NULL);
    pthread_cond_init(&n->tick, NULL);
    id_random(random, sizeof(random));
    str_hex(random, sizeof(random), n->id_prefix);
    return n;
}

/* Signals are the business of the program's main thread. */
static int start_threads(struct net *n, const char *cert, const char *key, struct pv_err *err)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = sse_start_ticker(n, err);
    if (rc == PV_OK)
        rc = pipe_start(n, err);
    if (rc == PV_OK)
        rc = start_daemon(n, cert, key, err);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

static int net_open(struct net *n, struct pv_err *err)
{
    PV_AUTO_FREE char *cert = NULL;
    PV_AUTO_FREE char *key = NULL;
    size_t cert_len, key_len = 0;
    int rc = routes_new(n->config.routes, &n->routes, err);

    if (rc == PV_OK && n->config.web)
        rc = assets_load(n->config.web, &n->assets, err);
    if (rc == PV_OK && n->tls)
        rc = str_read_file(n->config.tls_cert, MAX_PEM, &cert, &cert_len, err);
    if (rc == PV_OK && n->tls)
        rc = str_read_file(n->config.tls_key, MAX_PEM, &key, &key_len, err);
    if (rc == PV_OK)
        rc = listen_open(n->config.listen, n->tls, n, err);
    if (rc == PV_OK)
        rc = start_threads(n, cert, key, err);
    if (key)
        explicit_bzero(key, key_len);
    return rc;
}

int net_start(const struct net_config *config, struct net **out, struct pv_err *err)
{
    struct net *n = net_new(config);
    int rc;

    if (!n)
        return pv_fail(err, PV_ENOMEM, "no memory for the HTTP server");
    rc = net_open(n, err);
    if (rc != PV_OK) {
        atomic_store(&n->stopping, true);
        sse_stop(n);
        pipe_stop(n);
        net_free(n);
        return rc;
    }
    *out = n;
    return PV_OK;
}

static void wait_idle(struct net *n, int64_t grace_ms)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += grace_ms / 1000;
    until.tv_nsec += grace_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&n->lock);
    while (n->active > 0 && pthread_cond_timedwait(&n->idle, &n->lock, &until) == 0)
        ;
    pthread_mutex_unlock(&n->lock);
}

void net_stop(struct net *n, int64_t grace_ms)
{
    if (!n)
        return;
    MHD_quiesce_daemon(n->daemon);
    pthread_mutex_lock(&n->lock);
    atomic_store(&n->stopping, true);
    pthread_mutex_unlock(&n->lock);
    sse_stop(n);
    wait_idle(n, grace_ms > 0 ? grace_ms : 0);
    router_abandon(n);
    pipe_stop(n);
    MHD_stop_daemon(n->daemon);
    net_free(n);
}

unsigned net_port(const struct net *n)
{
    return n->port;
}

const char *net_url(const struct net *n)
{
    return n->url;
}

void net_get_stats(const struct net *n, struct net_stats *out)
{
    out->requests = atomic_load_explicit(&n->requests, memory_order_relaxed);
    out->bytes_out = atomic_load_explicit(&n->bytes_out, memory_order_relaxed);
    out->problems_4xx = atomic_load_explicit(&n->problems_4xx, memory_order_relaxed);
    out->problems_5xx = atomic_load_explicit(&n->problems_5xx, memory_order_relaxed);
    out->connections = atomic_load_explicit(&n->connections, memory_order_relaxed);
    out->streams = atomic_load_explicit(&n->nstreams, memory_order_relaxed);
}
