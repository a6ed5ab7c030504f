/* SPDX-License-Identifier: Apache-2.0 */
/*
 * op_keys - names of keys, as the virtual key codes the host takes.
 *
 * Pure; any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define KEYS_HELD_MOST 8

/* Codes of "ctrl+alt+f4" in the order they are pressed. False: not a key, or too many held. */
bool keys_parse(const char *text, unsigned codes[KEYS_HELD_MOST], size_t *n);
