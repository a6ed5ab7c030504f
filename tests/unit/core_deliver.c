/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <string.h>

#include "server/core/deliver.h"

TestSuite(deliver, .timeout = 60);

/* printf '1767225600.{"a":1}' | openssl dgst -sha256 -hmac 'key of the receiver' */
Test(deliver, a_signature_is_over_the_time_and_the_body)
{
    char one[DELIVER_SIGNATURE], other[DELIVER_SIGNATURE];

    cr_assert(deliver_sign("key of the receiver", 1767225600, "{\"a\":1}", 7, one));
    cr_assert_str_eq(
        one, "t=1767225600,v1=4ddbad80df27eefa7a7763b47e5d5bf5d66f2dc0f8f9274e4a6930343112e896");
    cr_assert(deliver_sign("key of the receiver", 1767225601, "{\"a\":1}", 7, other));
    cr_assert_str_neq(strstr(one, "v1="), strstr(other, "v1="));
    cr_assert(deliver_sign("another key", 1767225600, "{\"a\":1}", 7, other));
    cr_assert_str_neq(one, other);
    cr_assert(deliver_sign("key of the receiver", 1767225600, "{\"a\":2}", 7, other));
    cr_assert_str_neq(one, other);
}

Test(deliver, a_body_says_what_it_is_and_is_refused_when_it_is_too_large)
{
    struct arena *a = arena_new(4096, 1u << 20);
    char *large = malloc(200000);
    struct pv_id id;
    const char *body;

    id_make(&id);
    body = deliver_body(a, &id, "alert.firing", "alert", "{\"x\":1}", 7, "look");
    cr_assert(body && strstr(body, "\"type\":\"alert.firing\"") &&
              strstr(body, "\"alert\":{\"x\":1}") && strstr(body, "\"notes\":\"look\""));
    memset(large, '1', 200000);
    cr_assert_null(deliver_body(a, &id, "test", "x", large, 200000, NULL));
    free(large);
    arena_free(a);
}
