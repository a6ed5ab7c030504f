/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/vapi/tree.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/str.h>

#include "drivers/vapi/values.h"

#define BUCKETS 16384u
#define DEPTH_MOST 64

struct tree {
    size_t count;
    struct tree_node *buckets[BUCKETS];
};

struct tree *tree_new(void)
{
    return calloc(1, sizeof(struct tree));
}

static void node_free(struct tree_node *n)
{
    free(n->id);
    free(n->name);
    free(n->parent);
    free(n);
}

void tree_free(struct tree *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < BUCKETS; i++) {
        while (t->buckets[i]) {
            struct tree_node *n = t->buckets[i];

            t->buckets[i] = n->next;
            node_free(n);
        }
    }
    free(t);
}

/* FNV-1a */
uint64_t tree_hash(const char *text)
{
    uint64_t h = 14695981039346656037u;

    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 1099511628211u;
    return h;
}

uint64_t tree_hash_list(const char *const *texts, size_t n)
{
    uint64_t h = n;

    for (size_t i = 0; i < n; i++)
        h = h * 31 + (texts[i] ? tree_hash(texts[i]) : 1);
    return h;
}

enum tree_type tree_type_of(const char *vim_type)
{
    static const struct {
        const char *name;
        enum tree_type type;
    } types[] = {
        { "VirtualMachine", TREE_VM },
        { "HostSystem", TREE_HOST },
        { "Folder", TREE_FOLDER },
        { "StoragePod", TREE_FOLDER },
        { "Datacenter", TREE_DATACENTER },
        { "ComputeResource", TREE_COMPUTE },
        { "ClusterComputeResource", TREE_CLUSTER },
        { "ResourcePool", TREE_POOL },
        { "VirtualApp", TREE_POOL },
        { "Datastore", TREE_DATASTORE },
        { "Network", TREE_NETWORK },
        { "DistributedVirtualPortgroup", TREE_NETWORK },
        { "OpaqueNetwork", TREE_NETWORK },
        { "DistributedVirtualSwitch", TREE_SWITCH },
        { "VmwareDistributedVirtualSwitch", TREE_SWITCH },
    };

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(types[i].name, vim_type) == 0)
            return types[i].type;
    return TREE_NOTE;
}

static bool set(char **field, const char *text)
{
    char *copy;

    if (!text || (*field && strcmp(*field, text) == 0))
        return true;
    copy = strdup(text);
    if (!copy)
        return false;
    free(*field);
    *field = copy;
    return true;
}

static struct tree_node *insert(struct tree *t, const char *id)
{
    struct tree_node **bucket = &t->buckets[tree_hash(id) % BUCKETS], *n;

    if (t->count >= TREE_NODES_MAX)
        return NULL;
    n = calloc(1, sizeof(*n));
    if (!n)
        return NULL;
    n->health = -1;
    if (!set(&n->id, id) || !set(&n->name, "") || !set(&n->parent, "")) {
        node_free(n);
        return NULL;
    }
    n->next = *bucket;
    *bucket = n;
    t->count++;
    return n;
}

struct tree_node *tree_find(const struct tree *t, const char *id)
{
    struct tree_node *n = t->buckets[tree_hash(id) % BUCKETS];

    while (n && strcmp(n->id, id) != 0)
        n = n->next;
    return n;
}

struct tree_node *tree_put(struct tree *t, const char *vim_type, const char *id, const char *name,
                           const char *parent)
{
    struct tree_node *n = tree_find(t, id);
    char plain[512];

    if (!n)
        n = insert(t, id);
    if (!n || !set(&n->name, value_name(name, plain, sizeof(plain))) || !set(&n->parent, parent))
        return NULL;
    n->type = tree_type_of(vim_type);
    (void)str_copy(n->vim_type, sizeof(n->vim_type), vim_type);
    return n;
}

void tree_note(struct tree *t, const char *key, const char *text, const char *id)
{
    struct tree_node *n = tree_find(t, key);

    if (!n)
        n = insert(t, key);
    if (n && set(&n->name, text ? text : ""))
        (void)set(&n->parent, id ? id : "");
}

void tree_remove(struct tree *t, const char *id)
{
    struct tree_node **at = &t->buckets[tree_hash(id) % BUCKETS], *n;

    while (*at && strcmp((*at)->id, id) != 0)
        at = &(*at)->next;
    n = *at;
    if (!n)
        return;
    *at = n->next;
    node_free(n);
    t->count--;
}

void tree_each(struct tree *t, void (*fn)(void *ctx, struct tree_node *n), void *ctx)
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct tree_node *n = t->buckets[i]; n; n = n->next)
            fn(ctx, n);
}

size_t tree_count(const struct tree *t)
{
    return t->count;
}

const struct tree_node *tree_above(const struct tree *t, const char *id, enum tree_type type)
{
    const struct tree_node *n = id ? tree_find(t, id) : NULL;

    for (unsigned depth = 0; n && depth < DEPTH_MOST; depth++) {
        if (n->type == type)
            return n;
        n = n->parent[0] ? tree_find(t, n->parent) : NULL;
    }
    return NULL;
}

void tree_path(const struct tree *t, const char *id, char *out, size_t cap)
{
    const struct tree_node *chain[DEPTH_MOST];
    const struct tree_node *n = tree_find(t, id);
    size_t depth = 0, len = 0;

    while (n && depth < DEPTH_MOST) {
        chain[depth++] = n;
        n = n->parent[0] ? tree_find(t, n->parent) : NULL;
    }
    if (cap > 0)
        out[0] = '\0';
    while (depth-- > 0 && len + 2 < cap) {
        out[len++] = '/';
        (void)str_copy(out + len, cap - len, chain[depth]->name);
        len += strlen(out + len);
    }
}
