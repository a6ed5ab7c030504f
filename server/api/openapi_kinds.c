/* SPDX-License-Identifier: Apache-2.0 */
/* What the OpenAPI document says of each kind's fields, from the model's tables. */
#include "server/api/openapi.h"

#include <ctype.h>
#include <string.h>

#include <polyvisor/err.h>
#include <polyvisor/jsonw.h>
#include <polyvisor/str.h>

#include "server/api/schemas.h"

static const char *const units[] = { "", "count", "bytes", "MHz", "percent", "ms", "s" };

void openapi_nullable(struct jsonw *w, const char *type)
{
    jsonw_array(w, "type");
    jsonw_str(w, NULL, type);
    jsonw_str(w, NULL, "null");
    jsonw_end(w);
}

void openapi_ref(struct jsonw *w, const char *key, const char *schema)
{
    jsonw_object(w, key);
    jsonw_strf(w, "$ref", "#/components/schemas/%s", schema);
    jsonw_end(w);
}

static void ref_or_null(struct jsonw *w, const char *schema)
{
    jsonw_array(w, "anyOf");
    openapi_ref(w, NULL, schema);
    jsonw_object(w, NULL);
    jsonw_str(w, "type", "null");
    jsonw_end(w);
    jsonw_end(w);
}

/* What the hypervisors call it, for who knows it by that name. */
static void write_native(struct jsonw *w, const struct model_native *n)
{
    if (!n)
        return;
    jsonw_object(w, "x-native");
    if (n->hyperv)
        jsonw_str(w, "hyperv", n->hyperv);
    if (n->vmware)
        jsonw_str(w, "vmware", n->vmware);
    jsonw_end(w);
}

static void write_field(struct jsonw *w, const char *key, enum pv_kind kind,
                        const struct model_field *f)
{
    jsonw_object(w, key);
    jsonw_str(w, "description", f->doc);
    write_native(w, model_native_of(kind, f->path));
    switch (f->type) {
    case MODEL_STR:
        openapi_nullable(w, "string");
        break;
    case MODEL_LIST:
        jsonw_str(w, "type", "array");
        jsonw_object(w, "items");
        jsonw_str(w, "type", "string");
        jsonw_end(w);
        break;
    case MODEL_JSON:
        break;
    case MODEL_U64:
        openapi_nullable(w, "integer");
        jsonw_i64(w, "minimum", 0);
        jsonw_str(w, "x-unit", units[f->unit]);
        break;
    case MODEL_BOOL:
        openapi_nullable(w, "boolean");
        break;
    case MODEL_ENUM:
        jsonw_array(w, "enum");
        for (size_t i = 0; i < model_enum_count(f->enum_id); i++)
            jsonw_str(w, NULL, model_enum_text(f->enum_id, (int64_t)i));
        jsonw_null(w, NULL);
        jsonw_end(w);
        break;
    case MODEL_TIME:
        openapi_nullable(w, "string");
        jsonw_str(w, "format", "date-time");
        break;
    case MODEL_REF:
        ref_or_null(w, f->ref == PV_KIND_provider ? "ProviderRef" : "Ref");
        break;
    case MODEL_REFS:
        jsonw_str(w, "type", "array");
        openapi_ref(w, "items", "Ref");
        break;
    }
    if (f->flags & MODEL_SORT)
        jsonw_bool(w, "x-sortable", true);
    if (f->flags & MODEL_SEARCH)
        jsonw_bool(w, "x-filterable", true);
    if (f->type == MODEL_ENUM || f->type == MODEL_BOOL || f->type == MODEL_REF)
        jsonw_bool(w, "x-facet", true);
    if (f->slot < 0)
        jsonw_bool(w, "x-ours", true);
    jsonw_end(w);
}

/* The fields whose paths begin with `prefix` (ending in a dot, or empty), as properties. */
static void write_level(struct jsonw *w, const struct model_shape *s, const char *prefix)
{
    const char *last = "";
    size_t last_len = 0;

    for (size_t i = 0; i < s->nfields; i++) {
        const struct model_field *f = &s->kind->fields[s->fields[i]];
        const char *rest = f->path + strlen(prefix);
        size_t len;
        char deeper[128];

        if (!str_starts(f->path, prefix))
            continue;
        len = strcspn(rest, ".");
        if (rest[len] == '\0') {
            write_field(w, rest, s->kind->number, f);
            continue;
        }
        /* Relatives stand together, so one look back is enough. */
        if (len == last_len && memcmp(rest, last, len) == 0)
            continue;
        last = rest;
        last_len = len;
        snprintf(deeper, sizeof(deeper), "%s%.*s.", prefix, (int)len, rest);
        {
            char key[64];

            str_copy_n(key, sizeof(key), rest, len);
            jsonw_object(w, key);
            jsonw_str(w, "type", "object");
            jsonw_object(w, "properties");
            write_level(w, s, deeper);
            jsonw_end(w);
            jsonw_end(w);
        }
    }
}

const char *openapi_name(const struct model_kind *k, char out[64])
{
    bool upper = true;
    size_t n = 0;

    for (const char *p = k->name; *p && n < 62; p++) {
        if (*p == '_') {
            upper = true;
            continue;
        }
        out[n++] = (char)(upper ? toupper((unsigned char)*p) : *p);
        upper = false;
    }
    out[n] = '\0';
    return out;
}

static int write_kind(struct jsonw *w, const struct model_kind *k, struct arena *a,
                      struct pv_err *err)
{
    const struct model_shape *s;
    char name[64];
    int rc = model_shape_make(k, NULL, MODEL_VIEW_FULL, a, &s, err);

    if (rc != PV_OK)
        return rc;
    jsonw_object(w, openapi_name(k, name));
    jsonw_str(w, "type", "object");
    jsonw_str(w, "description", k->doc);
    jsonw_array(w, "required");
    jsonw_str(w, NULL, "id");
    jsonw_str(w, NULL, "kind");
    jsonw_end(w);
    jsonw_object(w, "properties");
    jsonw_object(w, "id");
    jsonw_str(w, "type", "string");
    jsonw_strf(w, "pattern", "^%s_[0-9a-z]{26}$", k->prefix);
    jsonw_end(w);
    jsonw_object(w, "kind");
    jsonw_str(w, "const", k->name);
    jsonw_end(w);
    write_level(w, s, "");
    for (size_t i = 0; s->children && s->children[i]; i++) {
        jsonw_object(w, s->children[i]->kind->member);
        jsonw_str(w, "type", "array");
        openapi_ref(w, "items", openapi_name(s->children[i]->kind, name));
        jsonw_end(w);
    }
    jsonw_object(w, "usage");
    openapi_nullable(w, "object");
    jsonw_str(w, "description", "Volatile numbers, when fields= names usage.");
    jsonw_end(w);
    jsonw_end(w);
    jsonw_end(w);
    return PV_OK;
}

int openapi_components(struct jsonw *w, struct arena *a, struct pv_err *err)
{
    int rc = PV_OK;

    jsonw_object(w, "components");
    jsonw_object(w, "securitySchemes");
    jsonw_object(w, "token");
    jsonw_str(w, "type", "http");
    jsonw_str(w, "scheme", "bearer");
    jsonw_end(w);
    jsonw_object(w, "cookie");
    jsonw_str(w, "type", "apiKey");
    jsonw_str(w, "in", "cookie");
    jsonw_str(w, "name", "__Host-polyvisor");
    jsonw_end(w);
    jsonw_end(w);
    jsonw_object(w, "schemas");
    for (const struct named_schema *s = api_schemas; s->name; s++)
        jsonw_raw(w, s->name, s->json, strlen(s->json));
    for (size_t i = 0; model_kind_at(i) && rc == PV_OK; i++)
        if (!(model_kind_at(i)->flags & MODEL_MEMORY))
            rc = write_kind(w, model_kind_at(i), a, err);
    jsonw_end(w);
    jsonw_end(w);
    return rc;
}
