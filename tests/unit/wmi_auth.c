/* SPDX-License-Identifier: Apache-2.0 */
/* NTLMv2 against the published example of [MS-NLMP] 4.2.4, and the encrypted body. */
#include <criterion/criterion.h>

#include <polyvisor/buf.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "drivers/wmi/auth.h"
#include "drivers/wmi/auth_ntlm.h"

static const struct ntlm_account account = { .user = "Domain\\User", .password = "Password" };

/* Server challenge 0123456789abcdef, names "Domain" and "Server", no time: as in the example. */
static size_t make_challenge(uint8_t out[256], bool with_time)
{
    static const uint8_t info[] = {
        2, 0, 12, 0, 'D', 0, 'o', 0, 'm', 0, 'a', 0, 'i', 0, 'n', 0,
        1, 0, 12, 0, 'S', 0, 'e', 0, 'r', 0, 'v', 0, 'e', 0, 'r', 0,
    };
    static const uint8_t time[] = { 7, 0, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8 };
    static const uint8_t server[] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef };
    static const uint8_t flags[] = { 0x33, 0x82, 0x8a, 0xe2 };
    size_t len = 56 + sizeof(info), info_len = sizeof(info) + 4;

    memset(out, 0, 256);
    memcpy(out, "NTLMSSP", 8);
    out[8] = 2;
    memcpy(out + 20, flags, 4);
    memcpy(out + 24, server, 8);
    memcpy(out + 56, info, sizeof(info));
    if (with_time) {
        memcpy(out + len, time, sizeof(time));
        len += sizeof(time);
        info_len += sizeof(time);
    }
    len += 4;
    out[40] = out[42] = (uint8_t)info_len;
    out[44] = 56;
    return len;
}

static void example_chance(struct ntlm_chance *c)
{
    memset(c->client, 0xaa, 8);
    memset(c->session, 0x55, 16);
    c->time = 0;
}

static void expect_hex(const void *data, size_t len, const char *hex, const char *what)
{
    char text[256];

    cr_assert_lt(2 * len, sizeof(text));
    str_hex(data, len, text);
    cr_expect_str_eq(text, hex, "%s: %s", what, text);
}

Test(wmi_auth, ntlm_answers_as_the_published_example_does)
{
    struct ntlm_chance chance;
    struct pv_err err = { 0 };
    uint8_t challenge[256];
    size_t len = make_challenge(challenge, false), at;
    struct ntlm n;
    struct buf out;
    const uint8_t *m;

    example_chance(&chance);
    buf_init(&out, 8192);
    ntlm_begin(&n, &out);
    cr_expect_eq(out.len, 40u);
    buf_reset(&out);
    cr_assert_eq(ntlm_answer(&n, &account, challenge, len, &chance, &out, &err), PV_OK, "%s",
                 err.message);
    m = (const uint8_t *)out.data;
    at = m[24] | (size_t)m[25] << 8;
    expect_hex(m + at, 16, "68cd0ab851e51c96aabc927bebef6a1c", "NTProofStr");
    at = m[16] | (size_t)m[17] << 8;
    expect_hex(m + at, 24, "86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa", "LMv2 response");
    at = m[56] | (size_t)m[57] << 8;
    expect_hex(m + at, 16, "c5dad2544fc9799094ce1ce90bc9d03e", "encrypted session key");
    expect_hex(n.send_key, 16, "4788dc861b4782f35d43fd98fe1a2d39", "signing key");
    buf_free(&out);
}

Test(wmi_auth, ntlm_seals_as_the_published_example_does)
{
    static const char text[] =
        "P\0l\0a\0i\0n\0t\0e\0x\0t"; /* with the last zero of the literal: UTF-16 */
    uint8_t challenge[256], signature[16];
    size_t len = make_challenge(challenge, false);
    struct ntlm_chance chance;
    struct buf out, sealed;
    struct ntlm n;

    example_chance(&chance);
    buf_init(&out, 8192);
    buf_init(&sealed, 8192);
    ntlm_begin(&n, &out);
    cr_assert_eq(ntlm_answer(&n, &account, challenge, len, &chance, &out, NULL), PV_OK);
    ntlm_seal(&n, text, 18, signature, &sealed);
    expect_hex(sealed.data, sealed.len, "54e50165bf1936dc996020c1811b0f06fb5f", "sealed");
    expect_hex(signature, 16, "010000007fb38ec5c55d497600000000", "signature");
    buf_free(&out);
    buf_free(&sealed);
}

Test(wmi_auth, ntlm_opens_what_the_other_side_sealed_and_nothing_that_was_touched)
{
    uint8_t challenge[256], signature[16];
    size_t len = make_challenge(challenge, true);
    struct ntlm_chance chance;
    struct ntlm n, server;
    struct buf out, sealed, clear;

    example_chance(&chance);
    buf_init(&out, 8192);
    buf_init(&sealed, 8192);
    buf_init(&clear, 8192);
    ntlm_begin(&n, &out);
    cr_assert_eq(ntlm_answer(&n, &account, challenge, len, &chance, &out, NULL), PV_OK);
    /* The server has the same keys, the other way round. */
    server = n;
    server.send = n.receive;
    memcpy(server.send_key, n.receive_key, 16);
    for (int i = 0; i < 3; i++) {
        buf_reset(&sealed);
        buf_reset(&clear);
        ntlm_seal(&server, "answer", 6, signature, &sealed);
        cr_expect(ntlm_unseal(&n, signature, sealed.data, sealed.len, &clear));
        cr_expect(clear.len == 6 && memcmp(clear.data, "answer", 6) == 0);
    }
    buf_reset(&sealed);
    ntlm_seal(&server, "answer", 6, signature, &sealed);
    sealed.data[2] ^= 1;
    cr_expect_not(ntlm_unseal(&n, signature, sealed.data, sealed.len, &clear));
    buf_free(&out);
    buf_free(&sealed);
    buf_free(&clear);
}

Test(wmi_auth, a_server_that_tells_the_time_gets_the_mic_and_no_old_answer)
{
    static const uint8_t zero[24];
    uint8_t challenge[256];
    size_t len = make_challenge(challenge, true), at;
    struct buf out;
    struct ntlm n;
    const uint8_t *m;

    buf_init(&out, 8192);
    ntlm_begin(&n, &out);
    buf_reset(&out);
    cr_assert_eq(ntlm_answer(&n, &account, challenge, len, NULL, &out, NULL), PV_OK);
    m = (const uint8_t *)out.data;
    at = m[16] | (size_t)m[17] << 8;
    cr_expect_arr_eq(m + at, zero, 24);
    cr_expect_neq(memcmp(m + 72, zero, 16), 0, "the message integrity code");
    buf_free(&out);
}

Test(wmi_auth, a_challenge_that_is_damaged_or_weak_is_refused)
{
    uint8_t challenge[256];
    size_t len = make_challenge(challenge, true);
    struct buf out;
    struct ntlm n;

    buf_init(&out, 8192);
    ntlm_begin(&n, &out);
    for (size_t i = 0; i < 56; i++)
        cr_expect_eq(ntlm_answer(&n, &account, challenge, i, NULL, &out, NULL), PV_EAUTH, "%zu", i);
    challenge[40] = 0xff;
    challenge[41] = 0x7f;
    cr_expect_eq(ntlm_answer(&n, &account, challenge, len, NULL, &out, NULL), PV_EAUTH);
    len = make_challenge(challenge, true);
    challenge[22] &= (uint8_t)~0x08; /* no extended session security */
    cr_expect_eq(ntlm_answer(&n, &account, challenge, len, NULL, &out, NULL), PV_EAUTH);
    buf_free(&out);
}

static struct buf body_of(const char *sealed, size_t len)
{
    struct buf head, data, out;

    buf_init(&head, 64);
    buf_init(&data, 4096);
    buf_init(&out, 8192);
    buf_text(&head, "0123456789abcdef");
    buf_append(&data, sealed, len);
    multipart_write(&out, "application/HTTP-SPNEGO-session-encrypted", 99, &head, &data);
    buf_free(&head);
    buf_free(&data);
    return out;
}

Test(wmi_auth, an_encrypted_body_reads_back_whatever_the_bytes_are)
{
    static const char bytes[] = "\r\n--Encrypted Boundary\r\n\0\xff--Encrypted Boundary--\r\nx";
    struct buf body = body_of(bytes, sizeof(bytes) - 1);
    struct multipart m;

    cr_assert(multipart_read(body.data, body.len, &m));
    cr_expect_eq(m.clear_len, 99u);
    cr_expect(m.head_len == 16 && memcmp(m.head, "0123456789abcdef", 16) == 0);
    cr_expect(m.sealed_len == sizeof(bytes) - 1 && memcmp(m.sealed, bytes, m.sealed_len) == 0);
    for (size_t i = 0; i < body.len - 2; i++)
        cr_expect_not(multipart_read(body.data, i, &m) && m.sealed_len == sizeof(bytes) - 1, "%zu",
                      i);
    buf_free(&body);
}

Test(wmi_auth, a_boundary_with_a_space_is_read_too)
{
    static const char text[] =
        "-- Encrypted Boundary\r\n\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n"
        "\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=5\r\n"
        "-- Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n"
        "\x02\0\0\0hhsssss-- Encrypted Boundary--\r\n";
    struct multipart m;

    cr_assert(multipart_read(text, sizeof(text) - 1, &m));
    cr_expect(m.head_len == 2 && m.sealed_len == 5 && memcmp(m.sealed, "sssss", 5) == 0);
    cr_expect_not(multipart_read("", 0, &m));
    cr_expect_not(multipart_read("--Encrypted Boundary\r\n", 22, &m));
}
