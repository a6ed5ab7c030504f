/* SPDX-License-Identifier: Apache-2.0 */
#include <polyvisor/model.h>

#include <string.h>

#include <polyvisor/cleanup.h>
#include <polyvisor/str.h>

/* The words of the lists, as values. */
enum {
    SEARCH = MODEL_SEARCH,
    SORT = MODEL_SORT,
    INDEX = MODEL_INDEX,
    WORD = MODEL_WORD,
    DETAIL = MODEL_DETAIL,
    SECRET = MODEL_SECRET,
    COMPUTED = MODEL_COMPUTED,
    SYNCED = MODEL_SYNCED,
    LOCAL = MODEL_LOCAL,
    REPORTED = MODEL_REPORTED,
    MEMORY = MODEL_MEMORY,
};

#define TYPE_STR(detail) .type = MODEL_STR, .max = (detail)
#define TYPE_LIST(detail) .type = MODEL_LIST, .max = (detail)
#define TYPE_JSON(detail) .type = MODEL_JSON, .max = (detail)
#define TYPE_U64(detail) .type = MODEL_U64, .unit = UNIT_##detail
#define TYPE_BOOL(detail) .type = MODEL_BOOL
#define TYPE_TIME(detail) .type = MODEL_TIME
#define TYPE_ENUM(detail) .type = MODEL_ENUM, .enum_id = PV_ENUM_##detail
#define TYPE_REF(detail) .type = MODEL_REF, .ref = PV_KIND_##detail
#define TYPE_REFS(detail) .type = MODEL_REFS, .ref = PV_KIND_##detail

/* One table of fields a kind. */
#define KIND(k, number, plural, prefix, owner, member, flags, perm, doc)                           \
    static const struct model_field fields_##k[] = {
#define FIELD(k, n, c, p, t, d, f, text)                                                           \
    { .name = #c, .path = p, .doc = text, .slot = n, .index = PV_F_##k##_##c, .flags = (f),        \
      TYPE_##t(d) },
#define OWN(k, c, p, t, d, f, text) FIELD(k, -1, c, p, t, d, f, text)
#define ALIAS(k, alias, p)
#define RETIRED(k, n)
#define END_KIND(k)                                                                                \
    }                                                                                              \
    ;
#include "model/kinds.def"
#undef KIND
#undef FIELD
#undef OWN
#undef ALIAS
#undef END_KIND

/* Aliases. */
#define KIND(k, number, plural, prefix, owner, member, flags, perm, doc)                           \
    static const struct model_alias aliases_##k[] = {
#define FIELD(k, n, c, p, t, d, f, text)
#define OWN(k, c, p, t, d, f, text)
#define ALIAS(k, word, target) { .alias = word, .path = target },
#define END_KIND(k)                                                                                \
    {                                                                                              \
        NULL, NULL                                                                                 \
    }                                                                                              \
    }                                                                                              \
    ;
#include "model/kinds.def"
#undef KIND
#undef ALIAS
#undef END_KIND

/* Kinds by their number. */
#define KIND(k, n, many, pre, own, mem, f, perm, text)                                             \
    [n] = { .number = PV_KIND_##k, .name = #k, .plural = many, .prefix = pre,                      \
            .owner = PV_KIND_##own, .member = mem, .doc = text, .flags = (f),                      \
            .permission = PERM_##perm, .fields = fields_##k, .nfields = PV_COUNT(fields_##k),      \
            .aliases = aliases_##k, .table = "k_" #k },
#define ALIAS(k, word, target)
#define END_KIND(k)
static const struct model_kind kinds[PV_KIND_MAX + 1] = {
#include "model/kinds.def"
};
#undef KIND

/* The order of kinds.def: what is referred to comes first. */
#define KIND(k, n, many, pre, own, mem, f, perm, text) &kinds[n],
static const struct model_kind *const ordered[] = {
#include "model/kinds.def"
    NULL,
};
#undef KIND
#undef FIELD
#undef OWN
#undef ALIAS
#undef RETIRED
#undef END_KIND

/* Enums: the texts of each, and a table of them. */
#define ENUM(name) static const char *const enum_##name[] = {
#define VALUE(prefix, name, text) text,
#define END_ENUM(name)                                                                             \
    }                                                                                              \
    ;
#include "model/enums.def"
#undef ENUM
#undef VALUE
#undef END_ENUM

static const struct {
    const char *name;
    const char *const *texts;
    size_t count;
} enums[] = {
#define ENUM(n) { #n, enum_##n, PV_COUNT(enum_##n) },
#define VALUE(prefix, name, text)
#define END_ENUM(name)
#include "model/enums.def"
#undef ENUM
#undef VALUE
#undef END_ENUM
};

static const struct model_metric metrics[] = {
#define METRIC(n, c, p, u, text)                                                                   \
    { .name = p, .c_name = #c, .unit = UNIT_##u, .slot = n, .doc = text },
#include "model/metrics.def"
#undef METRIC
};

#define ROLE_BIT(role) (1u << PV_ROLE_##role)
static const struct {
    const char *text;
    bool global;
    uint32_t roles;
} permissions[] = {
#define VIEWER ROLE_BIT(VIEWER)
#define OPERATOR ROLE_BIT(OPERATOR)
#define INFRA_ADMIN ROLE_BIT(INFRA_ADMIN)
#define AUDITOR ROLE_BIT(AUDITOR)
#define MONITOR ROLE_BIT(MONITOR)
#define AUTOMATION ROLE_BIT(AUTOMATION)
#define VM_KEEPERS (ROLE_BIT(VM_ADMIN) | INFRA_ADMIN)
#define OPERATORS (OPERATOR | VM_KEEPERS | AUTOMATION)
#define READERS (VIEWER | OPERATORS | AUDITOR)
#define ADMIN_ONLY 0
#define ALL UINT32_MAX
#define SCOPED false
#define GLOBAL true
#define PERM(name, t, reach, r) { t, reach, (r) | ROLE_BIT(ADMIN) },
#include "model/permissions.def"
#undef PERM
#undef VIEWER
#undef OPERATOR
#undef INFRA_ADMIN
#undef AUDITOR
#undef MONITOR
#undef AUTOMATION
#undef VM_KEEPERS
#undef OPERATORS
#undef READERS
#undef ADMIN_ONLY
#undef ALL
#undef SCOPED
#undef GLOBAL
};

const struct model_kind *model_kind(enum pv_kind number)
{
    if ((unsigned)number > PV_KIND_MAX || !kinds[number].name)
        return NULL;
    return &kinds[number];
}

const struct model_kind *model_kind_at(size_t i)
{
    return i < PV_COUNT(ordered) ? ordered[i] : NULL;
}

const struct model_kind *model_kind_by_name(const char *name)
{
    for (size_t i = 0; ordered[i]; i++)
        if (strcmp(ordered[i]->name, name) == 0)
            return ordered[i];
    return NULL;
}

const struct model_kind *model_kind_by_plural(const char *plural)
{
    for (size_t i = 0; ordered[i]; i++)
        if (strcmp(ordered[i]->plural, plural) == 0)
            return ordered[i];
    return NULL;
}

const struct model_kind *model_kind_by_prefix(const char *text, size_t len)
{
    for (size_t i = 0; ordered[i]; i++)
        if (strlen(ordered[i]->prefix) == len && memcmp(ordered[i]->prefix, text, len) == 0)
            return ordered[i];
    return NULL;
}

const struct model_field *model_field(const struct model_kind *kind, const char *path, size_t len)
{
    for (const struct model_alias *a = kind->aliases; a->alias; a++) {
        if (strlen(a->alias) == len && memcmp(a->alias, path, len) == 0) {
            path = a->path;
            len = strlen(a->path);
            break;
        }
    }
    for (size_t i = 0; i < kind->nfields; i++) {
        const char *candidate = kind->fields[i].path;

        if (strlen(candidate) == len && memcmp(candidate, path, len) == 0)
            return &kind->fields[i];
    }
    return NULL;
}

const struct model_field *model_field_by_name(const struct model_kind *kind, const char *name)
{
    for (size_t i = 0; i < kind->nfields; i++)
        if (strcmp(kind->fields[i].name, name) == 0)
            return &kind->fields[i];
    return NULL;
}

const struct model_field *model_field_by_slot(const struct model_kind *kind, unsigned slot)
{
    for (size_t i = 0; i < kind->nfields; i++)
        if (kind->fields[i].slot >= 0 && (unsigned)kind->fields[i].slot == slot)
            return &kind->fields[i];
    return NULL;
}

const char *model_field_nearest(const struct model_kind *kind, const char *path, size_t len)
{
    const char *best = NULL;
    /* Short words are near to everything: a third of them may differ. */
    unsigned best_distance = 2 + (unsigned)(len < 9 ? len : 9) / 3;
    char wanted[64];

    if (len < 2 || !str_copy_n(wanted, sizeof(wanted), path, len))
        return NULL;
    for (const struct model_alias *a = kind->aliases; a->alias; a++) {
        unsigned distance = str_distance(wanted, a->alias, best_distance);

        if (distance < best_distance) {
            best = a->alias;
            best_distance = distance;
        }
    }
    for (size_t i = 0; i < kind->nfields; i++) {
        const char *candidate = kind->fields[i].path;
        const char *last = strrchr(candidate, '.');
        unsigned distance;

        if (kind->fields[i].flags & MODEL_SECRET)
            continue;
        distance = str_distance(wanted, candidate, best_distance);
        if (distance < best_distance) {
            best = candidate;
            best_distance = distance;
        }
        /* "cores" for "hardware.cores" is a forgotten prefix, not a misspelling. */
        if (last && strcmp(last + 1, wanted) == 0 && best_distance > 1) {
            best = candidate;
            best_distance = 1;
        }
    }
    return best;
}

const char *model_enum_text(enum pv_enum_id id, int64_t value)
{
    if (value < 0 || (uint64_t)value >= enums[id].count)
        value = 0;
    return enums[id].texts[value];
}

size_t model_enum_count(enum pv_enum_id id)
{
    return enums[id].count;
}

int64_t model_enum_value(enum pv_enum_id id, const char *text, size_t len)
{
    for (size_t i = 0; i < enums[id].count; i++)
        if (strlen(enums[id].texts[i]) == len && memcmp(enums[id].texts[i], text, len) == 0)
            return (int64_t)i;
    return -1;
}

const char *model_enum_name(enum pv_enum_id id)
{
    return enums[id].name;
}

const char *model_unit_text(enum model_unit unit)
{
    static const char *const texts[] = { "", "count", "bytes", "MHz", "percent", "ms", "s" };

    return texts[unit];
}

const struct model_metric *model_metrics(size_t *count)
{
    *count = PV_COUNT(metrics);
    return metrics;
}

bool model_id_parse(const char *text, size_t len, const struct model_kind **kind, struct pv_id *id)
{
    const char *end = memchr(text, '_', len);
    const struct model_kind *found;

    if (!end)
        return false;
    found = model_kind_by_prefix(text, (size_t)(end - text));
    if (!found || !id_parse(found->prefix, text, len, id))
        return false;
    *kind = found;
    return true;
}

void model_id_text(enum pv_kind kind, const struct pv_id *id, char out[PV_ID_TEXT])
{
    const struct model_kind *k = model_kind(kind);

    id_text(k ? k->prefix : "x", id, out);
}

const char *model_permission_text(int permission)
{
    if (permission == PERM_EVENT_READ)
        return "read"; /* of anything */
    if (permission < 0 || permission >= PERM_COUNT)
        return "";
    return permissions[permission].text;
}

int model_permission(const char *text, size_t len)
{
    for (int p = PERM_NONE + 1; p < PERM_COUNT; p++)
        if (strlen(permissions[p].text) == len && memcmp(permissions[p].text, text, len) == 0)
            return p;
    return -1;
}

bool model_permission_global(int permission)
{
    return permission >= 0 && permission < PERM_COUNT && permissions[permission].global;
}

bool model_role_may(enum pv_role role, int permission)
{
    if (permission == PERM_PUBLIC)
        return true;
    if (permission == PERM_EVENT_READ)
        return role != PV_ROLE_NONE && role != PV_ROLE_MONITOR;
    if (permission < 0 || permission >= PERM_COUNT)
        return false;
    return (permissions[permission].roles >> role) & 1u;
}
