/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/vapi/values.h"

#include <string.h>

#include <polyvisor/clock.h>
#include <polyvisor/str.h>
#include <polyvisor/xml.h>

const char *value_text(const xmlNode *node)
{
    const char *text = xml_text(node);

    return text && *text ? text : NULL;
}

const char *value_field(const xmlNode *node, const char *name)
{
    return value_text(xml_child(node, NULL, name));
}

const char *value_ref_id(const xmlNode *node)
{
    return value_text(node);
}

bool value_ref(const xmlNode *node, struct moref *out)
{
    const char *id = value_text(node), *type = xml_attr(node, NULL, "type");
    struct moref ref;

    if (!id || !type || !*type || !str_copy(ref.type, sizeof(ref.type), type) ||
        !str_copy(ref.id, sizeof(ref.id), id))
        return false;
    *out = ref;
    return true;
}

bool value_u64(const xmlNode *node, uint64_t *out)
{
    return node && xml_u64(node, out);
}

bool value_field_u64(const xmlNode *node, const char *name, uint64_t *out)
{
    return value_u64(xml_child(node, NULL, name), out);
}

bool value_field_bool(const xmlNode *node, const char *name, bool *out)
{
    const xmlNode *child = xml_child(node, NULL, name);

    return child && xml_bool(child, out);
}

bool value_time(const xmlNode *node, int64_t *ms)
{
    const char *text = value_text(node);

    return text && clock_parse(text, strlen(text), ms);
}

const xmlNode *value_at(const xmlNode *node, const char *path)
{
    while (node && *path) {
        size_t len = strcspn(path, ".");
        const xmlNode *child = xml_first(node);

        while (child && (strncmp(xml_name(child), path, len) != 0 || xml_name(child)[len]))
            child = xml_next(child);
        node = child;
        path += len + (path[len] == '.');
    }
    return node;
}

const char *value_name(const char *escaped, char *out, size_t cap)
{
    static const struct {
        const char *code;
        char c;
    } codes[] = { { "%2f", '/' }, { "%5c", '\\' }, { "%25", '%' } };
    size_t n = 0;

    if (!escaped)
        return NULL;
    (void)str_copy(out, cap, escaped);
    for (const char *at = out; *at;) {
        size_t skip = 1;
        char c = *at;

        for (size_t i = 0; c == '%' && skip == 1 && i < sizeof(codes) / sizeof(codes[0]); i++) {
            if (strncasecmp(at, codes[i].code, 3) == 0) {
                c = codes[i].c;
                skip = 3;
            }
        }
        out[n++] = c;
        at += skip;
    }
    out[n] = '\0';
    return out;
}

/* Servers answer in the order asked, mostly: look behind the last hit first. */
static size_t find_path(const struct prop_table *table, const char *name, size_t hint)
{
    for (size_t n = 0; n < table->count; n++) {
        size_t i = hint + n < table->count ? hint + n : hint + n - table->count;

        if (strcmp(table->paths[i], name) == 0)
            return i;
    }
    return table->count;
}

static void read_missing(const xmlNode *missing, struct prop_values *out)
{
    const char *type = xml_xsi_type(value_at(missing, "fault.fault"));

    if (!type)
        return;
    if (strcmp(type, "NotAuthenticated") == 0)
        out->signed_out = true;
    else if (strcmp(type, "NoPermission") == 0)
        out->forbidden = true;
}

void props_read(const struct prop_table *table, const xmlNode *object, struct prop_values *out)
{
    size_t hint = 0;

    memset(out, 0, sizeof(*out));
    for (const xmlNode *set = xml_first(object); set; set = xml_next(set)) {
        const char *name;
        size_t i;

        if (xml_is(set, NULL, "missingSet")) {
            read_missing(set, out);
            continue;
        }
        if (!xml_is(set, NULL, "propSet") && !xml_is(set, NULL, "changeSet"))
            continue;
        name = value_field(set, "name");
        i = name ? find_path(table, name, hint) : table->count;
        if (i >= table->count || i >= PROPS_MAX)
            continue;
        out->val[i] = xml_child(set, NULL, "val");
        out->nknown += !out->known[i];
        out->known[i] = true;
        hint = i + 1 < table->count ? i + 1 : 0;
    }
}
