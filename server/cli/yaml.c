/* SPDX-License-Identifier: Apache-2.0 */
/* JSON values as YAML 1.2, block style. Any text that could be read as something else stands in
 * double quotes. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <polyvisor/str.h>

#include "server/cli/output.h"

static void spaces(struct buf *out, unsigned n)
{
    while (n-- > 0)
        buf_char(out, ' ');
}

/* Letters first, then letters, digits and a few harmless characters; and no word that means
 * something (YAML 1.1, too). */
static bool is_plain(const char *text)
{
    static const char *const words[] = { "true", "false", "yes", "no",  "on", "off",
                                         "null", "y",     "n",   "nan", "inf" };
    struct buf folded;
    bool plain = isalpha((unsigned char)text[0]) != 0;

    for (const char *p = text; *p && plain; p++)
        plain = isalnum((unsigned char)*p) || strchr("_-./+@", *p) ||
                (*p == ' ' && p[1] && p[1] != '#');
    if (!plain || text[strlen(text) - 1] == ' ')
        return false;
    buf_init(&folded, 64u << 10);
    str_fold(&folded, text, strlen(text));
    for (size_t i = 0; i < PV_COUNT(words); i++)
        plain = plain && !(folded.data && strcmp(folded.data, words[i]) == 0);
    buf_free(&folded);
    return plain;
}

/* JSON's quoted form is YAML's. */
static void put_text(struct buf *out, const char *text)
{
    json_t *value;
    char *quoted;

    if (is_plain(text)) {
        buf_text(out, text);
        return;
    }
    value = json_string(text);
    quoted = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;
    buf_text(out, quoted ? quoted : "\"\"");
    free(quoted);
    json_decref(value);
}

static bool is_block(const json_t *value)
{
    return json_object_size(value) > 0 || json_array_size(value) > 0;
}

static void put_scalar(struct buf *out, const json_t *value)
{
    char *text;

    if (json_is_string(value)) {
        put_text(out, json_string_value(value));
        return;
    }
    text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    buf_text(out, text ? text : "null");
    free(text);
}

void yaml_write(struct buf *out, const json_t *value, unsigned indent)
{
    const char *key;
    json_t *one;
    size_t i;
    bool first = true;

    if (!is_block(value)) {
        put_scalar(out, value);
        buf_char(out, '\n');
        return;
    }
    if (json_is_array(value)) {
        json_array_foreach(value, i, one)
        {
            if (i > 0)
                spaces(out, indent);
            buf_text(out, "- ");
            yaml_write(out, one, indent + 2);
        }
        return;
    }
    json_object_foreach((json_t *)value, key, one)
    {
        if (!first)
            spaces(out, indent);
        first = false;
        put_text(out, key);
        buf_char(out, ':');
        if (is_block(one)) {
            buf_char(out, '\n');
            spaces(out, indent + 2);
            yaml_write(out, one, indent + 2);
        } else {
            buf_char(out, ' ');
            yaml_write(out, one, 0);
        }
    }
}
