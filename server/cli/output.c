/* SPDX-License-Identifier: Apache-2.0 */
/* Lists in every form, item by item; whole answers. */
#include "server/cli/output.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/str.h>

struct rows {
    struct cli *c;
    const struct column *columns;
    size_t n, count;
    const char *name_path;
    struct table *table;
    struct buf line;
};

bool output_is_document(const struct cli *c)
{
    return c->output == OUT_JSON || c->output == OUT_JSONL || c->output == OUT_YAML ||
           c->output == OUT_NAME;
}

static bool has_header(const struct cli *c)
{
    return !cli_flag_on(c, "no_header", false);
}

/* On a terminal nothing leaves unclean; into a pipe the exact bytes go. */
static int flush_line(struct rows *r, struct pv_err *err)
{
    struct buf clean;
    int rc;

    if (!buf_ok(&r->line))
        return pv_fail(err, PV_ENOMEM, "no memory for the answer");
    if (!r->c->out_tty || r->table) {
        rc = term_out(r->line.data ? r->line.data : "", r->line.len, err);
    } else {
        buf_init(&clean, 64u << 20);
        term_clean_lines(&clean, r->line.data ? r->line.data : "", r->line.len);
        rc = term_out(clean.data ? clean.data : "", clean.len, err);
        buf_free(&clean);
    }
    buf_reset(&r->line);
    return rc;
}

/* A value of a list with tabs between: no tab, no newline inside. */
static void put_tsv(struct buf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        buf_char(out, text[i] == '\t' || text[i] == '\n' || text[i] == '\r' ? ' ' : text[i]);
}

/* RFC 4180; a text that a spreadsheet would take for a formula is kept from it. */
static void put_csv(struct buf *out, const char *text, size_t len, bool number)
{
    bool formula = len > 0 && !number && strchr("=+-@\t\r", text[0]) != NULL;

    if (!formula && !memchr(text, '"', len) && !memchr(text, ',', len) &&
        !memchr(text, '\n', len)) {
        buf_append(out, text, len);
        return;
    }
    buf_text(out, formula ? "\"'" : "\"");
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"')
            buf_char(out, '"');
        buf_char(out, text[i]);
    }
    buf_char(out, '"');
}

struct rows *rows_begin(struct cli *c, const struct column *columns, size_t n,
                        const char *name_path)
{
    struct rows *r = arena_alloc(c->arena, sizeof(*r));

    if (!r)
        return NULL;
    *r = (struct rows){ .c = c, .columns = columns, .n = n, .name_path = name_path };
    buf_init(&r->line, 256u << 20);
    if (c->output == OUT_TABLE || c->output == OUT_WIDE)
        r->table = table_new(columns, n);
    if (c->output == OUT_TSV || c->output == OUT_CSV) {
        bool csv = c->output == OUT_CSV;

        for (size_t i = 0; has_header(c) && i < n; i++)
            buf_printf(&r->line, "%s%s", i ? csv ? "," : "\t" : "", columns[i].path);
        if (has_header(c))
            buf_text(&r->line, csv ? "\r\n" : "\n");
    }
    if (c->output == OUT_JSON)
        buf_text(&r->line, "{\"items\": [");
    return r;
}

/* One value of an object, fit for a terminal. Owned by the caller; NULL: no memory. */
static char *clean_cell(const struct column *column, const json_t *item)
{
    const json_t *value = json_at(item, column->path);
    struct buf raw, clean;

    buf_init(&raw, 4u << 20);
    buf_init(&clean, 16u << 20);
    if (value)
        cell_write(&raw, column, value, true);
    if (raw.data)
        term_clean(&clean, raw.data, raw.len);
    buf_free(&raw);
    return buf_take(&clean);
}

static bool add_to_table(struct table *table, const struct column *columns, size_t n,
                         const json_t *item)
{
    char **cells = calloc(n + 1, sizeof(*cells));
    bool ok = cells != NULL;

    for (size_t i = 0; ok && i < n; i++) {
        cells[i] = clean_cell(&columns[i], item);
        ok = cells[i] != NULL;
    }
    ok = ok && table_row(table, cells);
    for (size_t i = 0; cells && i < n; i++)
        free(cells[i]);
    free(cells);
    return ok;
}

static void put_values(struct rows *r, const json_t *item)
{
    bool csv = r->c->output == OUT_CSV;
    struct buf cell;

    buf_init(&cell, 16u << 20);
    for (size_t i = 0; i < r->n; i++) {
        const json_t *value = json_at(item, r->columns[i].path);

        buf_reset(&cell);
        if (value)
            cell_write(&cell, &r->columns[i], value, false);
        if (i > 0)
            buf_char(&r->line, csv ? ',' : '\t');
        if (!cell.data)
            continue;
        if (csv)
            put_csv(&r->line, cell.data, cell.len, json_is_number(value));
        else
            put_tsv(&r->line, cell.data, cell.len);
    }
    buf_free(&cell);
    buf_text(&r->line, csv ? "\r\n" : "\n");
}

static void put_name(struct rows *r, const json_t *item)
{
    const char *name = r->name_path ? json_string_value(json_at(item, r->name_path)) : NULL;
    const char *id = json_string_value(json_object_get(item, "id"));

    name = name && *name ? name : id ? id : "";
    put_tsv(&r->line, name, strlen(name));
    buf_char(&r->line, '\n');
}

int rows_add(struct rows *r, const json_t *item, struct pv_err *err)
{
    char *text = NULL;

    r->count++;
    switch (r->c->output) {
    case OUT_TABLE:
    case OUT_WIDE:
        return r->table && add_to_table(r->table, r->columns, r->n, item)
                   ? PV_OK
                   : pv_fail(err, PV_ENOMEM, "no memory for the table");
    case OUT_TSV:
    case OUT_CSV:
        put_values(r, item);
        break;
    case OUT_NAME:
        put_name(r, item);
        break;
    case OUT_JSON:
        text = json_dumps(item, JSON_COMPACT);
        buf_printf(&r->line, "%s\n  ", r->count > 1 ? "," : "");
        buf_text(&r->line, text ? text : "null");
        break;
    case OUT_JSONL:
        text = json_dumps(item, JSON_COMPACT);
        buf_printf(&r->line, "%s\n", text ? text : "null");
        break;
    case OUT_YAML:
        buf_text(&r->line, "- ");
        yaml_write(&r->line, item, 2);
        break;
    }
    free(text);
    return flush_line(r, err);
}

size_t rows_count(const struct rows *r)
{
    return r->count;
}

int rows_end(struct rows *r, struct pv_err *err)
{
    struct cli *c = r->c;
    int rc;

    if (r->table)
        table_print(r->table, &r->line, has_header(c), c->color,
                    c->output == OUT_TABLE ? term_columns() : 0, "", c->output == OUT_WIDE);
    if (c->output == OUT_JSON)
        buf_text(&r->line, r->count ? "\n]}\n" : "]}\n");
    if (c->output == OUT_YAML && r->count == 0)
        buf_text(&r->line, "[]\n");
    rc = flush_line(r, err);
    table_free(r->table);
    buf_free(&r->line);
    return rc;
}

void rows_drop(struct rows *r)
{
    table_free(r->table);
    buf_free(&r->line);
}

/* ------------------------------------------------------------------ whole answers */

int output_items(struct cli *c, const json_t *answer, const struct column *columns, size_t n,
                 const char *name_path, struct pv_err *err)
{
    const json_t *items = json_is_array(answer) ? answer : json_object_get(answer, "items"), *item;
    struct rows *r = rows_begin(c, columns, n, name_path);
    struct pv_err late = { 0 };
    size_t i;
    int rc = PV_OK;

    if (!r)
        return pv_fail(err, PV_ENOMEM, "no memory for the answer");
    json_array_foreach(items, i, item)
    {
        rc = rows_add(r, item, err);
        if (rc != PV_OK)
            break;
    }
    if (rows_end(r, &late) != PV_OK && rc == PV_OK) {
        *err = late;
        rc = late.rc;
    }
    return rc;
}

/* The field that a path of an object is, for its unit; a guess by the name where there is no kind.
 */
static struct column column_at(const struct model_kind *kind, const char *path)
{
    const struct model_field *f = kind ? model_field(kind, path, strlen(path)) : NULL;
    struct column column = { .path = path, .title = path, .type = MODEL_STR };

    if (f) {
        column.type = f->type;
        column.unit = f->unit;
        column.state = f->type == MODEL_ENUM;
    } else if (str_ends(path, "_bytes")) {
        column.unit = UNIT_BYTES;
    } else if (str_ends(path, "_at") || str_ends(path, "time") || str_ends(path, "as_of")) {
        column.type = MODEL_TIME;
    }
    return column;
}

/* Names of members are the server's text like everything else. */
static const char *clean_key(struct cli *c, const char *key)
{
    struct buf clean;
    const char *kept;

    buf_init(&clean, 64u << 10);
    term_clean(&clean, key, strlen(key));
    kept = cli_keep(c, &clean);
    return kept ? kept : "?";
}

/* An array of objects is a table of its own below its name. */
static void put_children(struct cli *c, const char *path, const json_t *items, struct buf *out)
{
    const struct model_kind *child = NULL;
    struct column *columns = NULL;
    struct table *t;
    const json_t *item;
    size_t n = 0, i;

    for (size_t k = 0; model_kind_at(k); k++)
        if (model_kind_at(k)->owner != PV_KIND_NONE && strcmp(model_kind_at(k)->member, path) == 0)
            child = model_kind_at(k);
    buf_printf(out, "%s:\n", clean_key(c, path));
    if (child) {
        columns_usual(c->arena, child, &columns, &n);
    } else {
        const char *key;
        json_t *value;

        columns = arena_alloc(c->arena, 32 * sizeof(*columns));
        json_object_foreach(json_array_get(items, 0), key,
                            value) if (columns && n < 32 && !json_is_object(value))
        {
            columns[n] = column_at(NULL, arena_strdup(c->arena, key));
            columns[n++].title = clean_key(c, key);
        }
    }
    t = columns ? table_new(columns, n) : NULL;
    json_array_foreach(items, i, item)
    {
        if (t)
            (void)add_to_table(t, columns, n, item);
    }
    if (t)
        table_print(t, out, true, c->color, term_columns(), "  ", true);
    table_free(t);
}

#define LABEL 28

static void put_member(struct cli *c, const struct model_kind *kind, const char *path,
                       const json_t *value, struct buf *out)
{
    struct column column = column_at(kind, path);
    struct buf raw, clean;
    enum term_style style = STYLE_PLAIN;
    const char *label = clean_key(c, path);
    size_t width = term_width(label) + 1;

    buf_init(&raw, 4u << 20);
    buf_init(&clean, 16u << 20);
    cell_write(&raw, &column, value, true);
    if (raw.len > 0) {
        term_clean_lines(&clean, raw.data, raw.len);
        if (c->color && (column.state || strcmp(path, "status") == 0))
            style = term_style_of(raw.data);
        buf_printf(out, "%s:", label);
        do
            buf_char(out, ' ');
        while (++width < LABEL);
        buf_printf(out, "%s%s%s\n", term_style(style), clean.data ? clean.data : "",
                   style != STYLE_PLAIN ? TERM_PLAIN : "");
    }
    buf_free(&raw);
    buf_free(&clean);
}

static void put_members(struct cli *c, const struct model_kind *kind, const char *before,
                        const json_t *object, struct buf *out)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)object, key, value)
    {
        const char *path = *before ? arena_printf(c->arena, "%s.%s", before, key) : key;
        const struct model_field *f = kind && path ? model_field(kind, path, strlen(path)) : NULL;
        const char *name = json_string_value(json_object_get(value, "name"));

        if (!path || json_is_null(value))
            continue;
        if (json_is_object(value) &&
            (f ? f->type == MODEL_REF : name && json_object_get(value, "id")))
            put_member(c, kind, path, value, out);
        else if (json_is_object(value))
            put_members(c, kind, path, value, out);
        else if (json_is_array(value) && json_is_object(json_array_get(value, 0)) &&
                 !(f && f->type == MODEL_REFS))
            put_children(c, path, value, out);
        else
            put_member(c, kind, path, value, out);
    }
}

/* For pipes: one line a value, path and exact value with a tab between. */
static void put_flat(struct cli *c, const char *path, const json_t *value, struct buf *out)
{
    const char *name = json_string_value(json_object_get(value, "name"));
    struct column plain = { .type = MODEL_STR };
    const json_t *one;
    const char *key;
    struct buf cell;
    json_t *member;
    size_t i;

    if (json_is_object(value) && *path && name && json_object_get(value, "id")) {
        put_flat(c, path, json_object_get(value, "name"), out);
    } else if (json_is_object(value)) {
        json_object_foreach((json_t *)value, key, member)
            put_flat(c, *path ? arena_printf(c->arena, "%s.%s", path, key) : key, member, out);
    } else if (json_is_array(value) && json_is_object(json_array_get(value, 0)) &&
               !json_object_get(json_array_get(value, 0), "name")) {
        json_array_foreach(value, i, one)
            put_flat(c, arena_printf(c->arena, "%s.%zu", path, i), one, out);
    } else if (path) {
        buf_init(&cell, 4u << 20);
        cell_write(&cell, &plain, value, false);
        buf_printf(out, "%s\t", path);
        put_tsv(out, cell.data ? cell.data : "", cell.len);
        buf_char(out, '\n');
        buf_free(&cell);
    }
}

void output_members(struct cli *c, const json_t *object, const struct model_kind *kind,
                    struct buf *out)
{
    put_members(c, kind, "", object, out);
}

int output_object(struct cli *c, const json_t *object, const struct model_kind *kind,
                  struct pv_err *err)
{
    const char *name = json_string_value(json_object_get(object, "name"));
    struct buf out, clean;
    char *text = NULL;
    int rc;

    buf_init(&out, 256u << 20);
    buf_init(&clean, 512u << 20);
    switch (c->output) {
    case OUT_JSON:
    case OUT_JSONL:
        text = json_dumps(object, c->output == OUT_JSON ? JSON_INDENT(2) | JSON_ENCODE_ANY
                                                        : JSON_COMPACT | JSON_ENCODE_ANY);
        buf_printf(&clean, "%s\n", text ? text : "null");
        free(text);
        break;
    case OUT_YAML:
        yaml_write(&clean, object, 0);
        break;
    case OUT_NAME:
        if (!name)
            name = json_string_value(json_object_get(object, "id"));
        buf_printf(&clean, "%s\n", name ? name : "");
        break;
    case OUT_TSV:
    case OUT_CSV:
        put_flat(c, "", object, &clean);
        break;
    case OUT_TABLE:
    case OUT_WIDE:
        /* Its cells are clean already, and have styles. */
        output_members(c, object, kind, &out);
        break;
    }
    if (clean.len > 0 && c->out_tty)
        term_clean_lines(&out, clean.data, clean.len);
    else if (clean.len > 0)
        buf_append(&out, clean.data, clean.len);
    rc = buf_ok(&out) && buf_ok(&clean) ? term_out(out.data ? out.data : "", out.len, err)
                                        : pv_fail(err, PV_ENOMEM, "no memory for the answer");
    buf_free(&out);
    buf_free(&clean);
    return rc;
}
