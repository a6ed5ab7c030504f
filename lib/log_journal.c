/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/log_journal.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/str.h>

bool journal_is(int fd, const char *journal_stream)
{
    const char *colon = journal_stream ? strchr(journal_stream, ':') : NULL;
    uint64_t device, inode;
    struct stat st;

    return colon &&
           str_u64(journal_stream, (size_t)(colon - journal_stream), UINT64_MAX, &device) &&
           str_u64(colon + 1, strlen(colon + 1), UINT64_MAX, &inode) && fstat(fd, &st) == 0 &&
           st.st_dev == device && st.st_ino == inode;
}

int journal_connect(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd;

    if (!str_copy(address.sun_path, sizeof(address.sun_path), path))
        return -1;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

bool journal_send(int fd, int priority, const char *ident, const char *event, const char *message)
{
    char entry[8192];
    int len = snprintf(entry, sizeof(entry),
                       "PRIORITY=%d\nSYSLOG_IDENTIFIER=%s\nPOLYVISOR_EVENT=%s\nMESSAGE=%s\n",
                       priority, ident, event, message);

    return len > 0 && len < (int)sizeof(entry) &&
           send(fd, entry, (size_t)len, MSG_NOSIGNAL) == (ssize_t)len;
}
