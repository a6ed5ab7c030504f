/* SPDX-License-Identifier: Apache-2.0 */
#include "server/net/assets.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/log.h>
#include <polyvisor/str.h>

#include "server/net/inside.h"

#define MAX_FILES 8192
#define MAX_FILE (16u << 20)
#define MAX_TOTAL (96u << 20)
#define MAX_DEPTH 8
#define MAX_PATH 512
#define HASH_LEN 8 /* characters of a hash in a built file's name */

/* A file as it was found; forms are put together afterwards. */
struct file {
    char *path, *data; /* owned */
    size_t len;
};

struct assets {
    struct file *files; /* owned; sorted by path */
    size_t nfiles, cap, total;
    struct asset *table; /* owned; sorted by path */
    size_t n;
};

static const struct {
    const char *ending, *type;
} types[] = {
    { ".html", "text/html; charset=utf-8" },
    { ".js", "text/javascript; charset=utf-8" },
    { ".mjs", "text/javascript; charset=utf-8" },
    { ".css", "text/css; charset=utf-8" },
    { ".json", "application/json" },
    { ".map", "application/json" },
    { ".webmanifest", "application/manifest+json" },
    { ".svg", "image/svg+xml" },
    { ".png", "image/png" },
    { ".ico", "image/x-icon" },
    { ".webp", "image/webp" },
    { ".woff2", "font/woff2" },
    { ".wasm", "application/wasm" },
    { ".txt", "text/plain; charset=utf-8" },
};

static const char *type_of(const char *path)
{
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (str_ends(path, types[i].ending))
            return types[i].type;
    }
    return "application/octet-stream";
}

static bool is_hash_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_';
}

/* "/assets/vms-Bq3_x9Zk.js": the build puts a hash of the content there. */
static bool named_by_hash(const char *path)
{
    const char *name = strrchr(path, '/') + 1;
    size_t stem = strcspn(name, ".");

    if (!str_starts(path, "/assets/") || stem < HASH_LEN + 2 || name[stem - HASH_LEN - 1] != '-')
        return false;
    for (size_t i = stem - HASH_LEN; i < stem; i++) {
        if (!is_hash_char(name[i]))
            return false;
    }
    return true;
}

static void log_left_out(const char *path, const char *why)
{
    log_msg(PV_LOG_WARN, "web.left_out", "path=\"%s\" why=\"%s\"", path, why);
}

static int read_all(int fd, char *data, size_t len, struct pv_err *err)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = read(fd, data + done, len - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return pv_fail_os(err, n < 0 ? errno : EIO, "reading a file of the browser page");
        done += (size_t)n;
    }
    return PV_OK;
}

static struct file *one_more(struct assets *a)
{
    if (a->nfiles == a->cap) {
        size_t cap = a->cap ? 2 * a->cap : 256;
        struct file *grown = realloc(a->files, cap * sizeof(*grown));

        if (!grown)
            return NULL;
        a->files = grown;
        a->cap = cap;
    }
    return &a->files[a->nfiles];
}

static int add_file(struct assets *a, int folder, const char *name, const char *path,
                    struct pv_err *err)
{
    PV_AUTO_CLOSE int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct file *f;
    struct stat st;
    int rc;

    if (fd < 0 || fstat(fd, &st) < 0)
        return pv_fail_os(err, errno, "reading %s of the browser page", path);
    if (!S_ISREG(st.st_mode))
        return PV_OK;
    if (st.st_size > MAX_FILE || a->total + (size_t)st.st_size > MAX_TOTAL || a->nfiles == MAX_FILES) {
        log_left_out(path, "too large");
        return PV_OK;
    }
    f = one_more(a);
    if (!f)
        return pv_fail(err, PV_ENOMEM, "no memory for the browser page");
    *f = (struct file){ .path = strdup(path), .data = malloc((size_t)st.st_size + 1), .len = (size_t)st.st_size };
    a->nfiles++;
    a->total += f->len;
    if (!f->path || !f->data)
        return pv_fail(err, PV_ENOMEM, "no memory for the browser page");
    rc = read_all(fd, f->data, f->len, err);
    return rc == PV_OK ? rc : pv_wrap(err, "%s", path);
}

static void close_folder(DIR **d)
{
    if (*d)
        closedir(*d);
}

/* `fd` is taken. */
static int walk(struct assets *a, int fd, const char *prefix, unsigned depth, struct pv_err *err)
{
    PV_AUTO(close_folder) DIR *d = fdopendir(fd);
    const struct dirent *e;
    int rc = PV_OK;

    if (!d) {
        rc = pv_fail_os(err, errno, "reading the folder of the browser page");
        close(fd);
        return rc;
    }
    while (rc == PV_OK && (e = readdir(d)) != NULL) {
        char path[MAX_PATH];
        struct stat st;

        if (e->d_name[0] == '.')
            continue;
        if ((size_t)snprintf(path, sizeof(path), "%s/%s", prefix, e->d_name) >= sizeof(path) ||
            fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        if (S_ISREG(st.st_mode)) {
            rc = add_file(a, dirfd(d), e->d_name, path, err);
        } else if (S_ISDIR(st.st_mode) && depth < MAX_DEPTH) {
            int below = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

            rc = below < 0 ? pv_fail_os(err, errno, "opening %s of the browser page", path)
                           : walk(a, below, path, depth + 1, err);
        } else {
            log_left_out(path, "neither a file nor a folder");
        }
    }
    return rc;
}

static int files_by_path(const void *a, const void *b)
{
    const struct file *x = a, *y = b;

    return strcmp(x->path, y->path);
}

static int by_path(const void *a, const void *b)
{
    const struct asset *x = a, *y = b;

    return strcmp(x->path, y->path);
}

static const struct file *find_file(const struct assets *a, const char *path)
{
    const struct file key = { .path = (char *)path };

    return bsearch(&key, a->files, a->nfiles, sizeof(key), files_by_path);
}

static void set_form(struct asset *to, enum asset_form form, const struct file *from)
{
    uint8_t hash[32];
    char text[17];

    gnutls_hash_fast(GNUTLS_DIG_SHA256, from->data, from->len, hash);
    str_hex(hash, 8, text);
    to->forms[form].data = from->data;
    to->forms[form].len = from->len;
    snprintf(to->forms[form].etag, sizeof(to->forms[form].etag), "\"%s%s\"", text,
             form == ASSET_BR ? "-br" : form == ASSET_GZ ? "-gz" : "");
}

/* Is this the packed form of another file? */
static bool is_packed(const struct assets *a, const char *path)
{
    char base[MAX_PATH];

    return (str_ends(path, ".br") || str_ends(path, ".gz")) &&
           str_copy_n(base, sizeof(base), path, strlen(path) - 3) && find_file(a, base);
}

static int make_table(struct assets *a, struct pv_err *err)
{
    static const char *const endings[ASSET_FORMS] = { "", ".br", ".gz" };

    qsort(a->files, a->nfiles, sizeof(*a->files), files_by_path);
    a->table = calloc(a->nfiles + 1, sizeof(*a->table));
    if (!a->table)
        return pv_fail(err, PV_ENOMEM, "no memory for the browser page");
    for (size_t i = 0; i < a->nfiles; i++) {
        const char *path = a->files[i].path;
        struct asset *added = &a->table[a->n];

        if (is_packed(a, path))
            continue;
        *added = (struct asset){ .path = path, .type = type_of(path), .for_ever = named_by_hash(path) };
        for (enum asset_form form = 0; form < ASSET_FORMS; form++) {
            char name[MAX_PATH + 4];
            const struct file *f;

            snprintf(name, sizeof(name), "%s%s", path, endings[form]);
            f = find_file(a, name);
            if (f)
                set_form(added, form, f);
        }
        a->n++;
    }
    return PV_OK;
}

int assets_load(const char *folder, struct assets **out, struct pv_err *err)
{
    struct assets *a = calloc(1, sizeof(*a));
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = PV_OK;

    if (!a)
        rc = pv_fail(err, PV_ENOMEM, "no memory for the browser page");
    else if (fd < 0)
        rc = pv_fail(err, PV_ENOENT, "there is no folder %s", folder);
    if (rc != PV_OK) {
        if (fd >= 0)
            close(fd);
        free(a);
        return rc;
    }
    rc = walk(a, fd, "", 0, err);
    if (rc == PV_OK)
        rc = make_table(a, err);
    if (rc == PV_OK && !assets_find(a, "/index.html"))
        rc = pv_fail(err, PV_ENOENT, "there is no index.html in %s", folder);
    if (rc != PV_OK) {
        assets_free(a);
        return rc;
    }
    *out = a;
    return PV_OK;
}

void assets_free(struct assets *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->nfiles; i++) {
        free(a->files[i].path);
        free(a->files[i].data);
    }
    free(a->files);
    free(a->table);
    free(a);
}

const struct asset *assets_find(const struct assets *a, const char *path)
{
    const struct asset key = { .path = path };

    return a->n ? bsearch(&key, a->table, a->n, sizeof(key), by_path) : NULL;
}

size_t assets_count(const struct assets *a)
{
    return a->n;
}
