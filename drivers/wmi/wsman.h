/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wsman - a WS-Management client of one Windows host.
 *
 * Keeps up to four authenticated connections; a call takes one, and gives it
 * back (NTLM and Negotiate sign in a connection, not a request). More callers
 * wait for a free one. Every call asks the host's cancelled() while it waits.
 *
 * What fails:
 *   PV_EOFFLINE, PV_ECERT, PV_EIO, PV_ECANCELED, PV_ETIMEOUT as httpc says
 *   PV_EAUTH     the host refused the account; asked once, then remembered:
 *                every later call fails at once until wsman_retry_login (no
 *                account is ever locked by us)
 *   PV_EPERM     rights; PV_ENOENT no such instance, class or namespace
 *   PV_ELIMIT    a quota; further calls wait by themselves (back-off)
 *   PV_EUNKNOWN  a method or Put that changes something was sent, and what
 *                became of it is not known: read, never repeat
 * native_code holds the innermost code as "0x80338029", with the symbolic name
 * where one is known: "0x80041002 WBEM_E_NOT_FOUND".
 *
 * Reads (Get, Enumerate, methods marked `reads`) are repeated by themselves
 * after a broken connection, up to two times. Nothing else ever is.
 *
 * Ownership: wsman_free. Threads: any. Results belong to the arena given.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <polyvisor/driver.h>
#include <polyvisor/httpc.h>

#include "drivers/sdk/call.h"
#include "drivers/wmi/cim.h"

struct arena;
struct config;
struct pv_err;
struct wsman;

/* `config` is borrowed and must outlive the client. */
int wsman_new(const struct pv_host *host, const struct config *config, struct wsman **out,
              struct pv_err *err);
void wsman_free(struct wsman *w);
/* Requests sent so far: for sync.requests_last_full. */
uint64_t wsman_requests(struct wsman *w);
/* What the host showed on the newest connection; untouched: nothing, or no TLS. */
void wsman_certificate(struct wsman *w, struct httpc_certificate *out);

struct wsman_identity {
    char vendor[128], product[128], protocol[128];
    char os[32];    /* "10.0.20348" */
    char stack[16]; /* "3.0" */
};
/* `signed_in` false: asks without an account (/wsman-anon/identify); the OS version is then hidden. */
int wsman_identify(struct wsman *w, const struct call *c, bool signed_in, struct wsman_identity *out,
                   struct pv_err *err);

/* How the account was accepted: "NTLM", "Kerberos", "Basic", "certificate"; "" before that. */
void wsman_mechanism(struct wsman *w, char out[16]);
/* Does the host still take filters of this kind (WQL, or associations)? True until it refused one. */
bool wsman_filters(struct wsman *w, enum cim_ns ns, bool association);

/* What winrm/config says; 0: not said. Only administrators may read it (PV_EPERM). */
struct wsman_quotas {
    uint64_t max_envelope_kb, max_timeout_ms, max_batch_items;
    uint64_t max_operations_per_user, max_connections, enumeration_timeout_ms;
    uint64_t max_shells_per_user, max_memory_per_shell_mb;
    bool allow_unencrypted, basic, negotiate, kerberos, certificate; /* of the service */
    bool known_auth; /* the five above were said */
};
int wsman_quotas(struct wsman *w, const struct call *c, struct wsman_quotas *out,
                 struct pv_err *err);

/* ------------------------------------------------------------------ instances */

/* `ref` with all keys (a singleton: none). Also for EPRs that came from the host, e.g. a Job of any class. */
int wsman_get(struct wsman *w, const struct call *c, const struct cim_ref *ref, struct arena *a,
              struct cim_instance **out, struct pv_err *err);
/* The properties set in `o`, over what the host has, written back as a whole. Hyper-V's setting data are not written by this. */
int wsman_put(struct wsman *w, const struct call *c, const struct cim_ref *ref,
              const struct cim_instance *o, struct pv_err *err);
int wsman_delete(struct wsman *w, const struct call *c, const struct cim_ref *ref,
                 struct pv_err *err);

/* What to enumerate. Zero is a good value for each member but cls. */
struct wsman_query {
    const struct cim_class *cls; /* whose instances (with its subclasses' instances); with `of`: the result class */

    /* Filter: WQL after WHERE, e.g. "VirtualSystemType = 'Microsoft:Hyper-V:System:Realized'". A host that refuses
     * filters is asked without, and `match` decides here: it has to mean the same and must not be NULL with `where`.
     * Values in it go through wsman_quote. */
    const char *where;
    bool (*match)(void *ctx, const struct cim_instance *o);
    void *match_ctx;

    /* Associated instances: those of cls that assoc connects with `of`. Where the host refuses the filter, assoc and
     * cls are enumerated and joined here. */
    const struct cim_ref *of;
    const struct cim_class *assoc; /* not NULL with `of` */

    /* For reports: each item's element as it came; then `fn` is not called. */
    int (*raw)(void *ctx, const xmlNode *object, struct pv_err *err);

    bool with_refs;        /* each instance comes with its EPR (o->ref) */
    unsigned max_elements; /* of one answer, 0: 200 */
    uint64_t most;         /* instances in all; more is PV_ELIMIT. 0: 1,000,000 */
};
/* Called for each instance; `o` lives in a scratch arena until the call returns. Nonzero ends the enumeration: WSMAN_STOP
 * (then wsman_enumerate answers PV_OK) or an error's rc. */
#define WSMAN_STOP 1
typedef int (*wsman_instance_fn)(void *ctx, struct cim_instance *o, struct pv_err *err);
int wsman_enumerate(struct wsman *w, const struct call *c, const struct wsman_query *q,
                    wsman_instance_fn fn, void *ctx, struct pv_err *err);
/* The same, kept in `a`. *out is started at zero. */
int wsman_list(struct wsman *w, const struct call *c, const struct wsman_query *q, struct arena *a,
               struct cim_list *out, struct pv_err *err);
/* The first one; PV_ENOENT if there is none. */
int wsman_first(struct wsman *w, const struct call *c, const struct wsman_query *q, struct arena *a,
                struct cim_instance **out, struct pv_err *err);
/* Appends 'text' as a WQL literal, quotes and escapes included. */
void wsman_quote(struct buf *out, const char *text);

/* ------------------------------------------------------------------ methods */

/* `in` from cim_call; parameters go out in the schema's order. *out holds the out parameters and ReturnValue; PV_OK
 * whatever ReturnValue is (0 done, 4096 job started, else refused): cim_return_value, jobs.h. */
int wsman_invoke(struct wsman *w, const struct call *c, const struct cim_ref *ref,
                 const struct cim_instance *in, struct arena *a, struct cim_instance **out,
                 struct pv_err *err);
/* A service's EPR: its one instance, looked up once per client and remembered (VSMS, snapshot service, ...). Valid as
 * long as the client. */
int wsman_service(struct wsman *w, const struct call *c, const struct cim_class *cls,
                  const struct cim_ref **out, struct pv_err *err);
/* What ReturnValue means ("InvalidState"...), as an error with native code and remedy: return
 * wsman_fail_return(value, "modifying the memory of x", err). */
int wsman_fail_return(uint32_t value, const char *what, struct pv_err *err);

/* ------------------------------------------------------------------ events */

enum wsman_event { WSMAN_CREATED, WSMAN_MODIFIED, WSMAN_DELETED, WSMAN_OTHER };
struct wsman_subscription;
/* `target` lives until the call returns. Nonzero ends as in wsman_instance_fn. */
typedef int (*wsman_event_fn)(void *ctx, enum wsman_event event, struct cim_instance *target,
                              struct pv_err *err);
/* WQL such as "SELECT * FROM __InstanceOperationEvent WITHIN 5 WHERE TargetInstance ISA 'Msvm_ComputerSystem'".
 * PV_ENOTSUP: this host grants none; remembered. */
int wsman_subscribe(struct wsman *w, const struct call *c, enum cim_ns ns, const char *wql,
                    struct wsman_subscription **out, struct pv_err *err);
/* Waits up to wait_ms for events; PV_OK with no call of fn when there were none. PV_ENOENT: the subscription is over,
 * make a new one. Uses a connection of its own. */
int wsman_pull(struct wsman *w, const struct call *c, struct wsman_subscription *s, unsigned wait_ms,
               wsman_event_fn fn, void *ctx, struct pv_err *err);
/* Tells the host (best effort) and frees. NULL is fine. */
void wsman_unsubscribe(struct wsman *w, struct wsman_subscription *s);
