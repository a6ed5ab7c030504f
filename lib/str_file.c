/* SPDX-License-Identifier: Apache-2.0 */
/* Whole small files of str.h. */
#include <polyvisor/str.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <polyvisor/buf.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/id.h>

#define PIECE 65536u

int str_read_file(const char *path, size_t max, char **out, size_t *len, struct pv_err *err)
{
    PV_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    PV_AUTO(buf_free) struct buf b;
    size_t got;
    char *text;

    /* One byte more than allowed tells a file that is too large from one that fits exactly. */
    buf_init(&b, max < SIZE_MAX / 4 ? max + 1 : max);
    if (fd < 0)
        return pv_fail_os(err, errno, "opening %s", path);
    for (;;) {
        size_t room = b.max - b.len < PIECE ? b.max - b.len : PIECE;
        char *place = buf_reserve(&b, room);
        ssize_t n;

        if (!place)
            return pv_fail(err, PV_ENOMEM, "no memory for %s", path);
        n = room ? read(fd, place, room) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return pv_fail_os(err, errno, "reading %s", path);
        if (n == 0)
            break;
        b.len += (size_t)n;
    }
    if (b.len > max)
        return pv_fail(err, PV_EINVAL, "%s is larger than %zu bytes", path, max);
    got = b.len;
    text = buf_take(&b);
    if (!text)
        return pv_fail(err, PV_ENOMEM, "no memory for %s", path);
    *out = text;
    if (len)
        *len = got;
    return PV_OK;
}

static int write_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = write(fd, data, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        data += n;
        len -= (size_t)n;
    }
    return fsync(fd);
}

/* The new name is safe only when the folder is on the disk too. */
static int sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char folder[PATH_MAX] = ".";
    PV_AUTO_CLOSE int fd = -1;

    if (slash)
        str_copy_n(folder, sizeof(folder), path, slash == path ? 1 : (size_t)(slash - path));
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -1 : fsync(fd);
}

int str_write_file(const char *path, const void *data, size_t len, unsigned mode,
                   struct pv_err *err)
{
    PV_AUTO_CLOSE int fd = -1;
    char beside[PATH_MAX], hex[17];
    uint8_t dice[8];
    int saved;

    id_random(dice, sizeof(dice));
    str_hex(dice, sizeof(dice), hex);
    if (snprintf(beside, sizeof(beside), "%s.%s", path, hex) >= (int)sizeof(beside))
        return pv_fail_os(err, ENAMETOOLONG, "writing %s", path);
    fd = open(beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, (mode_t)mode);
    if (fd < 0)
        return pv_fail_os(err, errno, "creating a file beside %s", path);
    if (write_all(fd, data, len) == 0 && rename(beside, path) == 0) {
        if (sync_folder(path) < 0)
            return pv_fail_os(err, errno, "syncing the folder of %s", path);
        return PV_OK;
    }
    saved = errno;
    unlink(beside);
    return pv_fail_os(err, saved, "writing %s", path);
}
