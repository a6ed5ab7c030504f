/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transfer - what sending files to datastores (transfer.c) and saving them (download.c) have in
 * common: progress in bytes, and what to say where it ends early. One thread.
 */
#pragma once

#include "server/cli/cli.h"
#include "server/cli/term.h"

struct transfer_pace {
    uint64_t total, first;      /* bytes; the first were there before */
    int64_t began_ms, shown_ms; /* of clock_mono_ms() */
};

/* Shows how many bytes are done, how fast, and how long it takes; a few times a second. */
void transfer_show(const struct cli *c, struct transfer_pace *p, uint64_t done);
/* A failure was got over: nothing of it is left. */
void transfer_forget(struct cli *c, struct pv_err *err);
/* The server said no: another time would end the same way. */
bool transfer_refused(const struct cli *c);
/* Ends early after `rc`, by a failure or Ctrl-C: says by which command it goes on, which is this
 * one with the switch `more` (NULL: none). `done` bytes `where` ("are here"). Answers PV_OK after
 * Ctrl-C. */
int transfer_leave(struct cli *c, int rc, const char *more, const char *where, uint64_t done,
                   struct pv_err *err);
/* Behind the last slash. */
const char *transfer_last_part(const char *path);

extern const struct model_param transfer_download_flags[];
int transfer_download(struct cli *c, struct pv_err *err);
