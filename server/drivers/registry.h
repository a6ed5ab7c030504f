/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry - the drivers there are, and sessions with them.
 *
 * A driver runs in a process of its own (polyvisor-driverhost, one per driver,
 * started when first needed) or, for tests, in threads of this process; what
 * is below is the same for both. A session is one provider opened in one
 * driver. Everything is asynchronous: the functions here never wait for a
 * provider, answers come through the session's callbacks.
 *
 * Ownership: texts passed in are copied; what a callback gets is borrowed
 * until it returns. Threads: all functions from any thread, also from
 * callbacks, except drivers_stop. The callbacks of one session never overlap
 * and come in the order in which the driver sent them; they run on a small
 * pool and may block on storage, but not on another session's callbacks.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <polyvisor/driver.h>
#include <polyvisor/err.h>

struct drivers;
struct driver_session;

enum drivers_isolation {
    DRIVERS_PROCESS,
    DRIVERS_IN_PROCESS, /* a crash of a driver is a crash of the program */
};

/* 0 means the usual value; tests shorten them. */
struct drivers_timing {
    unsigned hello_ms;          /* 10,000: until a new host has introduced itself */
    unsigned restart_first_ms;  /* 200: pause after the first crash, doubling ... */
    unsigned restart_most_ms;   /* 30,000: ... up to this */
    unsigned crashes;           /* 5 crashes ... */
    unsigned crash_window_ms;   /* 600,000: ... within this park the driver */
    unsigned cancel_ms;         /* 30,000: a call that ignores its cancel that long costs the host its life */
    unsigned stop_ms;           /* 3,000: drivers_stop waits that long, then kills */
};

struct drivers_config {
    const char *dir;            /* folder of the drivers' .so files */
    const char *host_program;   /* path of polyvisor-driverhost; not used in process */
    enum drivers_isolation isolation;
    unsigned workers;           /* threads for callbacks; 0: 4 */
    struct drivers_timing timing;
};

/* Looks at every .so file of the folder (each one described by a short-lived host). Drivers that cannot be
 * loaded are listed as broken; that is no failure. PV_ENOENT: there is no such folder. */
int drivers_start(const struct drivers_config *cfg, struct drivers **out, struct pv_err *err);
/* All sessions must be closed or never be used again; their callbacks have ended when this returns. */
void drivers_stop(struct drivers *d);

enum driver_state {
    DRIVER_LOADED,
    DRIVER_BROKEN,  /* could not be loaded; `error` says why */
    DRIVER_PARKED,  /* crashed too often; `error` says so; drivers_unpark starts it again */
};

struct driver_info {
    const char *name;           /* file name without .so */
    const char *version;        /* "" if broken */
    const char *config_schema;  /* JSON Schema of the provider's settings; "{}" if broken */
    const char *operations;     /* JSON array of names; "[]" if broken */
    enum driver_state state;
    const char *error;          /* one sentence, "" if loaded */
    const char *remedy;         /* what to do, "" if loaded */
    const char *path;           /* the file */
    unsigned abi_minor;         /* of the driver interface it was built with, PV_ABI_MAJOR being ours */
};

/* A copy of the list as it is now, by name; owned, freed with drivers_list_free. NULL: out of memory. */
struct driver_info *drivers_list(struct drivers *d, size_t *count);
void drivers_list_free(struct driver_info *list);
/* Is the operation one of those the driver names? */
bool drivers_implements(struct drivers *d, const char *driver, const char *operation);
/* Forget the crashes of a driver, and look again at one that is broken. PV_ENOENT, or why it is still broken. */
int drivers_unpark(struct drivers *d, const char *driver, struct pv_err *err);

enum driver_down {
    DRIVER_DOWN_CRASHED,    /* the host ended, was killed or broke the protocol: open again (back-off is ours) */
    DRIVER_DOWN_PARKED,     /* it did so too often: err is PV_EOFFLINE driver-parked */
    DRIVER_DOWN_BROKEN,     /* it cannot be loaded any more */
};

/* All are required. ctx is what drivers_open was given. */
struct driver_session_ops {
    /* First callback of a session: code 0, it is open; else open failed, nothing else will come: close it. */
    void (*on_open)(void *ctx, const struct pv_failure *failure);
    /* A batch as the driver sent it, not checked in any way (sdk_batch_check does that). The driver may send more
     * when this returns. PV_OK; anything else tells the driver's next emit that a batch was refused. */
    int (*on_batch)(void *ctx, const struct pv_batch *batch);
    void (*on_mark)(void *ctx, enum pv_mark mark, const char *cursor /* or NULL */);
    /* Facts about the provider: JSON text as the driver wrote it, not checked; at most 1 MiB. */
    void (*on_provider)(void *ctx, const char *json);
    /* native_ref, where there is one, is new: PV_OK once it is stored, which the call waits for. */
    int (*on_progress)(void *ctx, uint64_t call, const struct pv_progress *progress);
    /* The call has ended; its number means nothing any more. What it emitted has been delivered before.
     * result: JSON text or NULL, not checked, at most 16 MiB. */
    void (*on_result)(void *ctx, uint64_t call, const struct pv_failure *failure,
                      const char *result);
    /* The host is gone; every open call has had its on_result (PV_EIO driver-crashed). Last callback of the
     * session: close it, then open a new one. */
    void (*on_down)(void *ctx, enum driver_down reason, const struct pv_err *err);
};

/* config and secrets: JSON objects as text, {name, endpoint, username, settings, tls} and {"password": "..."}.
 * The outcome comes as on_open. PV_EINVAL driver-unknown or driver-broken, PV_EOFFLINE driver-parked, PV_ELIMIT. */
int drivers_open(struct drivers *d, const char *driver, const char *config, const char *secrets,
                 const struct driver_session_ops *ops, void *ctx, struct driver_session **out,
                 struct pv_err *err);
/* Cancels everything and frees the session; the driver logs out in the background. After the return no callback
 * runs any more (from within a callback of the session itself: none after that one). NULL is accepted. */
void driver_session_close(struct driver_session *s);

/* Each starts a call and answers its number, which ends with on_result; 0: the session is not usable any more
 * (on_down has come or will come) or has 1,024 open calls. They may be used before on_open. */
uint64_t driver_watch(struct driver_session *s, const char *cursor /* NULL: a full listing first */);
uint64_t driver_refresh(struct driver_session *s, enum pv_kind kind, const char *native_id);
uint64_t driver_call(struct driver_session *s, const char *operation, const char *subject,
                     const char *args, const char *native_ref /* or NULL */, uint32_t flags);
/* The same with a descriptor that the driver reads or writes as stream 1 (`args` names it so): a pipe's end or a file,
 * non-blocking. It is taken, also when 0 is answered; this program has no end of it any more when the call has its
 * result. */
uint64_t driver_call_stream(struct driver_session *s, const char *operation, const char *subject,
                            const char *args, const char *native_ref, uint32_t flags, int stream);
/* Asks it to end soon; its on_result comes, usually with PV_ECANCELED. Unknown numbers are nothing. */
void driver_cancel(struct driver_session *s, uint64_t call);

/* One probe without a session. `done` is called once, from the pool: report is JSON text or NULL, not checked. */
typedef void (*drivers_probe_fn)(void *ctx, uint64_t call, const struct pv_failure *failure,
                                 const char *report);
int drivers_probe(struct drivers *d, const char *driver, const char *config, const char *secrets,
                  drivers_probe_fn done, void *ctx, uint64_t *call, struct pv_err *err);
void drivers_probe_cancel(struct drivers *d, uint64_t call);

/* What a failure says, as an error: sets code, problem, native code, needs, message and remedy. */
int driver_failure_err(const struct pv_failure *failure, struct pv_err *err);
