/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>

#include <polyvisor/arena.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#include "server/auth/inside.h"

#define ID_CHARS 26
#define TOKEN_CHARS (3 + ID_CHARS + 1 + AUTH_SECRET_TEXT) /* "pv_<id>_<secret>" */

PV_DEFINE_AUTO(arena_free, struct arena *)

void cache_init(struct auth *a)
{
    for (size_t i = 0; i < PV_COUNT(a->cache_lock); i++)
        pthread_mutex_init(&a->cache_lock[i], NULL);
}

void cache_free(struct auth *a)
{
    for (size_t i = 0; i < PV_COUNT(a->cache_lock); i++)
        pthread_mutex_destroy(&a->cache_lock[i]);
}

void cache_changed(struct auth *a)
{
    atomic_fetch_add(&a->generation, 1);
}

static size_t set_of(const uint8_t key[AUTH_HASH])
{
    return ((size_t)key[0] << 8 | key[1]) % CACHE_SETS;
}

static pthread_mutex_t *lock_of(struct auth *a, size_t set)
{
    return &a->cache_lock[set % PV_COUNT(a->cache_lock)];
}

static struct cache_entry *lookup(struct auth *a, const uint8_t key[AUTH_HASH])
{
    struct cache_entry *set = a->cache[set_of(key)];

    for (size_t i = 0; i < CACHE_WAYS; i++) {
        if (memcmp(set[i].key, key, AUTH_HASH) == 0)
            return &set[i];
    }
    return NULL;
}

static bool alive(struct auth *a, const struct cache_entry *e, int64_t now)
{
    return (e->until_ms == 0 || now < e->until_ms) &&
           (!e->who.by_cookie || now - e->used_ms < atomic_load(&a->idle_ms));
}

/* One that is fresh enough to count without asking storage. *write: its use is to be noted there.
 */
static bool cache_get(struct auth *a, const uint8_t key[AUTH_HASH], int64_t now,
                      const char *address, struct auth_identity *out, bool *write, bool *allowed)
{
    pthread_mutex_t *lock = lock_of(a, set_of(key));
    struct cache_entry *e;
    bool found = false;

    *write = false;
    pthread_mutex_lock(lock);
    e = lookup(a, key);
    if (e && e->generation == atomic_load(&a->generation) && now - e->read_ms < CACHE_FRESH_MS &&
        alive(a, e, now)) {
        found = true;
        e->used_ms = now;
        *write = now - e->written_ms >= USED_EVERY_MS;
        if (*write)
            e->written_ms = now;
        *out = e->who;
        *allowed = network_allowed(e->networks, address);
    }
    pthread_mutex_unlock(lock);
    return found;
}

static void cache_put(struct auth *a, const struct cache_entry *entry)
{
    pthread_mutex_t *lock = lock_of(a, set_of(entry->key));
    struct cache_entry *set = a->cache[set_of(entry->key)], *place;

    pthread_mutex_lock(lock);
    place = lookup(a, entry->key);
    for (size_t i = 0; !place && i < CACHE_WAYS; i++) {
        if (!set[i].read_ms)
            place = &set[i];
    }
    if (!place) {
        place = &set[0];
        for (size_t i = 1; i < CACHE_WAYS; i++) {
            if (set[i].used_ms < place->used_ms)
                place = &set[i];
        }
    }
    *place = *entry;
    pthread_mutex_unlock(lock);
}

/* What storage knows of the last use may be a minute behind what memory knows. */
static void newest_use(struct auth *a, struct cache_entry *entry)
{
    pthread_mutex_t *lock = lock_of(a, set_of(entry->key));
    const struct cache_entry *known;

    pthread_mutex_lock(lock);
    known = lookup(a, entry->key);
    if (known && known->used_ms > entry->used_ms)
        entry->used_ms = known->used_ms;
    if (known && known->written_ms > entry->written_ms)
        entry->written_ms = known->written_ms;
    pthread_mutex_unlock(lock);
}

static int unauthenticated(struct pv_err *err, const char *why)
{
    return pv_fail_as(err, "unauthenticated", "%s", why);
}

static int wrong_network(const char *address, struct pv_err *err)
{
    return pv_fail_as(err, "forbidden", "the token may not be used from %s", address);
}

struct used {
    bool is_login;
    char from[65];
    uint8_t hash[AUTH_HASH];
    struct pv_id token;
    int64_t now_ms;
};

static int note_use(struct store_tx *tx, void *arg, struct pv_err *err)
{
    struct used *u = arg;
    static const uint16_t fields[] = { F(token, last_used_at), F(token, last_used_from) };
    struct model_row *row;

    if (u->is_login)
        return tx_login_used(tx, u->hash, u->now_ms, err);
    row = model_row_new(tx_arena(tx), PV_KIND_token);
    if (!row)
        return pv_fail(err, PV_ENOMEM, "no memory");
    row->id = u->token;
    model_set_number(row, F(token, last_used_at), u->now_ms);
    model_set_text(row, F(token, last_used_from), u->from);
    return tx_row_update(tx, row, fields, PV_COUNT(fields), err);
}

static void free_used(void *arg, int rc, const struct pv_err *err)
{
    (void)rc;
    (void)err;
    free(arg);
}

static void write_use(struct auth *a, const struct auth_identity *who, const char *address,
                      int64_t now)
{
    struct used *u = calloc(1, sizeof(*u));

    if (!u)
        return;
    u->is_login = who->by_cookie;
    u->now_ms = now;
    u->token = who->id;
    str_copy(u->from, sizeof(u->from), address);
    memcpy(u->hash, who->login_hash, AUTH_HASH);
    if (store_write_later(a->store, note_use, u, free_used, NULL) != PV_OK)
        free(u);
}

static int read_owner(struct auth *a, const struct pv_id *user, struct user *out,
                      struct pv_err *err)
{
    int rc = user_get(a, user, out, NULL);

    if (rc == PV_ENOENT || (rc == PV_OK && !out->enabled))
        return unauthenticated(err, "the account is disabled or gone");
    return rc == PV_OK ? PV_OK : pv_fail(err, rc, "the account could not be read");
}

static int read_token_row(struct auth *a, const struct pv_id *id, struct arena *m,
                          struct model_row **row, const char **secret, struct pv_err *err)
{
    const struct model_shape *shape;
    int rc = model_shape_make(model_kind(PV_KIND_token), NULL, MODEL_VIEW_FULL, m, &shape, err);

    if (rc == PV_OK)
        rc = store_row_get(a->store, shape, id, m, row, err);
    if (rc == PV_OK)
        rc = store_secret_get(a->store, PV_KIND_token, id, F(token, secret), m, secret, err);
    return rc;
}

static int read_token(struct auth *a, const char *text, int64_t now, struct cache_entry *e,
                      struct pv_err *err)
{
    PV_AUTO(arena_free_p) struct arena *m = arena_new(8192, 1u << 20);
    uint8_t hash[AUTH_HASH], stored[AUTH_HASH];
    char id_part[PV_ID_TEXT];
    struct model_row *row;
    const char *secret;
    struct pv_id id;
    struct user owner;
    int rc;

    if (!m)
        return pv_fail(err, PV_ENOMEM, "no memory");
    snprintf(id_part, sizeof(id_part), "tok_%.*s", ID_CHARS, text + 3);
    if (!id_parse("tok", id_part, 4 + ID_CHARS, &id))
        return unauthenticated(err, "the token is malformed");
    rc = read_token_row(a, &id, m, &row, &secret, err);
    if (rc == PV_ENOENT)
        return unauthenticated(err, "the token is not known");
    if (rc != PV_OK)
        return rc;
    keys_hash(a, text + 3 + ID_CHARS + 1, AUTH_SECRET_TEXT, hash);
    if (!secret || strlen(secret) != 2 * AUTH_HASH || !str_unhex(secret, 2 * AUTH_HASH, stored) ||
        !str_eq_const_time(hash, stored, AUTH_HASH))
        return unauthenticated(err, "the token is not known");
    e->until_ms = model_number(row, F(token, expires_at));
    if (e->until_ms && now >= e->until_ms)
        return unauthenticated(err, "the token has expired");
    rc = read_owner(a, &model_get(row, F(token, user))->id, &owner, err);
    if (rc != PV_OK)
        return rc;
    e->who.type = PV_ACTOR_TYPE_TOKEN;
    e->who.id = id;
    e->who.user = owner.id;
    e->who.limited = model_number(row, F(token, limited)) != 0;
    if (!str_copy(e->networks, sizeof(e->networks), model_text(row, F(token, networks))))
        return unauthenticated(err, "the token's networks cannot be read");
    str_copy(e->who.name, sizeof(e->who.name), model_text(row, F(token, name)));
    id_text("tok", &id, e->who.rate_key);
    e->written_ms = model_number(row, F(token, last_used_at));
    return PV_OK;
}

static int read_login(struct auth *a, int64_t now, struct cache_entry *e, struct pv_err *err)
{
    struct store_login login;
    struct user user;
    int rc = store_login_get(a->store, e->key, &login, NULL);

    if (rc == PV_ENOENT)
        return unauthenticated(err, "the sign-in has ended");
    if (rc != PV_OK)
        return pv_fail(err, rc, "the sign-in could not be read");
    rc = read_owner(a, &login.user, &user, err);
    if (rc != PV_OK)
        return rc;
    e->until_ms = login.expires_ms;
    e->used_ms = e->written_ms = login.last_used_ms;
    newest_use(a, e);
    e->who.by_cookie = true;
    if (!alive(a, e, now))
        return unauthenticated(err, "the sign-in has ended");
    e->who.type = PV_ACTOR_TYPE_USER;
    e->who.id = e->who.user = user.id;
    str_copy(e->who.name, sizeof(e->who.name), user.name);
    memcpy(e->who.login_hash, e->key, AUTH_HASH);
    str_copy(e->who.csrf, sizeof(e->who.csrf), login.csrf);
    id_text("usr", &user.id, e->who.rate_key);
    return PV_OK;
}

/* What was sent, if it has the right form at all: nothing else is hashed or looked up. */
static const char *token_of(const char *authorization)
{
    if (strncasecmp(authorization, "Bearer ", 7) != 0)
        return NULL;
    authorization += 7;
    authorization += strspn(authorization, " ");
    return strlen(authorization) == TOKEN_CHARS && str_starts(authorization, "pv_") &&
                   authorization[3 + ID_CHARS] == '_'
               ? authorization
               : NULL;
}

int auth_identify(struct auth *a, const char *authorization, const char *cookie,
                  const char *address, struct auth_identity *out, struct pv_err *err)
{
    struct cache_entry e = { .generation = atomic_load(&a->generation) };
    const char *token = NULL;
    int64_t now = a->now_ms();
    bool write, allowed;
    int rc;

    if (authorization) {
        token = token_of(authorization);
        if (!token)
            return unauthenticated(err, "the Authorization header holds no token of this server");
        keys_hash(a, token, TOKEN_CHARS, e.key);
    } else {
        if (!cookie || strlen(cookie) != AUTH_SECRET_TEXT)
            return unauthenticated(err, "sign in first");
        keys_hash(a, cookie, AUTH_SECRET_TEXT, e.key);
    }
    if (cache_get(a, e.key, now, address, out, &write, &allowed)) {
        if (!allowed)
            return wrong_network(address, err);
        if (write)
            write_use(a, out, address, now);
        return PV_OK;
    }
    rc = token ? read_token(a, token, now, &e, err) : read_login(a, now, &e, err);
    if (rc != PV_OK)
        return rc;
    *out = e.who;
    if (!network_allowed(e.networks, address))
        return wrong_network(address, err);
    newest_use(a, &e);
    e.read_ms = e.used_ms = now;
    write = now - e.written_ms >= USED_EVERY_MS;
    if (write)
        e.written_ms = now;
    cache_put(a, &e);
    if (write)
        write_use(a, out, address, now);
    return PV_OK;
}

uint64_t auth_generation(struct auth *a)
{
    return atomic_load(&a->generation);
}

bool auth_lasts(struct auth *a, const struct auth_identity *who)
{
    struct store_login login;
    struct token_facts token;
    struct user owner;

    if (read_owner(a, &who->user, &owner, NULL) != PV_OK)
        return false;
    if (who->type == PV_ACTOR_TYPE_TOKEN)
        return token_facts(a, &who->id, &token, NULL) == PV_OK &&
               (!token.expires_ms || a->now_ms() < token.expires_ms);
    return store_login_get(a->store, who->login_hash, &login, NULL) == PV_OK &&
           a->now_ms() < login.expires_ms;
}
