/* SPDX-License-Identifier: Apache-2.0 */
/* polyvisord: puts the pieces together, tells where it answers, waits for the signal to end. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <polyvisor/buf.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/httpc.h>
#include <polyvisor/log.h>
#include <polyvisor/str.h>
#include <polyvisor/xml.h>

#include "db/store.h"
#include "server/api/api.h"
#include "server/auth/auth.h"
#include "server/config.h"
#include "server/core/core.h"
#include "server/demo.h"
#include "server/drivers/registry.h"
#include "server/net/router.h"

/* In the order they are started; ended in the opposite one. */
struct server {
    struct config config;
    int lock_fd;
    struct store *store;
    struct auth *auth;
    struct drivers *drivers;
    struct core *core;
    struct api *api;
    struct net *net;
    char fingerprint[65], spool[600];
};

static void usage(void)
{
    printf("Usage: polyvisord [OPTION]...\n"
           "Manages Hyper-V and VMware vSphere side by side: one server, one REST API.\n\n"
           "  --config FILE       read settings from FILE\n"
           "  --data DIR          keep database, keys and certificate in DIR\n"
           "  --listen ADDR:PORT  answer there (127.0.0.1:8443)\n"
           "  --web DIR           serve the built browser page from DIR\n"
           "  --set KEY=VALUE     one setting, as in the file\n"
           "  --demo              add a simulated estate: 2 vCenters, 6 Hyper-V hosts, 500 VMs\n"
           "  --check             check settings, database and drivers, then end\n"
           "  --print-openapi     print the description of the API (OpenAPI 3.1), then end\n"
           "  --version           print the version\n"
           "  --help              print this\n\n"
           "Settings:\n");
    config_print_keys();
    printf("\nEnvironment:\n"
           "  POLYVISOR_ADMIN_PASSWORD_FILE  makes the user admin with the password in that file,\n"
           "                                 if there is no administrator yet\n\n"
           "When it is ready it prints `ready URL` and, while no administrator exists, `setup-code CODE`.\n"
           "SIGTERM ends it.\n");
}

enum { OPT_CONFIG = 256, OPT_DATA, OPT_LISTEN, OPT_SET, OPT_DEMO, OPT_CHECK, OPT_VERSION, OPT_HELP, OPT_OPENAPI, OPT_WEB };

static const struct option options[] = {
    { "config", required_argument, NULL, OPT_CONFIG }, { "data", required_argument, NULL, OPT_DATA },
    { "listen", required_argument, NULL, OPT_LISTEN }, { "set", required_argument, NULL, OPT_SET },
    { "demo", no_argument, NULL, OPT_DEMO },           { "check", no_argument, NULL, OPT_CHECK },
    { "version", no_argument, NULL, OPT_VERSION },     { "help", no_argument, NULL, OPT_HELP },
    { "web", required_argument, NULL, OPT_WEB },
    { "print-openapi", no_argument, NULL, OPT_OPENAPI },
    { NULL, 0, NULL, 0 },
};

static int set_pair(struct config *c, const char *pair, struct pv_err *err)
{
    const char *equals = strchr(pair, '=');
    char key[64];

    if (!equals || !str_copy_n(key, sizeof(key), pair, (size_t)(equals - pair)))
        return pv_fail(err, PV_EINVAL, "--set %s: KEY=VALUE is wanted", pair);
    return config_set(c, key, equals + 1, err);
}

static int print_openapi(void)
{
    struct pv_err err = { 0 };
    struct buf out;
    int status = 0;

    buf_init(&out, 16u << 20);
    if (api_describe(&out, &err) != PV_OK || fwrite(out.data, 1, out.len, stdout) != out.len || fflush(stdout) != 0) {
        fprintf(stderr, "polyvisord: %s\n", err.message[0] ? err.message : "cannot write");
        status = 1;
    }
    buf_free(&out);
    return status;
}

/* The file first, whatever its place among the arguments: arguments win. Answers an exit status, -1 to go on. */
static int read_arguments(struct config *c, int argc, char **argv)
{
    struct pv_err err = { 0 };
    int rc = config_defaults(c, &err);

    for (int pass = 0; pass < 2 && rc == PV_OK; pass++) {
        int opt;

        optind = 1;
        opterr = pass;
        while (rc == PV_OK && (opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
            if (pass == 0) {
                if (opt == OPT_CONFIG)
                    rc = config_read_file(c, optarg, &err);
                continue;
            }
            switch (opt) {
            case OPT_CONFIG:
                break;
            case OPT_DATA:
                rc = config_set(c, "data", optarg, &err);
                break;
            case OPT_LISTEN:
                rc = config_set(c, "listen", optarg, &err);
                break;
            case OPT_WEB:
                rc = config_set(c, "web", optarg, &err);
                break;
            case OPT_SET:
                rc = set_pair(c, optarg, &err);
                break;
            case OPT_DEMO:
                c->demo = true;
                break;
            case OPT_CHECK:
                c->check = true;
                break;
            case OPT_VERSION:
                printf("polyvisord %s\n", PV_VERSION);
                return 0;
            case OPT_OPENAPI:
                return print_openapi();
            case OPT_HELP:
                usage();
                return 0;
            default:
                fprintf(stderr, "polyvisord --help tells the options\n");
                return 2;
            }
        }
    }
    if (rc == PV_OK && optind < argc)
        rc = pv_fail(&err, PV_EINVAL, "unexpected argument \"%s\"", argv[optind]);
    if (rc == PV_OK)
        return -1;
    fprintf(stderr, "polyvisord: %s\n", err.message);
    return 2;
}

static int make_folders(const char *path, struct pv_err *err)
{
    char part[512];

    if (!str_copy(part, sizeof(part), path))
        return pv_fail(err, PV_EINVAL, "the name of the data folder is too long");
    for (char *p = part + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (mkdir(part, 0755) < 0 && errno != EEXIST)
            return pv_fail_os(err, errno, "making the folder %s", part);
        *p = '/';
    }
    if (mkdir(part, 0700) < 0 && errno != EEXIST)
        return pv_fail_os(err, errno, "making the folder %s", part);
    return PV_OK;
}

/* Two servers on one database would do everything twice. */
static int lock_data(struct server *s, struct pv_err *err)
{
    char path[600];

    snprintf(path, sizeof(path), "%s/lock", s->config.data);
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0)
        return pv_fail_os(err, errno, "opening %s", path);
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0)
        return pv_fail(err, PV_EBUSY, "another polyvisord works on %s; end it or choose another --data", s->config.data);
    return PV_OK;
}

static int open_secret(void *ctx, enum pv_kind kind, const struct pv_id *row, unsigned field, const char *sealed,
                       char **secret, struct pv_err *err)
{
    return auth_open(ctx, kind, row, field, sealed, secret, err);
}

static int first_administrator(struct server *s, struct pv_err *err)
{
    const char *path = getenv("POLYVISOR_ADMIN_PASSWORD_FILE");
    char *text = NULL;
    size_t len = 0;
    int rc;

    if (!path || !*path || !auth_setup_code(s->auth))
        return PV_OK;
    rc = str_read_file(path, 4096, &text, &len, err);
    if (rc == PV_OK) {
        text[strcspn(text, "\r\n")] = '\0';
        rc = auth_setup(s->auth, NULL, "", "admin", text, err);
        explicit_bzero(text, len);
    }
    free(text);
    if (rc != PV_OK)
        pv_wrap(err, "making the administrator from POLYVISOR_ADMIN_PASSWORD_FILE");
    return rc;
}

static int start_storage(struct server *s, struct pv_err *err)
{
    char db[600], key[600];
    int rc = make_folders(s->config.data, err);

    if (rc == PV_OK)
        rc = lock_data(s, err);
    if (rc != PV_OK)
        return rc;
    snprintf(db, sizeof(db), "%s/polyvisor.db", s->config.data);
    snprintf(key, sizeof(key), "%s/master.key", s->config.data);
    rc = store_open(&(struct store_config){ .path = db }, &s->store, err);
    if (rc != PV_OK) {
        pv_wrap(err, "opening the database %s", db);
        return rc;
    }
    return auth_start(&(struct auth_config){ .store = s->store, .key_path = key, .rate_per_s = s->config.rate_per_s,
                                             .rate_burst = s->config.rate_burst },
                      &s->auth, err);
}

/* What the server has begun by itself stands in the audit, too. */
static void record_own(void *ctx, const char *action, enum pv_kind kind, const struct pv_id *subject,
                       const struct pv_id *task)
{
    char id[PV_ID_TEXT], task_id[PV_ID_TEXT], detail[128];
    struct audit_entry e = { .actor_type = PV_ACTOR_TYPE_SYSTEM, .actor_id = "", .actor_name = "", .address = "",
                             .action = action, .subject = id, .request_id = "", .outcome = PV_OUTCOME_ALLOWED,
                             .detail_json = detail };

    model_id_text(kind, subject, id);
    model_id_text(PV_KIND_task, task, task_id);
    snprintf(detail, sizeof(detail), "{\"source\":\"expiry\",\"task\":\"%s\"}", task_id);
    if (audit_write_later(ctx, &e, NULL) != PV_OK)
        log_msg(PV_LOG_ERROR, "audit.lost", "action=\"%s\" subject=%s", action, id);
}

static int start_product(struct server *s, struct pv_err *err)
{
    const struct drivers_config drivers = {
        .dir = s->config.driver_dir,
        .host_program = s->config.driver_host,
        .isolation = s->config.in_process ? DRIVERS_IN_PROCESS : DRIVERS_PROCESS,
    };
    int rc = drivers_start(&drivers, &s->drivers, err);

    if (rc != PV_OK) {
        pv_wrap(err, "looking for drivers in %s", drivers.dir);
        return rc;
    }
    snprintf(s->spool, sizeof(s->spool), "%s/uploads", s->config.data);
    rc = core_start(&(struct core_config){ .spool = s->spool, .store = s->store, .drivers = s->drivers, .secret_open = open_secret,
                                           .secret_free = auth_wipe_free, .ctx = s->auth, .record = record_own },
                    &s->core, err);
    if (rc == PV_OK)
        rc = api_start(&(struct api_config){ .store = s->store, .core = s->core, .auth = s->auth, .data = s->config.data }, &s->api, err);
    return rc;
}

/* The folder of the browser page. One that was asked for has to be there; the usual one may be missing. */
static const char *web_folder(const struct config *c)
{
    char index[600];

    if (strcmp(c->web, "none") == 0)
        return NULL;
    if (c->web[0])
        return c->web;
    snprintf(index, sizeof(index), "%s/index.html", c->web_default);
    if (access(index, R_OK) == 0)
        return c->web_default;
    log_msg(PV_LOG_INFO, "web.none", "folder=\"%s\"", c->web_default);
    return NULL;
}

static int start_net(struct server *s, struct pv_err *err)
{
    struct config *c = &s->config;
    struct net_config net = {
        .listen = c->listen,
        .threads = c->threads,
        .routes = api_routes(s->api),
        .app = s->api,
        .authorise = api_authorise,
        .finished = api_finished,
        .ended = api_ended,
        .web = web_folder(c),
        .trusted_proxy = c->trusted_proxy[0] ? c->trusted_proxy : NULL,
    };
    char folder[600];
    int rc;

    if (c->tls) {
        if (!c->tls_cert[0]) {
            snprintf(folder, sizeof(folder), "%s/tls", c->data);
            if (mkdir(folder, 0700) < 0 && errno != EEXIST)
                return pv_fail_os(err, errno, "making the folder %s", folder);
            if ((size_t)snprintf(c->tls_cert, sizeof(c->tls_cert), "%s/cert.pem", folder) >= sizeof(c->tls_cert) ||
                (size_t)snprintf(c->tls_key, sizeof(c->tls_key), "%s/key.pem", folder) >= sizeof(c->tls_key))
                return pv_fail(err, PV_EINVAL, "the name of the data folder is too long");
        }
        rc = net_certificate(c->tls_cert, c->tls_key, s->fingerprint, err);
        if (rc != PV_OK)
            return rc;
        net.tls_cert = c->tls_cert;
        net.tls_key = c->tls_key;
    }
    rc = net_start(&net, &s->net, err);
    if (rc == PV_OK)
        api_set_net(s->api, s->net, c->tls ? c->tls_cert : NULL);
    return rc;
}

static void stop(struct server *s)
{
    if (s->api)
        api_drain(s->api);
    net_stop(s->net, 2000);
    api_stop(s->api);
    core_stop(s->core);
    if (s->drivers)
        drivers_stop(s->drivers);
    auth_stop(s->auth);
    if (s->store)
        store_close(s->store);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
}

/* sd_notify(3): one datagram. */
static void notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    int fd;

    if (!path || !str_copy(to.sun_path, sizeof(to.sun_path), path))
        return;
    if (to.sun_path[0] == '@')
        to.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to,
                  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)));
    close(fd);
}

static int check(struct server *s)
{
    size_t n = 0;
    struct driver_info *list = drivers_list(s->drivers, &n);
    bool good = list != NULL;

    printf("database: ok\n");
    for (size_t i = 0; list && i < n; i++) {
        bool loaded = list[i].state == DRIVER_LOADED;

        printf("driver %s: %s%s%s\n", list[i].name, loaded ? "ok " : "", loaded ? list[i].version : list[i].error,
               loaded ? "" : ".");
        good = good && loaded;
    }
    drivers_list_free(list);
    return good ? 0 : 1;
}

static void tell_ready(struct server *s)
{
    const char *code = auth_setup_code(s->auth);

    printf("ready %s\n", net_url(s->net));
    if (code)
        printf("setup-code %s\n", code);
    if (s->fingerprint[0])
        printf("certificate-sha256 %s\n", s->fingerprint);
    fflush(stdout);
    notify("READY=1");
    log_msg(PV_LOG_INFO, "server.ready", "url=%s version=%s", net_url(s->net), PV_VERSION);
}

static int start(struct server *s, struct pv_err *err)
{
    int rc = start_storage(s, err);

    if (rc == PV_OK)
        rc = start_product(s, err);
    if (rc != PV_OK || s->config.check)
        return rc;
    rc = first_administrator(s, err);
    if (rc == PV_OK && s->config.demo)
        rc = demo_add(s->core, err);
    if (rc == PV_OK)
        rc = start_net(s, err);
    return rc;
}

int main(int argc, char **argv)
{
    struct server server = { .lock_fd = -1 };
    struct pv_err err = { 0 };
    sigset_t ends;
    int status = read_arguments(&server.config, argc, argv);
    int signal_number = 0;

    if (status >= 0)
        return status;
    umask(0077);
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    log_open("polyvisord", server.config.log_level);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    /* Blocked before any thread starts, so that sigwait below is the only one who sees them. */
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);
    xml_global_init();

    status = 0;
    if (httpc_global_init(&err) != PV_OK || start(&server, &err) != PV_OK) {
        fprintf(stderr, "polyvisord: %s\n%s%s", err.message, err.remedy, err.remedy[0] ? "\n" : "");
        status = 1;
    } else if (server.config.check) {
        status = check(&server);
    } else {
        tell_ready(&server);
        sigwait(&ends, &signal_number);
        log_msg(PV_LOG_INFO, "server.stopping", "signal=%d", signal_number);
        notify("STOPPING=1");
    }
    stop(&server);
    httpc_global_cleanup();
    xml_global_cleanup();
    return status;
}
