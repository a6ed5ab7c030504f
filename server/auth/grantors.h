/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grantors - who manages access: the people whom somebody who lacks a right
 * can ask for it.
 *
 * Threads: any. Ownership: names are the arena's.
 */
#pragma once

#include <stddef.h>

struct arena;
struct auth;
struct pv_err;

/* Names for people (the name to sign in with where there is none) of those who may sign in and grant roles now: the first
 * `most` in the order of the alphabet, and how many they are in all (a thousand at most). */
int auth_grantors(struct auth *a, struct arena *arena, const char **names, size_t most, size_t *n, struct pv_err *err);
