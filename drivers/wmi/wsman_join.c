/* SPDX-License-Identifier: Apache-2.0 */
/* Associations for hosts that refuse the filter: the association's instances and the class's, put
 * together here. */
#include "drivers/wmi/wsman.h"

#include <string.h>
#include <strings.h>

#include <polyvisor/arena.h>

#include "drivers/wmi/wsman_inner.h"

#define ARENA_MOST (256u << 20)
#define SINGLE_MOST 8u /* so few are read one by one */

struct join {
    const struct wsman_query *q;
    struct arena *a;
    const struct cim_ref **targets;
    size_t ntargets, cap;
    wsman_instance_fn fn;
    void *ctx;
};

static int add_target(struct join *j, const struct cim_ref *ref, struct pv_err *err)
{
    if (j->ntargets == j->cap) {
        size_t cap = j->cap ? 2 * j->cap : 16;
        const struct cim_ref **more = arena_alloc(j->a, cap * sizeof(const struct cim_ref *));

        if (!more)
            return pv_fail(err, PV_ENOMEM, "the host's associations are too many");
        if (j->ntargets)
            memcpy(more, j->targets, j->ntargets * sizeof(const struct cim_ref *));
        j->targets = more;
        j->cap = cap;
    }
    j->targets[j->ntargets++] = ref;
    return PV_OK;
}

static const struct cim_ref *ref_at(const struct cim_instance *o, unsigned i)
{
    return o->cls->props[i].type == CIM_REF && o->values[i].count ? o->values[i].items[0].ref
                                                                  : NULL;
}

/* What is at the other end of an association whose one end is ours. */
static int on_association(void *ctx, struct cim_instance *o, struct pv_err *err)
{
    struct join *j = ctx;
    unsigned mine = UINT16_MAX;
    int rc = PV_OK;

    for (unsigned i = 0; o->cls && i < o->cls->nprops && mine == UINT16_MAX; i++)
        if (cim_ref_same(ref_at(o, i), j->q->of))
            mine = i;
    for (unsigned i = 0; mine != UINT16_MAX && i < o->cls->nprops && rc == PV_OK; i++)
        if (i != mine && ref_at(o, i))
            rc = add_target(j, ref_at(o, i), err);
    return rc;
}

static bool is_target(const struct join *j, const struct cim_instance *o)
{
    struct arena *scratch = arena_new(4096, 1u << 20);
    const struct cim_ref *ref = scratch ? cim_ref_of(scratch, o) : NULL;
    bool found = false;

    for (size_t i = 0; ref && i < j->ntargets && !found; i++)
        found = cim_ref_same(ref, j->targets[i]);
    arena_free(scratch);
    return found;
}

static int on_instance(void *ctx, struct cim_instance *o, struct pv_err *err)
{
    struct join *j = ctx;

    return is_target(j, o) ? j->fn(j->ctx, o, err) : PV_OK;
}

/* The class of a reference, or one below the wanted class. */
static bool wanted(const struct join *j, const struct cim_ref *ref)
{
    const struct cim_class *cls = cim_class_find((enum cim_ns)j->q->cls->ns, ref->cls);
    struct cim_instance probe = { .cls = cls, .name = ref->cls };

    return cim_is(&probe, j->q->cls);
}

static int get_each(struct join *j, struct wsman *w, const struct call *c, struct arena *a,
                    struct pv_err *err)
{
    int rc = PV_OK;

    for (size_t i = 0; i < j->ntargets && rc == PV_OK; i++) {
        struct cim_instance *o = NULL;

        if (!wanted(j, j->targets[i]))
            continue;
        rc = wsman_get(w, c, j->targets[i], a ? a : j->a, &o, err);
        if (rc == PV_ENOENT)
            rc = PV_OK; /* it went meanwhile */
        else if (rc == PV_OK)
            rc = j->fn(j->ctx, o, err);
    }
    return rc;
}

int wsman_join(struct wsman *w, const struct call *c, const struct wsman_query *q, struct arena *a,
               wsman_instance_fn fn, void *ctx, struct pv_err *err)
{
    struct wsman_query associations = { .cls = q->assoc }, instances = { .cls = q->cls };
    struct join j = { .q = q, .fn = fn, .ctx = ctx, .a = arena_new(32768, ARENA_MOST) };
    int rc;

    if (!j.a)
        return pv_fail(err, PV_ENOMEM, "no memory");
    rc = wsman_walk(w, c, &associations, j.a, on_association, &j, err);
    if (rc == PV_OK && j.ntargets && j.ntargets <= SINGLE_MOST)
        rc = get_each(&j, w, c, a, err);
    else if (rc == PV_OK && j.ntargets)
        rc = wsman_walk(w, c, &instances, a, on_instance, &j, err);
    arena_free(j.a);
    return rc;
}
