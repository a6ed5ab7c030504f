/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/vapi/tags.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include <polyvisor/arena.h>
#include <polyvisor/err.h>

#include "drivers/vapi/rest.h"

#define TAGS_MOST 5000
#define LINKS_MOST 1000000
#define ARENA_MOST (128u << 20)

struct link {
    const char *object, *tag;
};

struct tags {
    struct arena *arena;
    struct link *links; /* sorted by object, then tag */
    size_t nlinks, room;
};

struct reading {
    struct rest *rest;
    struct session *s;
    const struct call *c;
    struct tags *tags;
    json_t *categories; /* id -> name */
    json_t *names;      /* tag id -> "category=name" */
    json_t *ids;        /* array of tag ids */
};

static int get(struct reading *r, const char *what, const char *id, json_t **out,
               struct pv_err *err)
{
    char path[512];

    if (id && strpbrk(id, "/?#% \r\n"))
        return pv_fail(err, PV_EIO, "the server gave a tag an impossible id");
    (void)snprintf(path, sizeof(path), "%s/%s%s%.300s",
                   r->rest->old_form ? "/rest/com/vmware/cis/tagging" : "/api/cis/tagging", what,
                   !id                 ? ""
                   : r->rest->old_form ? "/id:"
                                       : "/",
                   id ? id : "");
    return rest_call(r->rest, r->s, r->c, "GET", path, NULL, out, err);
}

static int read_categories(struct reading *r, struct pv_err *err)
{
    json_t *list = NULL, *id;
    size_t i;
    int rc = get(r, "category", NULL, &list, err);

    if (rc)
        return rc;
    json_array_foreach(list, i, id)
    {
        json_t *category = NULL;

        if (!json_is_string(id) || i >= TAGS_MOST)
            break;
        rc = get(r, "category", json_string_value(id), &category, err);
        if (rc == PV_ENOENT)
            rc = PV_OK; /* deleted meanwhile */
        else if (rc)
            break;
        json_object_set(r->categories, json_string_value(id), json_object_get(category, "name"));
        json_decref(category);
    }
    json_decref(list);
    return rc;
}

static void name_tag(struct reading *r, const char *id, const json_t *tag)
{
    const char *category_id = json_string_value(json_object_get(tag, "category_id"));
    const char *name = json_string_value(json_object_get(tag, "name"));
    const char *category =
        category_id ? json_string_value(json_object_get(r->categories, category_id)) : NULL;

    if (!name)
        return;
    if (category)
        json_object_set_new(r->names, id, json_sprintf("%s=%s", category, name));
    else
        json_object_set_new(r->names, id, json_string(name));
    json_array_append_new(r->ids, json_string(id));
}

static int read_tags(struct reading *r, struct pv_err *err)
{
    json_t *list = NULL, *id;
    size_t i;
    int rc = get(r, "tag", NULL, &list, err);

    if (rc)
        return rc;
    json_array_foreach(list, i, id)
    {
        json_t *tag = NULL;

        if (!json_is_string(id) || i >= TAGS_MOST)
            break;
        rc = get(r, "tag", json_string_value(id), &tag, err);
        if (rc == PV_OK)
            name_tag(r, json_string_value(id), tag);
        else if (rc == PV_ENOENT)
            rc = PV_OK;
        json_decref(tag);
        if (rc)
            break;
    }
    json_decref(list);
    return rc;
}

static int add_link(struct tags *t, const char *object, const char *tag, struct pv_err *err)
{
    struct link link;

    if (t->nlinks >= LINKS_MOST)
        return pv_fail(err, PV_EIO, "more than %d tags are attached", LINKS_MOST);
    if (t->nlinks == t->room) {
        size_t room = t->room ? 2 * t->room : 64;
        struct link *more = realloc(t->links, room * sizeof(*more));

        if (!more)
            return pv_fail(err, PV_ENOMEM, "no memory");
        t->links = more;
        t->room = room;
    }
    link.object = arena_strdup(t->arena, object);
    link.tag = tag; /* the arena's */
    if (!link.object)
        return pv_fail(err, PV_ENOMEM, "no memory for tags");
    t->links[t->nlinks++] = link;
    return PV_OK;
}

static int read_links(struct reading *r, struct pv_err *err)
{
    const char *path =
        r->rest->old_form
            ? "/rest/com/vmware/cis/tagging/tag-association?~action=list-attached-objects-on-tags"
            : "/api/cis/tagging/tag-association?action=list-attached-objects-on-tags";
    json_t *body = json_pack("{s:O}", "tag_ids", r->ids), *list = NULL, *one;
    size_t i;
    int rc = body ? rest_call(r->rest, r->s, r->c, "POST", path, body, &list, err)
                  : pv_fail(err, PV_ENOMEM, "no memory");

    json_decref(body);
    json_array_foreach(list, i, one)
    {
        const char *id = json_string_value(json_object_get(one, "tag_id"));
        const char *text = id ? json_string_value(json_object_get(r->names, id)) : NULL;
        const char *name = text ? arena_strdup(r->tags->arena, text) : NULL;
        json_t *object;
        size_t j;

        json_array_foreach(json_object_get(one, "object_ids"), j, object)
        {
            const char *key = json_string_value(json_object_get(object, "id"));

            if (rc == PV_OK && name && key)
                rc = add_link(r->tags, key, name, err);
        }
    }
    json_decref(list);
    return rc;
}

static int compare(const void *a, const void *b)
{
    const struct link *x = a, *y = b;
    int order = strcmp(x->object, y->object);

    return order ? order : strcmp(x->tag, y->tag);
}

int tags_read(struct rest *rest, struct session *s, const struct call *c, struct tags **out,
              struct pv_err *err)
{
    struct reading r = { .rest = rest, .s = s, .c = c };
    int rc = rest_open(rest, s, c, err);

    if (rc)
        return rc;
    r.tags = calloc(1, sizeof(*r.tags));
    if (r.tags)
        r.tags->arena = arena_new(4096, ARENA_MOST);
    r.categories = json_object();
    r.names = json_object();
    r.ids = json_array();
    if (!r.tags || !r.tags->arena || !r.categories || !r.names || !r.ids)
        rc = pv_fail(err, PV_ENOMEM, "no memory");
    if (rc == PV_OK)
        rc = read_categories(&r, err);
    if (rc == PV_OK)
        rc = read_tags(&r, err);
    if (rc == PV_OK && json_array_size(r.ids) > 0)
        rc = read_links(&r, err);
    json_decref(r.categories);
    json_decref(r.names);
    json_decref(r.ids);
    if (rc) {
        tags_free(r.tags);
        return rc;
    }
    if (r.tags->nlinks > 0)
        qsort(r.tags->links, r.tags->nlinks, sizeof(*r.tags->links), compare);
    *out = r.tags;
    return PV_OK;
}

void tags_free(struct tags *t)
{
    if (!t)
        return;
    arena_free(t->arena);
    free(t->links);
    free(t);
}

size_t tags_of(const struct tags *t, const char *id, const char *items[TAGS_OF_ONE_MOST])
{
    size_t low = 0, high = t->nlinks, n = 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(t->links[middle].object, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < t->nlinks && n < TAGS_OF_ONE_MOST && strcmp(t->links[low].object, id) == 0; low++)
        items[n++] = t->links[low].tag;
    return n;
}
