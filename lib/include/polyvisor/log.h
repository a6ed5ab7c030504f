/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log - one line per fact, with named values.
 *
 *     log_msg(PV_LOG_WARN, "provider.offline", "provider=%s error=\"%s\"", name, err.message);
 *
 * Text goes to stderr ("2026-01-31T12:00:00.123Z warn provider.offline ..."),
 * or with structured fields to journald when stderr is the journal
 * (JOURNAL_STREAM). Every value is cleaned of control bytes, so nobody can
 * forge a line. Whoever logs never passes a secret; log_hide() registers
 * values that are replaced by *** should one slip through.
 *
 * Threads: any. Libraries log at LOG_DEBUG only; who decides about a failure
 * logs it, once.
 */
#pragma once

#include <stdbool.h>

enum log_level { PV_LOG_ERROR, PV_LOG_WARN, PV_LOG_INFO, PV_LOG_DEBUG };

/* level: the most talkative one that is written. ident: shown as the program's name. */
void log_open(const char *ident, enum log_level level);
/* "error" "warn" "info" "debug"; false if it is none. */
bool log_level_parse(const char *text, enum log_level *out);
const char *log_level_text(enum log_level level);
/* Another level from now on; from any thread. */
void log_level_set(enum log_level level);
enum log_level log_level_get(void);
bool log_enabled(enum log_level level);
/* `what` is a stable dotted name; the rest is key=value text. */
void log_msg(enum log_level level, const char *what, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Never let this text (6 bytes or more) appear in a log line. Copies; log_unhide forgets it. */
void log_hide(const char *secret);
void log_unhide(const char *secret);
