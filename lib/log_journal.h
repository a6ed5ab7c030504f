/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_journal - hand a log entry to journald by its native protocol.
 *
 * One datagram an entry, "NAME=value\n" lines; values must hold no newline,
 * which log.c has seen to. Threads: any.
 */
#pragma once

#include <stdbool.h>

/* Where journald listens (systemd: JOURNAL_NATIVE_PROTOCOL). */
#define JOURNAL_SOCKET "/run/systemd/journal/socket"

/* Is file descriptor `fd` the stream that JOURNAL_STREAM (`device:inode`, may be NULL) names? */
bool journal_is(int fd, const char *journal_stream);
/* A socket (owned) connected to journald at `path`; -1 if there is none. */
int journal_connect(const char *path);
/* false: not sent; the caller writes the entry elsewhere. `priority` as for syslog(3). */
bool journal_send(int fd, int priority, const char *ident, const char *event, const char *message);
