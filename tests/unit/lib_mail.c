/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <string.h>

#include <polyvisor/buf.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/mail.h>
#include <polyvisor/syslogc.h>

TestSuite(mail, .timeout = 60);

static void write_mail(struct buf *out, const char *subject, const char *text)
{
    static const char *const to[] = { "a@example.com", "b@example.com" };
    const struct mail_message m = { .from = "polyvisor@example.com",
                                    .to = to,
                                    .nto = 2,
                                    .subject = subject,
                                    .text = text,
                                    .id = "dlv_1",
                                    .time_ms = 0 };

    buf_init(out, 1u << 20);
    mail_write(out, &m);
    buf_char(out, '\0');
    cr_assert(buf_ok(out));
}

Test(mail, a_message_has_its_headers_and_a_text_that_smtp_cannot_mistake)
{
    struct buf out;

    write_mail(&out, "plain words", ".\r\nQUIT\r\n");
    cr_assert(strstr(
        out.data, "From: <polyvisor@example.com>\r\nTo: <a@example.com>,\r\n <b@example.com>\r\n"));
    cr_assert(strstr(out.data, "Subject: plain words\r\n"));
    cr_assert(strstr(out.data, "Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n"));
    cr_assert(strstr(out.data, "Message-ID: <dlv_1@example.com>\r\n"));
    cr_assert(!strstr(out.data, "QUIT"));
    cr_assert(strstr(out.data, "\r\n\r\nLg0KUVVJVA0K\r\n"));
    buf_free(&out);
}

Test(mail, what_is_not_plain_in_a_subject_is_encoded_and_ends_no_line)
{
    struct buf out;

    write_mail(&out, "x\r\nBcc: evil@example.com", "");
    cr_assert(!strstr(out.data, "Bcc:"));
    cr_assert(strstr(out.data, "Subject: =?utf-8?B?"));
    buf_free(&out);
    write_mail(&out,
               "\xd0\xb6\xd0\xb6\xd0\xb6\xd0\xb6\xd0\xb6\xd0\xb6\xd0\xb6\xd0\xb6\xd0\xb6\xd0\xb6"
               "\xd0\xb6\xd0\xb6"
               "\xd0\xb6\xd0\xb6\xd0\xb6\xd0\xb6\xd0\xb6\xd0\xb6\xd0\xb6\xd0\xb6\xd0\xb6\xd0\xb6"
               "\xd0\xb6\xd0\xb6",
               "");
    /* 48 bytes: 44 in the first word, since a character is not cut. */
    cr_assert(strstr(out.data, "?=\r\n =?utf-8?B?0LbQtg==?=\r\n"));
    buf_free(&out);
}

Test(mail, an_address_is_one_address)
{
    static const char *const bad[] = { "",        "nobody",        "@b.c",    "a@",         "a@b@c",
                                       "a b@c.d", "a@b.c\r\nRCPT", "<a@b.c>", "a@b.c,d@e.f" };

    cr_assert(mail_address_ok("first.last+tag@mail.example.com"));
    for (size_t i = 0; i < PV_COUNT(bad); i++)
        cr_assert(!mail_address_ok(bad[i]), "%s", bad[i]);
}

Test(mail, a_line_of_syslog_is_one_line)
{
    const struct syslogc_message m = { .facility = 17,
                                       .severity = 3,
                                       .time_ms = 0,
                                       .host = "a host",
                                       .id = "alert.firing",
                                       .text = "one\ntwo" };
    struct buf out;

    buf_init(&out, 4096);
    syslogc_write(&out, &m);
    buf_char(&out, '\0');
    cr_assert(strncmp(out.data, "<139>1 1970-01-01T00:00:00.000Z ahost polyvisor ", 48) == 0, "%s",
              out.data);
    cr_assert(strstr(out.data, " alert.firing - \xEF\xBB\xBFone two"), "%s", out.data);
    buf_free(&out);
}
