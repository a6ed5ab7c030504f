/* SPDX-License-Identifier: Apache-2.0 */
#include <polyvisor/log.h>

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/clock.h>
#include <polyvisor/str.h>
#include <polyvisor/utf8.h>

#include "lib/log_journal.h"

#define LINE_MOST 4096u   /* of a written line: a pipe takes that much in one piece */
#define RAW_MOST 8192u    /* of formatted text before it is cleaned */
#define SECRET_LEAST 6u   /* shorter ones would blank out innocent text */
#define SECRET_MOST 1024u /* what is compared of a secret */
#define SECRETS_MOST 4096u

struct secret {
    char *text; /* owned; not NUL-terminated beyond `len` */
    size_t len;
    bool is_longer; /* `text` is only its beginning */
    unsigned uses;
};

/* A process has one log. Everything but the atomics is set by log_open, before threads start. */
static struct {
    _Atomic int level;
    int journal; /* socket, or -1 */
    char ident[32];
    pthread_rwlock_t lock;
    struct secret *secrets; /* guarded by lock */
    size_t nsecrets, cap;   /* guarded by lock */
} logger = {
    .level = PV_LOG_INFO,
    .journal = -1,
    .ident = "polyvisor",
    .lock = PTHREAD_RWLOCK_INITIALIZER,
};

static const char *const level_names[] = { "error", "warn", "info", "debug" };

void log_open(const char *ident, enum log_level level)
{
    logger.level = (int)level;
    str_copy(logger.ident, sizeof(logger.ident), ident);
    if (logger.journal >= 0)
        close(logger.journal);
    logger.journal = -1;
    if (journal_is(STDERR_FILENO, getenv("JOURNAL_STREAM")))
        logger.journal = journal_connect(JOURNAL_SOCKET);
}

bool log_level_parse(const char *text, enum log_level *out)
{
    for (size_t i = 0; i < PV_COUNT(level_names); i++) {
        if (str_eq(text, level_names[i])) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

const char *log_level_text(enum log_level level)
{
    return level_names[level];
}

void log_level_set(enum log_level level)
{
    logger.level = (int)level;
}

enum log_level log_level_get(void)
{
    return (enum log_level)logger.level;
}

bool log_enabled(enum log_level level)
{
    return (int)level <= logger.level;
}

/* The hidden secret that `text` begins with, or NULL. Under the lock. */
static const struct secret *secret_at(const char *text, size_t len)
{
    const struct secret *best = NULL;

    for (size_t i = 0; i < logger.nsecrets; i++) {
        const struct secret *s = &logger.secrets[i];

        if (s->len <= len && s->text[0] == text[0] && memcmp(s->text, text, s->len) == 0 &&
            (!best || s->len > best->len))
            best = s;
    }
    return best;
}

/* Length of the character at `text` that may be shown as it is, or 0. Control bytes and the C1
 * range could steer a terminal or end the line. */
static size_t harmless(const char *text, size_t len)
{
    unsigned char c = (unsigned char)text[0];
    size_t n = utf8_length(text, len);

    if (n == 1 && (c < 0x20 || c == 0x7f))
        return 0;
    if (n == 2 && c == 0xc2 && (unsigned char)text[1] < 0xa0)
        return 0;
    return n;
}

/* `raw` without secrets and control bytes, at most cap - 1 bytes. */
static void clean(char *out, size_t cap, const char *raw, size_t len, size_t show)
{
    size_t at = 0;

    pthread_rwlock_rdlock(&logger.lock);
    for (size_t i = 0; i < show;) {
        const struct secret *s = secret_at(raw + i, len - i);
        size_t n = harmless(raw + i, len - i);

        if (at + 4 >= cap)
            break;
        if (s) {
            memcpy(out + at, "***", 3);
            at += 3;
            i = s->is_longer ? show : i + s->len;
        } else if (n > 0) {
            memcpy(out + at, raw + i, n);
            at += n;
            i += n;
        } else {
            out[at++] = raw[i] == '\n' || raw[i] == '\t' ? ' ' : '?';
            i++;
        }
    }
    pthread_rwlock_unlock(&logger.lock);
    out[at] = '\0';
}

static void write_line(enum log_level level, const char *what, const char *text)
{
    static const int priorities[] = { 3, 4, 6, 7 };
    char stamp[CLOCK_TEXT_LEN], line[LINE_MOST];
    const char *rest = line;
    int len;

    if (logger.journal >= 0 &&
        journal_send(logger.journal, priorities[level], logger.ident, what, text))
        return;
    clock_text(clock_wall_ms(), stamp);
    len = snprintf(line, sizeof(line), "%s %s %s%s%s\n", stamp, level_names[level], what,
                   text[0] ? " " : "", text);
    if (len < 0)
        return;
    if (len >= (int)sizeof(line)) {
        size_t end = utf8_cut(line, sizeof(line), sizeof(line) - 2);

        line[end] = '\n';
        len = (int)end + 1;
    }
    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, rest, (size_t)len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        rest += n;
        len -= (int)n;
    }
}

void log_msg(enum log_level level, const char *what, const char *fmt, ...)
{
    char raw[RAW_MOST], text[LINE_MOST], name[128];
    size_t len, show;
    va_list ap;
    int n;

    if (!log_enabled(level))
        return;
    va_start(ap, fmt);
    n = vsnprintf(raw, sizeof(raw), fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    len = show = (size_t)n;
    if (len >= sizeof(raw)) {
        /* Half a secret at the cut would not be recognized: show nothing of where one could begin.
         */
        len = sizeof(raw) - 1;
        show = len - SECRET_MOST;
    }
    clean(text, sizeof(text), raw, len, show);
    explicit_bzero(raw, len);
    clean(name, sizeof(name), what, strlen(what), strlen(what));
    write_line(level, name, text);
}

static struct secret *find_secret(const char *text, size_t len, bool is_longer)
{
    for (size_t i = 0; i < logger.nsecrets; i++) {
        struct secret *s = &logger.secrets[i];

        if (s->len == len && s->is_longer == is_longer && memcmp(s->text, text, len) == 0)
            return s;
    }
    return NULL;
}

/* Under the lock. */
static bool add_secret(const char *text, size_t len, bool is_longer)
{
    struct secret *s = find_secret(text, len, is_longer);

    if (s) {
        s->uses++;
        return true;
    }
    if (logger.nsecrets == SECRETS_MOST)
        return false;
    if (logger.nsecrets == logger.cap) {
        size_t cap = logger.cap ? logger.cap * 2 : 16;
        struct secret *more = reallocarray(logger.secrets, cap, sizeof(*more));

        if (!more)
            return false;
        logger.secrets = more;
        logger.cap = cap;
    }
    s = &logger.secrets[logger.nsecrets];
    s->text = malloc(len);
    if (!s->text)
        return false;
    memcpy(s->text, text, len);
    s->len = len;
    s->is_longer = is_longer;
    s->uses = 1;
    logger.nsecrets++;
    return true;
}

void log_hide(const char *secret)
{
    size_t len = secret ? strlen(secret) : 0;
    bool is_longer = len > SECRET_MOST, added;

    if (len < SECRET_LEAST)
        return;
    pthread_rwlock_wrlock(&logger.lock);
    added = add_secret(secret, is_longer ? SECRET_MOST : len, is_longer);
    pthread_rwlock_unlock(&logger.lock);
    if (!added)
        log_msg(PV_LOG_WARN, "log.hide", "error=\"no room for one more value to hide\"");
}

void log_unhide(const char *secret)
{
    size_t len = secret ? strlen(secret) : 0;
    bool is_longer = len > SECRET_MOST;
    struct secret *s;

    if (len < SECRET_LEAST)
        return;
    pthread_rwlock_wrlock(&logger.lock);
    s = find_secret(secret, is_longer ? SECRET_MOST : len, is_longer);
    if (s && --s->uses == 0) {
        explicit_bzero(s->text, s->len);
        free(s->text);
        *s = logger.secrets[--logger.nsecrets];
    }
    if (logger.nsecrets == 0) {
        free(logger.secrets);
        logger.secrets = NULL;
        logger.cap = 0;
    }
    pthread_rwlock_unlock(&logger.lock);
}
