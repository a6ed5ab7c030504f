/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <polyvisor/log.h>

#include "lib/log_journal.h"

static int saved_stderr, pipe_end;
static char line[16384];

static void capture(void)
{
    int ends[2];

    cr_assert_eq(pipe(ends), 0);
    saved_stderr = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    pipe_end = ends[0];
}

/* What was logged since capture(). */
static const char *captured(void)
{
    ssize_t n;

    dup2(saved_stderr, STDERR_FILENO);
    close(saved_stderr);
    n = read(pipe_end, line, sizeof(line) - 1);
    line[n > 0 ? n : 0] = '\0';
    close(pipe_end);
    return line;
}

Test(log, a_line_has_time_level_event_and_text)
{
    capture();
    log_open("test", PV_LOG_INFO);
    log_msg(PV_LOG_WARN, "provider.offline", "provider=%s tries=%d", "esx1", 3);
    captured();
    cr_assert_eq(strlen(line),
                 strlen("2026-01-31T12:00:00.123Z warn provider.offline provider=esx1 tries=3\n"));
    cr_assert_str_eq(line + 24, " warn provider.offline provider=esx1 tries=3\n");
}

Test(log, quieter_levels_are_not_written)
{
    enum log_level level = PV_LOG_ERROR;

    cr_assert(log_level_parse("debug", &level));
    cr_assert_eq(level, PV_LOG_DEBUG);
    cr_assert_not(log_level_parse("loud", &level));
    cr_assert_eq(level, PV_LOG_DEBUG);
    capture();
    log_open("test", PV_LOG_WARN);
    cr_assert(log_enabled(PV_LOG_ERROR));
    cr_assert_not(log_enabled(PV_LOG_INFO));
    log_msg(PV_LOG_INFO, "x.y", "z=1");
    cr_assert_str_empty(captured());
}

Test(log, nobody_can_forge_a_line)
{
    capture();
    log_open("test", PV_LOG_INFO);
    log_msg(PV_LOG_INFO, "login\nfailed", "user=\"%s\"",
            "a\n2026 error forged\r\x1b[31m\x7f\xc2\x85\xff\xc3\xa4");
    captured();
    cr_assert_str_eq(line + 24,
                     " info login failed user=\"a 2026 error forged??[31m????\xc3\xa4\"\n");
}

Test(log, hidden_values_never_appear)
{
    capture();
    log_open("test", PV_LOG_INFO);
    log_hide("hunter2secret");
    log_hide("hunter2");
    log_hide("short");
    log_hide(NULL);
    log_hide("hunter2");
    log_unhide("hunter2");
    log_msg(PV_LOG_INFO, "x", "a=hunter2secret b=hunter2 c=short d=xhunter2secrety");
    log_unhide("hunter2");
    log_unhide("never registered");
    log_msg(PV_LOG_INFO, "x", "b=hunter2");
    log_unhide("hunter2secret");
    captured();
    cr_assert_not_null(strstr(line, "a=*** b=*** c=short d=x***y\n"));
    cr_assert_not_null(strstr(line, "b=hunter2\n"));
    cr_assert_null(strstr(line, "hunter2secret"));
}

Test(log, a_secret_with_line_breaks_is_hidden_too)
{
    capture();
    log_open("test", PV_LOG_INFO);
    log_hide("-----BEGIN\nabcdef\n-----END");
    log_msg(PV_LOG_INFO, "x", "key=%s.", "-----BEGIN\nabcdef\n-----END");
    log_unhide("-----BEGIN\nabcdef\n-----END");
    captured();
    cr_assert_not_null(strstr(line, "key=***.\n"));
}

Test(log, cutting_a_long_line_shows_no_part_of_a_secret)
{
    char secret[1001], longer[3001], filler[9001];

    memset(secret, 'S', 1000);
    secret[1000] = '\0';
    memset(longer, 'L', 3000);
    longer[3000] = '\0';
    memset(filler, 'x', 9000);
    log_open("test", PV_LOG_INFO);
    log_hide(secret);
    log_hide(longer);
    for (size_t at = 2500; at < 9000; at += 500) {
        filler[at] = '\0';
        capture();
        log_msg(PV_LOG_INFO, "x", "%s%s end", filler, secret);
        captured();
        cr_assert_null(strchr(line, 'S'), "at %zu", at);
        cr_assert_leq(strlen(line), 4096);
        cr_assert_eq(line[strlen(line) - 1], '\n');
        capture();
        log_msg(PV_LOG_INFO, "x", "%s%s", filler, longer);
        captured();
        cr_assert_null(strchr(line, 'L'), "at %zu", at);
        filler[at] = 'x';
    }
    log_unhide(secret);
    log_unhide(longer);
}

Test(log, the_journal_is_recognized_by_device_and_inode)
{
    char name[64];
    struct stat st;

    cr_assert_eq(fstat(STDIN_FILENO, &st), 0);
    snprintf(name, sizeof(name), "%llu:%llu", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino);
    cr_assert(journal_is(STDIN_FILENO, name));
    snprintf(name, sizeof(name), "%llu:%llu", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino + 1);
    cr_assert_not(journal_is(STDIN_FILENO, name));
    cr_assert_not(journal_is(STDIN_FILENO, NULL));
    cr_assert_not(journal_is(STDIN_FILENO, "nonsense"));
    cr_assert_not(journal_is(-1, "1:2"));
}

Test(log, journald_gets_one_datagram_with_named_fields)
{
    char folder[] = "/tmp/polyvisor-log-XXXXXX", entry[512];
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int journald = socket(AF_UNIX, SOCK_DGRAM, 0), fd;
    ssize_t n;

    cr_assert_not_null(mkdtemp(folder));
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", folder);
    cr_assert_lt(journal_connect(address.sun_path), 0);
    cr_assert_eq(bind(journald, (struct sockaddr *)&address, sizeof(address)), 0);
    fd = journal_connect(address.sun_path);
    cr_assert_geq(fd, 0);
    cr_assert(journal_send(fd, 4, "polyvisord", "provider.offline", "provider=esx1"));
    n = recv(journald, entry, sizeof(entry) - 1, 0);
    cr_assert_gt(n, 0);
    entry[n] = '\0';
    cr_assert_str_eq(entry,
                     "PRIORITY=4\nSYSLOG_IDENTIFIER=polyvisord\nPOLYVISOR_EVENT=provider.offline\n"
                     "MESSAGE=provider=esx1\n");
    close(journald);
    cr_assert_not(journal_send(fd, 4, "polyvisord", "x", "y"), "journald has gone");
    close(fd);
    unlink(address.sun_path);
    rmdir(folder);
}
