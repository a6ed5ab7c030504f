/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tools - what polyvisor-driverhost does for people: probe and conformance.
 *
 * Each runs the driver in this process, prints to stdout and yields the exit
 * code. `dir` NULL: the usual folder; config and secrets: file names or NULL.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* What the driver reads of a provider, as JSON in a file: "report": {mask, samples} in the configuration asks for it, and
 * a finding of that name holds it. */
struct tool_report {
    const char *path;
    bool mask;
    int samples; /* 0: as the driver likes */
};

/* `report` NULL: none. */
int tool_probe(const char *dir, const char *name, const char *config, const char *secrets,
               const struct tool_report *report);
int tool_conformance(const char *dir, const char *name, const char *config, const char *secrets);
/* Writes the folder to use into out; false: it is too long. */
int tool_dir(const char *dir, char *out, size_t cap);
