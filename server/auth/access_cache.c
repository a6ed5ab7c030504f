/* SPDX-License-Identifier: Apache-2.0 */
/* Compiled rights, kept until a row that they follow from changes. */
#include "server/auth/access_inside.h"

#include <string.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/err.h>

uint64_t access_version(struct auth *a)
{
    return store_kind_changes(a->store, PV_KIND_grant) + store_kind_changes(a->store, PV_KIND_role) +
           store_kind_changes(a->store, PV_KIND_group) + store_kind_changes(a->store, PV_KIND_folder);
}

bool access_is_current(struct auth *a, const struct access *who)
{
    return who->version == access_version(a) && (!who->until_ms || a->now_ms() < who->until_ms);
}

struct access *access_hold(struct access *who)
{
    atomic_fetch_add(&who->refs, 1);
    return who;
}

void access_put(struct access *who)
{
    if (who && atomic_fetch_sub(&who->refs, 1) == 1)
        access_free(who);
}

static struct kept_access *set_of(struct auth *a, const struct pv_id *principal)
{
    return a->kept[(principal->b[14] << 8 | principal->b[15]) % ACCESS_SETS];
}

static struct access *look_up(struct auth *a, const struct pv_id *principal)
{
    struct kept_access *set = set_of(a, principal);
    struct access *found = NULL;

    pthread_mutex_lock(&a->kept_lock);
    for (size_t i = 0; i < ACCESS_WAYS && !found; i++) {
        struct access *kept = set[i].access;

        if (kept && id_eq(&kept->principal, principal) && access_is_current(a, kept)) {
            found = access_hold(kept);
            set[i].used_ms = a->now_ms();
        }
    }
    pthread_mutex_unlock(&a->kept_lock);
    return found;
}

static void keep(struct auth *a, struct access *who)
{
    struct kept_access *set = set_of(a, &who->principal), *place = &set[0];
    struct access *old;

    pthread_mutex_lock(&a->kept_lock);
    for (size_t i = 0; i < ACCESS_WAYS; i++) {
        if (set[i].access && id_eq(&set[i].access->principal, &who->principal)) {
            place = &set[i];
            break;
        }
        if (set[i].used_ms < place->used_ms)
            place = &set[i];
    }
    old = place->access;
    *place = (struct kept_access){ .access = access_hold(who), .used_ms = a->now_ms() };
    pthread_mutex_unlock(&a->kept_lock);
    access_put(old);
}

static int get(struct auth *a, const struct pv_id *user, const struct pv_id *token, bool limited,
               struct access **out, struct pv_err *err)
{
    struct access *who = look_up(a, token ? token : user);
    int rc = PV_OK;

    if (!who) {
        rc = access_compile(a, user, token, limited, &who, err);
        if (rc == PV_OK)
            keep(a, who);
    }
    if (rc == PV_OK)
        *out = who;
    return rc;
}

int access_get(struct auth *a, const struct auth_identity *who, struct access **out, struct pv_err *err)
{
    return get(a, &who->user, who->type == PV_ACTOR_TYPE_TOKEN ? &who->id : NULL, who->limited, out, err);
}

int access_get_user(struct auth *a, const struct pv_id *user, struct access **out, struct pv_err *err)
{
    struct user u;
    int rc = user_get(a, user, &u, err);

    return rc == PV_OK ? get(a, user, NULL, false, out, err) : rc;
}

int access_get_token(struct auth *a, const struct pv_id *token, struct access **out, struct pv_err *err)
{
    struct token_facts t;
    int rc = token_facts(a, token, &t, err);

    return rc == PV_OK ? get(a, &t.user, token, t.limited, out, err) : rc;
}

void access_cache_free(struct auth *a)
{
    for (size_t i = 0; i < ACCESS_SETS; i++)
        for (size_t k = 0; k < ACCESS_WAYS; k++)
            access_put(a->kept[i][k].access);
}
