/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_gate - one sign-in to a host at a time, and none after a refusal.
 *
 * A password may be changed on the host at any moment, and then every
 * connection that has to sign in again finds out by itself. Therefore whoever
 * wants to sign in waits here for the outcome of the one who is at it: at most
 * one attempt is refused, and no account is locked out by us. A refusal holds
 * until the session is opened anew: with other settings, another password, or
 * because a person asks.
 *
 * Ownership: auth_gate_free; nobody may wait any more. Threads: any.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct auth_gate;
struct call;
struct pv_err;

struct auth_gate *auth_gate_new(void);
void auth_gate_free(struct auth_gate *g);

/* Waits for the turn. PV_OK: the caller presents the credential, and says by auth_gate_leave how that ended. PV_EAUTH: it
 * was refused before, *err tells how; PV_ECANCELED, PV_ETIMEOUT. */
int auth_gate_enter(struct auth_gate *g, const struct call *c, int64_t deadline_ms,
                    struct pv_err *err);
/* The host (or the realm) refused the credential: `why` is told to everybody from now on. */
void auth_gate_refuse(struct auth_gate *g, const struct pv_err *why);
/* Ends one's turn. `accepted` false: refused, or nobody knows (the connection broke). */
void auth_gate_leave(struct auth_gate *g, bool accepted);
/* PV_EAUTH with the refusal, if there was one. Waits for nobody. */
int auth_gate_check(struct auth_gate *g, struct pv_err *err);
/* The credential was accepted before, and never refused. */
bool auth_gate_is_proven(struct auth_gate *g);
