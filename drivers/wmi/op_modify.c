/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/wmi/op_modify.h"

#include <string.h>
#include <strings.h>

#include "drivers/wmi/op.h"

#define TRIES 3
#define PAUSE_MS 1000

/* ------------------------------------------------------------------ comparing */

static bool same_text(const struct cim_prop *p, const char *x, const char *y)
{
    int64_t a, b;

    if (!x || !y)
        return (!x || !*x) && (!y || !*y); /* the host shows an empty text as NULL */
    if (strcasecmp(x, y) == 0)
        return true;
    if (p->type != CIM_DATETIME)
        return op_same_path(x, y);
    return (cim_interval_parse(x, &a) && cim_interval_parse(y, &b) && a == b) ||
           (cim_time_parse(x, &a) && cim_time_parse(y, &b) && a == b);
}

/* Paths of objects: the host adds its name and namespace. */
static bool same_item(const struct cim_prop *p, const struct cim_item *x, const struct cim_item *y,
                      struct arena *a)
{
    const struct cim_ref *r, *s;

    if (x->ref || y->ref)
        return cim_ref_same(x->ref, y->ref);
    if (same_text(p, x->text, y->text))
        return true;
    if (!x->text || !y->text || p->type != CIM_STRING || !strchr(x->text, '=') ||
        !strchr(y->text, '='))
        return false;
    r = cim_ref_parse(a, x->text, CIM_NS_VIRTUALIZATION);
    s = cim_ref_parse(a, y->text, CIM_NS_VIRTUALIZATION);
    return r && s && cim_ref_same(r, s);
}

static bool same_value(const struct cim_prop *p, const struct cim_value *x,
                       const struct cim_value *y, struct arena *a)
{
    static const struct cim_item none = { 0 };

    if (p->array && x->count != y->count) {
        /* No items, and one that is empty, are the same to the host. */
        const struct cim_value *more = x->count > y->count ? x : y;

        return more->count == 1 && same_item(p, &more->items[0], &none, a);
    }
    for (uint32_t i = 0; i < (p->array ? x->count : 1); i++)
        if (!same_item(p, x->count ? &x->items[i] : &none, y->count ? &y->items[i] : &none, a))
            return false;
    return true;
}

bool op_matches(const struct cim_instance *want, const struct cim_instance *have)
{
    for (unsigned i = 0; want && want->cls && i < want->cls->nprops; i++) {
        const struct cim_prop *p = &want->cls->props[i], *q;

        if (!want->values[i].there || p->key || strcmp(p->name, "InstanceID") == 0)
            continue;
        q = have && have->cls ? cim_prop_find(have->cls, p->name) : NULL;
        if (!q || !same_value(p, &want->values[i], &have->values[q->slot], want->arena))
            return false;
    }
    return true;
}

/* ------------------------------------------------------------------ changing */

static const struct cim_class *service_of(const struct cim_instance *want)
{
    return strcmp(want->name, "Msvm_SecuritySettingData") == 0 ? CIM(Msvm_SecurityService)
           : strcmp(want->name, "Msvm_VirtualEthernetSwitchSettingData") == 0
               ? CIM(Msvm_VirtualEthernetSwitchManagementService)
               : CIM(Msvm_VirtualSystemManagementService);
}

static struct cim_instance *call_of(struct op *o, const struct cim_instance *want)
{
    struct cim_instance *in;

    if (strcmp(want->name, "Msvm_VirtualSystemSettingData") == 0) {
        in = cim_call(o->a, M(Msvm_VirtualSystemManagementService, ModifySystemSettings));
        cim_set_emb(
            in, A(Msvm_VirtualSystemManagementService, ModifySystemSettings, SystemSettings), want);
    } else if (strcmp(want->name, "Msvm_SecuritySettingData") == 0) {
        in = cim_call(o->a, M(Msvm_SecurityService, ModifySecuritySettings));
        cim_set_emb(in, A(Msvm_SecurityService, ModifySecuritySettings, SecuritySettingData), want);
    } else if (strcmp(want->name, "Msvm_VirtualEthernetSwitchSettingData") == 0) {
        in = cim_call(o->a, M(Msvm_VirtualEthernetSwitchManagementService, ModifySystemSettings));
        cim_set_emb(
            in,
            A(Msvm_VirtualEthernetSwitchManagementService, ModifySystemSettings, SystemSettings),
            want);
    } else if (strncmp(want->name, "Msvm_EthernetSwitchPort", 23) == 0) {
        in = cim_call(o->a, M(Msvm_VirtualSystemManagementService, ModifyFeatureSettings));
        cim_add_emb(in,
                    A(Msvm_VirtualSystemManagementService, ModifyFeatureSettings, FeatureSettings),
                    want);
    } else {
        in = cim_call(o->a, M(Msvm_VirtualSystemManagementService, ModifyResourceSettings));
        cim_add_emb(
            in, A(Msvm_VirtualSystemManagementService, ModifyResourceSettings, ResourceSettings),
            want);
    }
    return in;
}

/* The values of `want` as they are now. */
static struct cim_instance *old_of(struct op *o, const struct cim_instance *want,
                                   const struct cim_instance *have)
{
    struct cim_instance *old = cim_new(o->a, want->cls);

    for (unsigned i = 0; old && i < want->cls->nprops; i++) {
        const struct cim_prop *p = &want->cls->props[i], *q = cim_prop_find(have->cls, p->name);
        int64_t ms;

        if (!want->values[i].there || !q)
            continue;
        if (p->type == CIM_DATETIME && !p->array) {
            if (cim_get_interval(have, (struct cim_p_time){ q }, &ms))
                cim_set_interval(old, (struct cim_p_time){ p }, ms);
            continue;
        }
        old->values[i] = have->values[q->slot];
        old->values[i].there = true;
    }
    return old;
}

struct modified {
    const struct cim_instance *want;
    const struct cim_class *cls;
    const char *id;
};

static int is_modified(struct op *o, void *ctx, bool *there, struct pv_err *err)
{
    struct modified *m = ctx;
    struct cim_instance *have = NULL;
    int rc = op_get(o, m->cls, m->id, &have, err);

    if (rc == PV_OK)
        *there = op_matches(m->want, have);
    return rc;
}

static const char *id_of(const struct cim_instance *i)
{
    const struct cim_prop *p = i && i->cls ? cim_prop_find(i->cls, "InstanceID") : NULL;

    return p ? cim_str(i, (struct cim_p_str){ p }) : NULL;
}

static void restore(struct op *o, const struct cim_ref *on, const struct modified *m,
                    const struct cim_instance *have)
{
    struct modified *back = arena_alloc(o->a, sizeof(*back));
    const struct cim_instance *old = old_of(o, m->want, have);

    if (!back || !old)
        return;
    *back = (struct modified){ .want = old, .cls = m->cls, .id = m->id };
    undo_restore(o, "putting settings back", on, call_of(o, old), is_modified, back);
}

int op_modify(struct op *o, const char *key, struct cim_instance *want,
              const struct cim_instance *have, const char *what, struct pv_err *err)
{
    struct modified m = { .want = want };
    struct op_step s = {
        .key = key, .what = what, .look = is_modified, .ctx = &m, .repeats = true
    };
    int rc;

    if (!want)
        return pv_fail(err, PV_ENOMEM, "no memory");
    if (have && op_matches(want, have))
        return PV_OK;
    m.cls = want->cls;
    m.id = id_of(want);
    s.in = call_of(o, want);
    rc = op_service(o, service_of(want), &s.on, err);
    for (unsigned tries = 1; rc == PV_OK; tries++) {
        rc = op_do(o, &s, NULL, err);
        /* Some settings fail at random, and take it the next time. */
        if (rc != PV_EIO || o->lost || tries >= TRIES)
            break;
        rc = call_sleep(&o->c, PAUSE_MS, err);
    }
    if (rc == PV_OK && have)
        restore(o, s.on, &m, have);
    return rc;
}

const char *op_snapshot_native(struct op *o, const char *guid)
{
    return op_settings_id(o, guid);
}
