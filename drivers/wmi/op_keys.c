/* SPDX-License-Identifier: Apache-2.0 */
#include "drivers/wmi/op_keys.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include <polyvisor/cleanup.h>

static const struct {
    const char *name;
    unsigned code;
} names[] = {
    { "ctrl", 0x11 },       { "control", 0x11 },   { "alt", 0x12 },       { "shift", 0x10 },
    { "win", 0x5B },        { "meta", 0x5B },      { "super", 0x5B },     { "enter", 0x0D },
    { "return", 0x0D },     { "esc", 0x1B },       { "escape", 0x1B },    { "tab", 0x09 },
    { "space", 0x20 },      { "backspace", 0x08 }, { "delete", 0x2E },    { "del", 0x2E },
    { "insert", 0x2D },     { "home", 0x24 },      { "end", 0x23 },       { "pageup", 0x21 },
    { "page_up", 0x21 },    { "pagedown", 0x22 },  { "page_down", 0x22 }, { "up", 0x26 },
    { "down", 0x28 },       { "left", 0x25 },      { "right", 0x27 },     { "pause", 0x13 },
    { "print", 0x2C },      { "menu", 0x5D },      { "capslock", 0x14 },  { "numlock", 0x90 },
    { "scrolllock", 0x91 }, { "minus", 0xBD },     { "plus", 0xBB },      { "comma", 0xBC },
    { "period", 0xBE },     { "slash", 0xBF },     { "backslash", 0xDC }, { "semicolon", 0xBA },
    { "quote", 0xDE },      { "grave", 0xC0 },
};

static unsigned code_of(const char *name, size_t len)
{
    unsigned number = 0;

    if (len == 1 && isalnum((unsigned char)name[0]))
        return (unsigned)toupper((unsigned char)name[0]);
    for (size_t i = 0; i < PV_COUNT(names); i++)
        if (strlen(names[i].name) == len && strncasecmp(names[i].name, name, len) == 0)
            return names[i].code;
    if (len < 2 || len > 3 || (name[0] != 'f' && name[0] != 'F'))
        return 0;
    for (size_t i = 1; i < len; i++) {
        if (!isdigit((unsigned char)name[i]))
            return 0;
        number = number * 10 + (unsigned)(name[i] - '0');
    }
    return number >= 1 && number <= 24 ? 0x6F + number : 0;
}

bool keys_parse(const char *text, unsigned codes[KEYS_HELD_MOST], size_t *n)
{
    *n = 0;
    for (;;) {
        size_t len = strcspn(text, "+");
        unsigned code = code_of(text, len);

        if (!code || *n == KEYS_HELD_MOST)
            return false;
        codes[(*n)++] = code;
        if (!text[len])
            return true;
        text += len + 1;
    }
}
