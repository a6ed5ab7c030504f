/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <string.h>

#include <openssl/crypto.h>

#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "server/auth/inside.h"

#define CODE_CHARS 12

static int count(struct store_tx *tx, void *arg, struct pv_err *err)
{
    return user_count_admins(tx, NULL, arg, err);
}

/* Crockford's alphabet: nothing in it looks like something else. 60 bits, used once, throttled. */
static void make_code(char out[16])
{
    static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    uint8_t random[CODE_CHARS];
    size_t n = 0;

    id_random(random, sizeof(random));
    for (size_t i = 0; i < CODE_CHARS; i++) {
        if (i && i % 4 == 0)
            out[n++] = '-';
        out[n++] = alphabet[random[i] & 31];
    }
    out[n] = 0;
    OPENSSL_cleanse(random, sizeof(random));
}

int setup_open(struct auth *a, struct pv_err *err)
{
    size_t admins = 0;
    int rc = store_write(a->store, count, &admins, err);

    if (rc == PV_OK && admins == 0)
        make_code(a->setup_code);
    return rc;
}

const char *auth_setup_code(struct auth *a)
{
    bool open;

    pthread_mutex_lock(&a->setup_lock);
    open = a->setup_code[0] != 0;
    pthread_mutex_unlock(&a->setup_lock);
    return open ? a->setup_code : NULL;
}

/* As typed: case and dashes do not count. */
static bool code_right(struct auth *a, const char *typed)
{
    char plain[CODE_CHARS] = { 0 }, wanted[CODE_CHARS] = { 0 };
    size_t n = 0, w = 0;

    for (; *typed; typed++) {
        if (*typed == '-' || *typed == ' ')
            continue;
        if (n == CODE_CHARS)
            return false;
        plain[n++] = (char)toupper((unsigned char)*typed);
    }
    pthread_mutex_lock(&a->setup_lock);
    for (const char *c = a->setup_code; *c; c++) {
        if (*c != '-')
            wanted[w++] = *c;
    }
    pthread_mutex_unlock(&a->setup_lock);
    return w == CODE_CHARS && n == CODE_CHARS && str_eq_const_time(plain, wanted, CODE_CHARS);
}

struct first {
    struct user user;
    char id[PV_ID_TEXT];
    const char *password_hash;
    int64_t now_ms;
    struct audit_entry audit;
};

static int insert(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct first *f = arg;
    size_t admins = 0;
    int rc = user_count_admins(tx, NULL, &admins, err);

    if (rc == PV_OK && admins > 0)
        return pv_fail_as(err, "setup-done", "there is an administrator already");
    if (rc == PV_OK)
        rc = user_insert(tx, &f->user, "", f->password_hash, f->now_ms, NULL, err);
    return rc == PV_OK ? audit_write(tx, &f->audit, err) : rc;
}

static int make_first(struct auth *a, const char *address, const char *username,
                      const char *password, struct pv_err *err)
{
    struct first f = { .now_ms = a->now_ms() };
    char hash[AUTH_PASSWORD_TEXT];
    int rc = user_check_name(username, err);

    if (rc == PV_OK)
        rc = password_acceptable(password, err);
    if (rc == PV_OK)
        rc = password_hash(a, password, hash, err);
    if (rc != PV_OK)
        return rc;
    id_make(&f.user.id);
    id_text("usr", &f.user.id, f.id);
    str_copy(f.user.name, sizeof(f.user.name), username);
    f.user.role = PV_ROLE_ADMIN;
    f.user.enabled = true;
    f.password_hash = hash;
    f.audit =
        (struct audit_entry){ .actor_type = address ? PV_ACTOR_TYPE_EXTERNAL : PV_ACTOR_TYPE_SYSTEM,
                              .actor_id = "",
                              .actor_name = address ? username : "",
                              .address = address ? address : "",
                              .action = "auth.setup",
                              .subject = f.id,
                              .request_id = "",
                              .outcome = PV_OUTCOME_ALLOWED };
    rc = store_write(a->store, insert, &f, err);
    OPENSSL_cleanse(hash, sizeof(hash));
    if (rc != PV_OK)
        return rc;
    pthread_mutex_lock(&a->setup_lock);
    OPENSSL_cleanse(a->setup_code, sizeof(a->setup_code));
    pthread_mutex_unlock(&a->setup_lock);
    cache_changed(a);
    return PV_OK;
}

int auth_setup(struct auth *a, const char *setup_code, const char *address, const char *username,
               const char *password, struct pv_err *err)
{
    size_t admins = 0;
    int rc = store_write(a->store, count, &admins, err);

    if (rc != PV_OK)
        return rc;
    if (!setup_code)
        return admins ? PV_OK : make_first(a, NULL, username, password, err);
    if (admins)
        return pv_fail_as(err, "setup-done", "there is an administrator already");
    rc = throttle_enter(a, NULL, address, err);
    if (rc != PV_OK)
        return rc;
    if (!code_right(a, setup_code)) {
        rc = pv_fail_as(err, "unauthenticated",
                        "the setup code is another one; the server prints it when it starts");
        pv_err_pointer(err, "/setup_code");
        return rc;
    }
    throttle_take_back(a, NULL, address);
    return make_first(a, address, username, password, err);
}
