/* SPDX-License-Identifier: Apache-2.0 */
/* What a dry run answers: the methods that would be called, with their arguments. */
#include <stdlib.h>
#include <string.h>

#include <polyvisor/str.h>

#include "drivers/wmi/op.h"

#define PLAN_MOST 1024u
#define TEXT_SHOWN 512u
#define DEPTH_MOST 4u

static json_t *object_json(const struct cim_instance *i, unsigned depth);

static json_t *scalar(const struct cim_prop *p, const char *text)
{
    uint64_t number;
    char cut[TEXT_SHOWN];

    if (!text)
        return json_null();
    if (p->type == CIM_BOOL)
        return json_boolean(strcasecmp(text, "true") == 0);
    if (p->type >= CIM_UINT8 && p->type <= CIM_SINT64 &&
        str_u64(text, strlen(text), (uint64_t)INT64_MAX, &number))
        return json_integer((json_int_t)number);
    (void)str_copy(cut, sizeof(cut), text);
    return json_string(cut);
}

static json_t *item_json(const struct op *o, const struct cim_prop *p, const struct cim_item *item,
                         unsigned depth)
{
    const char *path;

    if (item->obj)
        return object_json(item->obj, depth + 1);
    if (o && p->type == CIM_EMBEDDED && item->text) {
        struct cim_instance *inner = NULL;

        if (cim_parse_xml(o->a, item->text, CIM_NS_VIRTUALIZATION, &inner, NULL) == PV_OK)
            return object_json(inner, depth + 1);
    }
    if (!item->ref)
        return scalar(p, item->text);
    path = o ? cim_ref_path(o->a, item->ref, NULL) : NULL;
    return json_string(path ? path : item->ref->cls);
}

static json_t *value_json(const struct op *o, const struct cim_prop *p, const struct cim_value *v,
                          unsigned depth)
{
    json_t *list;

    if (!p->array)
        return v->count ? item_json(o, p, &v->items[0], depth) : json_null();
    list = json_array();
    for (uint32_t i = 0; i < v->count && i < PLAN_MOST; i++)
        json_array_append_new(list, item_json(o, p, &v->items[i], depth));
    return list;
}

static json_t *members(const struct op *o, const struct cim_instance *i, unsigned depth)
{
    json_t *out = json_object();

    for (unsigned k = 0; i && i->cls && i->values && k < i->cls->nprops && depth < DEPTH_MOST; k++)
        if (i->values[k].there)
            json_object_set_new(out, i->cls->props[k].name,
                                value_json(o, &i->cls->props[k], &i->values[k], depth));
    return out;
}

static json_t *object_json(const struct cim_instance *i, unsigned depth)
{
    json_t *out = members(NULL, i, depth);

    if (i && i->name)
        json_object_set_new(out, "class", json_string(i->name));
    return out;
}

json_t *op_json(const struct cim_instance *o)
{
    return members(NULL, o, 0);
}

void op_plan(struct op *o, const char *operation, json_t *args)
{
    json_t *plan = json_object_get(o->result, "plan");

    if (!plan) {
        plan = json_array();
        json_object_set_new(o->result, "plan", plan);
    }
    if (json_array_size(plan) < PLAN_MOST)
        json_array_append_new(plan, json_pack("{s:s, s:o}", "operation", operation, "args", args));
    else
        json_decref(args);
}

void op_plan_start(struct op *o)
{
    if (o->dry_run && op_arg_bool(o, "start"))
        op_plan(o, "Msvm_ComputerSystem.RequestStateChange",
                json_pack("{s:i}", "RequestedState", 2));
}

void op_plan_call(struct op *o, const struct cim_ref *on, const struct cim_instance *in)
{
    const char *name = op_text(o, "%s.%s", on->cls, in->cls ? in->cls->name : "");

    op_plan(o, name ? name : "?", members(o, in, 0));
}
