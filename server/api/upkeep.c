/* SPDX-License-Identifier: Apache-2.0 */
/* Upkeep of the server itself: copies of its database, its certificate, and what helps to find a fault. */
#include "server/api/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#define BACKUPS_MAX 50
#define NAME_LEN 64
#define PIECE (256u << 10)

static inline void close_folder(DIR **d)
{
    if (*d)
        closedir(*d);
}

/* ------------------------------------------------------------------ backups */

/* Ours, and nothing that leads out of the folder. */
static bool is_backup(const char *name)
{
    return str_starts(name, "polyvisor-") && str_ends(name, ".db") && strlen(name) < NAME_LEN &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") == strlen(name) && !strstr(name, "..");
}

static bool path_of(struct api *a, const char *name, char out[4096])
{
    int n = snprintf(out, 4096, "%s/backups%s%s", a->data, name ? "/" : "", name ? name : "");

    return n > 0 && n < 4096;
}

static void write_backup(struct jsonw *w, const char *name, const struct stat *st)
{
    jsonw_object(w, NULL);
    jsonw_str(w, "name", name);
    jsonw_u64(w, "size_bytes", (uint64_t)st->st_size);
    jsonw_time(w, "created_at", (int64_t)st->st_mtim.tv_sec * 1000);
    jsonw_end(w);
}

static int by_name_backwards(const void *a, const void *b)
{
    return strcmp(b, a);
}

/* Names of at most BACKUPS_MAX copies, the newest first: their names begin with the time. */
static size_t list_names(struct api *a, char names[BACKUPS_MAX][NAME_LEN])
{
    char folder[4096];
    __attribute__((cleanup(close_folder))) DIR *d = path_of(a, NULL, folder) ? opendir(folder) : NULL;
    const struct dirent *e;
    size_t n = 0;

    while (d && n < BACKUPS_MAX && (e = readdir(d)) != NULL)
        if (is_backup(e->d_name))
            str_copy(names[n++], NAME_LEN, e->d_name);
    qsort(names, n, NAME_LEN, by_name_backwards);
    return n;
}

static enum req_result backups(struct req *r)
{
    char names[BACKUPS_MAX][NAME_LEN], path[4096];
    size_t n = list_names(api_of(r), names);
    struct jsonw *w = reply_json(r, 200);
    struct stat st;

    jsonw_object(w, NULL);
    jsonw_array(w, "items");
    for (size_t i = 0; i < n; i++)
        if (path_of(api_of(r), names[i], path) && stat(path, &st) == 0)
            write_backup(w, names[i], &st);
    jsonw_end(w);
    jsonw_end(w);
    return reply_send(r);
}

static int make_backup(struct req *r, char name[NAME_LEN], struct stat *st, struct pv_err *err)
{
    char names[BACKUPS_MAX][NAME_LEN], path[4096];
    struct timespec now;
    struct tm t;
    int rc;

    if (list_names(api_of(r), names) == BACKUPS_MAX)
        return pv_fail_as(err, "limit-exceeded", "there are %d backups; delete some first", BACKUPS_MAX);
    if (!path_of(api_of(r), NULL, path))
        return pv_fail(err, PV_EINVAL, "the name of the data folder is too long");
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return pv_fail_os(err, errno, "making the folder %s", path);
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &t);
    snprintf(name, NAME_LEN, "polyvisor-%04d%02d%02d-%02d%02d%02d-%03ld.db", (t.tm_year + 1900) % 10000, t.tm_mon + 1,
             t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, now.tv_nsec / 1000000);
    if (!path_of(api_of(r), name, path))
        return pv_fail(err, PV_EINVAL, "the name of the data folder is too long");
    rc = store_backup(api_of(r)->store, path, err);
    if (rc == PV_OK && stat(path, st) < 0)
        rc = pv_fail_os(err, errno, "looking at %s", path);
    return rc;
}

static void backup_work(struct req *r)
{
    struct pv_err err = { 0 };
    char name[NAME_LEN];
    struct stat st;

    if (make_backup(r, name, &st, &err) != PV_OK) {
        reply_problem(r, &err);
        return;
    }
    r->made = arena_printf(r->arena, API_BASE "/backups/%s", name);
    if (r->made)
        reply_header(r, "Location", r->made);
    write_backup(reply_json(r, 201), name, &st);
    reply_send(r);
}

static enum req_result backup_make(struct req *r)
{
    return req_run_slow(r, backup_work);
}

/* The file that {name} names, if it is a backup. */
static int named_path(struct req *r, char path[4096], struct pv_err *err)
{
    const char *name = req_param(r, "name");
    struct stat st;

    if (!is_backup(name) || !path_of(api_of(r), name, path) || lstat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return pv_fail(err, PV_ENOENT, "there is no backup %.64s", name);
    return PV_OK;
}

static int next_piece(void *ctx, struct buf *out)
{
    const int *fd = ctx;
    char *room = buf_reserve(out, PIECE);
    ssize_t n = room ? read(*fd, room, PIECE) : -1;

    if (n < 0)
        return PV_EIO;
    out->len += (size_t)n;
    return PV_OK;
}

static void close_file(void *ctx)
{
    int *fd = ctx;

    close(*fd);
    free(fd);
}

static enum req_result backup_get(struct req *r)
{
    struct pv_err err = { 0 };
    char path[4096];
    int *fd;

    if (named_path(r, path, &err) != PV_OK)
        return reply_problem(r, &err);
    fd = malloc(sizeof(*fd));
    if (!fd) {
        pv_fail(&err, PV_ENOMEM, "no memory for the answer");
        return reply_problem(r, &err);
    }
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (*fd < 0) {
        pv_fail_os(&err, errno, "opening a backup");
        free(fd);
        return reply_problem(r, &err);
    }
    reply_headerf(r, "Content-Disposition", "attachment; filename=\"%s\"", req_param(r, "name"));
    return reply_stream(r, 200, "application/octet-stream", next_piece, close_file, fd);
}

static enum req_result backup_delete(struct req *r)
{
    struct pv_err err = { 0 };
    char path[4096];

    if (named_path(r, path, &err) != PV_OK)
        return reply_problem(r, &err);
    if (unlink(path) < 0) {
        pv_fail_os(&err, errno, "deleting a backup");
        return reply_problem(r, &err);
    }
    return reply_empty(r, 204);
}

/* ------------------------------------------------------------------ the certificate */

static enum req_result certificate(struct req *r)
{
    const char *path = api_of(r)->certificate;
    struct net_certificate_facts *f = path ? arena_alloc(r->arena, sizeof(*f)) : NULL;
    struct pv_err err = { 0 };
    struct jsonw *w;

    if (path && (!f || net_certificate_facts(path, f, &err) != PV_OK)) {
        if (!f)
            pv_fail(&err, PV_ENOMEM, "no memory for the certificate");
        return reply_problem(r, &err);
    }
    w = reply_json(r, 200);
    jsonw_object(w, NULL);
    jsonw_bool(w, "tls", path != NULL);
    if (f) {
        jsonw_str(w, "subject", f->subject);
        jsonw_str(w, "issuer", f->issuer);
        jsonw_array(w, "names");
        for (size_t i = 0; i < f->nnames; i++)
            jsonw_str(w, NULL, f->names[i]);
        jsonw_end(w);
        jsonw_time(w, "not_before", f->not_before_ms);
        jsonw_time(w, "not_after", f->not_after_ms);
        jsonw_str(w, "sha256", f->sha256);
        jsonw_bool(w, "self_signed", f->self_signed);
    }
    jsonw_end(w);
    return reply_send(r);
}

/* ------------------------------------------------------------------ diagnostics */

static void write_machine(struct jsonw *w)
{
    struct utsname u;
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);

    jsonw_object(w, "machine");
    if (uname(&u) == 0) {
        jsonw_str(w, "system", u.sysname);
        jsonw_str(w, "release", u.release);
        jsonw_str(w, "architecture", u.machine);
    }
    jsonw_i64(w, "processors", sysconf(_SC_NPROCESSORS_ONLN));
    if (pages > 0 && page > 0)
        jsonw_u64(w, "memory_bytes", (uint64_t)pages * (uint64_t)page);
    jsonw_end(w);
}

/* States and times; no address, no account, nothing of the inventory. */
static int write_providers(struct req *r, struct jsonw *w, struct pv_err *err)
{
    struct core_provider_health *list;
    size_t n = 0;
    int rc = core_providers_health(api_of(r)->core, r->arena, &list, &n, err);

    if (rc != PV_OK)
        return rc;
    jsonw_array(w, "providers");
    for (size_t i = 0; i < n; i++) {
        char id[PV_ID_TEXT];

        model_id_text(PV_KIND_provider, &list[i].id, id);
        jsonw_object(w, NULL);
        jsonw_str(w, "id", id);
        jsonw_str(w, "driver", list[i].driver);
        jsonw_str(w, "state", model_enum_text(PV_ENUM_provider_state, list[i].state));
        jsonw_str(w, "family", model_enum_text(PV_ENUM_family, list[i].family));
        jsonw_time(w, "last_full_at", list[i].last_full_at_ms);
        jsonw_i64(w, "last_full_took_ms", list[i].last_full_took_ms);
        jsonw_time(w, "confirmed_at", list[i].confirmed_ms);
        jsonw_end(w);
    }
    jsonw_end(w);
    return PV_OK;
}

static void write_net(struct jsonw *w, const struct api *a)
{
    struct net_stats s = { 0 };

    if (a->net)
        net_get_stats(a->net, &s);
    jsonw_object(w, "http");
    jsonw_u64(w, "requests", s.requests);
    jsonw_u64(w, "problems_4xx", s.problems_4xx);
    jsonw_u64(w, "problems_5xx", s.problems_5xx);
    jsonw_u64(w, "connections", s.connections);
    jsonw_u64(w, "streams", s.streams);
    jsonw_end(w);
}

static enum req_result diagnostics(struct req *r)
{
    struct api *a = api_of(r);
    struct pv_err err = { 0 };
    struct jsonw *w = reply_json(r, 200);

    reply_header(r, "Content-Disposition", "attachment; filename=\"polyvisor-diagnostics.json\"");
    jsonw_object(w, NULL);
    jsonw_str(w, "version", PV_VERSION);
    jsonw_time(w, "made_at", clock_wall_ms());
    jsonw_time(w, "started_at", a->started_ms);
    write_machine(w);
    jsonw_object(w, "database");
    jsonw_u64(w, "size_bytes", store_size_bytes(a->store));
    jsonw_end(w);
    jsonw_object(w, "settings");
    settings_write(w, a);
    jsonw_end(w);
    write_net(w, a);
    jsonw_object(w, "drivers");
    if (core_drivers_json(a->core, NULL, w, &err) != PV_OK)
        return reply_problem(r, &err);
    jsonw_end(w);
    if (write_providers(r, w, &err) != PV_OK)
        return reply_problem(r, &err);
    jsonw_end(w);
    return reply_send(r);
}

static const struct model_param nothing[] = { { 0 } };

const struct route upkeep_routes[] = {
    { .method = "GET", .pattern = API_BASE "/backups", .permission = PERM_SYSTEM_MANAGE, .handler = backups,
      .answer = ANSWER_JSON, .schema = "Backups", .doc = "Copies of the database that are on the server, the newest first." },
    { .method = "POST", .pattern = API_BASE "/backups", .permission = PERM_SYSTEM_MANAGE, .handler = backup_make,
      .answer = ANSWER_JSON, .schema = "Backup", .flags = ROUTE_CREATES, .body = nothing, .statuses = "422 507",
      .doc = "Copy the database, as of one moment, while everything goes on. Secrets in it stay sealed: keep the key file, too." },
    { .method = "GET", .pattern = API_BASE "/backups/{name}", .permission = PERM_SYSTEM_MANAGE, .handler = backup_get,
      .answer = ANSWER_FILE, .statuses = "404", .doc = "The file of a copy." },
    { .method = "DELETE", .pattern = API_BASE "/backups/{name}", .permission = PERM_SYSTEM_MANAGE,
      .handler = backup_delete, .answer = ANSWER_NONE, .statuses = "404", .doc = "Delete a copy." },
    { .method = "GET", .pattern = API_BASE "/settings/certificate", .permission = PERM_SYSTEM_MANAGE,
      .handler = certificate, .answer = ANSWER_JSON, .schema = "ServerCertificate",
      .doc = "The certificate that this server shows." },
    { .method = "GET", .pattern = API_BASE "/diagnostics", .permission = PERM_SYSTEM_MANAGE, .handler = diagnostics,
      .answer = ANSWER_JSON, .schema = "Anything",
      .doc = "What helps to find a fault: versions, states, times. No secrets, no addresses, nothing of the inventory." },
    { 0 },
};
