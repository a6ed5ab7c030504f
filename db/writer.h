/* SPDX-License-Identifier: Apache-2.0 */
/*
 * writer - the one thread that writes, and its queue.
 *
 * store.h says what callers may rely on.
 */
#pragma once

#include "db/store_priv.h"

/* Takes over the connection. */
int writer_start(struct store *s, struct conn *conn, unsigned group_ms, struct writer **out,
                 struct pv_err *err);
/* Does what is queued, then ends the thread and closes the connection. */
void writer_stop(struct writer *w);
