/* SPDX-License-Identifier: Apache-2.0 */
#include <polyvisor/texts.h>

#include <string.h>

#include <polyvisor/jsonw.h>
#include <polyvisor/str.h>

#define SENTENCE_MAX 1024
#define STEPS_MAX 20000     /* of comparing one sentence with one line: no text of others may keep us busy */
#define DEEP_MAX 3

static const struct text texts[] = {
#define TEXT(code_, english_, places_) { .code = code_, .english = english_, .places = places_ },
#include "lib/model/texts.def"
#undef TEXT
/* What errors.def advises is a sentence, too: usual.<problem code>. */
#define RC(name_, no_, code_, status_, title_, remedy_) { .code = "usual." code_, .english = remedy_, .places = "" },
#define PROBLEM(rc_, code_, status_, title_, remedy_) RC(rc_, 0, code_, status_, title_, remedy_)
#include "lib/model/errors.def"
#undef RC
#undef PROBLEM
    { 0 },
};

const struct text *texts_all(void)
{
    return texts;
}

/* Behind the conversion that begins at `p` ("%.200s"); NULL: it is none. */
static const char *behind_conversion(const char *p)
{
    if (*p != '%' || p[1] == '%')
        return NULL;
    p += 1 + strspn(p + 1, "-+ #0123456789.lzhj");
    return *p ? p + 1 : NULL;
}

struct matching {
    struct text_found *found;
    unsigned steps;
};

/* May `c` stand in the place? A number takes digits, a word anything but a space. */
static bool may_hold(const struct text_value *v, char conversion, char c)
{
    if (conversion != 's')
        return strchr("0123456789+-.", c) != NULL;
    return c != ' ' || v->wide;
}

/* The next place of the line: its name, and what it may hold. */
static void name_place(struct text_found *f)
{
    struct text_value *v = &f->values[f->n];
    const char *name = f->n ? f->values[f->n - 1].name + f->values[f->n - 1].name_len : f->text->places;

    name += strspn(name, "*! ");
    v->name = name;
    v->name_len = strcspn(name, "*! ");
    v->must = name[v->name_len] == '!';
    v->wide = v->must || name[v->name_len] == '*' || (v->name_len == 3 && strncmp(name, "why", 3) == 0);
}

/* Places take as little as they can; what is behind them decides. */
static bool fits(struct matching *m, const char *format, const char *rest)
{
    const char *next = NULL;
    size_t at;

    for (; *format; format++, rest++) {
        next = behind_conversion(format);
        if (next)
            break;
        if (format[0] == '%')
            format++;
        if (*rest != *format || m->steps++ > STEPS_MAX)
            return false;
    }
    if (!*format)
        return *rest == '\0';
    if (m->found->n == TEXT_PLACES_MAX)
        return false;
    name_place(m->found);
    at = m->found->n++;
    for (size_t len = 1; rest[len - 1]; len++) {
        struct text_value *v = &m->found->values[at];

        if (m->steps++ > STEPS_MAX || !may_hold(v, next[-1], rest[len - 1]))
            break;
        v->value = rest;
        v->len = len;
        if (fits(m, next, rest + len))
            return true;
    }
    m->found->n = at;
    return false;
}

static bool value_text(const struct text_value *v, char out[SENTENCE_MAX])
{
    return str_copy_n(out, SENTENCE_MAX, v->value, v->len);
}

static bool find(const char *sentence, struct text_found *out, unsigned deep);

/* Places that have to hold a sentence of the table do. */
static bool places_hold(const struct text_found *f, unsigned deep)
{
    for (size_t i = 0; i < f->n; i++) {
        char inner[SENTENCE_MAX];
        struct text_found sub;

        if (f->values[i].must &&
            (deep >= DEEP_MAX || !value_text(&f->values[i], inner) || !find(inner, &sub, deep + 1)))
            return false;
    }
    return true;
}

static bool find(const char *sentence, struct text_found *out, unsigned deep)
{
    if (!sentence || !*sentence || strlen(sentence) >= SENTENCE_MAX)
        return false;
    for (const struct text *t = texts; t->code; t++) {
        struct matching m = { .found = out };

        *out = (struct text_found){ .text = t };
        if (fits(&m, t->english, sentence) && places_hold(out, deep))
            return true;
    }
    return false;
}

bool texts_find(const char *sentence, struct text_found *out)
{
    return find(sentence, out, 0);
}

void texts_write_named(struct jsonw *w, const char *key, const struct text *text)
{
    const char *name = text->places, *next;
    char out[SENTENCE_MAX];
    size_t n = 0;

    for (const char *p = text->english; *p && n < sizeof(out) - 2; p++) {
        next = behind_conversion(p);
        if (!next) {
            p += p[0] == '%';
            out[n++] = *p;
            continue;
        }
        p = next - 1;
        out[n++] = '{';
        while (*name && !strchr("*! ", *name) && n < sizeof(out) - 2)
            out[n++] = *name++;
        out[n++] = '}';
        name += strspn(name, "*! ");
    }
    jsonw_strn(w, key, out, n);
}

static void write_found(struct jsonw *w, const struct text_found *f, unsigned deep)
{
    jsonw_str(w, "code", f->text->code);
    jsonw_object(w, "params");
    for (size_t i = 0; i < f->n; i++) {
        const struct text_value *v = &f->values[i];
        char name[32], inner[SENTENCE_MAX];
        struct text_found sub;

        str_copy_n(name, sizeof(name), v->name, v->name_len);
        if ((strcmp(name, "why") == 0 || strcmp(name, "what") == 0) && deep < DEEP_MAX &&
            value_text(v, inner) && find(inner, &sub, deep + 1)) {
            jsonw_object(w, name);
            write_found(w, &sub, deep + 1);
            jsonw_str(w, "text", inner);
            jsonw_end(w);
        } else {
            jsonw_strn(w, name, v->value, v->len);
        }
    }
    jsonw_end(w);
}

void texts_write(struct jsonw *w, const char *key, const char *sentence)
{
    struct text_found f;

    if (!texts_find(sentence, &f))
        return;
    jsonw_object(w, key);
    write_found(w, &f, 0);
    jsonw_end(w);
}
