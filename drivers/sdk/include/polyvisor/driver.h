/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driver - the interface between Polyvisor and its drivers (ABI 1).
 *
 * A driver is a shared object with one exported symbol, pv_driver_entry, which
 * answers a static table of functions. Everything it may ask of its host is in
 * `struct pv_host`. What is frequent (inventory) travels as batches of records
 * without pointers, filled through the typed setters of records.h; what is
 * rare (settings, operations) is JSON text.
 *
 * Versions: each struct starts with its own size; members are only appended;
 * readers test PV_HAS. A changed meaning raises PV_ABI_MAJOR, and the loader
 * refuses other majors by name.
 *
 * Threads: the host calls from threads of its own and calls may block; the
 * driver asks cancelled() at least once a second and returns PV_ECANCELED.
 * watch() has a thread to itself (stack 256 KiB); call() and refresh() of the
 * same session run beside it. A driver creates no threads, installs no signal
 * handlers and calls none of setlocale, chdir, umask, curl_global_init,
 * xmlInitParser: the host has done so.
 *
 * Memory: nothing allocated on one side is freed on the other, but for text
 * answered by a driver (report, result), which the host gives to free_text.
 * Texts passed in are valid until the call returns.
 */
#ifndef POLYVISOR_DRIVER_H
#define POLYVISOR_DRIVER_H

#include <stddef.h>
#include <stdint.h>

#include <polyvisor/enums.h>
#include <polyvisor/rc.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PV_ABI_MAJOR 1
#define PV_ABI_MINOR 0

#define PV_HAS(p, member)                                                                          \
    ((p)->size >= offsetof(__typeof__(*(p)), member) + sizeof((p)->member))

#if defined(_WIN32)
#define PV_EXPORT __declspec(dllexport)
#else
#define PV_EXPORT __attribute__((visibility("default")))
#endif

/* A byte string inside a batch's blob. Not NUL-terminated. */
typedef struct {
    uint32_t off, len;
} pv_ref;

/* Head of a record. Slots of 8 bytes follow, numbered by the model, up to the batch's stride: slot n is at
 * 64 + 8 * n. A slot is a number or a pv_ref. */
struct pv_record {
    uint64_t have[4];       /* bit n: slot n is known; the others stay as stored */
    pv_ref native_id;       /* the provider's own key (MoRef, GUID); child kinds: unique within the owner */
    pv_ref owner;           /* child kinds: the owner's native id */
    pv_ref identity;        /* key that stays the same in another provider of the family, or empty */
    uint64_t flags;         /* PV_RECORD_* */
};
/* Other providers of the family report this same object, too, under the same native id and identity (a failover cluster
 * and its volumes, of each of its nodes). It is one object then; its lists of references hold what each provider says
 * of its own. For kinds without children. */
#define PV_RECORD_SHARED 1u
#define PV_RECORD_HEAD 64u
#define PV_NULL UINT64_MAX  /* value of a slot that is known to be empty */

struct pv_batch {
    uint32_t size;
    uint32_t kind;          /* enum pv_kind; all records are of one kind */
    uint32_t stride;        /* bytes of one record, a multiple of 8, 64 to 64 + 8 * 256 */
    uint32_t count;         /* at most PV_BATCH_MAX_COUNT */
    uint32_t flags;         /* PV_BATCH_* */
    uint32_t blob_len;      /* at most PV_BATCH_MAX_BLOB */
    const void *records;
    const char *blob;
};
#define PV_BATCH_MAX_COUNT 4096u
#define PV_BATCH_MAX_BLOB (16u << 20)
/* Child kinds: the records of each owner named are all that owner has of this kind. An owner's records are never
 * split over batches. A record with an empty native_id and only `owner` set says "none". */
#define PV_BATCH_OWNED 1u
/* The provider said that these objects were removed; only native_id (and owner) count. */
#define PV_BATCH_GONE 2u

/* Positions in the feed. What was emitted before a mark is stored together with its cursor. */
enum pv_mark {
    PV_MARK_FULL_BEGIN,     /* a full listing starts */
    PV_MARK_FULL_END,       /* it was complete: what it did not name is absent */
    PV_MARK_FULL_PARTIAL,   /* it was not (missing rights, a page lost): nothing is absent */
    PV_MARK_CHANGES         /* state as of now; also sent when nothing changed, at least once a minute */
};

struct pv_failure {
    uint32_t size;
    int32_t code;           /* enum pv_rc; 0 means no failure */
    char native_code[80];   /* as the provider writes it: "InvalidPowerState", "0x80338029", "sha256:..." */
    char needs[128];        /* the missing privilege or feature, where that is the reason */
    char message[256];      /* what happened, to what; UTF-8 */
    char problem[32];       /* problem code of the API, where code's usual one is not it; or "" */
    char remedy[192];       /* what to do, or "" */
};

struct pv_progress {
    uint32_t size;
    int32_t percent;        /* -1: unknown */
    uint32_t step, steps;   /* 0: no steps */
    uint64_t bytes_done, bytes_total;
    const char *step_name;  /* or NULL */
    const char *native_ref; /* what a later call goes on from, as soon as it is known; UTF-8, <= 16 KiB; or NULL */
    const char *job;        /* with it: the provider's job as people look it up there, <= 512 bytes; or NULL */
};

enum pv_log_level { PV_LOG_LEVEL_ERROR, PV_LOG_LEVEL_WARN, PV_LOG_LEVEL_INFO, PV_LOG_LEVEL_DEBUG };

/* What the host gives a driver. Valid from probe()/open() until probe()/close() returns; any thread of the host's.
 * emit() and mark() may block until the server has caught up. Those that answer int answer an enum pv_rc. */
struct pv_host {
    uint32_t size;
    void *ctx;
    void (*log)(void *ctx, int level, const char *message);
    /* Copies a secret of this provider ("password") into buf, NUL-terminated. PV_ENOENT if there is none. */
    int (*secret)(void *ctx, const char *name, char *buf, size_t cap);
    /* Hands over a batch; it may be reused when emit returns. PV_EINVAL: refused (a driver's fault). */
    int (*emit)(void *ctx, const struct pv_batch *batch);
    int (*mark)(void *ctx, uint32_t mark, const char *cursor);
    /* Facts about the provider, JSON object with any of: state ("connected", "degraded"), reason (text),
     * product {name, version, build, api_version}, instance_uuid, family, capabilities [{name, state:
     * yes|no|limited, reason, needs[]}], sync {mode: push|poll, interval_s, requests_last_full}. */
    int (*provider)(void *ctx, const char *json);
    /* For the call of the thread that asks. With a native_ref that it has not told yet it returns when the server has
     * stored that: PV_OK, and a restart goes on from there. Anything else: it may not, so the driver begins nothing
     * that must not be done twice (PV_ECANCELED: the server is gone or closes the session; PV_EINVAL: too long). */
    int (*progress)(void *ctx, uint64_t call, const struct pv_progress *progress);
    /* Nonzero: this call is to end soon, with PV_ECANCELED if nothing of it takes effect. What was sent to the provider
     * has to be accounted for: where it cannot be taken back, the call ends with PV_EUNKNOWN after having told its
     * native_ref, and is followed by a later one that is not cancelled. Asked about call 0: the session is being closed, and what is
     * under way will be followed by a later one; it is not to be undone. */
    int (*cancelled)(void *ctx, uint64_t call);
    /* Bytes that do not fit into arguments: an operation with a stream has its number, `stream`, in args. It is the
     * call's own until that returns, in one direction, without a position to go back to; for the thread of the call.
     * Both block while the other end has nothing, or no room. read answers 1 to cap bytes, 0 at the end; write answers
     * len when all of it was taken. Negative: an enum pv_rc, after which nothing more is to be read or written:
     * PV_ECANCELED (the call is to end, or nobody reads what is written any more), PV_EINVAL (no such stream, or the
     * other direction), PV_EIO. */
    int64_t (*stream_read)(void *ctx, uint64_t stream, void *buf, size_t cap);
    int64_t (*stream_write)(void *ctx, uint64_t stream, const void *buf, size_t len);
};

/* What a driver gives the host. NULL members mean "cannot do that"; open, close and watch are required. */
struct pv_driver {
    uint32_t size;
    uint16_t abi_major, abi_minor;
    const char *name;           /* [a-z0-9_]+, the file's name without .so */
    const char *version;
    const char *config_schema;  /* JSON Schema of the provider's `settings`; with title and description of the driver */
    const char *operations;     /* JSON array of the operations it implements: ["vm.start", ...] */

    /* Is there what `config` says, and what will work? *report: JSON array of findings in the order they were
     * tried, each {step, ok, detail, code?, remedy?, data?}; freed with free_text. PV_OK also when a step failed (ok:
     * false), a failure only when nothing could be found out. Stores nothing, changes nothing.
     * `config`: JSON {name, endpoint, username, settings{}, tls{mode, ca_pem, pins[]}}; the same for open. */
    int (*probe)(const struct pv_host *host, const char *config, uint64_t call, char **report,
                 struct pv_failure *fail);
    /* Check the settings; connecting may wait until watch. */
    int (*open)(const struct pv_host *host, const char *config, void **session,
                struct pv_failure *fail);
    /* After every watch, refresh and call of the session has returned. Logs out. */
    void (*close)(void *session);

    /* From `cursor` (NULL: a full listing first), then changes until cancelled. A cursor that has become
     * worthless means a full listing again, not a failure. Returns only on cancel or failure. */
    int (*watch)(void *session, uint64_t call, const char *cursor, struct pv_failure *fail);

    /* Targeted sync: emit this object and its children as they are now. PV_ENOENT: it is confirmed to be gone. */
    int (*refresh)(void *session, uint64_t call, uint32_t kind, const char *native_id,
                   struct pv_failure *fail);

    /* One operation. `subject`: JSON {kind, native_id, name, owner?}; `args`: JSON object, checked against the
     * operation table. *result: JSON object, or NULL: {changed?: bool, objects?: [{kind, native_id}] to refresh
     * beside the subject, plan?: [...] for a dry run}; freed with free_text.
     * native_ref set: the job was started before a restart; follow it, start nothing.
     * PV_EUNKNOWN: sent, and it is not known whether it took effect. */
    int (*call)(void *session, uint64_t call, const char *operation, const char *subject,
                const char *args, const char *native_ref, uint32_t flags, char **result,
                struct pv_failure *fail);
    void (*free_text)(char *text);
};
#define PV_CALL_DRY_RUN 1u  /* answer the native calls that would be made; change nothing */

/* The one exported symbol. A static table, or NULL if the driver cannot live with `host_abi_major`. */
PV_EXPORT const struct pv_driver *pv_driver_entry(uint16_t host_abi_major);

#ifdef __cplusplus
}
#endif
#endif
