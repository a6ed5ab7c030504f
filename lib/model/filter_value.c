/* SPDX-License-Identifier: Apache-2.0 */
/* The values of the filter language: sizes, durations, times, enums, ids. */
#include "lib/model/filter_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <polyvisor/arena.h>
#include <polyvisor/buf.h>
#include <polyvisor/cleanup.h>
#include <polyvisor/clock.h>
#include <polyvisor/err.h>
#include <polyvisor/str.h>

#define DAY_MS (24 * 3600 * 1000LL)
#define NUMBER_MAX (1LL << 53)

struct suffix {
    const char *text;
    int64_t factor;
};

static const struct suffix sizes[] = {
    { "b", 1 },           { "k", 1LL << 10 },   { "kib", 1LL << 10 },    { "m", 1LL << 20 },
    { "mib", 1LL << 20 }, { "g", 1LL << 30 },   { "gib", 1LL << 30 },    { "t", 1LL << 40 },
    { "tib", 1LL << 40 }, { "p", 1LL << 50 },   { "pib", 1LL << 50 },    { "kb", 1000 },
    { "mb", 1000000 },    { "gb", 1000000000 }, { "tb", 1000000000000 }, { "pb", 1000000000000000 },
    { NULL, 0 },
};
static const struct suffix frequencies[] = { { "mhz", 1 }, { "ghz", 1000 }, { NULL, 0 } };
static const struct suffix percents[] = { { "%", 1 }, { NULL, 0 } };
static const struct suffix durations_ms[] = {
    { "ms", 1 },          { "s", 1000 },   { "min", 60000 },    { "m", 60000 },
    { "h", 3600 * 1000 }, { "d", DAY_MS }, { "w", 7 * DAY_MS }, { NULL, 0 },
};
static const struct suffix durations_s[] = {
    { "s", 1 },     { "min", 60 },   { "m", 60 }, { "h", 3600 },
    { "d", 86400 }, { "w", 604800 }, { NULL, 0 },
};
static const struct suffix none[] = { { NULL, 0 } };

int filter_error(struct pv_err *err, unsigned column, const char *fmt, ...)
{
    char text[400];
    va_list ap;
    int rc;

    va_start(ap, fmt);
    if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
        text[0] = '\0';
    va_end(ap);
    rc = pv_fail_as(err, "invalid-filter", "column %u: %s", column, text);
    pv_err_pointer(err, "filter");
    return rc;
}

/* For messages: not the whole of a long text. */
static int shown(size_t len)
{
    return len > 60 ? 60 : (int)len;
}

static bool suffix_factor(const struct suffix *list, const char *text, size_t len, int64_t *factor)
{
    for (; list->text; list++) {
        if (strlen(list->text) == len && strncasecmp(list->text, text, len) == 0) {
            *factor = list->factor;
            return true;
        }
    }
    return false;
}

/* Digits, a fraction if a unit follows, a unit: 1.5GiB. Rounded down; false: none, or too large. */
static bool read_number(const char *text, size_t len, const struct suffix *units, int64_t *out)
{
    size_t at = 0;
    int64_t whole = 0, fraction = 0, scale = 1, factor = 1;

    for (; at < len && text[at] >= '0' && text[at] <= '9'; at++) {
        whole = whole * 10 + (text[at] - '0');
        if (whole > NUMBER_MAX)
            return false;
    }
    if (at == 0)
        return false;
    if (at < len && text[at] == '.') {
        size_t dot = at++;

        for (; at < len && text[at] >= '0' && text[at] <= '9'; at++) {
            if (at - dot > 6)
                continue;
            fraction = fraction * 10 + (text[at] - '0');
            scale *= 10;
        }
        if (at == dot + 1 || at == len)
            return false;
    }
    if (at < len && !suffix_factor(units, text + at, len - at, &factor))
        return false;
    if (whole > NUMBER_MAX / factor)
        return false;
    /* A fraction of at most a million parts of 2^50 stays within 64 bits when divided first. */
    *out = whole * factor + (factor / scale) * fraction + (factor % scale) * fraction / scale;
    return *out <= NUMBER_MAX;
}

static const struct suffix *units_of(enum model_unit unit)
{
    switch (unit) {
    case UNIT_BYTES:
        return sizes;
    case UNIT_MHZ:
        return frequencies;
    case UNIT_PCT:
        return percents;
    case UNIT_MS:
        return durations_ms;
    case UNIT_S:
        return durations_s;
    case UNIT_NONE:
    case UNIT_COUNT:
        break;
    }
    return none;
}

static int read_u64(const struct model_field *f, const struct filter_word *w,
                    struct filter_value *out, struct pv_err *err)
{
    static const char *const hints[] = {
        [UNIT_BYTES] = "8GiB",    [UNIT_MHZ] = "2400 or 2.4GHz", [UNIT_PCT] = "80",
        [UNIT_MS] = "1500 or 2s", [UNIT_S] = "90 or 5min",
    };
    const char *such = (size_t)f->unit < PV_COUNT(hints) ? hints[f->unit] : NULL;

    if (read_number(w->text, w->len, units_of(f->unit), &out->number))
        return PV_OK;
    if (such)
        return filter_error(err, w->column, "%s needs a number, such as %s, not \"%.*s\"", f->path,
                            such, shown(w->len), w->text);
    return filter_error(err, w->column, "%s needs a number, not \"%.*s\"", f->path, shown(w->len),
                        w->text);
}

static bool is_word(const struct filter_word *w, const char *text)
{
    return strlen(text) == w->len && strncasecmp(w->text, text, w->len) == 0;
}

static int read_bool(const struct model_field *f, const struct filter_word *w,
                     struct filter_value *out, struct pv_err *err)
{
    if (is_word(w, "true") || is_word(w, "yes") || is_word(w, "1"))
        out->number = 1;
    else if (is_word(w, "false") || is_word(w, "no") || is_word(w, "0"))
        out->number = 0;
    else
        return filter_error(err, w->column, "%s is true or false, not \"%.*s\"", f->path,
                            shown(w->len), w->text);
    return PV_OK;
}

static int read_enum(const struct model_field *f, const struct filter_word *w,
                     struct filter_value *out, struct pv_err *err)
{
    const char *nearest = NULL;
    unsigned best = 4;
    char all[256] = "";

    out->number = model_enum_value(f->enum_id, out->folded, strlen(out->folded));
    if (out->number >= 0)
        return PV_OK;
    for (size_t i = 0; i < model_enum_count(f->enum_id); i++) {
        const char *text = model_enum_text(f->enum_id, (int64_t)i);
        unsigned distance = str_distance(out->folded, text, best);
        size_t used = strlen(all);

        if (distance < best) {
            best = distance;
            nearest = text;
        }
        snprintf(all + used, sizeof(all) - used, "%s%s", i ? ", " : "", text);
    }
    if (nearest)
        return filter_error(err, w->column, "%s has no value \"%.*s\"; did you mean %s?", f->path,
                            shown(w->len), w->text, nearest);
    return filter_error(err, w->column, "%s has no value \"%.*s\"; it is one of %s", f->path,
                        shown(w->len), w->text, all);
}

bool filter_is_day(const struct filter_word *w)
{
    int64_t ms;

    return w->len == 10 && w->text[4] == '-' && clock_parse(w->text, w->len, &ms);
}

/* now, now-24h, now+1d, a date, a date and time. */
static int read_time(const struct model_field *f, const struct filter_word *w, int64_t now_ms,
                     bool last, struct filter_value *out, struct pv_err *err)
{
    int64_t ms;

    if (w->len >= 3 && strncasecmp(w->text, "now", 3) == 0) {
        out->number = now_ms;
        if (w->len == 3)
            return PV_OK;
        if ((w->text[3] == '-' || w->text[3] == '+') &&
            read_number(w->text + 4, w->len - 4, durations_ms, &ms)) {
            out->number += w->text[3] == '-' ? -ms : ms;
            return PV_OK;
        }
    } else if (clock_parse(w->text, w->len, &ms)) {
        out->number = ms + (last && filter_is_day(w) ? DAY_MS - 1 : 0);
        return PV_OK;
    }
    return filter_error(err, w->column,
                        "%s needs a time, such as 2026-01-31 or now-7d, not \"%.*s\"", f->path,
                        shown(w->len), w->text);
}

static int read_ref(const struct model_field *f, const struct filter_word *w,
                    struct filter_value *out, struct pv_err *err)
{
    const struct model_kind *kind;

    if (!model_id_parse(w->text, w->len, &kind, &out->id)) {
        if (model_field_by_name(model_kind(f->ref), "name"))
            return PV_OK;
        return filter_error(err, w->column, "%s needs the id of a %s, not \"%.*s\"", f->path,
                            model_kind(f->ref)->name, shown(w->len), w->text);
    }
    if (kind->number != f->ref)
        return filter_error(err, w->column, "%s is a %s, \"%.*s\" is the id of a %s", f->path,
                            model_kind(f->ref)->name, shown(w->len), w->text, kind->name);
    out->is_id = true;
    return PV_OK;
}

int filter_value_text(const struct filter_word *w, struct arena *a, struct filter_value *out,
                      struct pv_err *err)
{
    struct buf fold;

    memset(out, 0, sizeof(*out));
    buf_init(&fold, 4 * FILTER_TEXT_MAX);
    buf_text(&fold, "");
    str_fold(&fold, w->text, w->len);
    out->text = arena_text(a, w->text, w->len);
    out->folded = buf_ok(&fold) ? arena_text(a, fold.data, fold.len) : NULL;
    buf_free(&fold);
    if (!out->text || !out->folded)
        return pv_fail(err, PV_ENOMEM, "no memory for the filter");
    return PV_OK;
}

int filter_value_read(const struct model_field *f, const struct filter_word *w, int64_t now_ms,
                      bool last, struct arena *a, struct filter_value *out, struct pv_err *err)
{
    int rc = filter_value_text(w, a, out, err);

    if (rc != PV_OK)
        return rc;
    if (!w->quoted && is_word(w, "null")) {
        out->is_null = true;
        return PV_OK;
    }
    switch (f->type) {
    case MODEL_U64:
        return read_u64(f, w, out, err);
    case MODEL_BOOL:
        return read_bool(f, w, out, err);
    case MODEL_ENUM:
        return read_enum(f, w, out, err);
    case MODEL_TIME:
        return read_time(f, w, now_ms, last, out, err);
    case MODEL_REF:
    case MODEL_REFS:
        return read_ref(f, w, out, err);
    case MODEL_STR:
    case MODEL_LIST:
    case MODEL_JSON:
        break;
    }
    return PV_OK;
}
