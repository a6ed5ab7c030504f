/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/vapi/op_keys.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *name;
    unsigned usage;
} names[] = {
    { "enter", 0x28 },     { "return", 0x28 },    { "esc", 0x29 },        { "escape", 0x29 },
    { "backspace", 0x2A }, { "tab", 0x2B },       { "space", 0x2C },      { "minus", 0x2D },
    { "plus", 0x2E },      { "backslash", 0x31 }, { "semicolon", 0x33 },  { "quote", 0x34 },
    { "grave", 0x35 },     { "comma", 0x36 },     { "period", 0x37 },     { "slash", 0x38 },
    { "capslock", 0x39 },  { "print", 0x46 },     { "scrolllock", 0x47 }, { "pause", 0x48 },
    { "insert", 0x49 },    { "home", 0x4A },      { "pageup", 0x4B },     { "page_up", 0x4B },
    { "delete", 0x4C },    { "del", 0x4C },       { "end", 0x4D },        { "pagedown", 0x4E },
    { "page_down", 0x4E }, { "right", 0x4F },     { "left", 0x50 },       { "down", 0x51 },
    { "up", 0x52 },        { "numlock", 0x53 },   { "menu", 0x65 },
};

static const struct {
    const char *name;
    unsigned bit;
} held[] = {
    { "ctrl", KEY_CTRL }, { "control", KEY_CTRL }, { "shift", KEY_SHIFT }, { "alt", KEY_ALT },
    { "win", KEY_GUI },   { "meta", KEY_GUI },     { "super", KEY_GUI },
};

/* Characters beside letters and digits, without and with shift. */
static const struct {
    char plain, shifted;
    unsigned usage;
} marks[] = {
    { '1', '!', 0x1E },  { '2', '@', 0x1F }, { '3', '#', 0x20 },   { '4', '$', 0x21 },
    { '5', '%', 0x22 },  { '6', '^', 0x23 }, { '7', '&', 0x24 },   { '8', '*', 0x25 },
    { '9', '(', 0x26 },  { '0', ')', 0x27 }, { '-', '_', 0x2D },   { '=', '+', 0x2E },
    { '[', '{', 0x2F },  { ']', '}', 0x30 }, { '\\', '|', 0x31 },  { ';', ':', 0x33 },
    { '\'', '"', 0x34 }, { '`', '~', 0x35 }, { ',', '<', 0x36 },   { '.', '>', 0x37 },
    { '/', '?', 0x38 },  { ' ', ' ', 0x2C }, { '\n', '\n', 0x28 }, { '\t', '\t', 0x2B },
};

bool keys_char(char c, struct key_press *out)
{
    *out = (struct key_press){ 0, 0 };
    if (c >= 'a' && c <= 'z')
        out->usage = 0x04 + (unsigned)(c - 'a');
    else if (c >= 'A' && c <= 'Z')
        *out = (struct key_press){ 0x04 + (unsigned)(c - 'A'), KEY_SHIFT };
    for (size_t i = 0; !out->usage && i < sizeof(marks) / sizeof(marks[0]); i++) {
        if (marks[i].plain == c)
            *out = (struct key_press){ marks[i].usage, 0 };
        else if (marks[i].shifted == c)
            *out = (struct key_press){ marks[i].usage, KEY_SHIFT };
    }
    return out->usage != 0;
}

static bool same(const char *name, const char *text, size_t len)
{
    return strlen(name) == len && strncasecmp(name, text, len) == 0;
}

static unsigned usage_of(const char *text, size_t len)
{
    struct key_press one;
    unsigned number = 0;

    if (len == 1 && keys_char((char)tolower((unsigned char)text[0]), &one))
        return one.usage;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (same(names[i].name, text, len))
            return names[i].usage;
    if (len < 2 || len > 3 || (text[0] != 'f' && text[0] != 'F'))
        return 0;
    for (size_t i = 1; i < len; i++) {
        if (!isdigit((unsigned char)text[i]))
            return 0;
        number = number * 10 + (unsigned)(text[i] - '0');
    }
    if (number >= 1 && number <= 12)
        return 0x3A + number - 1;
    return number >= 13 && number <= 24 ? 0x68 + number - 13 : 0;
}

bool keys_parse(const char *text, struct key_press *out)
{
    *out = (struct key_press){ 0, 0 };
    for (;;) {
        size_t len = strcspn(text, "+");
        unsigned bit = 0, usage;

        for (size_t i = 0; i < sizeof(held) / sizeof(held[0]); i++)
            if (same(held[i].name, text, len))
                bit = held[i].bit;
        usage = bit ? 0 : usage_of(text, len);
        /* One key, and it comes last. */
        if ((!bit && !usage) || (usage && text[len]))
            return false;
        out->held |= bit;
        out->usage = usage;
        if (!text[len])
            return true;
        text += len + 1;
    }
}
