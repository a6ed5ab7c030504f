/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree - the provider's inventory as ids, names and parents, in memory.
 *
 * Paths, datacenters and clusters are looked up here instead of being asked
 * for object by object. VMs stand in it too: with what the change feed has to
 * remember about them. Facts that one kind's listing says about another
 * (port group keys, VLANs, mounts) are notes: key -> text and id.
 *
 * Ownership: nodes belong to the tree and move with it; a pointer is valid
 * until the next tree_put or tree_remove. Threads: the caller locks.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tree;

enum tree_type {
    TREE_NOTE,
    TREE_FOLDER,
    TREE_DATACENTER,
    TREE_COMPUTE,
    TREE_CLUSTER,
    TREE_DATASTORE,
    TREE_SWITCH,
    TREE_NETWORK,
    TREE_HOST,
    TREE_POOL,
    TREE_VM,
};

struct tree_node {
    struct tree_node *next; /* in its bucket */
    enum tree_type type;
    char *id, *name, *parent; /* parent "" : none. Notes: key, text, id */
    char vim_type[48];        /* "VmwareDistributedVirtualSwitch" */
    uint64_t seen;            /* number of the last listing that named it */
    bool refreshed;           /* a refresh told it anew since the feed last did */
    uint64_t mark;            /* VM: hash of config.changeVersion */
    uint64_t state;           /* VM, host: hash of the states as last read in full */
    int health;               /* as last sent; -1: never */
    uint64_t tags;            /* hash of its tags as last sent */
};

#define TREE_NODES_MAX 2000000u

struct tree *tree_new(void);
void tree_free(struct tree *t);
/* The type of a vim25 type name; TREE_NOTE for one we do not keep. */
enum tree_type tree_type_of(const char *vim_type);
/* Insert or update; name or parent NULL: as it was. NULL: no memory, or too many. */
struct tree_node *tree_put(struct tree *t, const char *vim_type, const char *id, const char *name,
                           const char *parent);
struct tree_node *tree_find(const struct tree *t, const char *id);
void tree_remove(struct tree *t, const char *id);
/* Remember a fact; text and id may be NULL. */
void tree_note(struct tree *t, const char *key, const char *text, const char *id);
/* Each node; the callback must not change the tree. */
void tree_each(struct tree *t, void (*fn)(void *ctx, struct tree_node *n), void *ctx);
size_t tree_count(const struct tree *t);

/* The nearest one above `id` of that type, or itself; NULL if there is none. */
const struct tree_node *tree_above(const struct tree *t, const char *id, enum tree_type type);
/* "/DC0/vm/folder/name" with names as people read them; "" if it is not known. */
void tree_path(const struct tree *t, const char *id, char *out, size_t cap);
/* Hashes for `mark`, `state` and `tags`. NULL in a list is an item of its own. */
uint64_t tree_hash(const char *text);
uint64_t tree_hash_list(const char *const *texts, size_t n);
