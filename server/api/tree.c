/* SPDX-License-Identifier: Apache-2.0 */
/* The navigation tree, one level at a time: provider > datacenter > cluster > host > VM, or our folders > VM. */
#include "server/api/overview.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#define LIMIT 500

struct level {
    struct req *r;
    struct jsonw *w;
    const struct overview_node *parent; /* NULL: the top */
    bool folders;
    uint64_t limit, left;
    const char *hash;                   /* binds cursors to what was asked */
    char next[1 + CURSOR_TEXT];
};

static bool is_below(const struct level *l, const struct overview_node *node)
{
    return (node->kind == PV_KIND_folder) == l->folders && node->parent == l->parent;
}

static void open_node(struct level *l, enum pv_kind kind, const struct pv_id *id, const char *name)
{
    char text[PV_ID_TEXT];

    model_id_text(kind, id, text);
    jsonw_object(l->w, NULL);
    jsonw_str(l->w, "id", text);
    jsonw_str(l->w, "kind", model_kind(kind)->name);
    jsonw_str(l->w, "name", name);
}

static void write_node(struct level *l, const struct overview_node *node)
{
    struct jsonw *w = l->w;

    open_node(l, node->kind, &node->id, node->name);
    if (node->kind == PV_KIND_provider) {
        jsonw_str(w, "state", model_enum_text(PV_ENUM_provider_state, node->state));
        jsonw_str(w, "family", model_enum_text(PV_ENUM_family, node->family));
        jsonw_bool(w, "simulated", node->simulated);
    } else if (node->kind != PV_KIND_folder) {
        jsonw_str(w, "health", model_enum_text(PV_ENUM_health, node->health));
    }
    if (node->kind == PV_KIND_host) {
        jsonw_str(w, "state", model_enum_text(PV_ENUM_connection_state, node->state));
        jsonw_bool(w, "maintenance", node->maintenance);
    } else if (node->kind != PV_KIND_folder) {
        jsonw_u64(w, "hosts", node->hosts);
    }
    jsonw_bool(w, "expands", node->children > 0 || node->vms_here > 0);
    jsonw_u64(w, "vms", node->vms);
    jsonw_u64(w, "running", node->running);
    jsonw_str(w, "worst_health", model_enum_text(PV_ENUM_health, node->worst));
    jsonw_end(w);
}

static int write_vm(void *ctx, const struct model_row *row, struct pv_err *err)
{
    struct level *l = ctx;

    (void)err;
    open_node(l, PV_KIND_vm, &row->id, model_text(row, F(vm, name)));
    jsonw_str(l->w, "health", model_enum_text(PV_ENUM_health, model_number(row, F(vm, health))));
    jsonw_str(l->w, "power_state", model_enum_text(PV_ENUM_power_state, model_number(row, F(vm, power_state))));
    jsonw_bool(l->w, "template", model_number(row, F(vm, is_template)) != 0);
    jsonw_bool(l->w, "expands", false);
    jsonw_end(l->w);
    return PV_OK;
}

/* The VMs of a place that no deeper one has. */
static const char *vms_filter(struct level *l)
{
    char id[PV_ID_TEXT];

    if (!l->parent)
        return "folder=null";
    model_id_text(l->parent->kind, &l->parent->id, id);
    switch (l->parent->kind) {
    case PV_KIND_provider:
        return arena_printf(l->r->arena, "provider=%s datacenter=null cluster=null host=null", id);
    case PV_KIND_datacenter:
        return arena_printf(l->r->arena, "datacenter=%s cluster=null host=null", id);
    case PV_KIND_cluster:
        return arena_printf(l->r->arena, "cluster=%s host=null", id);
    default:
        return arena_printf(l->r->arena, "%s=%s", model_kind(l->parent->kind)->name, id);
    }
}

static bool has_vms(const struct level *l, const struct overview *o)
{
    if (l->parent)
        return l->parent->vms_here > 0;
    return l->folders && overview_unfiled(o) > 0;
}

/* The first `skip` nodes were on earlier pages. */
static uint64_t write_nodes(struct level *l, const struct overview *o, uint64_t skip)
{
    const struct overview_node *nodes;
    uint64_t seen = 0;
    size_t n;

    nodes = overview_nodes(o, &n);
    for (size_t i = 0; i < n && l->left > 0; i++) {
        if (!is_below(l, &nodes[i]) || seen++ < skip)
            continue;
        write_node(l, &nodes[i]);
        l->left--;
    }
    return seen;
}

static int write_vms(struct level *l, struct store_position *after, struct pv_err *err)
{
    struct store_sort by_name = { .field = F(vm, name) };
    struct store_query q = { .limit = (unsigned)l->left, .sort = &by_name, .nsort = 1, .access = access_of(l->r) };
    const char *text = vms_filter(l);
    struct store_position last = { .len = 0 };
    struct list_query cursor = { .count = COUNT_NONE };
    int rc = text ? PV_OK : pv_fail(err, PV_ENOMEM, "no memory for the tree");

    if (rc == PV_OK)
        rc = model_shape_make(model_kind(PV_KIND_vm), "name,power_state,health,template", MODEL_VIEW_SUMMARY,
                              l->r->arena, &q.shape, err);
    if (rc == PV_OK)
        rc = filter_parse(model_kind(PV_KIND_vm), text, 0, l->r->arena, &q.filter, err);
    if (after->len > 0)
        q.after = after;
    if (rc == PV_OK)
        rc = store_list(api_of(l->r)->store, &q, write_vm, l, &last, err);
    if (rc != PV_OK || last.len == 0)
        return rc;
    str_copy(cursor.hash, sizeof(cursor.hash), l->hash);
    l->next[0] = 'v';
    cursor_write(api_of(l->r), &cursor, &last, l->next + 1, sizeof(l->next) - 1);
    return PV_OK;
}

/* "n12": behind so many nodes; "v...": within the VMs. */
static int read_cursor(struct level *l, uint64_t *skip, struct store_position *after, bool *in_vms, struct pv_err *err)
{
    const char *text = req_query(l->r, "cursor");

    *skip = 0;
    *in_vms = false;
    if (!text)
        return PV_OK;
    if (text[0] == 'n' && str_u64(text + 1, strlen(text + 1), UINT32_MAX, skip))
        return PV_OK;
    if (text[0] != 'v') {
        pv_fail_as(err, "invalid-request", "the cursor is not one of this server");
        pv_err_pointer(err, "cursor");
        return PV_EINVAL;
    }
    *in_vms = true;
    return text[1] ? cursor_read(api_of(l->r), text + 1, l->hash, after, err) : PV_OK;
}

static int write_level(struct level *l, const struct overview *o, struct pv_err *err)
{
    struct store_position after = { .len = 0 };
    uint64_t skip, written = 0;
    bool in_vms;
    int rc = read_cursor(l, &skip, &after, &in_vms, err);

    if (rc != PV_OK)
        return rc;
    if (!in_vms)
        written = write_nodes(l, o, skip);
    if (l->left == 0)
        snprintf(l->next, sizeof(l->next), "n%" PRIu64, written);
    else if (has_vms(l, o))
        rc = write_vms(l, &after, err);
    return rc;
}

static int find_parent(struct level *l, const struct overview *o, struct pv_err *err)
{
    const char *parent = req_query(l->r, "parent"), *view = req_query(l->r, "view");
    const struct model_kind *kind = NULL;
    struct pv_id id;

    if (view && strcmp(view, "hosts") != 0 && strcmp(view, "folders") != 0) {
        pv_fail_as(err, "invalid-request", "view must be hosts or folders");
        pv_err_pointer(err, "view");
        return PV_EINVAL;
    }
    l->folders = view && strcmp(view, "folders") == 0;
    if (!parent || !*parent)
        return PV_OK;
    if (!model_id_parse(parent, strlen(parent), &kind, &id)) {
        pv_fail_as(err, "invalid-request", "parent must be the id of a provider, datacenter, cluster, host or folder");
        pv_err_pointer(err, "parent");
        return PV_EINVAL;
    }
    l->parent = overview_find(o, &id);
    if (!l->parent && kind->number != PV_KIND_vm)
        return pv_fail(err, PV_ENOENT, "there is no %s %s in the tree", kind->name, parent);
    l->folders = kind->number == PV_KIND_folder;
    return PV_OK;
}

static enum req_result answer(struct level *l, const struct overview *o)
{
    struct pv_err err = { 0 };
    const char *parent = req_query(l->r, "parent");
    int rc = find_parent(l, o, &err);

    /* What a cursor belongs to: the last characters of an id are random. */
    l->hash = arena_printf(l->r->arena, "tr%c%.13s", l->folders ? 'f' : 'h',
                           parent && strlen(parent) > 13 ? parent + strlen(parent) - 13 : "0000000000000");
    if (rc == PV_OK && !l->hash)
        rc = pv_fail(&err, PV_ENOMEM, "no memory for the tree");
    if (rc != PV_OK)
        return reply_problem(l->r, &err);
    l->w = reply_json(l->r, 200);
    jsonw_object(l->w, NULL);
    jsonw_array(l->w, "items");
    /* A VM has nothing below it. */
    if (l->parent || !parent || !*parent)
        rc = write_level(l, o, &err);
    if (rc != PV_OK)
        return reply_problem(l->r, &err);
    jsonw_end(l->w);
    jsonw_str(l->w, "next", l->next[0] ? l->next : NULL);
    jsonw_u64(l->w, "event_seq", core_event_seq(api_of(l->r)->core));
    jsonw_end(l->w);
    return reply_send(l->r);
}

static enum req_result tree(struct req *r)
{
    struct level l = { .r = r, .limit = LIMIT };
    struct pv_err err = { 0 };
    struct overview *o = NULL;
    enum req_result result;

    if (query_u64(r, "limit", 1, 1000, &l.limit, &err) != PV_OK || overview_get(r, &o, &err) != PV_OK)
        return reply_problem(r, &err);
    l.left = l.limit;
    result = answer(&l, o);
    overview_put(o);
    return result;
}

static const char *const views[] = { "hosts", "folders", NULL };
static const struct model_param query[] = {
    { .name = "parent", .type = PARAM_TEXT, .max = 64, .doc = "Id of the node to open; none: the top." },
    { .name = "view", .type = PARAM_TEXT, .choices = views,
      .doc = "hosts: by provider, cluster and host; folders: by our own folders." },
    { .name = "limit", .type = PARAM_INT, .min = 1, .max = 1000, .doc = "Nodes on a page; 500 unless given." },
    { .name = "cursor", .type = PARAM_TEXT, .max = 4096, .doc = "Where to go on: `next` of the page before." },
    { 0 },
};

const struct route tree_routes[] = {
    { .method = "GET", .pattern = API_BASE "/tree", .permission = PERM_HOST_READ, .handler = tree,
      .answer = ANSWER_JSON, .schema = "Tree", .query = query, .statuses = "404",
      .doc = "One level of the tree: provider, datacenter, cluster, host, VM; or our folders." },
    { 0 },
};
