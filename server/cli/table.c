/* SPDX-License-Identifier: Apache-2.0 */
/* A table: columns as wide as their longest cell, and no wider than the terminal. */
#include <stdlib.h>
#include <string.h>

#include "server/cli/output.h"

#define GAP 2
#define LEAST_WIDTH 8
#define ELLIPSIS "\xe2\x80\xa6"

struct table {
    const struct column *columns;
    size_t n, nrows, cap;
    char **cells; /* nrows * n; owned */
    size_t *widths;
};

struct table *table_new(const struct column *columns, size_t n)
{
    struct table *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    t->columns = columns;
    t->n = n;
    t->widths = calloc(n + 1, sizeof(*t->widths));
    if (t->widths)
        return t;
    free(t);
    return NULL;
}

void table_free(struct table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->nrows * t->n; i++)
        free(t->cells[i]);
    free(t->cells);
    free(t->widths);
    free(t);
}

bool table_row(struct table *t, char *const *cells)
{
    char **row;

    if (t->nrows == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 64;
        char **more = reallocarray(t->cells, cap * t->n, sizeof(*more));

        if (!more)
            return false;
        t->cells = more;
        t->cap = cap;
    }
    row = t->cells + t->nrows * t->n;
    for (size_t i = 0; i < t->n; i++) {
        size_t width;

        row[i] = strdup(cells[i]);
        if (!row[i]) {
            while (i-- > 0)
                free(row[i]);
            return false;
        }
        width = term_width(row[i]);
        if (width > t->widths[i])
            t->widths[i] = width;
    }
    t->nrows++;
    return true;
}

/* Takes from the widest until the line fits, then drops columns at the right end. */
static size_t fit(size_t *widths, size_t n, size_t most)
{
    for (;;) {
        size_t total = 0, widest = 0, shown = 0;

        for (size_t i = 0; i < n; i++) {
            if (widths[i] == 0)
                continue;
            total += widths[i] + (shown++ ? GAP : 0);
            if (widths[i] > widths[widest])
                widest = i;
        }
        if (total <= most || n == 0)
            return n;
        if (widths[widest] > LEAST_WIDTH * 2)
            widths[widest]--;
        else if (n > 2)
            n--;
        else if (widths[widest] > LEAST_WIDTH)
            widths[widest]--;
        else
            return n;
    }
}

static void put_cell(struct buf *out, const char *text, size_t width, bool last, bool right,
                     enum term_style style)
{
    size_t is = term_width(text);
    size_t shown = is > width ? term_cut(text, width - 1) : strlen(text);
    size_t pad = is > width ? 0 : width - is;

    for (size_t i = 0; right && i < pad; i++)
        buf_char(out, ' ');
    if (style != STYLE_PLAIN)
        buf_text(out, term_style(style));
    buf_append(out, text, shown);
    if (is > width)
        buf_text(out, ELLIPSIS);
    if (style != STYLE_PLAIN)
        buf_text(out, TERM_PLAIN);
    for (size_t i = 0; !right && !last && i < pad; i++)
        buf_char(out, ' ');
}

void table_print(struct table *t, struct buf *out, bool header, bool color, size_t columns_most,
                 const char *indent, bool drop_empty)
{
    size_t n = t->n, last = 0;

    for (size_t i = 0; i < n; i++) {
        size_t title = term_width(t->columns[i].title);

        if (drop_empty && t->widths[i] == 0 && t->nrows > 0)
            continue;
        if (header && t->widths[i] < title)
            t->widths[i] = title;
        if (t->widths[i] == 0)
            t->widths[i] = 1;
    }
    if (columns_most)
        n = fit(t->widths, n, columns_most - strlen(indent));
    for (size_t i = 0; i < n; i++)
        last = t->widths[i] ? i : last;
    for (size_t row = header ? 0 : 1; row <= t->nrows; row++) {
        buf_text(out, indent);
        for (size_t i = 0; i < n; i++) {
            const struct column *column = &t->columns[i];
            const char *text = row ? t->cells[(row - 1) * t->n + i] : column->title;
            enum term_style style = !color          ? STYLE_PLAIN
                                    : row == 0      ? STYLE_BOLD
                                    : column->state ? term_style_of(text)
                                                    : STYLE_PLAIN;
            bool right = column->type == MODEL_U64;

            if (t->widths[i] == 0)
                continue;
            put_cell(out, text, t->widths[i], i == last, right, style);
            for (int gap = 0; i != last && gap < GAP; gap++)
                buf_char(out, ' ');
        }
        buf_char(out, '\n');
    }
}
