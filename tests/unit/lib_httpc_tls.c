/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include <polyvisor/clock.h>

#include "tests/unit/httpc_client.h"

Test(httpc, a_pinned_certificate_is_enough_and_any_other_is_refused_before_the_request,
     .timeout = 30)
{
    static const char wrong[] = "00000000000000000000000000000000000000000000000000000000000000ff";
    struct fixture f;
    struct httpc_config config = { .tls = HTTPC_TLS_PIN, .npins = 1 };
    const char *pins[2] = { wrong, wrong };
    char native[80];

    config.pins = pins;
    start_with(&f, config);
    cr_assert_eq(send_body(&f, "POST", "/echo", "secret", 6), PV_ECERT);
    snprintf(native, sizeof(native), "sha256:%s", f.server.sha256);
    cr_assert_str_eq(f.err.native_code, native);
    cr_assert_not(f.response.sent);
    cr_assert_eq(f.server.requests, 0);
    httpc_free(f.client);

    pins[1] = f.server.sha256;
    config.npins = 2;
    cr_assert_eq(httpc_new(&config, &f.client, &f.err), PV_OK, "%s", f.err.message);
    cr_assert_eq(send_body(&f, "POST", "/echo", "secret", 6), PV_OK, "%s", f.err.message);
    cr_assert_eq(send_body(&f, "POST", "/echo", "secret", 6), PV_OK, "%s", f.err.message);
    cr_assert_eq(f.server.requests, 2);
    stop(&f);
}

static void expect_binding(EVP_PKEY *key, const EVP_MD *hash, const EVP_MD *expected)
{
    struct httpc_config config = { .tls = HTTPC_TLS_INSECURE };
    struct fixture f;
    uint8_t digest[64];
    unsigned len = 0;
    BIO *bio;
    X509 *cert;

    start_with(&f, config);
    test_server_show(&f.server, key, hash);
    cr_assert_eq(ask(&f, "GET", "/echo"), PV_OK, "%s", f.err.message);
    bio = BIO_new_mem_buf(f.server.pem, -1);
    cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    if (expected)
        X509_digest(cert, expected, digest, &len);
    cr_expect_eq(f.response.peer_binding_len, len);
    cr_expect_arr_eq(f.response.peer_binding, digest, len);
    cr_assert_eq(ask(&f, "GET", "/echo"), PV_OK, "%s", f.err.message);
    cr_expect_eq(f.response.peer_binding_len, 0u, "the same connection");
    X509_free(cert);
    BIO_free(bio);
    stop(&f);
}

static EVP_PKEY *make_pss_key(void)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
    EVP_PKEY *key = NULL;

    cr_assert(EVP_PKEY_keygen_init(ctx) == 1 && EVP_PKEY_generate(ctx, &key) == 1);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

Test(httpc, the_channel_binding_is_the_certificates_hash_by_its_own_signature, .timeout = 60)
{
    expect_binding(EVP_EC_gen("P-256"), EVP_sha256(), EVP_sha256());
    expect_binding(EVP_EC_gen("P-384"), EVP_sha384(), EVP_sha384());
    expect_binding(EVP_EC_gen("P-256"), EVP_sha512(), EVP_sha512());
    expect_binding(make_pss_key(), EVP_sha384(), EVP_sha384());
    expect_binding(EVP_EC_gen("P-256"), EVP_sha1(), EVP_sha256());
    expect_binding(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), NULL, NULL);
}

Test(httpc, pins_that_are_none_are_refused, .timeout = 30)
{
    const char *pins[1] = { "abc" };
    struct httpc_config config = { .tls = HTTPC_TLS_PIN, .pins = pins, .npins = 1 };
    struct httpc *client = NULL;

    cr_assert_eq(httpc_new(&config, &client, NULL), PV_EINVAL);
    config.npins = 0;
    cr_assert_eq(httpc_new(&config, &client, NULL), PV_EINVAL);
    cr_assert_null(client);
}

Test(httpc, an_unknown_authority_is_refused_with_the_certificates_digest, .timeout = 30)
{
    struct fixture f;
    struct httpc_config config = { 0 };
    char native[80];

    start(&f);
    httpc_free(f.client);
    cr_assert_eq(httpc_new(&config, &f.client, &f.err), PV_OK);
    cr_assert_eq(send_body(&f, "POST", "/echo", "secret", 6), PV_ECERT);
    snprintf(native, sizeof(native), "sha256:%s", f.server.sha256);
    cr_assert_str_eq(f.err.native_code, native);
    cr_assert_eq(f.server.requests, 0);
    stop(&f);
}

Test(httpc, a_certificate_for_another_name_is_refused, .timeout = 30)
{
    struct fixture f;

    start(&f);
    /* curl resolves every name below "localhost" to this machine by itself. */
    snprintf(f.server.url, sizeof(f.server.url), "https://other.localhost:%u", f.server.port);
    cr_assert_eq(ask(&f, "GET", "/hello"), PV_ECERT, "%s", f.err.message);
    cr_assert_eq(f.server.requests, 0);
    cr_assert_eq(strncmp(f.err.native_code, "sha256:", 7), 0);
    stop(&f);
}

Test(httpc, insecure_asks_nothing, .timeout = 30)
{
    struct fixture f;

    start_with(&f, (struct httpc_config){ .tls = HTTPC_TLS_INSECURE });
    cr_assert_eq(ask(&f, "GET", "/hello"), PV_OK, "%s", f.err.message);
    stop(&f);
}

Test(httpc, plain_http_needs_leave_and_reaches_only_this_machine, .timeout = 30)
{
    struct fixture f;
    struct test_server plain;

    start(&f);
    test_server_start(&plain, answer, false);
    memcpy(f.server.url, plain.url, sizeof(plain.url));
    cr_assert_eq(ask(&f, "GET", "/hello"), PV_EINVAL);
    cr_assert_eq(plain.connections, 0);
    stop(&f);

    start_with(&f, (struct httpc_config){ .allow_http = true, .connect_timeout_ms = 2000 });
    memcpy(f.server.url, plain.url, sizeof(plain.url));
    cr_assert_eq(ask(&f, "GET", "/hello"), PV_OK, "%s", f.err.message);
    /* 192.0.2.0/24 is nobody's (RFC 5737). */
    snprintf(f.server.url, sizeof(f.server.url), "http://192.0.2.1:80");
    cr_assert_eq(ask(&f, "GET", "/hello"), PV_EINVAL, "%s", f.err.message);
    test_server_stop(&plain);
    stop(&f);
}

Test(httpc, a_server_without_tls_is_no_secure_server, .timeout = 30)
{
    struct fixture f;
    struct test_server plain;

    start_with(&f, (struct httpc_config){ .timeout_ms = 3000, .tls = HTTPC_TLS_INSECURE });
    test_server_start(&plain, answer, false);
    snprintf(f.server.url, sizeof(f.server.url), "https://127.0.0.1:%u", plain.port);
    cr_assert_neq(send_body(&f, "POST", "/echo", "secret", 6), PV_OK);
    cr_assert_not(f.response.sent);
    cr_assert_eq(plain.requests, 0);
    test_server_stop(&plain);
    stop(&f);
}

Test(httpc, a_server_shows_its_certificate_without_being_trusted, .timeout = 30)
{
    struct fixture f;
    struct httpc_certificate shown;
    struct test_server plain;

    start(&f);
    cr_assert_eq(httpc_certificate("127.0.0.1", f.server.port, 5000, &shown, &f.err), PV_OK, "%s",
                 f.err.message);
    cr_assert_str_eq(shown.sha256, f.server.sha256);
    cr_assert_str_eq(shown.subject, "CN=Pr\xc3\xbc"
                                    "fling");
    cr_assert_str_eq(shown.issuer, shown.subject);
    cr_assert_not(shown.trusted);
    cr_assert_neq(shown.problem[0], '\0');
    cr_assert_lt(shown.not_before_ms, clock_wall_ms());
    cr_assert_gt(shown.not_after_ms, clock_wall_ms());
    cr_assert_eq(httpc_certificate("127.0.0.1/..", 1, 100, &shown, NULL), PV_EINVAL);
    test_server_start(&plain, answer, false);
    cr_assert_neq(httpc_certificate("127.0.0.1", plain.port, 500, &shown, &f.err), PV_OK);
    test_server_stop(&plain);
    stop(&f);
}

Test(httpc, what_the_server_showed_is_known_after_a_request_over_tls, .timeout = 30)
{
    struct fixture f;
    struct httpc_certificate shown = { .sha256 = "untouched" };

    start(&f);
    cr_assert_not(httpc_peer(f.client, &shown));
    cr_assert_str_eq(shown.sha256, "untouched");
    cr_assert_eq(ask(&f, "GET", "/echo"), PV_OK, "%s", f.err.message);
    cr_assert(httpc_peer(f.client, &shown));
    cr_assert_str_eq(shown.sha256, f.server.sha256);
    cr_assert_gt(shown.not_after_ms, clock_wall_ms());
    stop(&f);
}

Test(httpc, what_is_no_certificate_is_not_read_as_one)
{
    struct httpc_certificate read = { .sha256 = "untouched" };
    static const char *const texts[] = {
        "", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "0\x82\x01"
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        cr_assert_eq(httpc_certificate_read(texts[i], strlen(texts[i]), &read, NULL), PV_EFORMAT);
    cr_assert_str_eq(read.sha256, "untouched");
}
