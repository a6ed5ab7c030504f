/* SPDX-License-Identifier: Apache-2.0 */
#include "server/auth/access.h"

#include <stdio.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>
#include <polyvisor/log.h>
#include <polyvisor/str.h>

#include "server/auth/access_inside.h"

#define BIT(permission) (UINT64_C(1) << (permission))

static bool ordinary(int permission)
{
    return permission > PERM_NONE && permission < PERM_COUNT;
}

bool access_anywhere(const struct access *who, int permission)
{
    if (permission == PERM_NONE || permission == PERM_PUBLIC)
        return true;
    if (permission == PERM_EVENT_READ)
        return who->reads;
    return ordinary(permission) && (who->anywhere & BIT(permission));
}

bool access_everywhere(const struct access *who, int permission)
{
    if (permission == PERM_NONE || permission == PERM_PUBLIC)
        return true;
    if (permission == PERM_EVENT_READ)
        return !who->events;
    return ordinary(permission) && (who->everywhere & BIT(permission));
}

const struct store_view *access_view(const struct access *who, int permission)
{
    if (permission == PERM_NONE || permission == PERM_PUBLIC)
        return NULL;
    if (permission == PERM_EVENT_READ)
        return who->events;
    return ordinary(permission) ? who->views[permission] : who->nothing;
}

static bool within(const struct access *who, const struct store_view *view, enum pv_kind kind,
                   const struct pv_id *object)
{
    struct pv_err err = { 0 };
    bool seen = false;

    if (!view)
        return true;
    if (kind == PV_KIND_NONE || (view->n == 0 && !view->actor))
        return false;
    if (store_visible(who->auth->store, view, kind, object, &seen, &err) != PV_OK)
        log_msg(PV_LOG_WARN, "access.failed", "error=\"%s\"", err.message);
    return seen;
}

bool access_may(const struct access *who, int permission, enum pv_kind kind, const struct pv_id *object)
{
    return within(who, access_view(who, permission), kind, object);
}

bool access_sees(const struct access *who, enum pv_kind kind, const struct pv_id *object)
{
    return within(who, who->read.read[kind], kind, object);
}

uint64_t access_permissions_on(const struct access *who, enum pv_kind kind, const struct pv_id *object)
{
    uint64_t bits = who->everywhere;

    for (int p = PERM_NONE + 1; p < PERM_COUNT; p++)
        if (!(bits & BIT(p)) && (who->anywhere & BIT(p)) && access_may(who, p, kind, object))
            bits |= BIT(p);
    return bits | BIT(PERM_NONE);
}

const struct store_access *access_read(const struct access *who)
{
    return who->sees_all ? NULL : &who->read;
}

const struct store_access *access_watch(const struct access *who)
{
    return who->views[PERM_MONITOR_READ] ? &who->watch : NULL;
}

const char *access_tag(const struct access *who)
{
    return who->tag;
}

uint64_t access_permissions(const struct access *who)
{
    return who->anywhere;
}

size_t access_grants(const struct access *who, const struct access_grant **out)
{
    const struct rights *r = who->narrowed ? &who->token : &who->own;

    *out = r->grants;
    return r->n;
}

/* ------------------------------------------------------------------ explaining */

static const struct access_grant *grant_for(const struct access *who, const struct rights *r, int permission,
                                            enum pv_kind kind, const struct pv_id *object)
{
    for (size_t i = 0; i < r->n; i++) {
        struct store_part parts[PV_KIND_MAX + 1];
        struct store_view view = { .parts = parts };
        const struct access_grant *g = &r->grants[i];

        if (!(g->permissions & BIT(permission)))
            continue;
        if (g->scope == PV_ACCESS_SCOPE_EVERYTHING)
            return g;
        if (model_permission_global(permission))
            continue;
        for (size_t k = 0; k < who->nkinds; k++)
            if (r->parts[i * who->nkinds + k].set)
                parts[view.n++] = (struct store_part){ who->kinds[k], r->parts[i * who->nkinds + k].filter };
        if (within(who, &view, kind, object))
            return g;
    }
    return NULL;
}

static void scope_text(const struct access_grant *g, char *out, size_t cap)
{
    char id[PV_ID_TEXT];

    switch (g->scope) {
    case PV_ACCESS_SCOPE_FOLDER:
        model_id_text(PV_KIND_folder, &g->folder, id);
        snprintf(out, cap, "folder %s", id);
        return;
    case PV_ACCESS_SCOPE_PROVIDER:
        model_id_text(PV_KIND_provider, &g->provider, id);
        snprintf(out, cap, "provider %s", id);
        return;
    case PV_ACCESS_SCOPE_SELECTOR:
        snprintf(out, cap, "%.160s", g->selector);
        return;
    case PV_ACCESS_SCOPE_OBJECT:
        snprintf(out, cap, "%s", g->object);
        return;
    case PV_ACCESS_SCOPE_NONE:
    case PV_ACCESS_SCOPE_EVERYTHING:
        break;
    }
    snprintf(out, cap, "everything");
}

/* Why one side does not allow it. */
static void missing(const struct rights *r, int permission, const char *whose, char why[512])
{
    const char *text = model_permission_text(permission);

    for (size_t i = 0; i < r->n; i++) {
        char scope[200];

        if (!(r->grants[i].permissions & BIT(permission)))
            continue;
        scope_text(&r->grants[i], scope, sizeof(scope));
        if (model_permission_global(permission))
            snprintf(why, 512, "no: %s is given by grants on everything alone, and role %s is granted on %s", text,
                     r->grants[i].role_name, scope);
        else
            snprintf(why, 512, "no: %s has %s by role %s on %s, which does not reach this", whose, text,
                     r->grants[i].role_name, scope);
        return;
    }
    snprintf(why, 512, "no: no grant of %s gives %s", whose, text);
}

bool access_explain(const struct access *who, int permission, enum pv_kind kind, const struct pv_id *object,
                    const struct access_grant **by, char why[512])
{
    const struct access_grant *own, *narrow = NULL;
    char scope[200], group[160] = "";

    *by = NULL;
    if (!ordinary(permission)) {
        snprintf(why, 512, "yes: everybody who has signed in may");
        return true;
    }
    own = grant_for(who, &who->own, permission, kind, object);
    if (own && who->narrowed)
        narrow = grant_for(who, &who->token, permission, kind, object);
    if (!own || (who->narrowed && !narrow)) {
        missing(own ? &who->token : &who->own, permission, own ? "the token" : who->narrowed ? "its owner" : "the user",
                why);
        return false;
    }
    *by = who->narrowed ? narrow : own;
    scope_text(own, scope, sizeof(scope));
    if (own->group_name)
        snprintf(group, sizeof(group), " through group %.120s", own->group_name);
    snprintf(why, 512, "yes: role %.60s on %.160s%.150s gives %s%s", own->role_name, scope, group,
             model_permission_text(permission), who->narrowed ? ", and the token does not take it away" : "");
    return true;
}
