/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "server/auth/inside.h"

Test(auth_networks, what_is_no_network_is_refused)
{
    static const char *const good[] = { "192.0.2.1", "192.0.2.0/24", "0.0.0.0/0", "2001:db8::/32", "::1", "::/0" };
    static const char *const bad[] = { "", "/", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/-1", "192.0.2/24",
                                       "300.0.0.1", "2001:db8::/129", "example.com", "192.0.2.0/24/8", " 192.0.2.1" };

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        cr_assert(network_valid(good[i]), "%s", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_not(network_valid(bad[i]), "%s", bad[i]);
}

Test(auth_networks, an_address_is_inside_or_not)
{
    cr_assert(network_allowed("", "192.0.2.1"), "no network means every address");
    cr_assert(network_allowed("\n192.0.2.0/25\n", "192.0.2.127"));
    cr_assert_not(network_allowed("\n192.0.2.0/25\n", "192.0.2.128"));
    cr_assert(network_allowed("\n10.0.0.0/8\n192.0.2.1\n", "192.0.2.1"));
    cr_assert(network_allowed("\n192.0.2.0/24\n", "::ffff:192.0.2.9"), "IPv4 written as IPv6");
    cr_assert_not(network_allowed("\n0.0.0.0/0\n", "2001:db8::1"), "every IPv4 address is no IPv6 address");
    cr_assert(network_allowed("\n2001:db8::/33\n", "2001:db8:7fff::1"));
    cr_assert_not(network_allowed("\n2001:db8::/33\n", "2001:db8:8000::1"));
    cr_assert_not(network_allowed("\n192.0.2.0/24\n", "unix"), "what is no address is in no network");
}
