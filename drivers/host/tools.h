/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools - what polyvisor-driverhost does for people: probe and conformance.
 *
 * Each runs the driver in this process, prints to stdout and yields the exit
 * code. `dir` NULL: the usual folder; config and secrets: file names or NULL.
 */
#pragma once

#include <stddef.h>

int tool_probe(const char *dir, const char *name, const char *config, const char *secrets);
int tool_conformance(const char *dir, const char *name, const char *config, const char *secrets);
/* Writes the folder to use into out; false: it is too long. */
int tool_dir(const char *dir, char *out, size_t cap);
