/* SPDX-License-Identifier: Apache-2.0 */
/*
 * migrate - brings the database to this version: db/migrations in order, then
 * the tables of the model's kinds.
 *
 * A numbered migration that was applied must not change; a database that knows
 * a later number than we do is refused (PV_ENOTSUP). Before numbered
 * migrations change a database with content, it is copied to
 * "<path>.before-NNNN".
 */
#pragma once

#include "db/sqlite.h"

int migrate_run(struct conn *c, const char *path, struct pv_err *err);
/* Copies the database to a new file of mode 0600. */
int migrate_copy(struct conn *c, const char *to, struct pv_err *err);
