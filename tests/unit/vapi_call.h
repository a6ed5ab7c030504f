/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vapi_call - one operation called against vapi_fake: what it told meanwhile,
 * what it answered, and when its caller wants it cancelled.
 *
 * Also the answers that scripts are made of. Threads: as vapi_fake; the
 * wishes may be set by a script.
 */
#pragma once

#include "tests/unit/vapi_fake.h"

#include "drivers/vapi/operations.h"

#define VM "{\"kind\":\"vm\",\"native_id\":\"vm-1\",\"name\":\"web\"}"
#define SNAPSHOT                                                                                   \
    "{\"kind\":\"snapshot\",\"native_id\":\"snapshot-1\",\"name\":\"s\",\"owner\":"                \
    "{\"kind\":\"vm\",\"native_id\":\"vm-1\"}}"
#define HOST "{\"kind\":\"host\",\"native_id\":\"host-1\",\"name\":\"esx\"}"

#define OBJECT(type, id, props)                                                                    \
    FAKE_ANSWER("RetrievePropertiesEx", "<returnval><objects><obj type=\"" type "\">" id           \
                                        "</obj>" props "</objects></returnval>")
#define PROP(name, type, value)                                                                    \
    "<propSet><name>" name "</name><val type=\"" type                                              \
    "\" xsi:type=\"ManagedObjectReference\">" value "</val></propSet>"
#define STATE(text)                                                                                \
    OBJECT(                                                                                        \
        "VirtualMachine", "vm-1",                                                                  \
        "<propSet><name>runtime.powerState</name><val xsi:type=\"VirtualMachinePowerState\">" text \
        "</val></propSet>")
#define TASK(method) FAKE_ANSWER(method, "<returnval type=\"Task\">task-1</returnval>")
#define INFO(parts) OBJECT("Task", "task-1", parts)
#define PART(name, type, value)                                                                    \
    "<propSet><name>info." name "</name><val xsi:type=\"" type "\">" value "</val></propSet>"
#define CHANGE(name, type, value)                                                                  \
    "<changeSet><name>info." name "</name><op>assign</op><val xsi:type=\"" type "\">" value        \
    "</val></changeSet>"
#define DONE PART("state", "TaskInfoState", "success")
#define GONE(type, id)                                                                             \
    FAKE_FAULT_WITH("ManagedObjectNotFound", "<obj type=\"" type "\">" id "</obj>")

#define CALL_REFS 8

static struct {
    struct pv_progress last;
    char refs[CALL_REFS][320]; /* one after the other, no two the same */
    unsigned nrefs;
    unsigned
        stores; /* so many references are stored, the rest is not; 0: all are. Kept between calls */
    bool told_before_waiting;
    char *result;
    _Atomic int wants_cancel, closing; /* set by tests and scripts, kept between calls */
} call;

static inline const char *call_ref(void)
{
    return call.nrefs ? call.refs[call.nrefs - 1] : "";
}

static inline int call_on_progress(void *ctx, uint64_t number, const struct pv_progress *p)
{
    (void)ctx;
    (void)number;
    call.last = *p;
    if (!p->native_ref)
        return PV_OK;
    if (!call.nrefs)
        call.told_before_waiting = fake_count("WaitForUpdatesEx") == 0;
    if (call.nrefs < CALL_REFS && strcmp(call_ref(), p->native_ref) != 0)
        snprintf(call.refs[call.nrefs++], sizeof(call.refs[0]), "%s", p->native_ref);
    return call.stores && call.nrefs > call.stores ? PV_ECANCELED : PV_OK;
}

static inline int call_on_cancelled(void *ctx, uint64_t number)
{
    (void)ctx;
    return call.closing || (number && call.wants_cancel);
}

static inline int call_run(const char *operation, const char *subject, const char *args,
                           const char *native_ref, uint32_t flags, struct pv_err *err)
{
    struct vapi *v = NULL;
    int rc;

    fake.host.progress = call_on_progress;
    fake.host.cancelled = call_on_cancelled;
    memset(&call.last, 0, sizeof(call.last));
    call.nrefs = 0;
    free(call.result);
    call.result = NULL;
    memset(err, 0, sizeof(*err));
    cr_assert_eq(vapi_new(&fake.host, fake.config, &v, err), PV_OK, "%s", err->message);
    rc = operations_call(v, 7, operation, subject, args, native_ref, flags, &call.result, err);
    vapi_free(v);
    return rc;
}

static inline void call_expect(const char *part)
{
    cr_assert_not_null(call.result);
    cr_expect_not_null(strstr(call.result, part), "%s is not in %s", part, call.result);
}

static inline void call_stop(void)
{
    free(call.result);
    call.result = NULL;
    call.wants_cancel = call.closing = 0;
    call.stores = 0;
    fake_stop();
}
