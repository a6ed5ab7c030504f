/* SPDX-License-Identifier: Apache-2.0 */
/*
 * args - a member of an operation's JSON arguments by path, such as "cpu.count".
 *
 * What is answered belongs to the object. Threads: any, as long as nobody changes the object.
 */
#pragma once

#include <jansson.h>

/* NULL: `object` is NULL, or has no such member. A part of the path has at most 63 bytes. */
const json_t *op_member(const json_t *object, const char *path);
/* NULL also where it is no text. */
const char *op_member_str(const json_t *object, const char *path);
