/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/outgoing.h>

TestSuite(outgoing, .timeout = 60);

static bool v4(const char *text)
{
    struct sockaddr_in in = { .sin_family = AF_INET };

    cr_assert_eq(inet_pton(AF_INET, text, &in.sin_addr), 1);
    return outgoing_address_ok((const struct sockaddr *)&in, sizeof(in));
}

static bool v6(const char *text)
{
    struct sockaddr_in6 in = { .sin6_family = AF_INET6 };

    cr_assert_eq(inet_pton(AF_INET6, text, &in.sin6_addr), 1);
    return outgoing_address_ok((const struct sockaddr *)&in, sizeof(in));
}

Test(outgoing, link_local_and_metadata_addresses_are_refused_in_every_form)
{
    cr_assert(v4("192.0.2.1") && v4("127.0.0.1") && v4("169.253.0.1"));
    cr_assert(!v4("169.254.169.254") && !v4("100.100.100.200"));
    cr_assert(v6("2001:db8::1") && v6("::1") && v6("fd00::1") && v6("::ffff:192.0.2.1"));
    cr_assert(!v6("fe80::1") && !v6("fd00:ec2::254") && !v6("::ffff:169.254.169.254"));
}

Test(outgoing, a_host_is_a_name_or_an_address_and_nothing_else)
{
    static const char *const good[] = { "mail.example.com", "192.0.2.1", "[2001:db8::1]",
                                        "2001:db8::1", "localhost" };
    static const char *const bad[] = { "",
                                       "a b",
                                       "mail.example.com:25",
                                       "user@host",
                                       "host/path",
                                       "-x",
                                       "169.254.1.1",
                                       "[fe80::1]",
                                       "metadata.google.internal",
                                       "a\r\nb" };

    for (size_t i = 0; i < PV_COUNT(good); i++)
        cr_assert_eq(outgoing_check_host(good[i], NULL), PV_OK, "%s", good[i]);
    for (size_t i = 0; i < PV_COUNT(bad); i++)
        cr_assert_eq(outgoing_check_host(bad[i], NULL), PV_EINVAL, "%s", bad[i]);
}

Test(outgoing, plain_http_is_for_this_machine_alone)
{
    static const char *const good[] = { "https://x.example.com/hook?a=b", "http://127.0.0.1:8080/",
                                        "http://localhost/", "http://[::1]:1/" };
    static const char *const bad[] = { "http://example.com/",
                                       "ftp://127.0.0.1/",
                                       "https://",
                                       "https://u:p@example.com/",
                                       "https://169.254.169.254/",
                                       "x.example.com",
                                       "https://a b/",
                                       "http://127.0.0.1.example.com/" };

    for (size_t i = 0; i < PV_COUNT(good); i++)
        cr_assert_eq(outgoing_check_url(good[i], NULL), PV_OK, "%s", good[i]);
    for (size_t i = 0; i < PV_COUNT(bad); i++)
        cr_assert_eq(outgoing_check_url(bad[i], NULL), PV_EINVAL, "%s", bad[i]);
}
