/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second factor of a user: enrolment, codes, recovery codes. The key is
 * sealed; recovery codes are kept as HMACs under the master key, since fifty
 * bits are few for who has a copy of the database. Every code counts once: it
 * is looked at and used up in one transaction.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/hmac.h>

#include <polyvisor/arena.h>
#include <polyvisor/buf.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "server/auth/inside.h"
#include "server/auth/totp.h"

#define RECOVERY_CHARS 10
#define CHALLENGE_MS (5LL * 60 * 1000)
#define CHALLENGE_MAC 16
#define CHALLENGE_RAW (16 + 8 + 8 + CHALLENGE_MAC)

PV_DEFINE_AUTO(arena_free, struct arena *)

/* ------------------------------------------------------------------ recovery codes */

/* As typed: case, dashes and spaces do not count. */
static bool plain_code(const char *typed, char out[RECOVERY_CHARS + 1])
{
    size_t n = 0;

    for (; *typed; typed++) {
        if (*typed == '-' || *typed == ' ')
            continue;
        if (n == RECOVERY_CHARS)
            return false;
        out[n++] = (char)toupper((unsigned char)*typed);
    }
    out[n] = '\0';
    return n == RECOVERY_CHARS;
}

static void recovery_hash(struct auth *a, const struct pv_id *user, const char *plain, char out[65])
{
    uint8_t key[32], data[16 + RECOVERY_CHARS], hash[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    auth_derive_key(a, "recovery", key);
    memcpy(data, user->b, 16);
    memcpy(data + 16, plain, RECOVERY_CHARS);
    if (!HMAC(a->sha256, key, sizeof(key), data, sizeof(data), hash, &n) || n != AUTH_HASH)
        abort(); /* no memory for a few hundred bytes */
    str_hex(hash, AUTH_HASH, out);
    OPENSSL_cleanse(key, sizeof(key));
}

/* Ten codes for people, and the list of the model for storage. */
static const char *make_recovery(struct auth *a, const struct pv_id *user, struct arena *m,
                                 char codes[AUTH_RECOVERY_CODES][AUTH_RECOVERY_TEXT])
{
    static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    const char *list;
    struct buf text;

    buf_init(&text, 4096);
    buf_text(&text, "\n");
    for (size_t i = 0; i < AUTH_RECOVERY_CODES; i++) {
        uint8_t random[RECOVERY_CHARS];
        char plain[RECOVERY_CHARS + 1], hash[65];

        id_random(random, sizeof(random));
        for (size_t k = 0; k < RECOVERY_CHARS; k++)
            plain[k] = alphabet[random[k] & 31];
        plain[RECOVERY_CHARS] = '\0';
        snprintf(codes[i], AUTH_RECOVERY_TEXT, "%.5s-%.5s", plain, plain + 5);
        recovery_hash(a, user, plain, hash);
        buf_printf(&text, "%s\n", hash);
    }
    list = buf_ok(&text) ? arena_text(m, text.data, text.len) : NULL;
    buf_free(&text);
    return list;
}

/* The list without this code; NULL: it is not in it. */
static const char *without(struct arena *m, const char *list, const char *hash)
{
    size_t before;
    const char *at = strstr(list, hash);
    char *copy;

    if (!at)
        return NULL;
    before = (size_t)(at - list);
    copy = arena_alloc(m, strlen(list) + 1);
    if (!copy)
        return NULL;
    memcpy(copy, list, before);
    memcpy(copy + before, at + 65, strlen(at + 65) + 1);
    return strlen(copy) > 1 ? copy : "";
}

/* ------------------------------------------------------------------ a code */

/* With secrets. */
static int load_secrets(struct store_tx *tx, const struct pv_id *user, struct model_row **row, struct pv_err *err)
{
    int rc = tx_rows_get(tx, PV_KIND_user, user, 1, true, tx_arena(tx), row, err);

    return rc == PV_OK && !*row ? pv_fail(err, PV_ENOENT, "there is no such user") : rc;
}

static bool key_of(struct auth *a, const struct model_row *row, unsigned field, uint8_t out[TOTP_KEY])
{
    char *text = NULL;
    bool ok;

    if (!*model_text(row, field) ||
        auth_open(a, PV_KIND_user, &row->id, field, model_text(row, field), &text, NULL) != PV_OK)
        return false;
    ok = totp_key_parse(text, out);
    auth_wipe_free(text);
    return ok;
}

struct check {
    struct auth *a;
    struct pv_id user;
    const char *code;
    bool right;
};

/* One write decides about a code and uses it up: two requests cannot both have it. */
static int check_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct check *c = arg;
    char plain[RECOVERY_CHARS + 1], hash[65];
    uint16_t field = F(user, totp_step);
    uint8_t key[TOTP_KEY];
    struct model_row *row;
    const char *left;
    uint64_t step = 0;
    int rc = load_secrets(tx, &c->user, &row, err);

    c->right = false;
    if (rc != PV_OK || !model_number(row, F(user, mfa)))
        return rc;
    if (key_of(c->a, row, F(user, totp), key) &&
        totp_check(key, c->code, c->a->now_ms(), (uint64_t)model_number(row, F(user, totp_step)), &step)) {
        model_set_number(row, F(user, totp_step), (int64_t)step);
        c->right = true;
    } else if (plain_code(c->code, plain)) {
        recovery_hash(c->a, &c->user, plain, hash);
        left = without(tx_arena(tx), model_text(row, F(user, recovery)), hash);
        if (left) {
            model_set_text(row, F(user, recovery), left);
            field = F(user, recovery);
            c->right = true;
        }
    }
    OPENSSL_cleanse(key, sizeof(key));
    return c->right ? tx_row_update(tx, row, &field, 1, err) : PV_OK;
}

static void second_key(const char *name, char out[160])
{
    snprintf(out, 160, "%.128s second factor", name);
}

int mfa_check(struct auth *a, const struct user *user, const char *code, const char *address, struct pv_err *err)
{
    struct check c = { .a = a, .user = user->id, .code = code };
    char key[160];
    int rc;

    second_key(user->name, key);
    rc = throttle_enter(a, key, address, err);
    if (rc != PV_OK)
        return rc;
    rc = store_write(a->store, check_tx, &c, err);
    if (rc != PV_OK) {
        throttle_take_back(a, key, address);
        return rc;
    }
    if (!c.right)
        return pv_fail_as(err, "unauthenticated", "the code is wrong, or was used already");
    throttle_succeeded(a, key, address);
    return PV_OK;
}

/* ------------------------------------------------------------------ between the two factors */

static void challenge_mac(struct auth *a, const uint8_t *raw, uint8_t out[CHALLENGE_MAC])
{
    uint8_t key[32], hash[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    auth_derive_key(a, "second factor", key);
    if (!HMAC(a->sha256, key, sizeof(key), raw, CHALLENGE_RAW - CHALLENGE_MAC, hash, &n) || n != AUTH_HASH)
        abort();
    memcpy(out, hash, CHALLENGE_MAC);
}

static void put_u64(uint8_t *at, uint64_t v)
{
    for (size_t i = 0; i < 8; i++)
        at[i] = (uint8_t)(v >> (56 - 8 * i));
}

static uint64_t get_u64(const uint8_t *at)
{
    uint64_t v = 0;

    for (size_t i = 0; i < 8; i++)
        v = v << 8 | at[i];
    return v;
}

/* Who has shown his password, until when, and as of which rights: nothing is kept. */
void mfa_challenge(struct auth *a, const struct user *user, char out[AUTH_CHALLENGE])
{
    uint8_t raw[CHALLENGE_RAW];
    struct buf text;

    memcpy(raw, user->id.b, 16);
    put_u64(raw + 16, (uint64_t)(a->now_ms() + CHALLENGE_MS));
    put_u64(raw + 24, user->access_version);
    challenge_mac(a, raw, raw + CHALLENGE_RAW - CHALLENGE_MAC);
    buf_init(&text, AUTH_CHALLENGE);
    str_base64url(&text, raw, sizeof(raw));
    str_copy(out, AUTH_CHALLENGE, buf_ok(&text) ? text.data : "");
    buf_free(&text);
}

int mfa_challenged(struct auth *a, const char *challenge, struct user *out, struct pv_err *err)
{
    uint8_t raw[CHALLENGE_RAW], mac[CHALLENGE_MAC];
    struct pv_id id;
    size_t len = 0;
    int rc;

    if (!str_unbase64url(challenge, strlen(challenge), raw, sizeof(raw), &len) || len != sizeof(raw))
        return pv_fail_as(err, "unauthenticated", "sign in again");
    challenge_mac(a, raw, mac);
    if (!str_eq_const_time(mac, raw + CHALLENGE_RAW - CHALLENGE_MAC, CHALLENGE_MAC) ||
        (uint64_t)a->now_ms() > get_u64(raw + 16))
        return pv_fail_as(err, "unauthenticated", "that took too long; sign in again");
    memcpy(id.b, raw, 16);
    rc = user_get(a, &id, out, NULL);
    if (rc != PV_OK || !out->enabled || out->access_version != get_u64(raw + 24))
        return pv_fail_as(err, "unauthenticated", "the account has changed; sign in again");
    return PV_OK;
}

/* ------------------------------------------------------------------ enrolling */

struct enrol {
    struct auth *a;
    struct pv_id user;
    const char *code; /* confirming */
    const char *sealed, *recovery;
    enum { PUT_PENDING, CONFIRM, NEW_CODES, TAKE_AWAY } what;
    struct audit_note note;
};

static int confirm(struct store_tx *tx, struct enrol *e, struct model_row *row, const struct model_row *secrets,
                   struct pv_err *err)
{
    uint8_t key[TOTP_KEY];
    char text[TOTP_KEY_TEXT], *sealed = NULL;
    uint64_t step = 0;
    bool right;
    int rc;

    if (!key_of(e->a, secrets, F(user, totp_pending), key))
        return pv_fail_as(err, "conflict", "ask for a key first");
    right = totp_check(key, e->code, e->a->now_ms(), 0, &step);
    totp_key_text(key, text);
    OPENSSL_cleanse(key, sizeof(key));
    if (!right) {
        rc = pv_fail(err, PV_EINVAL, "the code is wrong; is the clock of the device right?");
        pv_err_pointer(err, "/code");
        return rc;
    }
    rc = auth_seal(e->a, PV_KIND_user, &row->id, F(user, totp), text, &sealed, err);
    OPENSSL_cleanse(text, sizeof(text));
    if (rc != PV_OK)
        return rc;
    model_set_text(row, F(user, totp), arena_strdup(tx_arena(tx), sealed));
    auth_wipe_free(sealed);
    model_set_text(row, F(user, totp_pending), "");
    model_set_number(row, F(user, totp_step), (int64_t)step);
    model_set_text(row, F(user, recovery), e->recovery);
    model_set_number(row, F(user, mfa), 1);
    return PV_OK;
}

static int enrol_tx(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct enrol *e = arg;
    struct model_row *row, *before, *secrets;
    int rc = row_load(tx, PV_KIND_user, &e->user, &row, &before, err);

    if (rc == PV_OK)
        rc = load_secrets(tx, &e->user, &secrets, err);
    if (rc != PV_OK)
        return rc;
    switch (e->what) {
    case PUT_PENDING:
        if (model_number(row, F(user, mfa)))
            return pv_fail_as(err, "conflict", "a second factor is in use; take it away first");
        model_set_text(row, F(user, totp_pending), e->sealed);
        break;
    case CONFIRM:
        rc = confirm(tx, e, row, secrets, err);
        break;
    case NEW_CODES:
        model_set_text(row, F(user, recovery), e->recovery);
        break;
    case TAKE_AWAY:
        model_set_text(row, F(user, totp), "");
        model_set_text(row, F(user, totp_pending), "");
        model_set_text(row, F(user, recovery), "");
        model_set_number(row, F(user, mfa), 0);
        break;
    }
    return rc == PV_OK ? row_update(tx, row, before, e->a->now_ms(), &e->note, err) : rc;
}

int auth_totp_start(struct auth *a, const struct pv_id *user, const char *password, const char *address,
                    char secret[AUTH_TOTP_SECRET], struct pv_err *err)
{
    struct enrol e = { .a = a, .user = *user, .what = PUT_PENDING };
    char text[TOTP_KEY_TEXT], *sealed = NULL;
    uint8_t key[TOTP_KEY];
    int rc;

    audit_note_take(&e.note, "mfa.start");
    rc = password_right(a, user, password, address, err);
    if (rc != PV_OK)
        return rc;
    totp_key(key);
    totp_key_text(key, text);
    OPENSSL_cleanse(key, sizeof(key));
    rc = auth_seal(a, PV_KIND_user, user, F(user, totp_pending), text, &sealed, err);
    e.sealed = sealed;
    if (rc == PV_OK)
        rc = store_write(a->store, enrol_tx, &e, err);
    if (rc == PV_OK)
        str_copy(secret, AUTH_TOTP_SECRET, text);
    OPENSSL_cleanse(text, sizeof(text));
    auth_wipe_free(sealed);
    return rc;
}

static int with_codes(struct enrol *e, char codes[AUTH_RECOVERY_CODES][AUTH_RECOVERY_TEXT], struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *m = arena_new(4096, 65536);
    int rc;

    if (m)
        e->recovery = make_recovery(e->a, &e->user, m, codes);
    if (!m || !e->recovery)
        return pv_fail(err, PV_ENOMEM, "no memory for recovery codes");
    rc = store_write(e->a->store, enrol_tx, e, err);
    cache_changed(e->a);
    return rc;
}

int auth_totp_confirm(struct auth *a, const struct pv_id *user, const char *code, const char *address,
                      char codes[AUTH_RECOVERY_CODES][AUTH_RECOVERY_TEXT], struct pv_err *err)
{
    struct enrol e = { .a = a, .user = *user, .code = code, .what = CONFIRM };
    struct user u;
    char key[160];
    int rc;

    audit_note_take(&e.note, "mfa.enable");
    rc = user_get(a, user, &u, err);
    if (rc != PV_OK)
        return rc;
    second_key(u.name, key);
    rc = throttle_enter(a, key, address, err);
    if (rc != PV_OK)
        return rc;
    rc = with_codes(&e, codes, err);
    if (rc == PV_OK)
        throttle_succeeded(a, key, address);
    return rc;
}

/* Both factors, for what weakens the second. */
static int both(struct auth *a, const struct pv_id *user, const char *password, const char *code, const char *address,
                struct pv_err *err)
{
    struct user u;
    int rc = user_get(a, user, &u, err);

    if (rc == PV_OK && !u.mfa)
        return pv_fail_as(err, "conflict", "no second factor is in use");
    if (rc == PV_OK)
        rc = password_right(a, user, password, address, err);
    return rc == PV_OK ? mfa_check(a, &u, code, address, err) : rc;
}

int auth_totp_codes(struct auth *a, const struct pv_id *user, const char *password, const char *code,
                    const char *address, char codes[AUTH_RECOVERY_CODES][AUTH_RECOVERY_TEXT], struct pv_err *err)
{
    struct enrol e = { .a = a, .user = *user, .what = NEW_CODES };
    int rc;

    audit_note_take(&e.note, "mfa.recovery_codes");
    rc = both(a, user, password, code, address, err);
    return rc == PV_OK ? with_codes(&e, codes, err) : rc;
}

int auth_totp_remove(struct auth *a, const struct pv_id *user, const char *password, const char *code,
                     const char *address, struct pv_err *err)
{
    struct enrol e = { .a = a, .user = *user, .what = TAKE_AWAY };
    int rc;

    audit_note_take(&e.note, "mfa.disable");
    rc = both(a, user, password, code, address, err);
    return rc == PV_OK ? store_write(a->store, enrol_tx, &e, err) : rc;
}

int auth_totp_reset(struct auth *a, const struct pv_id *user, struct pv_err *err)
{
    struct enrol e = { .a = a, .user = *user, .what = TAKE_AWAY };
    int rc;

    audit_note_take(&e.note, "mfa.reset");
    rc = store_write(a->store, enrol_tx, &e, err);
    cache_changed(a);
    return rc;
}

int auth_totp_left(struct auth *a, const struct pv_id *user, unsigned *left, struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *m = arena_new(4096, 65536);
    const char *list = "";
    int rc;

    if (!m)
        return pv_fail(err, PV_ENOMEM, "no memory");
    rc = store_secret_get(a->store, PV_KIND_user, user, F(user, recovery), m, &list, err);
    if (rc != PV_OK)
        return rc;
    *left = 0;
    for (const char *p = list; *p; p++)
        *left += *p == '\n';
    *left -= *left > 0; /* one more line end than codes */
    return PV_OK;
}
