/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/vapi/changes.h"

#include <stdlib.h>
#include <string.h>

#include <polyvisor/records.h>
#include <polyvisor/str.h>
#include <polyvisor/xml.h>

#include "drivers/vapi/inventory.h"
#include "drivers/vapi/map.h"
#include "drivers/vapi/vapi.h"

#define REREAD_MOST 5000
#define LEFT_PAGE 16

void changes_init(struct changes *ch, struct vapi *v, struct pv_builder *b)
{
    memset(ch, 0, sizeof(*ch));
    ch->v = v;
    ch->b = b;
}

void changes_free(struct changes *ch)
{
    if (ch->ordered)
        pthread_mutex_unlock(&ch->v->order);
    free(ch->reread.refs);
    free(ch->left.refs);
}

/* Past the bound, reading everything is cheaper. */
static void remember(struct changes *ch, struct changes_list *list, const struct moref *ref)
{
    if (list->count >= REREAD_MOST) {
        ch->relist = true;
        return;
    }
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 32;
        struct moref *more = realloc(list->refs, room * sizeof(*more));

        if (!more) {
            ch->relist = true;
            return;
        }
        list->refs = more;
        list->room = room;
    }
    list->refs[list->count++] = *ref;
}

static bool moved(const struct tree_node *n, const char *name, const char *parent)
{
    char plain[512];

    return (name && strcmp(value_name(name, plain, sizeof(plain)), n->name) != 0) ||
           (parent && strcmp(parent, n->parent) != 0);
}

static void vm_update(struct changes *ch, const struct map *m, const struct moref *ref,
                      const xmlNode *update, bool enter)
{
    const struct tree_node *n = tree_find(m->tree, ref->id);
    struct prop_values v;

    props_read(&props_vm_watched, update, &v);
    ch->signed_out |= v.signed_out;
    if (v.signed_out)
        return;
    if (enter ? map_vm_is_news(m, ref, &v) ||
                    moved(n, value_text(v.val[WVM_NAME]), value_ref_id(v.val[WVM_PARENT]))
              : !n || !map_vm_change(m, ref, &v))
        remember(ch, &ch->reread, ref);
}

/* Names of folders and datacenters are in the paths of everything below them. */
static void other_update(struct changes *ch, const struct map *m, const struct moref *ref,
                         const xmlNode *update, bool enter)
{
    const struct tree_node *n = tree_find(m->tree, ref->id);
    const struct prop_table *table = props_for(props_watched, ref->type);
    struct prop_values v;
    bool has_moved;

    if (!table)
        return;
    props_read(table, update, &v);
    ch->signed_out |= v.signed_out;
    if (v.signed_out)
        return;
    has_moved = n && moved(n, value_text(v.val[TREE_NAME]), value_ref_id(v.val[TREE_PARENT]));
    if (has_moved && (n->type == TREE_FOLDER || n->type == TREE_DATACENTER))
        ch->relist = true;
    if (n && n->type == TREE_HOST)
        map_host_change(m, ref, update, enter);
    if (!n || has_moved || (!enter && v.nknown > 0))
        remember(ch, &ch->reread, ref);
}

/* What a refresh tells is not to be mixed with what this answer tells. */
static void take_turn(struct changes *ch)
{
    if (!ch->ordered) {
        pthread_mutex_lock(&ch->v->order);
        ch->ordered = true;
    }
}

void changes_left(struct changes *ch, const struct moref *ref)
{
    take_turn(ch);
    remember(ch, &ch->left, ref);
}

static void take_update(struct changes *ch, const xmlNode *update)
{
    const char *kind = value_field(update, "kind");
    struct map m = { .b = ch->b };
    struct tree_node *n;
    struct moref ref;

    if (!kind || !value_ref(xml_child(update, NULL, "obj"), &ref) ||
        tree_type_of(ref.type) == TREE_NOTE)
        return;
    take_turn(ch);
    if (strcmp(kind, "leave") == 0) {
        changes_left(ch, &ref);
        return;
    }
    pthread_mutex_lock(&ch->v->lock);
    m.tree = ch->v->tree;
    n = tree_find(m.tree, ref.id);
    if (n)
        n->seen = ch->v->listing;
    if (n && n->refreshed) {
        /* This may have been on its way before a refresh told something newer: what counts is another look. */
        n->refreshed = false;
        remember(ch, &ch->reread, &ref);
        pthread_mutex_unlock(&ch->v->lock);
        return;
    }
    if (strcmp(ref.type, "VirtualMachine") == 0)
        vm_update(ch, &m, &ref, update, strcmp(kind, "enter") == 0);
    else
        other_update(ch, &m, &ref, update, strcmp(kind, "enter") == 0);
    pthread_mutex_unlock(&ch->v->lock);
}

int changes_element(void *ctx, xmlNodePtr element, struct pv_err *err)
{
    struct changes *ch = ctx;
    int rc;

    if (xml_is(element, NULL, "version")) {
        if (!str_copy(ch->version, sizeof(ch->version), xml_text(element)))
            return pv_fail(err, PV_EIO, "the server's version of the feed is too long");
        return PV_OK;
    }
    if (xml_is(element, NULL, "truncated")) {
        (void)xml_bool(element, &ch->truncated);
        return PV_OK;
    }
    take_update(ch, element);
    rc = pv_builder_room(ch->b);
    return rc ? pv_fail(err, rc, "the server does not take more changes") : PV_OK;
}

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct moref *)a)->id, ((const struct moref *)b)->id);
}

static void drop_doubles(struct changes_list *list)
{
    size_t kept = 0;

    if (list->count > 1)
        qsort(list->refs, list->count, sizeof(*list->refs), compare);
    for (size_t i = 0; i < list->count; i++)
        if (kept == 0 || strcmp(list->refs[kept - 1].id, list->refs[i].id) != 0)
            list->refs[kept++] = list->refs[i];
    list->count = kept;
}

int changes_apply(struct changes *ch, const struct call *c, struct pv_err *err)
{
    int rc = PV_OK;

    drop_doubles(&ch->left);
    drop_doubles(&ch->reread);
    /* Each object that is gone costs a request, and each request names all of its page. */
    for (size_t i = 0; i < ch->left.count && rc == PV_OK; i += LEFT_PAGE)
        rc = inventory_reread(ch->v, c, ch->left.refs + i,
                              ch->left.count - i < LEFT_PAGE ? ch->left.count - i : LEFT_PAGE, true,
                              ch->b, err);
    if (rc == PV_OK && !ch->relist)
        rc = inventory_reread(ch->v, c, ch->reread.refs, ch->reread.count, true, ch->b, err);
    if (rc == PV_OK) {
        rc = pv_builder_send(ch->b);
        if (rc)
            (void)pv_fail(err, rc, "the server does not take more changes");
    }
    return rc;
}

bool changes_still_there(struct changes *ch, size_t i)
{
    bool there;

    pthread_mutex_lock(&ch->v->lock);
    there = tree_find(ch->v->tree, ch->left.refs[i].id) != NULL;
    pthread_mutex_unlock(&ch->v->lock);
    return there;
}

static void find_unseen(void *ctx, struct tree_node *n)
{
    struct changes *ch = ctx;
    struct moref ref;

    if (n->type == TREE_NOTE || n->seen == ch->v->listing)
        return;
    if (ch->polled && n->type != TREE_VM && n->type != TREE_HOST && n->type != TREE_DATASTORE)
        return;
    memset(&ref, 0, sizeof(ref));
    (void)str_copy(ref.type, sizeof(ref.type), n->vim_type);
    (void)str_copy(ref.id, sizeof(ref.id), n->id);
    remember(ch, &ch->left, &ref);
}

void changes_find_unseen(struct changes *ch, bool polled)
{
    ch->polled = polled;
    take_turn(ch);
    pthread_mutex_lock(&ch->v->lock);
    tree_each(ch->v->tree, find_unseen, ch);
    pthread_mutex_unlock(&ch->v->lock);
}
