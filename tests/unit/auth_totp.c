/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include <criterion/criterion.h>

#include "server/auth/totp.h"

static const uint8_t rfc_key[] = "12345678901234567890";

Test(auth_totp, the_vectors_of_rfc_4226_come_out)
{
    static const uint32_t codes[] = { 755224, 287082, 359152, 969429, 338314, 254676, 287922, 162583, 399871, 520489 };

    for (uint64_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        uint32_t code = 0;

        cr_assert(totp_code(rfc_key, 20, i, 6, &code));
        cr_assert_eq(code, codes[i], "count %zu: %u", (size_t)i, code);
    }
}

Test(auth_totp, the_vectors_of_rfc_6238_come_out)
{
    static const struct {
        int64_t s;
        uint32_t code;
    } vectors[] = { { 59, 94287082 },         { 1111111109, 7081804 },  { 1111111111, 14050471 },
                    { 1234567890, 89005924 }, { 2000000000, 69279037 }, { 20000000000, 65353130 } };

    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        uint32_t code = 0;

        cr_assert(totp_code(rfc_key, 20, (uint64_t)(vectors[i].s / 30), 8, &code));
        cr_assert_eq(code, vectors[i].code, "at %lld: %u", (long long)vectors[i].s, code);
    }
}

Test(auth_totp, a_code_counts_one_step_around_now_and_once)
{
    const int64_t now = 1111111109LL * 1000; /* code 081804 of step 37037036 */
    uint64_t step = 0;

    cr_assert(totp_check(rfc_key, "081804", now, 0, &step));
    cr_assert_eq(step, 37037036);
    cr_assert(totp_check(rfc_key, "081804", now + 30000, 0, &step), "a slow clock");
    cr_assert(totp_check(rfc_key, "081804", now - 30000, 0, &step), "a fast clock");
    cr_assert_not(totp_check(rfc_key, "081804", now + 90000, 0, &step));
    cr_assert_not(totp_check(rfc_key, "081804", now, 37037036, &step), "it was used");
    cr_assert_not(totp_check(rfc_key, "81804", now, 0, &step));
    cr_assert_not(totp_check(rfc_key, " 81804", now, 0, &step));
    cr_assert_not(totp_check(rfc_key, "+81804", now, 0, &step));
    cr_assert_not(totp_check(rfc_key, "0818040", now, 0, &step));
    cr_assert_not(totp_check(rfc_key, "", now, 0, &step));
}

Test(auth_totp, a_key_survives_its_text)
{
    uint8_t key[TOTP_KEY], again[TOTP_KEY];
    char text[TOTP_KEY_TEXT];

    totp_key_text(rfc_key, text);
    cr_assert_str_eq(text, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    for (int i = 0; i < 100; i++) {
        totp_key(key);
        totp_key_text(key, text);
        cr_assert(totp_key_parse(text, again));
        cr_assert_eq(memcmp(key, again, sizeof(key)), 0);
    }
    cr_assert_not(totp_key_parse("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJ1", again), "1 is none of the letters");
    cr_assert_not(totp_key_parse("GEZDGNBVGY3TQOJQ", again));
}
