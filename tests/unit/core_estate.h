/* SPDX-License-Identifier: Apache-2.0 */
/*
 * core_estate - a world with one provider of 40 VMs, for the tests of tasks: vm-1 is off, the
 * others run.
 *
 * set_up() and tear_down() belong into the test suite. `w` is the world, `s` the driver's session
 * that the test plays, and await() ends when a task is in a state.
 */
#pragma once

#include "tests/unit/core_fake.h"

static struct world *w;
static struct driver_session *s;
static struct pv_id provider;

#define VMS 40

static inline void listing(void)
{
    listing_begin(s);
    for (int i = 0; i < VMS; i++) {
        char native[24], identity[24], name[24];

        snprintf(native, sizeof(native), "vm-%d", i);
        snprintf(identity, sizeof(identity), "uuid-%d", i);
        snprintf(name, sizeof(name), "web%d", i);
        send_vm(s, native, identity, name, i == 1 ? PV_POWER_STATE_OFF : PV_POWER_STATE_RUNNING);
    }
    listing_end(s);
}

static inline void set_up(void)
{
    w = world_new(0, 0);
    provider = add_provider(w, "one", "vmware");
    s = session_of(w, "one");
    listing();
}

static inline void tear_down(void)
{
    world_free(w);
}

static inline struct pv_id vm(int i)
{
    char native[24];

    snprintf(native, sizeof(native), "vm-%d", i);
    cr_assert(vm_by_native(w, native), "%s is not there", native);
    return vm_by_native(w, native)->id;
}

static inline int try_submit(const char *operation, enum pv_kind kind, struct pv_id subject,
                             const char *params, const struct core_options *o, struct pv_id *task,
                             struct pv_err *err)
{
    json_t *json = params ? json_loads(params, 0, NULL) : NULL;
    struct core_task_request q = {
        .operation = model_operation(operation), .kind = kind, .subject = subject, .params = json
    };
    int rc = core_task_submit(w->core, &someone, &q, o, task, NULL, NULL, err);

    json_decref(json);
    return rc;
}

static inline struct pv_id submit(const char *operation, enum pv_kind kind, struct pv_id subject)
{
    struct pv_err err = { 0 };
    struct pv_id task;

    cr_assert_eq(try_submit(operation, kind, subject, NULL, NULL, &task, &err), PV_OK, "%s",
                 err.message);
    return task;
}

static inline struct model_row *task_row(const struct pv_id *task)
{
    struct model_row *row = row_of(w, PV_KIND_task, task);

    cr_assert(row);
    return row;
}

/* What the driver told to go on from; "" before. */
static inline const char *journal_of(const struct pv_id *task)
{
    const char *journal;

    cr_assert_eq(store_secret_get(w->store, PV_KIND_task, task, F(task, journal), w->arena, &journal, NULL),
                 PV_OK);
    return journal;
}

static inline enum pv_task_state state_of(const struct pv_id *task)
{
    return (enum pv_task_state)model_number(task_row(task), F(task, state));
}

static struct {
    struct pv_id task;
    enum pv_task_state state;
    const char *code;
} wanted;

static inline bool has_state(const void *arg)
{
    (void)arg;
    return state_of(&wanted.task) == wanted.state &&
           (!wanted.code ||
            strstr(model_text(task_row(&wanted.task), F(task, wait_reason)), wanted.code));
}

static inline void await(struct pv_id task, enum pv_task_state state)
{
    wanted.task = task;
    wanted.state = state;
    wanted.code = NULL;
    cr_assert(eventually(has_state, NULL), "it is %s, not %s",
              model_enum_text(PV_ENUM_task_state, state_of(&task)),
              model_enum_text(PV_ENUM_task_state, state));
}

static inline void await_reason(struct pv_id task, const char *code)
{
    wanted.task = task;
    wanted.state = PV_TASK_STATE_WAITING;
    wanted.code = code;
    cr_assert(eventually(has_state, NULL), "it is %s: %s",
              model_enum_text(PV_ENUM_task_state, state_of(&task)),
              model_text(task_row(&task), F(task, wait_reason)));
}

/* The state the provider would show from now on; refreshes bring it. */
static inline void becomes(int i, enum pv_power_state power)
{
    char native[24], identity[24], name[24];

    snprintf(native, sizeof(native), "vm-%d", i);
    snprintf(identity, sizeof(identity), "uuid-%d", i);
    snprintf(name, sizeof(name), "web%d", i);
    send_vm(s, native, identity, name, power);
    pv_builder_send(s->builder);
}

static inline int64_t power_of(int i)
{
    char native[24];

    snprintf(native, sizeof(native), "vm-%d", i);
    return model_number(vm_by_native(w, native), F(vm, power_state));
}

static inline void progress(uint64_t call, int percent, const char *ref)
{
    act(s,
        (struct act_item){ .act = ACT_PROGRESS,
                           .call = call,
                           .progress = { .size = sizeof(struct pv_progress), .percent = percent },
                           .text = ref ? strdup(ref) : NULL });
    drain(s);
}
