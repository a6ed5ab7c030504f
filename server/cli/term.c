/* SPDX-License-Identifier: Apache-2.0 */
/* The person in front: questions, progress, styles. Texts and their widths: text.c. */
#include "server/cli/term.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <polyvisor/buf.h>
#include <polyvisor/str.h>

#include "server/cli/cli.h"

size_t term_columns(void)
{
    struct winsize size;
    const char *columns = getenv("COLUMNS");
    uint64_t n;

    if (isatty(STDOUT_FILENO) != 1)
        return 0;
    if (columns && str_u64(columns, strlen(columns), 10000, &n) && n >= 20)
        return (size_t)n;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20)
        return size.ws_col;
    return 80;
}

const char *term_style(enum term_style style)
{
    static const char *const codes[] = { "",         "\033[1m",  "\033[2m",
                                         "\033[32m", "\033[33m", "\033[31m" };

    return codes[style];
}

enum term_style term_style_of(const char *word)
{
    static const struct {
        const char *word;
        enum term_style style;
    } words[] = {
        { "running", STYLE_GOOD },       { "ok", STYLE_GOOD },
        { "connected", STYLE_GOOD },     { "succeeded", STYLE_GOOD },
        { "allowed", STYLE_GOOD },       { "OK", STYLE_GOOD },
        { "warning", STYLE_WARN },       { "degraded", STYLE_WARN },
        { "paused", STYLE_WARN },        { "suspended", STYLE_WARN },
        { "waiting", STYLE_WARN },       { "missing", STYLE_WARN },
        { "WARNING", STYLE_WARN },       { "critical", STYLE_BAD },
        { "failed", STYLE_BAD },         { "error", STYLE_BAD },
        { "lost", STYLE_BAD },           { "disconnected", STYLE_BAD },
        { "not_responding", STYLE_BAD }, { "auth_failed", STYLE_BAD },
        { "denied", STYLE_BAD },         { "cert_changed", STYLE_BAD },
        { "CRITICAL", STYLE_BAD },       { "off", STYLE_DIM },
        { "unknown", STYLE_DIM },        { "gone", STYLE_DIM },
        { "none", STYLE_DIM },
    };

    for (size_t i = 0; i < PV_COUNT(words); i++)
        if (strcmp(words[i].word, word) == 0)
            return words[i].style;
    return STYLE_PLAIN;
}

int term_out_failed(struct pv_err *err)
{
    if (errno != EPIPE)
        return pv_fail_os(err, errno, "writing the answer");
    if (err)
        *err = (struct pv_err){ .rc = PV_EIO };
    return PV_EIO;
}

int term_out(const char *text, size_t len, struct pv_err *err)
{
    return fwrite(text, 1, len, stdout) == len ? PV_OK : term_out_failed(err);
}

/* ------------------------------------------------------------------ notes and questions */

__attribute__((format(printf, 2, 0))) static void say(FILE *to, const char *fmt, va_list ap)
{
    struct buf raw, clean;

    buf_init(&raw, 64u << 10);
    buf_init(&clean, 256u << 10);
    buf_vprintf(&raw, fmt, ap);
    if (raw.data)
        term_clean_lines(&clean, raw.data, raw.len);
    fputs(clean.data ? clean.data : "", to);
    buf_free(&raw);
    buf_free(&clean);
}

void term_note(const struct cli *c, const char *fmt, ...)
{
    va_list ap;

    if (c->quiet)
        return;
    va_start(ap, fmt);
    say(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

bool term_confirm(const struct cli *c, const char *fmt, ...)
{
    char answer[16];
    va_list ap;

    if (!c->in_tty || !c->err_tty)
        return false;
    va_start(ap, fmt);
    say(stderr, fmt, ap);
    va_end(ap);
    fputs(" [y/N] ", stderr);
    (void)fflush(stderr);
    if (!fgets(answer, sizeof(answer), stdin)) {
        fputc('\n', stderr);
        return false;
    }
    return answer[0] == 'y' || answer[0] == 'Y';
}

static struct termios saved;
static volatile sig_atomic_t echo_is_off;

/* Ctrl-C at a password prompt must not leave a terminal without echo. */
static void restore_echo(int number)
{
    if (echo_is_off)
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved);
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

static bool echo_off(void)
{
    struct termios quiet;

    if (tcgetattr(STDIN_FILENO, &saved) != 0)
        return false;
    quiet = saved;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    (void)signal(SIGINT, restore_echo);
    (void)signal(SIGTERM, restore_echo);
    echo_is_off = 1;
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) == 0)
        return true;
    echo_is_off = 0;
    return false;
}

static void echo_on(void)
{
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved);
    echo_is_off = 0;
    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGTERM, SIG_DFL);
    fputc('\n', stderr);
}

int term_ask(const struct cli *c, const char *prompt, bool secret, char **out, struct pv_err *err)
{
    char line[1100];
    bool hidden;

    if (!c->in_tty)
        return pv_fail(err, PV_EINVAL, "%s cannot be asked for: there is no terminal", prompt);
    /* Echo first: who answers the prompt at once must not be seen, nor lose what was typed. */
    hidden = secret && echo_off();
    if (secret && !hidden)
        return pv_fail(err, PV_EIO, "the terminal would show the password");
    fprintf(stderr, "%s: ", prompt);
    (void)fflush(stderr);
    line[0] = '\0';
    if (!fgets(line, sizeof(line), stdin))
        line[0] = '\0';
    if (hidden)
        echo_on();
    line[strcspn(line, "\r\n")] = '\0';
    *out = strdup(line);
    explicit_bzero(line, sizeof(line));
    return *out ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory");
}

/* ------------------------------------------------------------------ progress and Ctrl-C */

#define BAR 20

void term_progress(const struct cli *c, int pct, const char *text)
{
    struct buf clean;
    char bar[BAR + 1];

    if (!c->err_tty || c->quiet)
        return;
    buf_init(&clean, 4096);
    term_clean(&clean, text, strlen(text));
    if (pct >= 0) {
        int full = (pct > 100 ? 100 : pct) * BAR / 100;

        for (int i = 0; i < BAR; i++)
            bar[i] = i < full ? '#' : '.';
        bar[BAR] = '\0';
        fprintf(stderr, "\r\033[K[%s] %3d%% %.*s", bar, pct,
                (int)term_cut(clean.data ? clean.data : "", 50), clean.data ? clean.data : "");
    } else {
        fprintf(stderr, "\r\033[K%.*s", (int)term_cut(clean.data ? clean.data : "", 76),
                clean.data ? clean.data : "");
    }
    (void)fflush(stderr);
    buf_free(&clean);
}

void term_progress_end(const struct cli *c)
{
    if (!c->err_tty || c->quiet)
        return;
    fputs("\r\033[K", stderr);
    (void)fflush(stderr);
}

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

void term_catch_interrupt(bool on)
{
    interrupted = 0;
    (void)signal(SIGINT, on ? on_interrupt : SIG_DFL);
}

bool term_interrupted(void)
{
    return interrupted != 0;
}
