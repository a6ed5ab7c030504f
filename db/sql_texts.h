/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sql_texts - the files of db/queries and db/migrations, compiled in.
 *
 * The build makes the table (cmake/embed_sql.cmake). Names are folder and file
 * without its ending: "queries/setting_get". Immutable; threads: any.
 */
#pragma once

#include <stddef.h>

struct sql_text {
    const char *name, *text;
};

/* In order of their names, ended by name == NULL. */
extern const struct sql_text sql_texts[];
