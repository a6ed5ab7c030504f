/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inside - what the files of auth share; nobody else but auth's tests includes it.
 *
 * Lock order: none of auth's locks is held while storage is called, but
 * sign_in (which orders the counting of failures).
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include <openssl/evp.h>

#include "db/store.h"
#include "server/auth/access.h"
#include "server/auth/auth.h"

#define AUTH_HASH 32
#define AUTH_PASSWORD_TEXT 160 /* "$scrypt$ln=17,r=8,p=1$salt$hash" */
#define AUTH_SECRET_TEXT 43    /* 32 bytes as base64url */
#define AUTH_COST 17           /* scrypt N = 2^17 */
#define AUTH_SCRYPT_AT_ONCE 2
#define AUTH_SCRYPT_QUEUE 16
#define LOGIN_IDLE_MS (30LL * 60 * 1000)
#define LOGIN_MOST_MS (12LL * 60 * 60 * 1000)
#define USED_EVERY_MS 60000 /* last_used_at is written this often at most */
#define CACHE_FRESH_MS 5000 /* another node's changes are seen after this long */
#define CACHE_SETS 1024
#define CACHE_WAYS 4
#define RATE_SETS 512
#define RATE_WAYS 4
#define ACCESS_SETS 64
#define ACCESS_WAYS 4

struct cache_entry {
    uint8_t key[AUTH_HASH]; /* SHA-256 of what was sent; all zero: free */
    struct auth_identity who;
    char networks[768]; /* that it may be used from, as a list of the model */
    uint64_t generation;
    int64_t read_ms;             /* when storage was asked */
    int64_t until_ms;            /* end of a token or login, absolute */
    int64_t used_ms, written_ms; /* last use, and what storage knows of it */
};

struct kept_access {
    struct access *access;
    int64_t used_ms;
};

struct bucket {
    char key[48];
    double tokens;
    int64_t at_ms;
};

struct auth {
    struct auth_config config;
    struct store *store;
    uint8_t master[AUTH_HASH];
    EVP_MD *sha256;
    unsigned cost;           /* scrypt's, as a power of two */
    int64_t (*now_ms)(void); /* wall clock; tests set another */

    pthread_mutex_t scrypt_lock;
    pthread_cond_t scrypt_free;
    unsigned scrypt_running, scrypt_waiting; /* guarded by scrypt_lock */
    atomic_uint scrypt_runs;                 /* ever, for tests */

    atomic_int_fast64_t idle_ms, most_ms; /* of logins */
    pthread_mutex_t sign_in; /* orders reading and writing of failure counts */

    pthread_mutex_t setup_lock;
    char setup_code[16]; /* guarded by setup_lock; "": there is an administrator */

    /* Plus one at each change of users, tokens and logins: entries of before are read again. */
    atomic_uint_fast64_t generation;
    pthread_mutex_t cache_lock[16]; /* by set */
    struct cache_entry cache[CACHE_SETS][CACHE_WAYS];

    pthread_mutex_t kept_lock;
    struct kept_access kept[ACCESS_SETS][ACCESS_WAYS]; /* guarded by kept_lock */

    pthread_mutex_t rate_lock[16];
    struct bucket rates[RATE_SETS][RATE_WAYS];
};

/* keys.c */
int keys_open(struct auth *a, struct pv_err *err);
void keys_hash(const struct auth *a, const void *data, size_t len, uint8_t out[AUTH_HASH]);
/* 32 random bytes as text. */
void keys_secret(char out[AUTH_SECRET_TEXT + 1]);

/* password.c */
/* Length and list of common ones; err->pointer is "/password". */
int password_acceptable(const char *password, struct pv_err *err);
int password_hash(struct auth *a, const char *password, char out[AUTH_PASSWORD_TEXT],
                  struct pv_err *err);
/* One scrypt whatever `stored` is (NULL: an unknown user). *weak: to be hashed anew. rate-limited
 * when too many wait. */
int password_verify(struct auth *a, const char *stored, const char *password, bool *right,
                    bool *weak, struct pv_err *err);
bool password_is_common(const char *password);

/* throttle.c: `user` or `address` may be NULL */
/* Counts an attempt as failed until it is taken back; rate-limited while the last failures are too
 * recent. */
int throttle_enter(struct auth *a, const char *user, const char *address, struct pv_err *err);
/* The attempt was none: it was not even looked at. */
void throttle_take_back(struct auth *a, const char *user, const char *address);
/* Forgets the user's failures and takes the attempt back from the address: who owns one account may
 * not reset the count of his guesses at others. */
void throttle_succeeded(struct auth *a, const char *user, const char *address);

/* identify.c */
void cache_init(struct auth *a);
void cache_free(struct auth *a);
void cache_changed(struct auth *a);

struct audit_note;

/* users.c */
struct user {
    struct pv_id id;
    char name[129];
    enum pv_role role;
    bool enabled, mfa;
    uint64_t access_version;
};
int user_get(struct auth *a, const struct pv_id *id, struct user *out, struct pv_err *err);
int user_find(struct auth *a, const char *name, struct user *out, struct pv_err *err);
/* Inside a transaction: name free, then inserted, with its role as a grant. */
int user_insert(struct store_tx *tx, const struct user *u, const char *full_name,
                const char *password_hash, int64_t now_ms, struct audit_note *note,
                struct pv_err *err);
/* Enabled administrators (granted on everything, for good), not counting `except` (may be NULL). */
int user_count_admins(struct store_tx *tx, const struct pv_id *except, size_t *out,
                      struct pv_err *err);
int user_check_name(const char *name, struct pv_err *err);

/* What the role of a user or token says in short, after its grants have changed; PV_ESTATE when no
 * administrator would be left. */
int user_role_refresh(struct store_tx *tx, const struct pv_id *user, struct pv_err *err);
/* The direct grants on everything become this one; NONE: none. */
int user_role_grant(struct store_tx *tx, const struct pv_id *user, enum pv_role role,
                    int64_t now_ms, struct pv_err *err);

/* token.c */
struct token_facts {
    struct pv_id user;
    bool limited;
    int64_t expires_ms;
};
int token_facts(struct auth *a, const struct pv_id *token, struct token_facts *out,
                struct pv_err *err);

/* networks.c */
bool network_valid(const char *text);
/* An empty list allows every address. */
bool network_allowed(const char *list, const char *address);

/* roles.c */
/* The built-in role's id is the same everywhere. */
void role_id(enum pv_role role, struct pv_id *out);
/* The other way round; NONE: of somebody's making. */
enum pv_role role_of_id(const struct pv_id *id);
/* Built-in roles as rows; grants for users and tokens of a time before there were grants. */
int roles_open(struct auth *a, struct pv_err *err);

/* grants.c */
int grant_insert(struct store_tx *tx, struct model_row *row, int64_t now_ms, struct pv_err *err);
/* All of a user, group or token; field: F(grant, user) ... */
int grants_delete_of(struct store_tx *tx, unsigned field, const struct pv_id *principal,
                     struct pv_err *err);

/* login_times.c */
int login_times_open(struct auth *a, struct pv_err *err);

/* access_cache.c */
void access_cache_free(struct auth *a);

/* rows.c: rows of access, with their audit records */
struct audit_note;
int row_load(struct store_tx *tx, enum pv_kind kind, const struct pv_id *id, struct model_row **row,
             struct model_row **before, struct pv_err *err);
int row_insert(struct store_tx *tx, struct model_row *row, int64_t now_ms, struct audit_note *note,
               struct pv_err *err);
/* Writes what differs from `before`, and secrets that are set. */
int row_update(struct store_tx *tx, struct model_row *row, const struct model_row *before,
               int64_t now_ms, struct audit_note *note, struct pv_err *err);
int row_delete(struct store_tx *tx, const struct model_row *row, struct audit_note *note,
               struct pv_err *err);
/* By "usr_..." or by name. *id is set on success; PV_ENOENT with err->pointer. */
int row_find(struct store *s, enum pv_kind kind, const char *text, const char *pointer,
             struct pv_id *id, struct pv_err *err);

/* mfa.c */
/* Right code, used up; unauthenticated, rate-limited. `address` NULL: it has been asked already. */
int mfa_check(struct auth *a, const struct user *user, const char *code, const char *address,
              struct pv_err *err);
void mfa_challenge(struct auth *a, const struct user *user, char out[AUTH_CHALLENGE]);
int mfa_challenged(struct auth *a, const char *challenge, struct user *out, struct pv_err *err);
/* users.c: the present password, throttled. slow. */
int password_right(struct auth *a, const struct pv_id *user, const char *password,
                   const char *address, struct pv_err *err);

/* setup.c */
int setup_open(struct auth *a, struct pv_err *err);

/* audit.c: the record of the change that this thread is about to make, if audit_as said who makes
 * it. */
struct audit_note {
    bool wanted;
    struct audit_entry entry;
    char actor_id[41], actor_name[257], address[65], request_id[65], subject[41], session[AUDIT_SESSION];
};
void audit_note_take(struct audit_note *n, const char *action);
int audit_note_write(struct store_tx *tx, struct audit_note *n, const char *prefix,
                     const struct pv_id *subject, struct pv_err *err);
/* The same with what the row said before and says now (either may be NULL), secrets left out. */
int audit_note_rows(struct store_tx *tx, struct audit_note *n, const struct model_row *before,
                    const struct model_row *after, struct pv_err *err);
/* Text that the record's hash is over. Arena memory. */
struct model_row;
int audit_hash(const struct model_row *row, const char *prev, char out[65], struct pv_err *err);
