/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/auth_fixture.h"

#include <sys/stat.h>

TestSuite(auth_vault, .init = fixture_start, .fini = fixture_stop, .timeout = 60);

static char *seal(const struct pv_id *row, const char *secret)
{
    char *sealed = NULL;

    cr_assert_eq(
        auth_seal(auth, PV_KIND_provider, row, F(provider, password), secret, &sealed, &err),
        PV_OK);
    return sealed;
}

Test(auth_vault, opens_what_it_sealed)
{
    static const char *const secrets[] = { "", "x", "p\xc3\xa4ssword with spaces",
                                           "0123456789012345678901234567890123" };
    struct pv_id row;

    id_make(&row);
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        char *sealed = seal(&row, secrets[i]), *again = seal(&row, secrets[i]), *opened;

        cr_assert_eq(strncmp(sealed, "v1:", 3), 0);
        cr_assert_str_neq(sealed, again, "a nonce of its own each time");
        cr_assert_eq(
            auth_open(auth, PV_KIND_provider, &row, F(provider, password), sealed, &opened, &err),
            PV_OK);
        cr_assert_str_eq(opened, secrets[i]);
        auth_wipe_free(opened);
        free(sealed);
        free(again);
    }
}

Test(auth_vault, a_sealed_value_cannot_be_moved)
{
    struct pv_id row, other;
    char *sealed, *opened = NULL;

    id_make(&row);
    id_make(&other);
    sealed = seal(&row, "secret");
    cr_assert_neq(
        auth_open(auth, PV_KIND_provider, &other, F(provider, password), sealed, &opened, &err),
        PV_OK);
    cr_assert_neq(auth_open(auth, PV_KIND_provider, &row, F(provider, name), sealed, &opened, &err),
                  PV_OK);
    cr_assert_neq(auth_open(auth, PV_KIND_user, &row, F(user, password), sealed, &opened, &err),
                  PV_OK);
    cr_assert_null(opened);
    free(sealed);
}

Test(auth_vault, every_changed_character_is_noticed)
{
    struct pv_id row;
    char *sealed, *opened = NULL;

    id_make(&row);
    sealed = seal(&row, "a secret of 18 by");
    for (size_t i = 0; i < strlen(sealed); i++) {
        char was = sealed[i];

        sealed[i] = was == 'A' ? 'B' : 'A';
        cr_assert_neq(
            auth_open(auth, PV_KIND_provider, &row, F(provider, password), sealed, &opened, &err),
            PV_OK, "character %zu", i);
        sealed[i] = was;
    }
    sealed[10] = 0;
    cr_assert_neq(
        auth_open(auth, PV_KIND_provider, &row, F(provider, password), sealed, &opened, &err),
        PV_OK);
    cr_assert_neq(auth_open(auth, PV_KIND_provider, &row, F(provider, password), "", &opened, &err),
                  PV_OK);
    cr_assert_neq(
        auth_open(auth, PV_KIND_provider, &row, F(provider, password), "v1:", &opened, &err),
        PV_OK);
    free(sealed);
}

Test(auth_vault, the_key_file_is_ours_alone_and_stays)
{
    struct auth_config config = { .store = store, .key_path = key_path };
    uint8_t key[32], again[32], other[32];
    struct auth *second = NULL;
    struct stat st;

    cr_assert_eq(stat(key_path, &st), 0);
    cr_assert_eq(st.st_mode & 0777, 0400);
    auth_derive_key(auth, "cursor", key);
    auth_derive_key(auth, "csrf", other);
    cr_assert_neq(memcmp(key, other, 32), 0);
    auth_stop(auth);
    auth_open_again();
    auth_derive_key(auth, "cursor", again);
    cr_assert_eq(memcmp(key, again, 32), 0);
    chmod(key_path, 0644);
    cr_assert_neq(auth_start(&config, &second, &err), PV_OK, "others may read it");
    chmod(key_path, 0600);
    cr_assert_eq(truncate(key_path, 31), 0);
    cr_assert_neq(auth_start(&config, &second, &err), PV_OK, "it is damaged");
}
