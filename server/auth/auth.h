/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth - who may do what: first sign-in, passwords, logins, tokens, roles, sealed secrets, audit.
 *
 * Passwords are scrypt (N 2^17, r 8, p 1), computed by at most two threads at
 * a time, so callers run auth_login on a worker, never on an HTTP thread.
 * Logins and tokens are looked up in a small cache in memory and then in
 * storage; a change of rights takes effect at once (access_version).
 *
 * Threads: any. No function blocks on more than storage, but those marked slow.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include <polyvisor/id.h>
#include <polyvisor/model.h>

struct auth;
struct pv_err;
struct store;
struct store_tx;

struct auth_config {
    struct store *store;
    const char *key_path;       /* master key file, made (0400) when it is missing */
    int rate_per_s;             /* requests per second of one caller; 0: no limit */
    int rate_burst;
};

int auth_start(const struct auth_config *config, struct auth **out, struct pv_err *err);
void auth_stop(struct auth *a);

/* While there is no administrator: the code that makes one ("XXXX-XXXX-XXXX"); NULL afterwards. */
const char *auth_setup_code(struct auth *a);
/* Makes the first administrator. setup_code NULL: unattended (POLYVISOR_ADMIN_PASSWORD_FILE), does nothing when there
 * is one already. slow. Problems: setup-done, validation-failed, unauthenticated (wrong code; throttled). */
int auth_setup(struct auth *a, const char *setup_code, const char *address, const char *username,
               const char *password, struct pv_err *err);

struct auth_identity {
    enum pv_actor_type type;    /* USER or TOKEN */
    struct pv_id id, user;
    char name[129];
    bool limited;               /* a token with grants of its own */
    bool by_cookie;
    uint8_t login_hash[32];
    char csrf[44];              /* by_cookie */
    char rate_key[48];
};
#define AUTH_CHALLENGE 80
/* Sign in by password and, for who has one, the code of the second factor (may be NULL). slow. *cookie: value for
 * __Host-polyvisor (43 characters). Throttled per account and address: rate-limited, err->retry_s says for how long.
 * Unknown users cost the same time. mfa-required: the password was right and the code is missing; challenge says so to
 * auth_login_second for five minutes. */
int auth_login(struct auth *a, const char *username, const char *password, const char *code, const char *address,
               const char *agent, char challenge[AUTH_CHALLENGE], char cookie[44], struct auth_identity *out,
               struct pv_err *err);
int auth_login_second(struct auth *a, const char *challenge, const char *code, const char *address, const char *agent,
                      char cookie[44], struct auth_identity *out, struct pv_err *err);
/* Ends all logins of a user but one (may be NULL). */
int auth_logout_all(struct auth *a, const struct pv_id *user, const uint8_t *but, struct pv_err *err);
/* How long a login may rest, and last, in ms; kept in storage. 0: as it is. */
int auth_login_times(struct auth *a, int64_t idle_ms, int64_t most_ms, struct pv_err *err);
void auth_login_times_get(struct auth *a, int64_t *idle_ms, int64_t *most_ms);

/* The second factor: a key for an authenticator app, in use once its first code has come. slow where a password is
 * checked; throttled like sign-ins. Every code counts once. */
#define AUTH_TOTP_SECRET 33
#define AUTH_RECOVERY_CODES 10
#define AUTH_RECOVERY_TEXT 12   /* "ABCDE-FGHJK" */
int auth_totp_start(struct auth *a, const struct pv_id *user, const char *password, const char *address,
                    char secret[AUTH_TOTP_SECRET], struct pv_err *err);
int auth_totp_confirm(struct auth *a, const struct pv_id *user, const char *code, const char *address,
                      char codes[AUTH_RECOVERY_CODES][AUTH_RECOVERY_TEXT], struct pv_err *err);
int auth_totp_codes(struct auth *a, const struct pv_id *user, const char *password, const char *code,
                    const char *address, char codes[AUTH_RECOVERY_CODES][AUTH_RECOVERY_TEXT], struct pv_err *err);
int auth_totp_remove(struct auth *a, const struct pv_id *user, const char *password, const char *code,
                     const char *address, struct pv_err *err);
/* For who manages access: the user lost the device. */
int auth_totp_reset(struct auth *a, const struct pv_id *user, struct pv_err *err);
int auth_totp_left(struct auth *a, const struct pv_id *user, unsigned *left, struct pv_err *err);
int auth_logout(struct auth *a, const uint8_t login_hash[32], struct pv_err *err);
/* From the Authorization header's value, else the cookie's value (either may be NULL). unauthenticated otherwise.
 * forbidden: the token may not be used from this address. What the caller may: access_get. */
int auth_identify(struct auth *a, const char *authorization, const char *cookie, const char *address,
                  struct auth_identity *out, struct pv_err *err);
/* Grows whenever a user, login or token of this server changes; whoever lets somebody in for long then asks whether
 * that sign-in lasts. */
uint64_t auth_generation(struct auth *a);
bool auth_lasts(struct auth *a, const struct auth_identity *who);
/* What a caller may ask, and has left of it: at most `burst` at once, all of it again after window_s. */
struct auth_quota {
    unsigned burst, window_s;   /* burst 0: as much as one likes */
    unsigned left, full_s;      /* left now; all of it in full_s */
    unsigned retry_s;           /* when rate-limited */
};
/* Token bucket, always fills *out. monitor: whoever may do nothing but look at health may ask more often. */
int auth_rate(struct auth *a, const struct auth_identity *who, bool monitor, struct auth_quota *out, struct pv_err *err);

/* Users, groups, roles, grants, tokens: rows of the model's kinds. A user's role is short for a grant of that built-in
 * role on everything; NONE: the user has no such grant, and may nothing until granted something. Rules: names 1-128 without control bytes,
 * passwords 12-128 characters and not among the most common ones; the last administrator cannot be deleted, disabled
 * or made less. slow where a password is hashed. */
int auth_user_create(struct auth *a, const char *name, const char *full_name, const char *password,
                     enum pv_role role, struct pv_id *out, struct pv_err *err);
/* NULL leaves as it is. role, enabled -1: as it is; a role takes the place of all direct grants on everything. A new
 * password or role ends the user's logins. */
int auth_user_change(struct auth *a, const struct pv_id *user, const char *full_name, const char *password,
                     int role, int enabled, struct pv_err *err);
int auth_user_delete(struct auth *a, const struct pv_id *user, struct pv_err *err);
/* Checks the present password first. slow. */
int auth_password_change(struct auth *a, const struct pv_id *user, const char *old_password,
                         const char *new_password, struct pv_err *err);
/* Bodies as the API takes them (checked against its tables). Problems: name-taken, validation-failed, conflict (a
 * built-in role; one that is granted), limit-exceeded. Members of groups by id or name. */
int auth_group_create(struct auth *a, const json_t *body, struct pv_id *out, struct pv_err *err);
int auth_group_change(struct auth *a, const struct pv_id *group, const json_t *patch, struct pv_err *err);
int auth_group_delete(struct auth *a, const struct pv_id *group, struct pv_err *err);
int auth_role_create(struct auth *a, const json_t *body, struct pv_id *out, struct pv_err *err);
int auth_role_change(struct auth *a, const struct pv_id *role, const json_t *patch, struct pv_err *err);
int auth_role_delete(struct auth *a, const struct pv_id *role, struct pv_err *err);
int auth_grant_create(struct auth *a, const json_t *body, struct pv_id *out, struct pv_err *err);
int auth_grant_change(struct auth *a, const struct pv_id *grant, const json_t *patch, struct pv_err *err);
int auth_grant_delete(struct auth *a, const struct pv_id *grant, struct pv_err *err);
/* {type, folder, provider, selector, object} into a row of grants. */
struct model_row;
int auth_scope_take(struct auth *a, struct model_row *row, const json_t *scope, struct pv_err *err);

struct auth_token_wish {
    struct pv_id user;          /* its owner */
    const char *name;
    const char *role;           /* id or name; NULL with a scope: all that the owner may, there */
    const json_t *scope;        /* NULL: everywhere */
    const json_t *networks;     /* texts; NULL: from anywhere */
    int64_t expires_ms;         /* 0: in 90 days */
};
/* "pv_<id>_<secret>", shown once. A role or a scope narrows it: a grant of its own. */
int auth_token_create(struct auth *a, const struct auth_token_wish *want, struct pv_id *id, char token[96],
                      struct pv_err *err);
int auth_token_delete(struct auth *a, const struct pv_id *token, struct pv_err *err);

/* Secrets at rest: AES-256-GCM, bound to kind, row and field; text form "v1:...". Owned results; wipe with
 * auth_wipe_free. */
int auth_seal(struct auth *a, enum pv_kind kind, const struct pv_id *row, unsigned field, const char *secret,
              char **sealed, struct pv_err *err);
int auth_open(struct auth *a, enum pv_kind kind, const struct pv_id *row, unsigned field, const char *sealed,
              char **secret, struct pv_err *err);
void auth_wipe_free(char *secret);
/* A stable 32-byte key derived from the master key for this purpose ("cursor", "csrf"). */
void auth_derive_key(struct auth *a, const char *purpose, uint8_t out[32]);

struct audit_entry {
    enum pv_actor_type actor_type;
    const char *actor_id, *actor_name;  /* "" if unknown */
    const char *address, *action, *subject, *request_id;
    enum pv_outcome outcome;
    const char *detail_json;            /* NULL: {} */
    bool dry_run;                       /* only a preview was asked for */
    const char *session;                /* which one of the actor's, as /me/logins begins its id; NULL: none */
};
#define AUDIT_SESSION 17                /* room for the text of one */
/* "" unless it is a session; `login_hash` as in struct auth_identity. */
void audit_session_text(bool by_cookie, const uint8_t login_hash[32], char out[AUDIT_SESSION]);
/* Who makes the next auth_user_*, auth_token_* or auth_password_change of this thread: it then writes its audit record
 * in its own transaction (action "user.create" and so on, subject the id). Copied; holds for one call. */
void audit_as(const struct audit_entry *who);
/* Inside the transaction of the change it records. */
int audit_write(struct store_tx *tx, const struct audit_entry *e, struct pv_err *err);
/* On its own, for refusals and sign-ins; does not wait for the disk. */
int audit_write_later(struct auth *a, const struct audit_entry *e, struct pv_err *err);
/* Walks the chain; *bad_seq: first broken record, 0 if it is whole. */
int audit_verify(struct store *s, uint64_t *checked, uint64_t *bad_seq, struct pv_err *err);
