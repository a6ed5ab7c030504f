/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op_keys - names of keys and characters as USB HID usages of a US keyboard.
 *
 * Pure; any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Bits of the keys that are held. */
enum { KEY_CTRL = 1, KEY_SHIFT = 2, KEY_ALT = 4, KEY_GUI = 8 };

struct key_press {
    unsigned usage; /* 0: only what is held */
    unsigned held;
};

/* "ctrl+alt+del", "F2"; false: it is no key. */
bool keys_parse(const char *text, struct key_press *out);
/* A character of a text; false: a US keyboard does not have it. */
bool keys_char(char c, struct key_press *out);
