/* SPDX-License-Identifier: Apache-2.0 */
#include "db/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>

#include "db/sqlite.h"

#define SLOTS 2048u /* a power of two */
#define NAME_MAX_BYTES 63
#define PROVIDERS 16u

/* A free slot is of no kind. Names that are too long are not remembered. */
struct slot {
    uint64_t changes; /* the kind's, when it was read */
    struct pv_id id;
    uint8_t kind;
    bool found;
    char name[NAME_MAX_BYTES + 1];
};

struct provider_slot {
    uint64_t changes;
    struct pv_id id;
    bool used;
    char name[NAME_MAX_BYTES + 1], driver[NAME_MAX_BYTES + 1];
    enum pv_family family;
    bool simulated;
};

struct names {
    uint64_t changes[PV_KIND_MAX + 1];
    struct provider_slot providers[PROVIDERS];
    struct slot slots[SLOTS];
};

_Static_assert(PV_KIND_MAX <= UINT8_MAX, "a slot has a byte for the kind");

struct names *names_new(void)
{
    return calloc(1, sizeof(struct names));
}

void names_free(struct names *n)
{
    free(n);
}

void names_refresh(struct names *n, const _Atomic uint64_t changes[PV_KIND_MAX + 1])
{
    for (size_t i = 0; n && i <= PV_KIND_MAX; i++)
        n->changes[i] = atomic_load_explicit(&changes[i], memory_order_acquire);
}

static int no_memory(struct pv_err *err)
{
    return pv_fail(err, PV_ENOMEM, "no memory for names");
}

static int look_up(struct conn *c, const struct model_kind *kind, const struct pv_id *id,
                   const char *columns, struct stmt **out, bool *found, struct pv_err *err)
{
    char text[160];
    struct sql sql;
    int rc;

    snprintf(text, sizeof(text), "SELECT %s FROM %s WHERE \"id\"=$1", columns, kind->table);
    sql = sql_make(text);
    rc = conn_stmt(c, &sql, out, err);
    if (rc != PV_OK)
        return rc;
    stmt_id(*out, 1, id);
    return stmt_step(*out, found, err);
}

static struct slot *slot_of(struct names *n, const struct pv_id *id)
{
    /* The end of an id is random. */
    return n ? &n->slots[((unsigned)id->b[14] << 8 | id->b[15]) % SLOTS] : NULL;
}

int names_get(struct names *n, struct conn *c, const struct model_kind *kind,
              const struct pv_id *id, struct arena *a, const char **out, struct pv_err *err)
{
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    struct slot *s = slot_of(n, id);
    bool found = false;
    size_t len = 0;
    int rc;

    if (s && s->kind == kind->number && s->changes == n->changes[kind->number] &&
        id_eq(&s->id, id)) {
        *out = s->found ? arena_strdup(a, s->name) : NULL;
        return *out || !s->found ? PV_OK : no_memory(err);
    }
    rc = look_up(c, kind, id, "\"name\"", &st, &found, err);
    if (rc != PV_OK)
        return rc;
    *out = NULL;
    if (found && !col_strdup(st, 0, a, out, &len))
        return no_memory(err);
    if (!s || len > NAME_MAX_BYTES)
        return PV_OK;
    *s = (struct slot){ .changes = n->changes[kind->number],
                        .id = *id,
                        .kind = (uint8_t)kind->number,
                        .found = *out != NULL };
    if (*out)
        memcpy(s->name, *out, len);
    return PV_OK;
}

static bool remembered(const struct names *n, const struct provider_slot *s, const struct pv_id *id)
{
    return s && s->used && s->changes == n->changes[PV_KIND_provider] && id_eq(&s->id, id);
}

static void remember(const struct names *n, struct provider_slot *s, const struct model_provider *p)
{
    size_t name = strlen(p->name), driver = strlen(p->driver);

    if (!s || name > NAME_MAX_BYTES || driver > NAME_MAX_BYTES)
        return;
    *s = (struct provider_slot){ .changes = n->changes[PV_KIND_provider],
                                 .id = p->id,
                                 .used = true,
                                 .family = p->family,
                                 .simulated = p->simulated };
    memcpy(s->name, p->name, name);
    memcpy(s->driver, p->driver, driver);
}

int names_provider(struct names *n, struct conn *c, const struct pv_id *id, struct arena *a,
                   const struct model_provider **out, struct pv_err *err)
{
    PV_AUTO(stmt_done_p) struct stmt *st = NULL;
    struct provider_slot *s = n ? &n->providers[id->b[15] % PROVIDERS] : NULL;
    struct model_provider *p = arena_alloc(a, sizeof(*p));
    bool found = false;
    int rc;

    if (!p)
        return no_memory(err);
    *p = (struct model_provider){ .id = *id, .name = "", .driver = "" };
    if (remembered(n, s, id)) {
        p->name = arena_strdup(a, s->name);
        p->driver = arena_strdup(a, s->driver);
        p->family = s->family;
        p->simulated = s->simulated;
        *out = p;
        return p->name && p->driver ? PV_OK : no_memory(err);
    }
    rc = look_up(c, model_kind(PV_KIND_provider), id,
                 "\"name\",\"driver\",\"family\",\"simulated\"", &st, &found, err);
    if (rc != PV_OK)
        return rc;
    if (found) {
        if (!col_strdup(st, 0, a, &p->name, NULL) || !col_strdup(st, 1, a, &p->driver, NULL))
            return no_memory(err);
        p->name = p->name ? p->name : "";
        p->driver = p->driver ? p->driver : "";
        p->family = (enum pv_family)col_int(st, 2);
        p->simulated = col_int(st, 3) != 0;
        remember(n, s, p);
    }
    *out = p;
    return PV_OK;
}
